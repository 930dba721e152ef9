"""The environment variables that the doctor knows, and the file that keeps them."""

import re
import stat
from pathlib import Path

import pytest

from services.chassis import environment
from services.chassis.environment import EnvironmentUnusable
from services.operations.doctor.variables import known

ROOT = Path(__file__).resolve().parents[3]
READ = re.compile(r'environ(?:ment)?\.get\("(TABLING_\w+)"')


def test_every_variable_that_the_code_reads_is_known() -> None:
    files = [path for folder in ("services", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")]
    read = {name for path in files for name in READ.findall(path.read_text())}
    assert {"TABLING_CRASH", "TABLING_DRILLS"} <= read
    assert read <= known()


def test_what_is_for_all_services_may_be_said_for_one() -> None:
    assert {
        "TABLING_LOG_LEVEL",
        "TABLING_SEAT_LOG_LEVEL",
        "TABLING_SEAT_TARGET",
        "TABLING_RECEPTION_SEAT_TARGET",
    } <= known()


def test_what_a_system_runs_with_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    given = {"TABLING_BUS": "amqp://tabling:a=b@127.0.0.1/", "TABLING_METRICS_LISTEN": ""}
    environment.write(tmp_path, {"TABLING_BUS": "memory", "TABLING_OLD": "1"})
    environment.write(tmp_path, given)
    assert environment.read(tmp_path) == given
    assert stat.S_IMODE((tmp_path / "environment").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["environment"]


def test_a_folder_in_which_no_system_ever_ran_keeps_nothing(tmp_path: Path) -> None:
    assert environment.read(tmp_path) == environment.read(tmp_path / "nowhere") == {}


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentUnusable, match="nowhere/environment cannot be written"):
        environment.write(tmp_path / "nowhere", {})

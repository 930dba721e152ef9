"""What the full system plans, and what it says when it cannot run."""

import os
import shutil
from pathlib import Path

import pytest

from services.chassis.settings import PORTS, SettingsError
from services.full import cli
from services.full.infrastructure import Infrastructure
from services.full.processes import told_to
from services.full.servers import Maria, Postgres, Rabbit, away
from services.full.servers.user import User
from services.full.settings import FullSettings
from services.local.folder import FolderInUse, owned, reset

GIVEN = {f"TABLING_{service.upper()}_DATABASE": f"postgresql://u:p@db:5432/{service}" for service in PORTS}
BUS = {"TABLING_BUS": "amqp://u:p@broker:5672/tabling"}


def test_management_is_on_mariadb_the_others_on_postgresql_and_rabbitmq_is_between_them(tmp_path: Path) -> None:
    planned = Infrastructure(tmp_path, {})
    assert {type(server) for server in planned.servers} == {Rabbit, Postgres, Maria}
    kinds = {name: address.partition("://")[0] for name, address in planned.addresses.items()}
    assert kinds == {
        "TABLING_BUS": "amqp",
        "TABLING_RECEPTION_DATABASE": "postgresql",
        "TABLING_SEAT_DATABASE": "postgresql",
        "TABLING_MANAGEMENT_DATABASE": "mariadb",
        "TABLING_DASHBOARD_DATABASE": "postgresql",
        "TABLING_NOTIFICATION_DATABASE": "postgresql",
    }
    assert len(set(planned.addresses.values())) == len(planned.addresses)


def test_nothing_is_started_in_place_of_what_is_given(tmp_path: Path) -> None:
    planned = Infrastructure(tmp_path, GIVEN | BUS)
    assert planned.servers == []
    assert planned.addresses == GIVEN | BUS
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_given_is_started(tmp_path: Path) -> None:
    given = {name: address for name, address in GIVEN.items() if name != "TABLING_SEAT_DATABASE"}
    planned = Infrastructure(tmp_path, given | BUS)
    assert [type(server) for server in planned.servers] == [Postgres]
    assert {name: planned.addresses[name] for name in given} == given


def test_a_bus_within_one_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^TABLING_BUS is memory, which joins no processes: unset it, or name"):
        Infrastructure(tmp_path, {"TABLING_BUS": "memory"})


@pytest.mark.parametrize("name", PORTS)
def test_the_keys_of_passes_and_of_phones_are_receptions_alone(tmp_path: Path, name: str) -> None:
    keys = {
        "TABLING_KEY": "a",
        "TABLING_PASS_KEY": "b",
        "TABLING_PHONE_KEY": "c",
        "TABLING_RECEPTION_PASS_KEY_FILE": "d",
    }
    told = told_to(name, keys | {"TABLING_BUS": "amqp://broker"})
    assert told == (keys if name == "reception" else {"TABLING_KEY": "a"}) | {"TABLING_BUS": "amqp://broker"}


def test_every_process_has_a_port_of_its_own_and_one_for_its_metrics() -> None:
    settings = FullSettings(first_port=9101, replicas=2)
    assert settings.targets["reception"] == "127.0.0.1:9101,127.0.0.1:9106"
    assert settings.targets["notification"] == "127.0.0.1:9105,127.0.0.1:9110"
    ports = [listener.port for listener in settings.listeners]
    assert len(set(ports)) == len(ports) == 2 + 2 * 10


@pytest.mark.parametrize("number", ["0", "10", "two"])
def test_a_number_of_replicas_that_makes_no_sense_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main(["--replicas", number])
    assert "argument --replicas" in capsys.readouterr().err


def test_its_data_may_be_inside_that_of_the_embedded_system(tmp_path: Path) -> None:
    with owned(tmp_path / "data" / "full"):
        with owned(tmp_path / "data"):
            pass
        with pytest.raises(FolderInUse):
            reset(tmp_path / "data")
    assert reset(tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_reset_deletes_what_could_not_be_in_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data").mkdir(parents=True)
    with owned(tmp_path / "data" / "full") as data:
        (data / "postgresql").mkdir()
        (data / "postgresql" / "data").symlink_to(elsewhere / "data")
        assert cli.main(["reset", "--data", str(data)]) == 1
        assert elsewhere.exists()
    assert cli.main(["reset", "--data", str(data)]) == 0
    assert not elsewhere.exists()
    assert capsys.readouterr().out == f"Deleted {data}.\n"


def test_data_elsewhere_goes_when_its_folder_has_gone(tmp_path: Path) -> None:
    user = User(os.getuid(), os.getgid(), tmp_path / "home")
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in (user.home, *folders):
        folder.mkdir()
    first = away.place(folders[0], user)
    first.mkdir()
    assert away.place(folders[0], user) == first
    assert first.samefile(folders[0] / "data")
    shutil.rmtree(folders[0])
    second = away.place(folders[1], user)
    assert [place.name for place in user.home.iterdir()] == [second.parent.name]
    away.erase(folders[1])
    assert list(user.home.iterdir()) == []

"""Each service can be deployed without the others: the contracts, the chassis and its own folder are all it needs."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from services.chassis.settings import PORTS
from tests.entitled import ENVIRONMENT, KEYS

ROOT = Path(__file__).resolve().parents[2]

BUILD = """
import asyncio, os, sys
from importlib import import_module

name, data = sys.argv[1:]
build = import_module(f"services.{name}.app").build

from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import SystemClock
from services.chassis.settings import from_environment
from services.subscriptions import SUBSCRIPTIONS

async def main():
    settings = from_environment(name, {**os.environ, "TABLING_DATA": data})
    await build(settings, MemoryBus(), SystemClock()).frame.database.close()

asyncio.run(main())
for module in sorted(module for module in sys.modules if module.startswith(("services", "tabling"))):
    print(module, *sys.modules[module].__path__ if hasattr(sys.modules[module], "__path__") else [])
"""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder with what every image has."""
    copy = tmp_path / "image"
    ignore = shutil.ignore_patterns("__pycache__", "*.pyi")
    shutil.copytree(ROOT / "gen", copy / "gen", ignore=ignore)
    shutil.copytree(ROOT / "services" / "chassis", copy / "services" / "chassis", ignore=ignore)
    for module in ("__init__.py", "permissions.py", "subscriptions.py"):
        shutil.copy(ROOT / "services" / module, copy / "services")
    return copy


def run(
    code: str, image: Path, *arguments: str, told: Mapping[str, str] = ENVIRONMENT
) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds our code in `image` only, and libraries as always."""
    # without site the environment's own .pth files, which lead to this repository, are not read
    path = [str(image), str(image / "gen"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {path}\n{code}", *arguments],
        cwd=image,
        env={"PATH": os.environ["PATH"], **told},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def build(name: str, image: Path) -> subprocess.CompletedProcess[str]:
    """Build a service."""
    return run(BUILD, image, name, str(image / "data"))


@pytest.mark.parametrize("name", PORTS)
def test_a_service_needs_no_other_service(name: str, empty: Path) -> None:
    shutil.copytree(ROOT / "services" / name, empty / "services" / name, ignore=shutil.ignore_patterns("__pycache__"))

    built = build(name, empty)

    assert built.returncode == 0, built.stderr
    modules = [line.split() for line in built.stdout.splitlines()]
    ours = {module.split(".")[1] for module, *_ in modules if module.startswith("services.")}
    assert ours == {"chassis", "permissions", "subscriptions", name}
    assert all(path.startswith(str(empty)) for _, *paths in modules for path in paths)
    assert (empty / "data" / f"{name}.db").exists()


def test_without_its_folder_a_service_cannot_be_built(empty: Path) -> None:
    assert "No module named 'services.seat'" in build("seat", empty).stderr


def test_operators_find_their_command_line_beside_a_single_service(empty: Path) -> None:
    for name in ("seat", "operations"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "services" / name, empty / "services" / name, ignore=ignore)

    def ops(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from services.operations.cli import main; sys.exit(main())"
        return run(code, empty, *arguments, "--data", str(empty / "data"), told={"TABLING_KEY": KEYS[0]})

    assert (migrated := ops("migrate")).returncode == 0, migrated.stderr
    assert [path.name for path in (empty / "data").glob("*.db")] == ["seat.db"]
    for command in ("outbox", "dead-letters list", "doctor", "settings", "topology", "migrate --check"):
        assert (done := ops(*command.split())).returncode == 0, (command, done.stdout, done.stderr)
    assert (checked := ops("check")).returncode == 1
    assert "the code of reception, management, dashboard, notification is not here" in checked.stderr

"""The project's own rules: the rooms of the house, the lock files, what may not be written into a file."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUNTIME, DEV, IMAGES = LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-images.lock")

TRESPASSES = [
    ("domain", "services.reception.domain", "import sqlalchemy"),
    ("domain", "services.seat.domain", "from google.protobuf import timestamp_pb2"),
    ("domain", "services.seat.domain", "from services.seat import adapters"),
    ("domain", "services.management.domain", "from services.management import application"),
    ("domain", "services.notification.domain", "from tabling.notification import v1"),
    ("application", "services.reception.application", "import grpc"),
    ("application", "services.dashboard.application", "from services.dashboard import adapters"),
    ("application", "services.management.application", "from services.management import entrypoints"),
    ("application", "services.seat.application", "from tabling.seat import v1"),
    ("kernel-only", "services.reception.domain", "from services.chassis import settings"),
    ("kernel-only", "services.seat.application", "from services.chassis import database"),
    ("kernel", "services.chassis.kernel", "import sqlalchemy"),
    ("kernel", "services.chassis.kernel", "from services.chassis import database"),
    ("entrypoints", "services.notification.entrypoints", "from services.notification import adapters"),
    ("adapters", "services.dashboard.adapters", "from services.dashboard import entrypoints"),
    ("chassis", "services.chassis", "from services.reception import domain"),
    ("chassis", "services.chassis", "from tabling.reception import v1"),
    ("operations", "services.dashboard", "from services.operations import cli"),
    ("independence", "services.reception", "from services.seat import domain"),
    ("independence", "services.dashboard", "from services.management import adapters"),
]


@pytest.fixture(scope="session")
def copy_of_the_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to trespass in, so that a trespass never shows in the real tree."""
    copy = tmp_path_factory.mktemp("copy")
    python_only = shutil.ignore_patterns("__pycache__", "web", "*.pyi")
    shutil.copytree(ROOT / "services", copy / "services", ignore=python_only)
    shutil.copytree(ROOT / "gen" / "tabling", copy / "gen" / "tabling", ignore=python_only)
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def import_contracts() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["id"] for contract in project["tool"]["importlinter"]["contracts"]}


@pytest.mark.parametrize(("contract", "room", "trespass"), TRESPASSES)
def test_a_trespass_breaks_its_import_contract(copy_of_the_code: Path, contract: str, room: str, trespass: str) -> None:
    place = copy_of_the_code.joinpath(*room.split("."))
    module = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "trespass.py"
    before = module.read_text() if module.exists() else None
    module.write_text(f"{before or ''}\n{trespass}\n")
    try:
        lint = lint_imports(copy_of_the_code, contract)
    finally:
        module.unlink() if before is None else module.write_text(before)

    assert lint.returncode == 1, lint.stdout + lint.stderr
    assert " BROKEN" in lint.stdout
    name = ".".join(module.relative_to(copy_of_the_code).with_suffix("").parts)
    assert f"{name} -> " in lint.stdout


def lint_imports(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.prefix) / "bin" / "lint-imports", "--no-logo", "--contract", contract],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{folder / 'gen'}", "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_import_contract_is_trespassed() -> None:
    assert {contract for contract, _, _ in TRESPASSES} == import_contracts()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_version_and_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text())
    packages = [entry for entry in entries if not entry.startswith("#")]

    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]* ", package), package
        assert re.search(r"\n    --hash=sha256:[0-9a-f]{64}\b", package), package


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_says_what_to_install_but_not_from_where(lock: str) -> None:
    for line in (ROOT / lock).read_text().splitlines():
        assert "://" not in line
        assert not re.match(r"--|-[a-z]\b", line), line


def test_what_runs_is_what_was_tested() -> None:
    locked = {lock: set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / lock).read_text(), re.M)) for lock in LOCKS}

    assert locked[RUNTIME] < locked[DEV]
    assert locked[IMAGES] < locked[DEV]


def test_nothing_is_installed_without_its_hash() -> None:
    files = [ROOT / "Dockerfile", *(each for each in (ROOT / "scripts").iterdir() if each.is_file())]
    lines = "\n".join(each.read_text() for each in files).replace("\\\n", " ").splitlines()
    installs = [line for line in lines if re.search(r"\bpip( +\S+)* +install ", line) and not line.startswith("#")]

    assert len(installs) == 2
    for command in installs:
        assert {"--require-hashes", "--no-deps", "--requirement"} <= set(command.split()), command


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    private = re.compile(rb"(?<![\w.$}/-])/(?:work|root)/")

    found = [
        f"{file}:{number}: {line.decode(errors='replace').strip()}"
        for file in files_of_the_repository()
        for number, line in enumerate((ROOT / file).read_bytes().splitlines(), start=1)
        if private.search(line)
    ]

    assert not found, "\n".join(found)


def files_of_the_repository() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [file for file in listed.stdout.split("\0") if file and (ROOT / file).is_file()]

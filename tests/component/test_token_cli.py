"""`scripts/token`: whom its tokens are for, and what it says when there is no system to print them for."""

from pathlib import Path
from typing import Any

import jwt
import pytest

from services.chassis.callers import AUDIENCES, caller_of
from services.chassis.kernel import Caller, Role
from services.local import keys
from services.local.token_cli import main

STAFF = ("staff", "--store", "s1", "--store", "s2", "--name", "kim")
BOTH = frozenset(("s1", "s2"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder in which a system was started."""
    keys.of(tmp_path)
    return tmp_path


def claims(data: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the token says that is printed, and nothing but it; its signature is good."""
    assert main([*arguments, "--data", str(data)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    [key] = jwt.PyJWKSet.from_json(keys.of(data).jwks.read_text()).keys
    told: dict[str, Any] = jwt.decode(said.out.rstrip("\n"), key, algorithms=["ES256"], audience=list(AUDIENCES))
    return told


@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        (("customer",), Caller(Role.CUSTOMER, "demo")),
        (("customer", "anna"), Caller(Role.CUSTOMER, "anna")),
        (STAFF, Caller(Role.MANAGER, "kim", BOTH)),
        ((*STAFF, "--role", "host"), Caller(Role.HOST, "kim", BOTH)),
        (("operator",), Caller(Role.OPERATOR, "demo")),
        (("backend", "--customers", "app-"), Caller(Role.BACKEND, "demo", customers="app-")),
    ],
)
def test_a_token_is_for_whom_it_was_asked(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], caller: Caller
) -> None:
    assert caller_of(claims(data, capsys, *arguments)) == caller


def test_a_token_is_good_for_as_long_as_was_asked(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for hours in (0.5, 24):
        told = claims(data, capsys, "operator", "--hours", str(hours))
        assert told["exp"] - told["iat"] == hours * 3600
    assert main(["operator", "--hours", "25", "--data", str(data)]) == 2


def test_staff_work_for_a_store(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["staff", "--data", str(data)]) == 2
    assert "--store" in capsys.readouterr().err


def test_where_no_system_was_started_there_are_no_tokens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["operator", "--data", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        f"error: no system was ever started on {tmp_path}: type scripts/up first, or name another with --data\n"
    )
    assert list(tmp_path.iterdir()) == []

"""What the embedded system says when it cannot run, and its commands for the data."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.chassis.addresses import free_port
from services.chassis.migrate import DatabaseUnusable
from services.chassis.settings import SettingsError
from services.embedded import cli
from services.embedded.app import up
from services.embedded.settings import EmbeddedSettings
from services.local import folder
from services.local.folder import FolderInUse, FolderUnusable, NotOurFolder, owned
from services.local.ports import Listener, PortTaken, require_free
from tests.e2e.system import free_ports


async def start(data: Path, **environment: str) -> None:
    """Start a system that is not expected to get far."""
    port = free_ports(7)
    settings = EmbeddedSettings(data=data, port=port, kakao_port=port + 1, first_port=port + 2)
    await up(settings, environment, asyncio.Event(), lambda ready: None, 0.0)


@contextmanager
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


async def test_a_taken_port_is_named_with_its_option() -> None:
    with taken() as port, pytest.raises(PortTaken) as raised:
        await require_free([Listener("seat", free_port(), "--first-port"), Listener("the gateway", port, "--port")])
    assert str(raised.value) == (
        f"the gateway cannot listen on 127.0.0.1:{port} (Address already in use): "
        "stop what does, or name another port with --port"
    )


async def test_a_port_that_is_let_go_in_a_moment_is_waited_for() -> None:
    with taken() as port:
        waiting = asyncio.create_task(require_free([Listener("the gateway", port, "--port")]))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting


async def test_two_that_would_listen_on_one_port_are_told_apart() -> None:
    with pytest.raises(PortTaken, match=r"the gateway and management .* 9103: .* --port or --first-port"):
        await require_free(EmbeddedSettings(port=9103).listeners)


async def test_a_folder_in_use_is_named_with_its_owner(tmp_path: Path) -> None:
    with owned(tmp_path), pytest.raises(FolderInUse) as raised:
        await start(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} is in use by process {os.getpid()}: stop it first, or name another with --data"
    )


async def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(NotOurFolder, match="is not empty and is no data folder of Tabling: name another with --data"):
        await start(tmp_path)
    with pytest.raises(NotOurFolder):
        folder.reset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(("where", "why"), [("file", "it is no folder"), ("file/data", "Not a directory")])
async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, where: str, why: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable) as raised:
        await start(tmp_path / where)
    assert str(raised.value) == f"{tmp_path / where} cannot hold the data ({why}): name another with --data"


async def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    with owned(tmp_path):
        (tmp_path / "seat.db").write_text("this was never a database")
    with pytest.raises(DatabaseUnusable) as raised:
        await start(tmp_path)
    assert str(raised.value) == f"the database {tmp_path / 'seat.db'} cannot be used: file is not a database"


async def test_a_wrong_setting_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^TABLING_SEAT_HEARTBEAT_SECONDS must be a number of seconds, not 'soon'$"
    ):
        await start(tmp_path, TABLING_SEAT_HEARTBEAT_SECONDS="soon")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "８０８０", ""])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main([f"--port={port}"])
    assert f"{port!r} is no port from 1 to 65535" in capsys.readouterr().err


def test_five_services_need_five_ports(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main(["--first-port", "65532"])
    assert "'65532' is no port from 1 to 65531" in capsys.readouterr().err


def test_reset_deletes_the_data_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    with owned(data):
        (data / "seat.db").touch()
        assert cli.main(["reset", "--data", str(data)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {data} is in use by process ")
    assert cli.main(["--data", str(data), "reset"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["reset", "--data", str(data)]) == 0
    assert capsys.readouterr().out == f"Deleted {data}.\nNothing to delete: there is no {data}.\n"

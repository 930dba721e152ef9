"""A database that cannot be written to for a while: changes are refused, nothing breaks, and then all goes on."""

import asyncio
import os
import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.chassis.testing import eventually
from services.operations.catalogue import SERVICES
from tabling.management.v1.management_service_pb2 import RegisterWalkInRequest
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest, GetReceptionRequest
from tabling.seat.v1.seat_service_pb2 import BlockTableRequest
from tests.drills.calls import Client, NoAnswer
from tests.drills.conftest import NewDrill
from tests.drills.restaurants import BY_HAND, FREELY, tables
from tests.drills.trial import FULL, Report
from tests.e2e.system import System

pytestmark = pytest.mark.drill

FULL_AT_BYTES = 1000
BUSY = 30
"""So many parties have been let in when the trouble begins."""

BUSY_SECONDS = 60.0

SERVICES_ASKED = ("reception", "management", "seat")


async def test_while_databases_are_locked_changes_are_refused_and_reads_go_on(
    new_drill: NewDrill, reports: list[Report]
) -> None:
    drill = new_drill("locked")

    async def lock(system: System, client: Client) -> None:
        await eventually(lambda: len(drill.record.parties) >= BUSY, seconds=BUSY_SECONDS)
        with ExitStack() as locks:
            for service in SERVICES:
                _lock(system.data / f"{service}.db", locks)
            await _changes_are_refused(client)
            assert await client.read("reception", GetReceptionRequest(name=drill.record.parties[0]))

    _nothing_is_wrong(await drill.live_through(lock, "locked"), reports)


async def test_while_the_disk_is_full_changes_are_refused_and_reads_go_on(
    new_drill: NewDrill, reports: list[Report]
) -> None:
    drill = new_drill("full")

    async def fill(system: System, client: Client) -> None:
        await eventually(lambda: len(drill.record.parties) >= BUSY, seconds=BUSY_SECONDS)
        _let_files_grow_to(FULL_AT_BYTES, system)
        await _changes_are_refused(client)
        assert await client.read("reception", GetReceptionRequest(name=drill.record.parties[0]))
        _let_files_grow_to(resource.RLIM_INFINITY, system)

    _nothing_is_wrong(await drill.live_through(fill, "full disk"), reports)


@pytest.mark.skipif(not FULL, reason="only when TABLING_DRILLS=full")
async def test_a_system_that_dies_on_a_full_disk_goes_on_when_there_is_room_again(
    new_drill: NewDrill, reports: list[Report]
) -> None:
    drill = new_drill("dies full")

    async def fill_and_die(system: System, client: Client) -> None:
        await eventually(lambda: len(drill.record.parties) >= BUSY, seconds=BUSY_SECONDS)
        _let_files_grow_to(FULL_AT_BYTES, system)
        await _changes_are_refused(client)
        system.kill()
        await system.process.wait()

    await drill.die_of(fill_and_die)
    _nothing_is_wrong(await drill.recover("kill -9, full disk", ""), reports)


@pytest.mark.skipif(not FULL or os.geteuid() != 0, reason="only when TABLING_DRILLS=full, as root: mounts a small disk")
async def test_on_a_disk_without_a_free_byte_changes_are_refused_until_there_is_room(
    small_disk: Path, new_drill: NewDrill, reports: list[Report]
) -> None:
    drill = new_drill("small disk")

    async def fill(system: System, client: Client) -> None:
        await eventually(lambda: len(drill.record.parties) >= BUSY, seconds=BUSY_SECONDS)
        ballast = small_disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        await eventually(partial(_is_exhausted, client))
        ballast.unlink()

    _nothing_is_wrong(await drill.live_through(fill, "small disk"), reports)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own under the data folder; what KakaoTalk writes is elsewhere."""
    folder = tmp_path / "data"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True)
    try:
        (tmp_path / "kakao").mkdir()
        (folder / "kakao").symlink_to(tmp_path / "kakao")
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def _is_exhausted(client: Client) -> bool:
    request = CreateReceptionRequest(parent=f"stores/{BY_HAND}")
    request.reception.party_size, request.reception.customer = 2, f"customers/{client.record.new_request_id()}"
    with suppress(NoAnswer):
        await client.change("reception", request)
    [call] = [call for call in client.record.calls if call.request is request]
    return call.refusal is grpc.StatusCode.RESOURCE_EXHAUSTED


def _nothing_is_wrong(report: Report, reports: list[Report]) -> None:
    reports.append(report)
    assert not report.findings, report.findings


async def _changes_are_refused(client: Client) -> None:
    party = CreateReceptionRequest(parent=f"stores/{BY_HAND}")
    party.reception.party_size, party.reception.customer = 2, "customers/refused"
    walk_in = RegisterWalkInRequest(parent=f"stores/{FREELY}", party_size=2)
    block = BlockTableRequest(name=tables(FREELY)[0])
    await asyncio.gather(*map(partial(_is_refused, client), SERVICES_ASKED, (party, walk_in, block)))


async def _is_refused(client: Client, service: str, request: Any) -> None:
    """Or it waits behind so many others that its deadline passes before it is begun."""
    with pytest.raises(NoAnswer, match=r"UNAVAILABLE|DEADLINE_EXCEEDED"):
        await client.change(service, request)


def _lock(database: Path, locks: ExitStack) -> None:
    connection = locks.enter_context(closing(sqlite3.connect(database, timeout=10, isolation_level=None)))
    connection.execute("BEGIN IMMEDIATE")


def _let_files_grow_to(size: int, system: System) -> None:
    """To the writer it is a disk without room: SQLite's files, and the log, cannot grow."""
    resource.prlimit(system.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

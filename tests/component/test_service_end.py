"""How a service ends: when it is told to, or with an error that has its name."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.chassis.addresses import free_port
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import SystemClock
from services.chassis.grpc_server import AddressInUse
from services.chassis.running import causes
from services.chassis.service import Frame, Parts, Service, ServiceFailed
from services.chassis.settings import from_environment
from services.chassis.testing import eventually
from services.seat.adapters.tables import metadata
from services.seat.adapters.unit_of_work import SeatUnit
from tests.entitled import ENVIRONMENT


def service(
    folder: Path,
    *loops: Callable[[], Coroutine[Any, Any, None]],
    listen: str = "127.0.0.1:0",
    database: str = "",
) -> Service[Any]:
    given = {**ENVIRONMENT, **({"TABLING_DATABASE": database} if database else {})}
    settings = from_environment("seat", {"TABLING_DATA": str(folder), "TABLING_LISTEN": listen, **given})
    return Service(Frame(settings, SystemClock(), metadata, SeatUnit), MemoryBus(), Parts(loops=loops))


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(service(tmp_path, for_ever).run(stop))
    stop.set()
    async with asyncio.timeout(20):
        await running


async def test_it_ends_when_it_is_told_to_while_it_waits_for_its_database(tmp_path: Path) -> None:
    stop, address = asyncio.Event(), f"postgresql://nobody@127.0.0.1:{free_port()}/seat"
    seat = service(tmp_path, for_ever, database=address)
    running = asyncio.create_task(seat.run(stop))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{await eventually(lambda: seat.grpc.port)}") as channel:
        await asyncio.wait_for(channel.channel_ready(), 20)
    stop.set()
    async with asyncio.timeout(20):
        await running
    assert not seat.started.is_set()


async def test_a_loop_that_crashes_ends_it_and_is_told_with_its_name(tmp_path: Path) -> None:
    crash = asyncio.Event()

    async def crashing() -> None:
        await crash.wait()
        raise OverflowError("too much")

    seat = service(tmp_path, for_ever, crashing)
    running = asyncio.create_task(seat.run(asyncio.Event()))
    await seat.started.wait()
    crash.set()
    async with asyncio.timeout(20):
        with pytest.raises(ServiceFailed, match=r"^seat failed: OverflowError\('too much'\)$"):
            await running
    async with grpc.aio.insecure_channel(f"127.0.0.1:{seat.grpc.port}") as channel:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(channel.channel_ready(), 0.2)


async def test_a_loop_that_just_ends_is_an_error_too(tmp_path: Path) -> None:
    async def ending() -> None:
        await asyncio.sleep(0)

    async with asyncio.timeout(20):
        with pytest.raises(ServiceFailed, match="seat failed: RuntimeError"):
            await service(tmp_path, ending).run(asyncio.Event())


async def test_what_is_in_its_way_is_no_crash(tmp_path: Path) -> None:
    stop = asyncio.Event()
    first = service(tmp_path / "first")
    running = asyncio.create_task(first.run(stop))
    await first.started.wait()
    with pytest.raises(ExceptionGroup) as raised:
        await service(tmp_path / "second", listen=f"127.0.0.1:{first.grpc.port}").run(stop)
    assert [type(cause) for cause in causes(raised.value)] == [AddressInUse]
    stop.set()
    await running

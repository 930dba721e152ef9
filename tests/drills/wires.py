"""Wires between the services of a fleet and their servers, which break in the moment when nobody can know what came."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from services.chassis.testing import eventually
from tests.contract.cutter import Cut, Cutter, cutter
from tests.drills.arena import Arena, Trouble
from tests.drills.calls import Client
from tests.drills.fleet import Fleet

PUBLISH = b"\x00\x3c\x00\x28"
ACK = b"\x00\x3c\x00\x50"
COMMIT = b"COMMIT"
"""What is said on a wire: AMQP's class and method, SQL's word."""

WORDS = {"publish": PUBLISH, "ack": ACK, "commit": COMMIT}
PUBLISHERS = ("reception", "seat", "management")
CUT_SECONDS = 60.0


class Doubt(NamedTuple):
    """Whose wire breaks, at what word, before or after the server heard it, and whether the process dies of it."""

    service: str
    word: str
    cut: Cut
    deadly: bool


@dataclass
class Wires:
    """The wires of all services, and the environment that leads over them."""

    brokers: Mapping[str, Cutter]
    databases: Mapping[str, Cutter]
    environment: Mapping[str, str]

    def of(self, doubt: Doubt) -> Cutter:
        return (self.databases if doubt.word == "commit" else self.brokers)[doubt.service]


@asynccontextmanager
async def wired(arena: Arena) -> AsyncIterator[Wires]:
    """Wires for the first replica of every service."""
    async with AsyncExitStack() as stack:
        brokers, databases, environment = {}, {}, {}
        for service, address in arena.addresses.items():
            brokers[service] = wire = await stack.enter_async_context(_to(arena.bus))
            environment[f"TABLING_{service.upper()}_BUS"] = _over(wire, arena.bus)
            if arena.kind != "sqlite":
                databases[service] = wire = await stack.enter_async_context(_to(address))
                environment[f"TABLING_{service.upper()}_DATABASE"] = _over(wire, address)
        yield Wires(brokers, databases, environment)


def doubts(services: Iterable[str], *, on_servers: bool) -> list[Doubt]:
    """Every one that there can be."""
    return [
        Doubt(service, word, cut, deadly)
        for service in services
        for word in WORDS
        if (word != "publish" or service in PUBLISHERS) and (word != "commit" or on_servers)
        for cut in Cut
        for deadly in (False, True)
    ]


def broken(wires: Wires, chosen: Sequence[Doubt]) -> Trouble:
    """Each of the wires breaks, one after the other."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        for doubt in chosen:
            wire = wires.of(doubt)
            [replica] = fleet.of(doubt.service)
            before = wire.cuts

            def die(replica=replica, doubt=doubt) -> None:  # type: ignore[no-untyped-def]
                if doubt.deadly:
                    replica.signal(signal.SIGKILL)

            wire.arm(WORDS[doubt.word], doubt.cut, die)
            await eventually(lambda: wire.cuts > before, seconds=CUT_SECONDS)  # noqa: B023 - asked at once

    return trouble


def silent(wires: Wires, seconds: float, seed: object) -> Trouble:
    """Each service in turn hears nothing from the broker and then from its database, for longer than it waits."""

    async def trouble(fleet: Fleet, client: Client) -> None:
        every = [*wires.brokers.values(), *wires.databases.values()]
        for wire in Random(str(seed)).sample(every, len(every)):
            async with wire.silent():
                await asyncio.sleep(seconds)

    return trouble


def _to(address: str):  # type: ignore[no-untyped-def]
    url = urlsplit(address)
    return cutter(str(url.hostname), int(url.port or 0))


def _over(wire: Cutter, address: str) -> str:
    url = urlsplit(address)
    login = url.netloc.rpartition("@")[0]
    return urlunsplit(url._replace(netloc=f"{login}@127.0.0.1:{wire.port}"))

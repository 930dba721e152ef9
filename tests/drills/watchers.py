"""People who watch a reception or a store, and come back by themselves whenever their stream breaks."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from services.chassis.testing import eventually
from tabling.dashboard.v1.dashboard_service_pb2 import GetStoreViewRequest, WatchStoreRequest
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import GetReceptionRequest, WatchReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tests.drills.calls import Record, Running
from tests.drills.restaurants import BY_HAND, JOINED
from tests.drills.traffic import LATELY
from tests.drills.visitor import Visitor

CHANNELS = 4
AGAIN_SECONDS = 0.1
ANOTHER_SECONDS = 0.5
"""After a party has left, until another one is watched."""

GONE = frozenset((Reception.COMPLETED, Reception.CANCELED, Reception.NO_SHOW, Reception.REJECTED))
NEWEST_SECONDS = 30.0


@dataclass
class Watcher:
    """One who watches. `older` is what was shown after something newer, `gaps` how long each break took.

    `codes` are how streams broke, and `strange` tells more of those that did not say that one should come back.
    """

    shown: Any = None
    name: str = ""
    older: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    opened: int = 0

    async def follow(self, call: Any, part: str, age: Callable[[Any], Any]) -> None:
        """See a stream to its end; raises how it broke."""
        self.opened += 1
        async for message in call:
            if message.heartbeat:
                continue
            now = getattr(message, part)
            if self.shown is not None and self.shown.name == now.name and age(now) < age(self.shown):
                self.older.append(f"{now.name}: {age(now)} after {age(self.shown)}")
            self.shown = now

    async def come_back(self, open_call: Callable[[], Any], part: str, age: Callable[[Any], Any]) -> None:
        """Watch until cancelled; whoever loses a stream opens it again."""
        broke: float | None = None
        while True:
            call = open_call()
            try:
                if broke is not None:
                    await call.initial_metadata()
                    self.gaps.append(time.monotonic() - broke)
                    broke = None
                await self.follow(call, part, age)
                await asyncio.sleep(ANOTHER_SECONDS)
            except grpc.aio.AioRpcError as error:
                self.codes.append(error.code().name)
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    self.strange.append(f"{part}: {error.code().name} {error.details()}")
                broke = broke or time.monotonic()
                await asyncio.sleep(AGAIN_SECONDS)
            finally:
                call.cancel()


@dataclass
class Watchers:
    """All of them."""

    of_receptions: Sequence[Watcher]
    of_stores: Sequence[Watcher]

    @property
    def all(self) -> Sequence[Watcher]:
        return [*self.of_receptions, *self.of_stores]

    @property
    def codes(self) -> list[str]:
        """How streams broke."""
        return [code for each in self.all for code in each.codes]

    @property
    def strange(self) -> list[str]:
        """What is told of streams that broke in another way than they should."""
        return [what for each in self.all for what in each.strange]

    @property
    def gaps(self) -> list[float]:
        """How long it took until each of those was there again."""
        return [gap for each in self.all for gap in each.gaps]

    @property
    def older(self) -> list[str]:
        """What was shown after something newer."""
        return [what for each in self.all for what in each.older]

    async def see_the_newest(self, client: Visitor) -> None:
        """Return once everybody has seen what is so now."""
        for each in self.of_receptions:
            await eventually(lambda each=each: _seen_reception(each, client), seconds=NEWEST_SECONDS)  # type: ignore[misc]
        for each in self.of_stores:
            await eventually(lambda each=each: _seen_store(each, client), seconds=NEWEST_SECONDS)  # type: ignore[misc]


@asynccontextmanager
async def watching(system: Running, record: Record, receptions: int, stores: int) -> AsyncIterator[Watchers]:
    """So many watchers for the length of the block, on a few connections."""
    channels = [system.channel("reception") for _ in range(CHANNELS)]
    all_of_them = Watchers([Watcher() for _ in range(receptions)], [Watcher() for _ in range(stores)])
    lives = [
        _watch_receptions(each, channels[n % CHANNELS], record) for n, each in enumerate(all_of_them.of_receptions)
    ]
    lives += [_watch_store(each, channels[n % CHANNELS], n) for n, each in enumerate(all_of_them.of_stores)]
    tasks = [asyncio.create_task(life) for life in lives]
    try:
        yield all_of_them
        for task in tasks:
            assert not task.done(), task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channel in channels:
            await channel.close()


async def _watch_receptions(watcher: Watcher, channel: Any, record: Record) -> None:
    stub: Any = ReceptionServiceStub(channel)

    def open_call() -> Any:
        # one that has left is watched no more
        if watcher.shown is None or watcher.shown.state in GONE:
            watcher.name = record.random.choice(_patient(record.parties))
        return stub.WatchReception(WatchReceptionRequest(name=watcher.name))

    await watcher.come_back(open_call, "reception", lambda reception: reception.version)


async def _watch_store(watcher: Watcher, channel: Any, number: int) -> None:
    stub: Any = DashboardServiceStub(channel)
    watcher.name = f"stores/{JOINED[number % len(JOINED)]}/view"
    await watcher.come_back(
        lambda: stub.WatchStore(WatchStoreRequest(name=watcher.name)),
        "store_view",
        lambda view: view.update_time.ToNanoseconds(),
    )


def _patient(parties: Sequence[str]) -> Sequence[str]:
    """Parties that will most likely be in line for a while: at the end of the longest one, and left alone."""
    return [name for name in parties[-400:-LATELY] if f"/{BY_HAND}/" in name][-60:] or parties[-20:]


async def _seen_reception(watcher: Watcher, client: Visitor) -> bool:
    now = await client.read("reception", GetReceptionRequest(name=watcher.shown.name))
    return bool(now.version == watcher.shown.version)


async def _seen_store(watcher: Watcher, client: Visitor) -> bool:
    now = await client.read("dashboard", GetStoreViewRequest(name=watcher.name))
    return bool(now.update_time == watcher.shown.update_time)

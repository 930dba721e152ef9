"""The vendor comes back after a long outage: those who must be told now do not wait for old notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web

from services.chassis.addresses import free_port
from services.chassis.clock import ManualClock
from services.chassis.testing import eventually
from tabling.notification.v1.notice_pb2 import Notice
from tests.component.notification_kit import FIVE, NOON, Handler, Vendor, World, called, joined, vendor_running, world

OLD = 60
"""More than the vendor can be asked about in one attempt while it does not answer."""


@dataclass
class Hesitant(Vendor):
    """Takes messages at once; it answers some questions, and keeps silent about more until it is let."""

    answers: int = 0
    asked: int = 0
    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What every request passes."""
        if request.method == "GET" and request.path.endswith("/messages"):
            self.asked += 1
            if self.asked > self.answers:
                await self.let.wait()
        return await super().door(request, handler)


@asynccontextmanager
async def back_after_long(folder: Path, vendor: Hesitant) -> AsyncIterator[World]:
    """Notification with old notices that another process has left, and a vendor that is back."""
    async with world(folder, vendor.clock, vendor_url=f"http://127.0.0.1:{free_port()}") as here:
        await here.tell(joined("first"))
        await here.tried("first-numbered-0")
        # the vendor is known to be away: these stay in the memory of a process that ends
        await here.tell(*(joined(f"old{n}") for n in range(OLD)))
    vendor.clock.advance(FIVE * 3)
    async with vendor_running(vendor), world(folder, vendor.clock, vendor=vendor) as here:
        await eventually(lambda: vendor.asked > 0)
        try:
            yield here
        finally:
            vendor.let.set()


@pytest.mark.every_database
async def test_a_call_passes_by_what_the_vendor_must_be_asked_about(tmp_path: Path) -> None:
    vendor = Hesitant(ManualClock(NOON))
    async with back_after_long(tmp_path, vendor) as here:
        await here.tell(called("fresh", at=here.clock.now()))
        await here.until("fresh-called-0", Notice.DELIVERED)
        assert not [told.name for told in here.settled if told.name.startswith("notices/old")]
        vendor.let.set()
        await eventually(lambda: _settled(here, OLD + 2), seconds=20)
        assert len(await vendor.on_phone()) == OLD + 2


async def test_what_the_vendor_tells_in_time_counts_though_it_does_not_tell_all(tmp_path: Path) -> None:
    vendor = Hesitant(ManualClock(NOON), answers=20)
    async with back_after_long(tmp_path, vendor) as here:
        await eventually(lambda: _settled(here, 20), seconds=20)
        vendor.let.set()
        await eventually(lambda: _settled(here, OLD + 1), seconds=20)
        assert len(await vendor.on_phone()) == OLD + 1


def _settled(here: World, count: int) -> bool:
    here.clock.advance(timedelta(seconds=1))
    return len(here.settled) >= count

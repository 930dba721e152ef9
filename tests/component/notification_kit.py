"""What tests of notification share: a vendor and a reception to talk to, and the events that set it going."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from aiohttp import web
from google.protobuf.message import Message as Pb

from scripts.bench.roomy import ROOMY
from services.chassis.bus import Subscription
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import ManualClock
from services.chassis.limits import Limits
from services.chassis.messages import Message, envelope
from services.chassis.service import Service
from services.chassis.settings import Settings
from services.chassis.testing import eventually, running
from services.kakao.app import build as kakao
from services.notification.app import build
from tabling.management.v1.events_pb2 import StoreChanged
from tabling.management.v1.store_pb2 import Store
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.notification.v1.events_pb2 import NoticeSettled
from tabling.notification.v1.notice_pb2 import Notice
from tabling.notification.v1.notification_service_pb2 import GetNoticeRequest, ListNoticesRequest
from tabling.notification.v1.notification_service_pb2_grpc import NotificationServiceStub
from tabling.reception.v1 import events_pb2
from tabling.reception.v1.contact_service_pb2 import BatchGetContactsRequest, BatchGetContactsResponse, Contact
from tabling.reception.v1.contact_service_pb2_grpc import (
    ContactServiceServicer,
    add_ContactServiceServicer_to_server,
)
from tabling.reception.v1.reception_pb2 import Reception
from tests.component.place import place
from tests.entitled import KEYS, entitled

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""Twelve o'clock in Seoul."""

FIVE = timedelta(minutes=5)

PHONE = "+821012345678"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STORE = "stores/gangnam"


@dataclass
class Vendor:
    """The stand-in for KakaoTalk, with a door.

    `mood`: "broken" and "busy" refuse all, "babbling" and "odd" answer nonsense, "deaf" loses answers.
    """

    clock: ManualClock
    mood: str = "well"
    url: str = ""
    batches: list[int] = field(default_factory=list)

    async def door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What every request passes."""
        if self.mood == "broken":
            return web.Response(status=503)
        if self.mood == "busy":
            return web.Response(status=429)
        if self.mood == "babbling":
            return web.Response(text="<html>hello</html>", content_type="text/html")
        if self.mood == "odd":
            return web.json_response([{"header": None}])
        if request.method == "POST" and request.path.endswith("/messages"):
            self.batches.append(len((await request.json())["recipientList"]))
        response = await handler(request)
        if self.mood == "deaf" and request.path.endswith("/messages"):
            assert request.transport is not None
            request.transport.abort()
        return response

    async def on_phone(self, number: str = PHONE) -> list[str]:
        """What can be read on a phone, oldest first."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/inbox/{number}.json") as answer:
            return [message["text"] for message in (await answer.json())["messages"]]


@asynccontextmanager
async def vendor_running(vendor: Vendor, port: int = 0) -> AsyncIterator[Vendor]:
    """The vendor on a port, knowing nothing yet."""
    app = kakao(clock=lambda: vendor.clock.now().timestamp())

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await vendor.door(request, handler)

    app.middlewares.insert(0, door)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


class Phonebook(ContactServiceServicer):
    """Reception's contacts: everybody has a number until told otherwise."""

    def __init__(self) -> None:
        self.phones: dict[str, str] = {}
        self.gone = False
        self.questions: list[int] = []

    async def BatchGetContacts(self, request: BatchGetContactsRequest, context: Any) -> BatchGetContactsResponse:
        self.questions.append(len(request.names))
        if self.gone:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")
        numbers = [(name, self.phones.get(name.rpartition("/")[2], PHONE)) for name in request.names]
        return BatchGetContactsResponse(contacts=[Contact(reception=n, phone=p) for n, p in numbers if p])


@dataclass
class World:
    """Notification among its neighbours."""

    bus: MemoryBus
    clock: ManualClock
    vendor: Vendor
    phonebook: Phonebook
    stub: Any
    settled: list[NoticeSettled]
    service: Service[Any]

    async def tell(self, *events: tuple[str, Pb]) -> None:
        """Publish events in one envelope; returns once they are applied."""
        messages = [Message(type_, "subject", "correlation", pb.SerializeToString()) for type_, pb in events]
        await self.bus.publish(envelope("reception", messages, self.clock.now()))

    async def store(self, name: str = "강남 국밥", version: int = 1, **policy: Any) -> None:
        """Tell of a store."""
        store = Store(name=STORE, display_name=name, version=version, **policy)
        await self.tell(("management.store.changed.v1", StoreChanged(store=store)))

    async def notice(self, notice_id: str) -> Notice:
        """A line of the ledger."""
        found: Notice = await self.stub.GetNotice(GetNoticeRequest(name=f"notices/{notice_id}"))
        return found

    async def notices(self, **query: Any) -> list[Notice]:
        """All lines of the ledger, newest first."""
        answer = await self.stub.ListNotices(ListNoticesRequest(**query))
        return list(answer.notices)

    async def until(self, notice_id: str, state: Notice.State.ValueType) -> Notice:
        """Wait for a notice to come to a state."""

        async def probe() -> Notice | None:
            notice = await self.notice(notice_id)
            assert notice.state == state, f"{notice}"
            return notice

        found = await eventually(probe)
        assert isinstance(found, Notice)
        return found

    async def tried(self, notice_id: str) -> None:
        """Wait until a notice was tried in vain."""

        async def probe() -> bool:
            notice = await self.notice(notice_id)
            return notice.attempts > 0 and notice.state == Notice.PENDING

        await eventually(probe)

    async def in_time(self, notice_id: str, state: Notice.State.ValueType) -> Notice:
        """Let time pass until a notice comes to a state."""
        for _ in range(200):
            notice = await self.notice(notice_id)
            if notice.state == state:
                return notice
            self.clock.advance(timedelta(seconds=1))
            await asyncio.sleep(0.01)
        raise AssertionError(f"not in time: {notice}")


@asynccontextmanager
async def world(
    folder: Path,
    clock: ManualClock | None = None,
    *,
    vendor_url: str = "",
    vendor: Vendor | None = None,
    limits: Limits = ROOMY,
) -> AsyncIterator[World]:
    """Notification with a vendor and a reception, the test being everybody else."""
    clock = clock or ManualClock(NOON)
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(phonebook_running(book := Phonebook()))
        if vendor is None:
            vendor = await stack.enter_async_context(vendor_running(Vendor(clock)))
        bus = MemoryBus()
        settled = await _listen(bus)
        settings = Settings(
            service="notification",
            listen="127.0.0.1:0",
            database=place(folder, "notification"),
            upstreams={"reception": target},
            keys=KEYS,
            limits=limits,
            kakao_url=vendor_url or vendor.url,
            longest_pace_seconds=0,
        )
        service = build(settings, bus, clock)
        address = await stack.enter_async_context(running(service))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        yield World(bus, clock, vendor, book, NotificationServiceStub(entitled(channel)), settled, service)


@asynccontextmanager
async def phonebook_running(book: Phonebook) -> AsyncIterator[str]:
    """Contacts on a port; gives the target."""
    server = grpc.aio.server()
    add_ContactServiceServicer_to_server(book, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def _listen(bus: MemoryBus) -> list[NoticeSettled]:
    settled: list[NoticeSettled] = []

    async def receive(body: Envelope) -> None:
        settled.extend(NoticeSettled.FromString(event.data) for event in body.events)

    await bus.subscribe(Subscription("test", frozenset({"notification.notice.settled.v1"}), receive))
    return settled


_KINDS: dict[str, tuple[str, Any]] = {
    name: (f"reception.reception.{name}.v1", getattr(events_pb2, f"Reception{name.capitalize()}"))
    for name in ("added", "numbered", "postponed", "neared", "called", "seated", "canceled", "closed", "restored")
}


def event(kind: str, id_: str = "r1", version: int = 1, **facts: Any) -> tuple[str, Pb]:
    """One of reception's events."""
    type_, message = _KINDS[kind]
    known: dict[str, Any] = {"party_size": 2, "has_contact": True, "language_code": "ko", **facts}
    snapshot = events_pb2.ReceptionSnapshot(name=f"{STORE}/receptions/{id_}", version=version, **known)
    return type_, message(reception=snapshot)


def joined(id_: str = "r1", version: int = 1, **facts: Any) -> tuple[str, Pb]:
    """A party got a waiting number."""
    facts = {"waiting_number": 17, "parties_ahead": 5, "estimated_wait_seconds": 890} | facts
    return event("added", id_, version, state=Reception.WAITING, **facts)


def called(id_: str = "r1", version: int = 2, at: datetime = NOON, **facts: Any) -> tuple[str, Pb]:
    """A party's table is ready, for five minutes."""
    facts = {"waiting_number": 17} | facts
    facts |= {"call_time": at, "hold_expire_time": at + FIVE}
    return event("called", id_, version, state=Reception.CALLED, **facts)


def seated(id_: str = "r1", version: int = 3, **facts: Any) -> tuple[str, Pb]:
    """A party sits."""
    return event("seated", id_, version, state=Reception.SEATED, **facts)


def states(notices: Iterable[Notice]) -> dict[str, str]:
    """State by id."""
    return {n.name.removeprefix("notices/"): Notice.State.Name(n.state) for n in notices}

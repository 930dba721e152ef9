"""Traffic of a whole day: so many requests a second, most of them reads, whatever becomes of those before."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from random import Random

from tabling.dashboard.v1.dashboard_service_pb2 import (
    GetDayFiguresRequest,
    GetStoreBoardRequest,
    GetStoreViewRequest,
    SearchStoresRequest,
)
from tabling.management.v1.management_service_pb2 import (
    CallNextOrderRequest,
    GetStoreRequest,
    ListOrdersRequest,
    RegisterWalkInRequest,
)
from tabling.management.v1.order_pb2 import Order
from tabling.notification.v1.notification_service_pb2 import ListNoticesRequest
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CancelReceptionRequest,
    CreateReceptionRequest,
    GetPlaceRequest,
    GetReceptionRequest,
    ListReceptionsRequest,
    PostponeReceptionRequest,
)
from tabling.seat.v1.seat_service_pb2 import GetAvailabilityRequest, ListTablesRequest
from tests.drills.calls import NoAnswer
from tests.drills.load import WAYS_ON
from tests.drills.restaurants import BY_HAND, FREELY, IN_ORDER, JOINED
from tests.drills.trial import FULL
from tests.drills.visitor import Visitor

PER_SECOND = 100.0 if FULL else 30.0
"""Two cores are busy with as much as that; in the quick selection other tests run beside it."""

READS = 0.9
MOST_AT_ONCE = 500
LATELY = 60

Doing = Callable[[], Awaitable[None]]


class Traffic:
    """Customers who come, look and go, and staff who serve them."""

    def __init__(self, client: Visitor, per_second: float = PER_SECOND) -> None:
        self._client = client
        self._record = client.record
        self._random = Random(client.record.random.random())
        self._pause = 1 / per_second
        self._few = asyncio.Semaphore(MOST_AT_ONCE)
        self._over = False

    async def run(self) -> None:
        """Until it is ended; what was begun then ends, too."""
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not self._over:
                await self._few.acquire()
                group.create_task(self._do(self._something()))
                due += self._pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def end(self) -> None:
        """Nothing new is begun."""
        self._over = True

    async def _do(self, doing: Doing) -> None:
        try:
            with suppress(NoAnswer):
                await doing()
        finally:
            self._few.release()

    def _something(self) -> Doing:
        if self._record.parties and self._random.random() < READS:
            service, request = self._random.choice(self._looks())
            return lambda: self._client.read(service, request)
        [doing] = self._random.choices((self._join, self._go_on, self._serve), (0.5, 0.2, 0.3))
        return doing

    def _looks(self) -> Sequence[tuple[str, object]]:
        store, party = f"stores/{self._random.choice(JOINED)}", self._some_party()
        return (
            ("reception", GetReceptionRequest(name=party)),
            ("reception", GetPlaceRequest(name=f"{party}/place")),
            ("reception", ListReceptionsRequest(parent=store, page_size=5)),
            ("seat", GetAvailabilityRequest(name=f"{store}/availability")),
            ("seat", ListTablesRequest(parent=store)),
            ("management", GetStoreRequest(name=store)),
            ("management", ListOrdersRequest(parent=store, page_size=5)),
            ("dashboard", SearchStoresRequest(text="drill", page_size=5)),
            ("dashboard", GetStoreViewRequest(name=f"{store}/view")),
            ("dashboard", GetStoreBoardRequest(name=f"{store}/board")),
            ("dashboard", GetDayFiguresRequest(name=f"{store}/figures/{datetime.now(UTC):%Y-%m-%d}")),
            ("notification", ListNoticesRequest(page_size=5)),
        )

    async def _join(self) -> None:
        self._record.customers += 1
        number = self._record.customers
        party = Reception(
            party_size=self._random.randint(1, 4),
            customer=f"customers/c-{number}",
            phone=f"+8210{number % 4000:04d}1111",
        )
        request = CreateReceptionRequest(parent=f"stores/{self._random.choice(JOINED)}", reception=party)
        if (answer := await self._client.change("reception", request)) is not None:
            self._record.parties.append(answer.name)

    async def _go_on(self) -> None:
        if not self._record.parties:
            return
        party = self._some_party()
        if self._random.random() < 0.6:
            await self._client.change("reception", CancelReceptionRequest(name=party))
        else:
            await self._client.change("reception", PostponeReceptionRequest(name=party, parties=1))

    async def _serve(self) -> None:
        store = self._random.choice((FREELY, IN_ORDER, BY_HAND))
        chance = self._random.random()
        if store == BY_HAND and chance < 0.6:
            await self._client.change("management", CallNextOrderRequest(parent=f"stores/{store}"))
        elif chance < 0.1:
            request = RegisterWalkInRequest(parent=f"stores/{FREELY}", party_size=self._random.randint(1, 4))
            await self._client.change("management", request)
        elif order := await self._some_order(store):
            await self._client.change("management", self._random.choice(WAYS_ON[order.state])(name=order.name))

    async def _some_order(self, store: str) -> Order | None:
        states = (Order.RECEIVED, Order.CALLED, Order.SEATED)
        request = ListOrdersRequest(parent=f"stores/{store}", states=states, page_size=20)
        found = await self._client.read("management", request)
        return self._random.choice(found.orders) if found and found.orders else None

    def _some_party(self) -> str:
        return self._random.choice(self._record.parties[-LATELY:])

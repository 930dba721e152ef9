"""Customers and staff who keep a system busy, each doing one thing after the other, until it dies."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.testing import eventually
from tabling.management.v1.management_service_pb2 import (
    AcceptOrderRequest,
    CallNextOrderRequest,
    CancelOrderRequest,
    CloseStoreRequest,
    CompleteOrderRequest,
    DeclineOrderRequest,
    GetStoreRequest,
    ListOrdersRequest,
    MarkOrderNoShowRequest,
    OpenStoreRequest,
    PauseStoreRequest,
    RegisterWalkInRequest,
    RestoreOrderRequest,
    SeatOrderRequest,
)
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CancelReceptionRequest,
    CreateReceptionRequest,
    PostponeReceptionRequest,
)
from tabling.seat.v1.seat_service_pb2 import BlockTableRequest, UnblockTableRequest
from tests.drills.calls import Client, NoAnswer, Record, Running
from tests.drills.restaurants import BY_HAND, FREELY, IN_ORDER, JOINED, PAUSED, SENT_HOME, tables

CUSTOMERS_AT_ONCE = 4
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 60
SENT_HOME_SECONDS = 0.5
DYING_SECONDS = 0.2

WAYS_ON = {
    Order.RECEIVED: (AcceptOrderRequest, AcceptOrderRequest, DeclineOrderRequest),
    Order.CALLED: (SeatOrderRequest, SeatOrderRequest, MarkOrderNoShowRequest, CancelOrderRequest),
    Order.SEATED: (CompleteOrderRequest,),
    Order.NO_SHOW: (RestoreOrderRequest,),
}
"""State of an order → what staff do about it."""


class Load:
    """Everybody's doings during one life of a system, with a rest in between; without an answer they wait longer."""

    def __init__(self, client: Client, rest_seconds: float = 0.0, waiting_seconds: float = DYING_SECONDS) -> None:
        self._rest_seconds = rest_seconds
        self._waiting_seconds = waiting_seconds
        self._client = client
        self._record: Record = client.record
        self._system: Running = client.system
        self._random = Random(self._record.random.random())
        self._over = False

    async def run(self, seconds: float) -> None:
        """Keep the system busy for so long, or until it is dead."""
        dead = asyncio.create_task(self._system.ended())
        people = [asyncio.create_task(self._live(doing)) for doing in self._doings()]
        try:
            await asyncio.wait([dead, *people], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.end()
            await asyncio.gather(*people)
            dead.cancel()

    def end(self) -> None:
        """Everybody finishes what they are at, and `run` returns."""
        self._over = True

    def _doings(self) -> Sequence[Callable[[], Awaitable[None]]]:
        staff = [lambda store=store: self._serve(store) for store in (FREELY, IN_ORDER, BY_HAND)]
        return [self._come_or_go] * CUSTOMERS_AT_ONCE + [*staff, self._move_tables, self._send_home, self._pause]

    async def _live(self, doing: Callable[[], Awaitable[None]]) -> None:
        while not self._over:
            try:
                await doing()
                await asyncio.sleep(self._rest_seconds)
            except NoAnswer:
                await self._until_dead(self._waiting_seconds)

    async def _until_dead(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._system.ended()
            self._over = True
        except TimeoutError:
            pass

    # customers

    async def _come_or_go(self) -> None:
        chance = self._random.random()
        if chance < 0.6 or not self._record.parties:
            await self._join()
        elif chance < 0.8:
            await self._client.change("reception", CancelReceptionRequest(name=self._some_party()))
        elif chance < 0.95:
            behind = self._random.randint(1, 3)
            await self._client.change("reception", PostponeReceptionRequest(name=self._some_party(), parties=behind))
        else:
            await self._walk_in()

    async def _join(self) -> None:
        self._record.customers += 1
        number = self._record.customers
        for store in self._random.sample(JOINED, self._random.choice((1, 1, 1, 2))):
            party = Reception(
                party_size=self._random.randint(1, 4),
                customer=f"customers/c-{number}",
                phone=f"+8210{number % 4000:04d}1111",
            )
            answer = await self._client.change(
                "reception", CreateReceptionRequest(parent=f"stores/{store}", reception=party)
            )
            if answer is not None:
                self._record.parties.append(answer.name)

    async def _walk_in(self) -> None:
        request = RegisterWalkInRequest(parent=f"stores/{FREELY}", party_size=self._random.randint(1, 4))
        await self._client.change("management", request)

    def _some_party(self) -> str:
        """One that came lately: it is most likely still there."""
        return self._random.choice(self._record.parties[-60:])

    # staff

    async def _serve(self, store: str) -> None:
        if store == BY_HAND:
            await self._client.change("management", CallNextOrderRequest(parent=f"stores/{store}"))
        for order in await self._orders(store, Order.RECEIVED, Order.CALLED, Order.SEATED):
            request = self._random.choice(WAYS_ON[order.state])(name=order.name)
            await self._client.change("management", request)
        lost = await self._orders(store, Order.NO_SHOW)
        if lost and store != BY_HAND and self._random.random() < 0.3:
            await self._client.change("management", RestoreOrderRequest(name=self._random.choice(lost).name))

    async def _orders(self, store: str, *states: Order.State.ValueType) -> list[Order]:
        request = ListOrdersRequest(parent=f"stores/{store}", states=states, page_size=20)
        found = list((await self._client.read("management", request)).orders)
        return self._random.sample(found, min(3, len(found)))

    async def _move_tables(self) -> None:
        table = self._random.choice(tables(FREELY))
        await self._client.change("seat", BlockTableRequest(name=table))
        await self._client.change("seat", UnblockTableRequest(name=table))

    async def _send_home(self) -> None:
        store = f"stores/{SENT_HOME}"
        await self._client.change("management", CloseStoreRequest(name=store, send_everyone_home=True))
        await self._client.change("management", OpenStoreRequest(name=store))
        await self._until_dead(SENT_HOME_SECONDS)

    async def _pause(self) -> None:
        await eventually(self._is_open, seconds=LONGEST_PAUSE_SECONDS)
        reopen_time = Timestamp()
        reopen_time.FromMilliseconds(round((time.time() + PAUSE_SECONDS) * 1000))
        request = PauseStoreRequest(name=f"stores/{PAUSED}", reopen_time=reopen_time)
        await self._client.change("management", request)

    async def _is_open(self) -> bool:
        store = await self._client.read("management", GetStoreRequest(name=f"stores/{PAUSED}"))
        return bool(store.state == Store.OPEN)

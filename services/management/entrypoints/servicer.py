"""The management service's methods: request → command, result → message."""

import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from services.chassis.desk import Desk
from services.chassis.fields import identifier, moment, span, text, whole
from services.chassis.interceptor import deadline
from services.chassis.kernel import new_id
from services.chassis.signals import Signals, wait_for
from services.chassis.unit_of_work import Needs
from services.management.application.accept_order import AcceptOrder, accept_order
from services.management.application.call_next_order import CallNextOrder, call_next_order
from services.management.application.call_order import CallOrder, call_order
from services.management.application.cancel_order import CancelOrder, cancel_order
from services.management.application.close_store import CloseStore, close_store
from services.management.application.complete_order import CompleteOrder, complete_order
from services.management.application.create_store import CreateStore, create_store
from services.management.application.decline_order import DeclineOrder, decline_order
from services.management.application.follow_reception import order_topic
from services.management.application.mark_order_no_show import MarkOrderNoShow, mark_order_no_show
from services.management.application.open_store import OpenStore, open_store
from services.management.application.pause_store import PauseStore, pause_store
from services.management.application.ports import UnitOfWork
from services.management.application.register_walk_in import RegisterWalkIn, register_walk_in
from services.management.application.restore_order import RestoreOrder, restore_order
from services.management.application.seat_order import SeatOrder, seat_order
from services.management.application.update_store import UpdateStore, update_store
from services.management.domain import order as order_domain
from services.management.domain import store as store_domain
from services.management.domain.profile import Profile
from services.management.entrypoints import fields
from services.management.wire import order_to_pb, store_to_pb
from tabling.management.v1 import management_service_pb2 as pb
from tabling.management.v1 import management_service_pb2_grpc as grpc_pb
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store

T = TypeVar("T")

Query = Callable[[Any], T]

LONGEST_WAIT = timedelta(seconds=2)
LONGEST_REASON = 200
LONGEST_SECTION = 80
# left of the caller's deadline for the answer itself
ANSWER_SECONDS = 0.05


class StoreCommand(Protocol):
    """A command about one store."""

    @property
    def store_id(self) -> str: ...


class OrderCommand(StoreCommand, Protocol):
    """A command about one order."""

    @property
    def order_id(self) -> str: ...


OfStore = TypeVar("OfStore", bound=StoreCommand)
OfOrder = TypeVar("OfOrder", bound=OrderCommand)


class Queries(Protocol):
    """What is read without the domain."""

    def store(self, store_id: str) -> Query[Store]:
        """One store."""

    def stores(self, request: pb.ListStoresRequest) -> Query[pb.ListStoresResponse]:
        """A page of stores."""

    def order(self, store_id: str, order_id: str) -> Query[Order]:
        """One order."""

    def orders(
        self, store_id: str, states: Collection[str], request: pb.ListOrdersRequest
    ) -> Query[pb.ListOrdersResponse]:
        """A page of orders."""


class ManagementServicer(grpc_pb.ManagementServiceServicer):
    """What store staff do."""

    def __init__(self, desk: Desk[Any], signals: Signals, queries: Queries) -> None:
        self._desk = desk
        self._signals = signals
        self._queries = queries

    async def CreateStore(self, request: pb.CreateStoreRequest, context: Any) -> Store:
        values = fields.parse_fields(request.store, ["display_name", *fields.given_fields(request.store)])
        store = identifier("store_id", request.store_id, shortest=3) if request.store_id else new_id()
        return await self._store(request, create_store, CreateStore(store, Profile(**values)))

    async def GetStore(self, request: pb.GetStoreRequest, context: Any) -> Store:
        return await self._desk.read(self._queries.store(fields.store_id(request.name)))

    async def ListStores(self, request: pb.ListStoresRequest, context: Any) -> pb.ListStoresResponse:
        return await self._desk.read(self._queries.stores(request))

    async def UpdateStore(self, request: pb.UpdateStoreRequest, context: Any) -> Store:
        store = fields.store_id(request.store.name)
        if request.update_mask.paths:
            paths = fields.masked_fields(request.update_mask.paths)
        else:
            paths = fields.given_fields(request.store)
        changes = fields.parse_fields(request.store, paths)
        return await self._store(request, update_store, UpdateStore(store, changes, request.store.etag))

    async def OpenStore(self, request: pb.OpenStoreRequest, context: Any) -> Store:
        return await self._store(request, open_store, OpenStore(fields.store_id(request.name), request.etag))

    async def PauseStore(self, request: pb.PauseStoreRequest, context: Any) -> Store:
        reopen_at = moment("reopen_time", request.reopen_time) if request.HasField("reopen_time") else None
        command = PauseStore(fields.store_id(request.name), reopen_at, request.etag)
        return await self._store(request, pause_store, command)

    async def CloseStore(self, request: pb.CloseStoreRequest, context: Any) -> Store:
        command = CloseStore(fields.store_id(request.name), request.send_everyone_home, request.etag)
        return await self._store(request, close_store, command)

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> Order:
        return await self._desk.read(self._queries.order(*fields.order_ids(request.name)))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:
        store = fields.store_id(request.parent, "parent")
        states = fields.order_states(request.states)
        return await self._desk.read(self._queries.orders(store, states, request))

    async def RegisterWalkIn(self, request: pb.RegisterWalkInRequest, context: Any) -> Order:
        command = RegisterWalkIn(
            order_id=new_id(),
            store_id=fields.store_id(request.parent, "parent"),
            party_size=whole("party_size", request.party_size, least=1, most=100),
            section=text("section", request.section, longest=LONGEST_SECTION),
        )
        wait = span("wait", request.wait, least=timedelta(0), most=LONGEST_WAIT)
        needs = {"stores": (command.store_id,)}
        order = await self._desk.mutate(request, Order, lambda uow: order_to_pb(register_walk_in(command, uow)), needs)
        return await self._settled(order, wait.total_seconds()) if wait else order

    async def CallNextOrder(self, request: pb.CallNextOrderRequest, context: Any) -> Order:
        command = CallNextOrder(fields.store_id(request.parent, "parent"))
        needs = {"stores": (command.store_id,)}
        return await self._desk.mutate(request, Order, lambda uow: order_to_pb(call_next_order(command, uow)), needs)

    async def AcceptOrder(self, request: pb.AcceptOrderRequest, context: Any) -> Order:
        return await self._order(request, accept_order, AcceptOrder(*_order(request)))

    async def DeclineOrder(self, request: pb.DeclineOrderRequest, context: Any) -> Order:
        store, order, etag = _order(request)
        return await self._order(request, decline_order, DeclineOrder(store, order, _reason(request), etag))

    async def CallOrder(self, request: pb.CallOrderRequest, context: Any) -> Order:
        command = CallOrder(*_order(request))
        return await self._order(request, call_order, command, {"stores": (command.store_id,)})

    async def SeatOrder(self, request: pb.SeatOrderRequest, context: Any) -> Order:
        store, order, etag = _order(request)
        table = fields.table_id(request.table, store)
        command = SeatOrder(store, order, table, etag)
        return await self._order(request, seat_order, command, {"tables": (table,)} if table else None)

    async def CompleteOrder(self, request: pb.CompleteOrderRequest, context: Any) -> Order:
        return await self._order(request, complete_order, CompleteOrder(*_order(request)))

    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Any) -> Order:
        store, order, etag = _order(request)
        return await self._order(request, cancel_order, CancelOrder(store, order, _reason(request), etag))

    async def MarkOrderNoShow(self, request: pb.MarkOrderNoShowRequest, context: Any) -> Order:
        return await self._order(request, mark_order_no_show, MarkOrderNoShow(*_order(request)))

    async def RestoreOrder(self, request: pb.RestoreOrderRequest, context: Any) -> Order:
        return await self._order(request, restore_order, RestoreOrder(*_order(request)))

    async def _store(
        self, request: Any, use_case: Callable[[OfStore, UnitOfWork], store_domain.Store], command: OfStore
    ) -> Store:
        def work(uow: Any) -> Store:
            store = use_case(command, uow)
            return store_to_pb(store, store.profile)

        return await self._desk.mutate(request, Store, work, {"stores": (command.store_id,)})

    async def _order(
        self,
        request: Any,
        use_case: Callable[[OfOrder, UnitOfWork], order_domain.Order],
        command: OfOrder,
        needs: Needs | None = None,
    ) -> Order:
        def work(uow: Any) -> Order:
            return order_to_pb(use_case(command, uow))

        return await self._desk.mutate(request, Order, work, {"orders": (command.order_id,), **(needs or {})})

    async def _settled(self, order: Order, seconds: float) -> Order:
        """The order once its number or table is known, or as it is after `seconds`."""
        store, order_id = fields.order_ids(order.name)
        now = time.monotonic()
        until = min(now + seconds, (deadline.get() or now + seconds) - ANSWER_SECONDS)
        with self._signals.listen(order_topic(order_id)) as woken:
            while True:
                order = await self._desk.read(self._queries.order(store, order_id))
                left = until - time.monotonic()
                if _is_settled(order) or left <= 0:
                    return order
                await wait_for(woken, left)


def _order(request: Any) -> tuple[str, str, str]:
    return (*fields.order_ids(request.name), request.etag)


def _reason(request: Any) -> str:
    return text("reason", request.reason, longest=LONGEST_REASON)


def _is_settled(order: Order) -> bool:
    return bool(order.waiting_number or order.table) or order.state != Order.ACCEPTED

"""Reads: rows straight into answers."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select, tuple_

from services.chassis.kernel import NotFound, invalid
from services.chassis.paging import page_position, page_size, page_token, text_position
from services.management.adapters.tables import orders, stores
from services.management.wire import fill_order, fill_store, order_to_pb, store_to_pb
from tabling.management.v1 import management_service_pb2 as pb
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store


class Queries:
    """Each method makes a query to be run in a read transaction."""

    def store(self, store_id: str) -> Callable[[Connection], Store]:
        """One store. Raises `NotFound`."""

        def query(connection: Connection) -> Store:
            row = connection.execute(select(stores).where(stores.c.id == store_id)).one_or_none()
            if row is None:
                raise NotFound(f"stores/{store_id} does not exist")
            return store_to_pb(row, row)

        return query

    def stores(self, request: pb.ListStoresRequest) -> Callable[[Connection], pb.ListStoresResponse]:
        """A page of stores, by id."""
        size = page_size(request.page_size)
        statement = select(stores).order_by(stores.c.id).limit(size + 1)
        if after := text_position(request, request.page_token):
            statement = statement.where(stores.c.id > after)

        def query(connection: Connection) -> pb.ListStoresResponse:
            found = connection.execute(statement).all()
            answer = pb.ListStoresResponse()
            for row in found[:size]:
                fill_store(answer.stores.add(), row, row)
            if len(found) > size:
                answer.next_page_token = page_token(request, [found[size - 1].id])
            return answer

        return query

    def order(self, store_id: str, order_id: str) -> Callable[[Connection], Order]:
        """One order of a store. Raises `NotFound`."""
        statement = select(orders).where(orders.c.id == order_id, orders.c.store_id == store_id)

        def query(connection: Connection) -> Order:
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise NotFound(f"stores/{store_id}/orders/{order_id} does not exist")
            return order_to_pb(row)

        return query

    def orders(
        self, store_id: str, states: Collection[str], request: pb.ListOrdersRequest
    ) -> Callable[[Connection], pb.ListOrdersResponse]:
        """A page of a store's orders, oldest first; only these states unless empty. Raises `NotFound`."""
        size = page_size(request.page_size)
        age = tuple_(orders.c.created_at, orders.c.id)
        statement = select(orders).where(orders.c.store_id == store_id)
        statement = statement.order_by(orders.c.created_at, orders.c.id).limit(size + 1)
        if states:
            statement = statement.where(orders.c.state.in_(states))
        if (position := page_position(request, request.page_token)) is not None:
            statement = statement.where(age > _after(position))

        def query(connection: Connection) -> pb.ListOrdersResponse:
            self.store(store_id)(connection)
            found = connection.execute(statement).all()
            answer = pb.ListOrdersResponse()
            for row in found[:size]:
                fill_order(answer.orders.add(), row)
            if len(found) > size:
                answer.next_page_token = page_token(request, _position(found[size - 1]))
            return answer

        return query


def _after(position: list[Any]) -> tuple[datetime, str]:
    try:
        created_at, order_id = position
        return datetime.fromisoformat(created_at).astimezone(UTC), str(order_id)
    except (ValueError, TypeError, OverflowError):
        raise invalid("page_token", "is not a token of this list") from None


def _position(row: Any) -> list[str]:
    return [row.created_at.isoformat(), row.id]

"""The stores of the drills: one of every kind, made through the calls that staff would make."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from pathlib import Path

from google.protobuf.duration_pb2 import Duration

from services.chassis.testing import eventually
from services.embedded.invariants import violations
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_service_pb2 import ListReceptionsRequest
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.table_pb2 import Table
from tests.drills.calls import Client

FREELY, IN_ORDER, BY_HAND, SENT_HOME, PAUSED = "freely", "in-order", "by-hand", "sent-home", "paused"
"""Ids of the stores, by what happens there."""

TABLES = {FREELY: (2, 2, 4, 4), IN_ORDER: (2, 4, 4), SENT_HOME: (2,)}

JOINED = (FREELY, IN_ORDER, BY_HAND, SENT_HOME)
"""Stores with parties; at the last one nothing happens but pausing and opening again."""

STORES = {
    FREELY: Store(max_postpones=2),
    IN_ORDER: Store(seating_mode=Store.STRICT_FIFO, accept_mode=Store.MANUAL),
    BY_HAND: Store(seating_mode=Store.BY_HAND),
    SENT_HOME: Store(near_turn_parties=0),
    PAUSED: Store(),
}

CREATED_AND_OPENED = 2
"""The version that a store has at first."""


async def open_restaurants(client: Client) -> None:
    """Create and open the stores, with their tables; returns once every service knows of them."""
    for id_, store in STORES.items():
        given = Store(display_name=f"drill {id_}", call_timeout=Duration(seconds=30))
        given.MergeFrom(store)
        await client.change("management", CreateStoreRequest(store=given, store_id=id_))
    _hold_tables_for_a_second(client.system.data)
    for id_ in STORES:
        await client.change("management", OpenStoreRequest(name=f"stores/{id_}"))
        await eventually(partial(client.read, "reception", ListReceptionsRequest(parent=f"stores/{id_}")))
    for id_, capacities in TABLES.items():
        tables = [CreateTableRequest(table=Table(capacity=each), table_id=f"t{n}") for n, each in enumerate(capacities)]
        request = BatchCreateTablesRequest(parent=f"stores/{id_}", requests=tables)
        await eventually(partial(client.change, "seat", request))
    await eventually(lambda: not violations(client.system.data), seconds=10)


def tables(store: str) -> list[str]:
    """Names of a store's tables."""
    return [f"stores/{store}/tables/t{n}" for n in range(len(TABLES[store]))]


def _hold_tables_for_a_second(data: Path) -> None:
    """Shorter than anybody may ask for, so that holds run out while a drill looks on."""
    _write(data / "management.db", ["UPDATE stores SET call_timeout = '1970-01-01 00:00:01.000000'"])


def _write(database: Path, statements: Iterable[str]) -> None:
    with closing(sqlite3.connect(database, timeout=5)) as connection, connection:
        for statement in statements:
            connection.execute(statement)

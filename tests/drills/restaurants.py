"""The stores of the drills: one of every kind, made through the calls that staff would make."""

from contextlib import suppress
from datetime import timedelta
from functools import partial

from google.protobuf.duration_pb2 import Duration
from sqlalchemy import update

from services.chassis.testing import eventually
from services.operations import invariants
from services.operations.catalogue import table
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_service_pb2 import ListReceptionsRequest
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.table_pb2 import Table
from tests.drills.calls import Client, NoAnswer
from tests.drills.site import Evidence, Site, evidence

FREELY, IN_ORDER, BY_HAND, SENT_HOME, PAUSED = "freely", "in-order", "by-hand", "sent-home", "paused"
"""Ids of the stores, by what happens there."""

TABLES = {FREELY: (2, 2, 4, 4), IN_ORDER: (2, 4, 4), SENT_HOME: (2,)}

JOINED = (FREELY, IN_ORDER, BY_HAND, SENT_HOME)
"""Stores with parties; at the last one nothing happens but pausing and opening again."""

STORES = {
    # short lines, for nothing is at rest before the last of them was called and did not come
    FREELY: Store(max_postpones=2, max_waiting=30),
    IN_ORDER: Store(seating_mode=Store.STRICT_FIFO, accept_mode=Store.MANUAL, max_waiting=30),
    BY_HAND: Store(seating_mode=Store.BY_HAND),
    SENT_HOME: Store(near_turn_parties=0),
    PAUSED: Store(),
}

OPENING_SECONDS = 90.0

CREATED_AND_OPENED = 2
"""The version that a store has at first."""


async def open_restaurants(client: Client, site: Site) -> None:
    """Create and open the stores, with their tables; returns once every service knows of them."""
    for id_, store in STORES.items():
        given = Store(display_name=f"drill {id_}", call_timeout=Duration(seconds=30))
        given.MergeFrom(store)
        await client.insist("management", CreateStoreRequest(store=given, store_id=id_))
    async with evidence(site) as seen:
        await _hold_tables_for_a_second(seen)
        for id_ in STORES:
            await client.insist("management", OpenStoreRequest(name=f"stores/{id_}"))
            await eventually(partial(_is_known, client, id_), seconds=OPENING_SECONDS)
        for id_, capacities in TABLES.items():
            tables = [
                CreateTableRequest(table=Table(capacity=each), table_id=f"t{n}") for n, each in enumerate(capacities)
            ]
            request = BatchCreateTablesRequest(parent=f"stores/{id_}", requests=tables)
            await eventually(partial(client.insist, "seat", request), seconds=OPENING_SECONDS)
        await eventually(partial(_agreed, seen), seconds=OPENING_SECONDS)


def tables(store: str) -> list[str]:
    """Names of a store's tables."""
    return [f"stores/{store}/tables/t{n}" for n in range(len(TABLES[store]))]


async def _hold_tables_for_a_second(seen: Evidence) -> None:
    """Shorter than anybody may ask for, so that holds run out while a drill looks on."""
    statement = update(table("management", "stores")).values(call_timeout=timedelta(seconds=1))
    await seen.databases["management"].write(lambda connection: connection.execute(statement).rowcount)


async def _is_known(client: Client, store: str) -> bool:
    with suppress(NoAnswer):
        return await client.read("reception", ListReceptionsRequest(parent=f"stores/{store}")) is not None
    return False


async def _agreed(seen: Evidence) -> bool:
    return not invariants.violations(await seen.books())

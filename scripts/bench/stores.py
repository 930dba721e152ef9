"""Stores to join: open, with a few tables, and known to every service."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc
import grpc.aio

from scripts.bench.identities import backend, manager, operator
from services.local.calling import telling
from services.local.keys import Keys
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Table

LONGEST_LINE = 100_000
CAPACITIES = (2, 2, 4, 4)
KNOWN_SECONDS = 30.0


async def make_stores(targets: Mapping[str, str], keys: Keys, store_ids: Sequence[str]) -> None:
    """Make them; returns when reception takes joins for all. `targets` is host:port by service, `keys` open them."""
    async with (
        grpc.aio.insecure_channel(targets["management"]) as management,
        grpc.aio.insecure_channel(targets["seat"]) as seat,
        grpc.aio.insecure_channel(targets["reception"]) as reception,
    ):
        await asyncio.gather(*(_open(management, seat, keys, store_id) for store_id in store_ids))
        joining = telling(reception, backend(keys))
        await asyncio.gather(*(_known(joining, store_id) for store_id in store_ids))


async def _open(management: grpc.aio.Channel, seat: grpc.aio.Channel, keys: Keys, store_id: str) -> None:
    store = Store(display_name=store_id, max_waiting=LONGEST_LINE)
    create = CreateStoreRequest(store=store, store_id=store_id)
    await ManagementServiceStub(telling(management, operator(keys))).CreateStore(create, wait_for_ready=True)
    staff = manager(keys, store_id)
    await ManagementServiceStub(telling(management, staff)).OpenStore(OpenStoreRequest(name=f"stores/{store_id}"))
    tables = [CreateTableRequest(table=Table(capacity=capacity)) for capacity in CAPACITIES]
    request = BatchCreateTablesRequest(parent=f"stores/{store_id}", requests=tables)
    floor = SeatServiceStub(telling(seat, staff))
    await _once_known(lambda: floor.BatchCreateTables(request), grpc.StatusCode.OK)


async def _known(reception: Any, store_id: str) -> None:
    # refused for its size, and not because the store is unknown or closed
    probe = CreateReceptionRequest(parent=f"stores/{store_id}", reception=Reception(party_size=99))
    await _once_known(lambda: ReceptionServiceStub(reception).CreateReception(probe), grpc.StatusCode.INVALID_ARGUMENT)


async def _once_known(call: Callable[[], Any], wanted: grpc.StatusCode) -> None:
    """Call until the answer is as wanted: what one service did, the others hear of a moment later."""
    async with asyncio.timeout(KNOWN_SECONDS):
        while True:
            if await call().code() is wanted:
                return
            await asyncio.sleep(0.02)

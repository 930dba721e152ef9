"""Whole lives of receptions: joined, called at once, seated, left."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import grpc
import grpc.aio

from scripts.bench.full.system import System
from scripts.bench.identities import backend, manager
from services.local.calling import telling
from tabling.management.v1.management_service_pb2 import CompleteOrderRequest, SeatOrderRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub

PARTY_SIZE = 2
CALLED_SECONDS = 30.0
LOOK_SECONDS = 0.05


async def live(system: System, stores: Sequence[str], phones: Iterator[str], each: int) -> int:
    """One party after the other in every store, `each` a store; gives how many lives that were."""
    async with (
        grpc.aio.insecure_channel(system.targets["reception"]) as reception,
        grpc.aio.insecure_channel(system.targets["management"]) as management,
    ):
        customers = ReceptionServiceStub(telling(reception, backend(system.keys)))
        staff = ManagementServiceStub(telling(management, manager(system.keys, *stores)))

        async def in_one(store: str) -> None:
            for _ in range(each):
                await _one(customers, staff, store, next(phones))

        await asyncio.gather(*(in_one(store) for store in stores))
    return len(stores) * each


async def _one(customers: Any, staff: Any, store: str, phone: str) -> None:
    request = CreateReceptionRequest(
        parent=f"stores/{store}", reception=Reception(party_size=PARTY_SIZE, phone=phone), request_id=str(uuid.uuid4())
    )
    request.wait.FromSeconds(2)
    joined = await customers.CreateReception(request)
    order = joined.name.replace("/receptions/", "/orders/")
    await _once_known(lambda: staff.SeatOrder(SeatOrderRequest(name=order)))
    await _once_known(lambda: staff.CompleteOrder(CompleteOrderRequest(name=order)))


async def _once_known(call: Callable[[], Awaitable[Any]]) -> None:
    """Call until it is done: what one service did, the others hear of a moment later."""
    async with asyncio.timeout(CALLED_SECONDS):
        while True:
            try:
                await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION):
                    raise
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

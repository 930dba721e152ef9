"""Demo data: a handful of Seoul stores with tables, made through the same calls that staff would make.

`python -m services.local.demo` makes them where `TABLING_MANAGEMENT_TARGET` and `TABLING_SEAT_TARGET` lead,
with the key of `TABLING_KEY`.
"""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from services.chassis.callers import Identity, as_principal
from services.chassis.logs import get_logger
from services.chassis.settings import Variables, upstreams
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import LatLng, OpeningHours, Store
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Table

log = get_logger(__name__)

T = TypeVar("T")

DEMO_NAMESPACE = uuid.UUID("6f1c0f0e-6b0a-4d0e-9a51-7ab11c0ffee0")


@dataclass(frozen=True, slots=True)
class DemoStore:
    """A store of the demo; `tables` is the capacity of each table, one by one."""

    id: str
    name: str
    category: str
    address: str
    latitude: float
    longitude: float
    tables: tuple[int, ...]
    seating_mode: Store.SeatingMode.ValueType = Store.COMPATIBLE_FIFO
    accept_mode: Store.AcceptMode.ValueType = Store.AUTOMATIC


STORES = (
    DemoStore("gangnam-gukbap", "강남국밥", "korean", "서울 강남구 테헤란로 1", 37.4979, 127.0276, (2, 2, 4)),
    DemoStore("hongdae-ramen", "홍대라멘", "japanese", "서울 마포구 양화로 160", 37.5563, 126.9236, (1, 1, 2, 2)),
    DemoStore("jongno-naengmyeon", "종로면옥", "korean", "서울 종로구 종로 55", 37.5704, 126.9831, (2, 4, 4, 6)),
    DemoStore("itaewon-taco", "이태원타코", "mexican", "서울 용산구 이태원로 200", 37.5345, 126.9946, (2, 4)),
    DemoStore(
        "yeonnam-bakery", "연남베이커리", "bakery", "서울 마포구 동교로 240", 37.5660, 126.9240, (2, 2),
        seating_mode=Store.STRICT_FIFO,
    ),
    DemoStore(
        "seongsu-omakase", "성수오마카세", "japanese", "서울 성동구 성수이로 77", 37.5446, 127.0559, (),
        seating_mode=Store.BY_HAND, accept_mode=Store.MANUAL,
    ),
)  # fmt: skip


async def seed(targets: Mapping[str, str], keys: Sequence[str]) -> None:
    """Make what is missing of the demo stores. `targets`: service → host:port; `keys` open them. Safe to repeat."""
    async with (
        grpc.aio.insecure_channel(targets["management"]) as management,
        grpc.aio.insecure_channel(targets["seat"]) as seat,
    ):
        stubs = (ManagementServiceStub(management), SeatServiceStub(seat))
        operator = as_principal(keys, aud="tabling-operator", sub="demo")
        manager = as_principal(
            keys, aud="tabling-staff", sub="demo", role="manager", stores=[store.id for store in STORES]
        )
        await asyncio.gather(*(_seed_store(*stubs, operator, manager, store) for store in STORES))


async def _seed_store(management: Any, seat: Any, operator: Identity, manager: Identity, demo: DemoStore) -> None:
    create = CreateStoreRequest(store=_store(demo), store_id=demo.id, request_id=_request_id("create", demo.id))
    created = await _unless_there(management.CreateStore(create, metadata=operator))
    if demo.tables:
        request = BatchCreateTablesRequest(
            parent=f"stores/{demo.id}",
            requests=[_table(number, capacity) for number, capacity in enumerate(demo.tables, 1)],
            request_id=_request_id("tables", demo.id),
        )
        await _unless_there(_once_known(lambda: seat.BatchCreateTables(request, metadata=manager)))
    if created is not None and created.state == Store.CLOSED and created.version == 1:
        opening = OpenStoreRequest(name=f"stores/{demo.id}", request_id=_request_id("open", demo.id))
        await management.OpenStore(opening, metadata=manager)


async def _unless_there(call: Awaitable[T]) -> T | None:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.ALREADY_EXISTS:
            return None
        raise


async def _once_known(call: Callable[[], Awaitable[T]]) -> T:
    """The seat service hears of a new store some milliseconds later."""
    for _ in range(200):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        await asyncio.sleep(0.025)
    return await call()


def _store(demo: DemoStore) -> Store:
    timeout = Duration()
    timeout.FromTimedelta(timedelta(minutes=5))
    return Store(
        display_name=demo.name,
        category=demo.category,
        address=demo.address,
        location=LatLng(latitude=demo.latitude, longitude=demo.longitude),
        time_zone="Asia/Seoul",
        opening_hours=[OpeningHours(weekday=day, open="00:00", close="23:59") for day in range(1, 8)],
        call_timeout=timeout,
        seating_mode=demo.seating_mode,
        accept_mode=demo.accept_mode,
    )


def _table(number: int, capacity: int) -> CreateTableRequest:
    table = Table(display_name=f"{number}번", capacity=capacity, section="홀")
    return CreateTableRequest(table=table, table_id=f"t{number}")


def _request_id(what: str, store: str) -> str:
    return str(uuid.uuid5(DEMO_NAMESPACE, f"{what}/{store}"))


if __name__ == "__main__":
    variables = Variables("management", os.environ)
    asyncio.run(seed(upstreams(variables), variables.keys()))

"""Joining in bulk through the gateway, as a backend does it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CreateReceptionRequest,
    CreateReceptionsRequest,
    CreateReceptionsResponse,
)
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tests.e2e.system import System, running_system

pytestmark = pytest.mark.e2e

STORE = "stores/bulk"


def message(tag: int, size: int) -> CreateReceptionsRequest:
    joins = [
        CreateReceptionRequest(parent=STORE, reception=Reception(party_size=2), request_id=str(uuid4()))
        for _ in range(size)
    ]
    return CreateReceptionsRequest(tag=tag, requests=joins)


async def open_store(channel: grpc.aio.Channel) -> None:
    management = ManagementServiceStub(channel)
    store = Store(display_name="Bulk", max_waiting=2000, seating_mode=Store.BY_HAND)
    await management.CreateStore(CreateStoreRequest(store=store, store_id="bulk"))
    await management.OpenStore(OpenStoreRequest(name=STORE))


async def bring(system: System, messages: list[CreateReceptionsRequest]) -> AsyncIterator[CreateReceptionsResponse]:
    async with system.channel() as channel:
        call = ReceptionServiceStub(channel).CreateReceptions(iter(messages))
        async for response in call:
            yield response


async def known(system: System) -> None:
    """Return once reception knows of the store: the first join is taken."""
    while True:
        async for response in bring(system, [message(0, 1)]):
            if response.results[0].HasField("reception"):
                return
        await asyncio.sleep(0.02)


async def test_a_backend_brings_many_over_one_stream_and_again_after_it_broke_off(tmp_path: Path) -> None:
    async with running_system(tmp_path / "data", "--no-demo") as system:
        async with system.channel() as channel:
            await open_store(channel)
        async with asyncio.timeout(10):
            await known(system)
        messages = [message(tag, 50) for tag in range(1, 9)]

        async for response in bring(system, messages):
            assert response.tag in range(1, 9)
            break
        answers = [response async for response in bring(system, messages)]

        assert sorted(response.tag for response in answers) == list(range(1, 9))
        joined = [result.reception for response in answers for result in response.results]
        assert sorted(each.waiting_number for each in joined) == list(range(2, 402))
        for response in answers:
            numbers = [result.reception.waiting_number for result in response.results]
            assert numbers == sorted(numbers)
        status, listed = await system.json("GET", f"/v1/{STORE}/receptions?pageSize=500")
        assert (status, len(listed["receptions"])) == (200, 401)

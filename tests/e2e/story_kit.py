"""People of a story: customers who speak JSON, staff who speak gRPC, and the phones that ring."""

import itertools
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from services.chassis.testing import eventually
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1.seat_service_pb2 import BatchCreateTablesRequest, CreateTableRequest
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Table
from tests.agreement import violations
from tests.e2e.system import System

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One answer of the gateway to a JSON caller."""

    status: int
    body: Any

    @property
    def ok(self) -> Json:
        """The body of a success."""
        assert self.status == 200, self
        body: Json = self.body
        return body

    @property
    def reason(self) -> str:
        """Why it was refused, for example `409 reception.tabling ALREADY_IN_LINE`."""
        infos = [detail for detail in self.body.get("details", ()) if detail["@type"].endswith("ErrorInfo")]
        assert len(infos) == 1, self
        return f"{self.status} {infos[0]['domain']} {infos[0]['reason']}"


class Story:
    """One running system and everybody who uses it. `staff` and the other stubs speak gRPC through the gateway."""

    def __init__(self, system: System, http: aiohttp.ClientSession, channel: Any) -> None:
        self.system = system
        self._http = http
        self.line: Any = ReceptionServiceStub(channel)
        self.staff: Any = ManagementServiceStub(channel)
        self.floor: Any = SeatServiceStub(channel)
        self.screens: Any = DashboardServiceStub(channel)

    async def get(self, path: str) -> Json:
        """What a path shows, with or without its `/v1/`."""
        return (await self.ask("GET", path if path.startswith("/") else f"/v1/{path}")).ok

    async def post(self, path: str, **body: Any) -> Answer:
        """The answer to a body of JSON."""
        return await self.ask("POST", path if path.startswith("/") else f"/v1/{path}", json=body)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        headers = self.system.callers.headers(method, path, options.get("json"))
        async with self._http.request(method, self.system.url + path, headers=headers, **options) as answer:
            return Answer(answer.status, json.loads(await answer.text()))

    async def join(self, store: str, party_size: int = 2, wait: str = "", **reception: Any) -> Json:
        """A reception, as told to the party at once, or after `wait`; but for its pass, which is told only then."""
        path = f"{store}/receptions" + (f"?wait={wait}" if wait else "")
        joined = (await self.post(path, partySize=party_size, **reception)).ok
        assert joined["receptionPass"]
        return {**joined, "receptionPass": ""}

    @asynccontextmanager
    async def lines(self, path: str) -> AsyncIterator[AsyncIterator[Json]]:
        """A stream of JSON objects, one a line."""
        headers = self.system.callers.headers("GET", f"/v1/{path}")
        async with self._http.get(f"{self.system.url}/v1/{path}", headers=headers) as answer:
            assert answer.status == 200
            yield (json.loads(each) async for each in answer.content)

    async def messages(self, phone: str) -> list[Json]:
        """What KakaoTalk shows on a phone, oldest first."""
        async with self._http.get(f"{self.system.kakao_url}/inbox/{phone}.json") as answer:
            messages: list[Json] = (await answer.json())["messages"]
            return messages

    async def told(self, phone: str) -> list[str]:
        """The purposes of a phone's messages, once nothing is under way any more."""
        await self.at_rest()
        return [message["templateCode"].removesuffix("_KO_1") for message in await self.messages(phone)]

    async def inbox_page(self, phone: str) -> str:
        """The page that shows a phone's messages."""
        async with self._http.get(f"{self.system.kakao_url}/inbox/{phone}") as answer:
            assert answer.status == 200
            return await answer.text()

    async def at_rest(self) -> None:
        """Wait until everybody knows everything; fails with what does not agree."""
        await at_rest(self.system)


@asynccontextmanager
async def story_of(system: System) -> AsyncIterator[Story]:
    """The people of a running system, for the length of the block."""
    timeout = aiohttp.ClientTimeout(total=20)
    async with system.http(timeout=timeout) as http, system.channel() as channel:
        yield Story(system, http, channel)


async def at_rest(system: System) -> None:
    """Wait until every event is applied, every notice is sent and the databases agree."""

    async def agreed() -> bool:
        assert not (found := violations(system.databases)), found
        _, pending = await system.json("GET", "/v1/notices?states=PENDING")
        return not pending["notices"]

    await eventually(agreed, seconds=10)


async def refusal(call: Any) -> str:
    """Why a gRPC call was refused, for example `FAILED_PRECONDITION management.tabling ORDER_STATE_CONFLICT`."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    status = rpc_status.from_call(raised.value)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details), raised.value
    return f"{raised.value.code().name} {info.domain} {info.reason}"


_phones = itertools.count(20_000_001)


def new_phone() -> str:
    """A mobile number that nobody in this run has."""
    return f"010{next(_phones)}"


async def new_store(story: Story, *tables: int, **policy: Any) -> str:
    """An open store with tables of these capacities, known to everyone."""
    store = f"s-{uuid.uuid4().hex}"
    name = f"stores/{store}"
    await story.staff.CreateStore(CreateStoreRequest(store_id=store, store=Store(display_name=store, **policy)))
    await story.staff.OpenStore(OpenStoreRequest(name=name))
    await story.at_rest()
    requests = [
        CreateTableRequest(table_id=f"t{number}", table=Table(capacity=capacity))
        for number, capacity in enumerate(tables, 1)
    ]
    await story.floor.BatchCreateTables(BatchCreateTablesRequest(parent=name, requests=requests))
    await story.at_rest()
    return name

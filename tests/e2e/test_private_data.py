"""Phone numbers and secrets go where they are needed and nowhere else: all that a whole system leaves is read."""

import base64
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import grpc
import pytest
from sqlalchemy import Connection, MetaData, select
from yarl import URL

from services.chassis.addresses import free_port
from services.chassis.bus.link import connection_to
from services.chassis.bus.topology import EXCHANGE
from services.chassis.bus.wire import CONTENT_TYPE
from services.chassis.database.opening import open_database
from services.chassis.environment import read as read_environment
from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from services.full.settings import FullSettings
from services.operations.catalogue import topology
from tabling.management.v1 import management_service_pb2 as staff
from tabling.messaging.v1.envelope_pb2 import Envelope
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest, CreateReceptionsRequest
from tests.component.collector import Collector, collecting
from tests.e2e.marks import Find, Marks, coded, spellings
from tests.e2e.story_kit import Story, new_store, story_of
from tests.e2e.system import System, log_of, running_system
from tests.e2e.test_full import data, full_system, scraped

pytestmark = pytest.mark.e2e

__all__ = ("data",)

PHONES = {
    "the one of the JSON join": "01091379881",
    "the one of the gRPC join": "01092468882",
    "the one of the bulk join": "01093579883",
    "the one of the staff's join": "01094681884",
    "the one that KakaoTalk does not know": "01095793019",
    "the one that was refused": "01096814886",
    "the one of another request": "01097925887",
}
BY_JSON, BY_GRPC, IN_BULK, BY_STAFF, UNKNOWN, REFUSED, REUSED = PHONES.values()

INBOX = ("kakao/*", "kakao.db*")
"""Where the stand-in for KakaoTalk keeps its messages: they are on their way to these very phones."""

KEYS = ("keys/*", "environment")
"""What only the owner of the folder can read."""

PASSED = {
    "reception.reception.added.v1",
    "reception.reception.seated.v1",
    "reception.reception.closed.v1",
    "management.order.completed.v1",
    "seat.seating.freed.v1",
    "notification.notice.settled.v1",
}

LOUD = {"TABLING_LOG_LEVEL": "DEBUG", "TABLING_REQUEST_LOG": "all"}


@dataclass
class Traffic:
    """What people were told, but for their `passes`, and what passed on the way, `envelopes` among it."""

    told: list[bytes] = field(default_factory=list)
    passed: list[bytes] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    passes: set[str] = field(default_factory=set)


def wrong_forms(number: str) -> list[Any]:
    """What is no phone number, and has one in it."""
    plain = number[1:]
    return [
        f"{number}x",
        f"tel:{number}",
        f"0{number}",
        f"+1{plain}",
        f" {number}",
        f"{number}\n",
        int(plain),
        [number],
    ]


async def told(story: Story, traffic: Traffic, verb: str, path: str, **body: Any) -> Any:
    """What a customer is answered by JSON."""
    answer = await story.ask(verb, path, **({"json": body} if body else {}))
    traffic.told.append(json.dumps(answer.body, ensure_ascii=False).encode())
    if secret := answer.body.get("receptionPass"):
        traffic.passes.add(secret)
        traffic.told[-1] = traffic.told[-1].replace(secret.encode(), b"")
    return answer


async def joined_by_grpc(story: Story, traffic: Traffic, store: str, phone: str) -> Reception:
    request = CreateReceptionRequest(parent=store, reception=Reception(party_size=2, phone=phone))
    joined: Reception = await story.line.CreateReception(request)
    traffic.passes.add(joined.reception_pass)
    joined.reception_pass = ""
    traffic.told.append(joined.SerializeToString())
    return joined


async def refused_by_grpc(story: Story, traffic: Traffic, store: str, phone: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await joined_by_grpc(story, traffic, store, phone)
    error = caught.value
    assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ALREADY_EXISTS)
    traffic.told += [str(error).encode(), repr(dict(error.trailing_metadata() or ())).encode()]
    traffic.told += [bytes(value) for _, value in error.trailing_metadata() or () if isinstance(value, bytes)]


async def joined_in_bulk(story: Story, traffic: Traffic, store: str, *phones: str) -> None:
    joins = [
        CreateReceptionRequest(
            parent=store, reception=Reception(party_size=2, phone=phone, customer=f"customers/a-{uuid.uuid4().hex}")
        )
        for phone in phones
    ]
    stream = story.line.CreateReceptions(iter([CreateReceptionsRequest(tag=1, requests=joins)]))
    async for answer in stream:
        assert len(answer.results) == len(phones), answer
        for result in answer.results:
            traffic.passes.update({result.reception.reception_pass} - {""})
            result.reception.reception_pass = ""
        traffic.told.append(answer.SerializeToString())


async def joined_by_staff(story: Story, traffic: Traffic, store: str, phone: str) -> None:
    token = story.system.callers.token(
        aud="tabling-staff", sub="kim", role="host", stores=[store.removeprefix("stores/")]
    )
    body, headers = {"partySize": 2, "phone": phone}, {"Authorization": f"Bearer {token}"}
    async with story.system.http() as http:
        async with http.post(f"{story.system.url}/v1/{store}/receptions", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            joined = await answer.json()
        traffic.passes.add(joined.pop("receptionPass"))
        async with http.get(f"{story.system.url}/v1/{store}/receptions", headers=headers) as answer:
            listed = await answer.text()
    assert f"010-****-{phone[-4:]}" in listed
    traffic.told += [json.dumps(joined).encode(), listed.encode()]


async def lived(story: Story, traffic: Traffic) -> None:
    """People join in every way there is, are told, sit down and leave; some do something wrong."""
    store = await new_store(story, 2)
    path = f"/v1/{store}/receptions"
    ask = partial(told, story, traffic)
    request_id = str(uuid.uuid4())
    first = (await ask("POST", f"{path}?requestId={request_id}", partySize=2, phone=BY_JSON)).ok
    again = await ask("POST", f"{path}?requestId={request_id}", partySize=2, phone=BY_JSON)
    assert again.ok["name"] == first["name"]
    other = await ask("POST", f"{path}?requestId={request_id}", partySize=2, phone=REUSED)
    assert "REQUEST_ID_REUSED" in other.reason
    assert (
        "ALREADY_IN_LINE"
        in (await ask("POST", path, partySize=3, phone=f"{BY_JSON[:3]}-{BY_JSON[3:7]}-{BY_JSON[7:]}")).reason
    )
    await joined_by_grpc(story, traffic, store, f"+82{BY_GRPC[1:]}")
    await refused_by_grpc(story, traffic, store, BY_GRPC)
    await joined_in_bulk(story, traffic, store, IN_BULK, f"{REFUSED}x")
    await joined_by_staff(story, traffic, store, BY_STAFF)
    unknown = (await ask("POST", path, partySize=2, phone=UNKNOWN)).ok
    for wrong in wrong_forms(REFUSED):
        assert (await ask("POST", path, partySize=2, phone=wrong)).status in (200, 400), wrong
        if isinstance(wrong, str):
            await refused_by_grpc(story, traffic, store, wrong)
    assert (await ask("POST", f"{path}?reception.phone={REFUSED}", partySize=2)).status in (200, 400)

    await eventually(lambda: is_in(story, first["name"], "CALLED"))
    await story.at_rest()
    order = first["name"].replace("/receptions/", "/orders/")
    await story.staff.SeatOrder(staff.SeatOrderRequest(name=order))
    await story.at_rest()
    await story.staff.CompleteOrder(staff.CompleteOrderRequest(name=order))
    await story.at_rest()
    await ask("POST", f"/v1/{unknown['name']}:cancel")
    await story.at_rest()
    for looked_at in (
        f"/v1/{first['name']}",
        f"/v1/{store}/orders",
        f"/v1/{store}/board",
        f"/v1/{store}/view",
        "/v1/notices",
    ):
        assert (await ask("GET", looked_at)).status == 200, looked_at
    assert await story.messages(BY_JSON), "nobody was told anything"
    assert b"NO_USER" in traffic.told[-1] or b"FAILED" in traffic.told[-1]


async def is_in(story: Story, name: str, state: str) -> bool:
    assert (await story.get(name))["state"] == state
    return True


async def page(url: str) -> bytes:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200, url
        return await answer.read()


async def envoys_pages(folder: Path) -> list[bytes]:
    """What Envoy tells operators."""
    admin = f"http://{(folder / 'gateway' / 'admin-address').read_text()}"
    return [await page(f"{admin}/{name}") for name in ("stats", "stats/prometheus", "clusters", "listeners")]


def marks_of(system: System, traffic: Traffic) -> Marks:
    """All that must not be found: phone numbers in every spelling, keys, passes and tokens."""
    keys = system.callers.keys
    secrets = {"the installation's key": [*keys.installation], "the key for passes": [*keys.passes]}
    secrets |= {"the key for phones": [*keys.phones], "a pass": [*traffic.passes]}
    # its signature is what makes a token one
    secrets["a token"] = [token.rpartition(".")[2] for token in system.callers.tokens]
    return Marks(
        {name: spellings(number) for name, number in PHONES.items()}
        | {
            name: {s.encode() for s in each} | {c for s in each for c in coded(s.encode())}
            for name, each in secrets.items()
        }
    )


def found(system: System, traffic: Traffic, spans: Collector) -> list[Find]:
    """Every mark in whatever the system has left or told."""
    marks = marks_of(system, traffic)
    finds = [
        *marks.in_folder(system.data, (*INBOX, *KEYS)),
        *marks.in_text("its log", log_of(system.data).read_bytes()),
    ]
    for where, texts in (("an answer", traffic.told), ("what passed", traffic.passed)):
        finds += [find for text in texts for find in marks.in_text(where, text)]
    finds += [find for span in spans.spans for find in marks.in_text("a trace", repr(span).encode())]
    return finds


async def everything_stored(databases: dict[str, str]) -> list[bytes]:
    """All rows of all tables as text: what servers keep packed is unpacked so."""

    def read(connection: Connection) -> bytes:
        tables = MetaData()
        tables.reflect(connection)
        return repr([row for table in tables.tables.values() for row in connection.execute(select(table))]).encode()

    stored = []
    for address in databases.values():
        database = open_database(address)
        try:
            stored.append(await database.scan(read))
        finally:
            await database.close()
    return stored


@asynccontextmanager
async def tapped(bus: str, traffic: Traffic) -> AsyncIterator[None]:
    """All messages that any exchange brings anywhere pass here, too, for the length of the block."""
    async with connection_to(URL(bus), "tests") as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        wanted = topology()
        for exchange in wanted.exchanges():
            for key in ("#",) if exchange.kind == "topic" else wanted.consumers:
                await queue.bind(exchange.name, key)

        async def keep(message: Any) -> None:
            traffic.passed += [message.body, repr((message.headers, message.info())).encode()]
            if message.exchange == EXCHANGE:
                traffic.envelopes.append(Envelope.FromString(message.body))

        await queue.consume(keep, no_ack=True)
        yield


async def spoiled(bus: str, traffic: Traffic) -> None:
    """Something that passed comes once more, and nobody can apply it: it is put aside."""
    comes = next(each for each in traffic.envelopes if "reception.reception.added.v1" in {e.type for e in each.events})
    comes.id = str(uuid.uuid4())
    for event in comes.events:
        event.id, event.data = str(uuid.uuid4()), event.data + b"\xff"
    message = aio_pika.Message(comes.SerializeToString(), content_type=CONTENT_TYPE)
    async with connection_to(URL(bus), "tests") as connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(EXCHANGE)
        await exchange.publish(message, "reception.reception.added.v1")


async def test_the_embedded_system_leaves_no_trace_of_a_number_or_a_secret(tmp_path: Path) -> None:
    traffic, metrics = Traffic(), free_port()
    async with collecting() as spans:
        environment = {**LOUD, "TABLING_TRACES": spans.endpoint, "TABLING_METRICS_LISTEN": f"127.0.0.1:{metrics}"}
        async with (
            running_system(tmp_path / "data", "--no-demo", environment=environment) as system,
            story_of(system) as story,
        ):
            await lived(story, traffic)
            traffic.passed += [await page(f"http://127.0.0.1:{metrics}/metrics"), *await envoys_pages(system.data)]
            stored = {name: str(system.data / f"{name}.db") for name in PORTS}
            traffic.passed += await everything_stored(stored)
            assert found(system, traffic, spans) == []
            await system.stop()
        assert spans.spans
        assert found(system, traffic, spans) == []

        # that it would have been found
        with log_of(system.data).open("a") as log:
            log.write(f'{{"event": "joined", "phone": "+82 10-{BY_GRPC[3:7]}-{BY_GRPC[7:]}"}}\n')
        with sqlite3.connect(system.data / "seat.db") as connection:
            connection.execute("CREATE TABLE notes (note BLOB)")
            connection.execute("INSERT INTO notes VALUES (?)", (base64.b64encode(f"x{BY_JSON}".encode()),))
        connection.close()
        planted = {(find.where, find.mark) for find in found(system, traffic, spans)}
        assert planted == {("its log", "the one of the gRPC join"), ("seat.db", "the one of the JSON join")}


async def test_the_full_system_leaves_no_trace_of_a_number_or_a_secret(data: Path) -> None:
    traffic = Traffic()
    async with AsyncExitStack() as stack:
        spans = await stack.enter_async_context(collecting())
        system, story = await stack.enter_async_context(
            full_system(data, "--no-demo", **LOUD, TABLING_TRACES=spans.endpoint)
        )
        bus = read_environment(data)["TABLING_BUS"]
        await stack.enter_async_context(tapped(bus, traffic))
        await lived(story, traffic)
        await spoiled(bus, traffic)
        await eventually(lambda: "events not applied" in logged(data), seconds=20)
        processes = FullSettings(first_port=system.port + 2).processes
        traffic.passed += [(await scraped(process)).encode() for process in processes]
        traffic.passed += await envoys_pages(data)
        databases = system.databases
        assert isinstance(databases, dict)
        traffic.passed += await everything_stored(databases)
        assert {event.type for envelope in traffic.envelopes for event in envelope.events} >= PASSED
        assert found(system, traffic, spans) == []
        await system.stop()
        assert spans.spans
        assert found(system, traffic, spans) == []


def logged(folder: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in (folder / "logs").iterdir())


@pytest.mark.parametrize(
    "write",
    [
        lambda number: f"phone={number}",
        lambda number: f"+82 {number[1:3]}-{number[3:7]}-{number[7:]}",
        lambda number: f"82{number[1:]}",
        lambda number: number[1:],
        lambda number: number.encode().hex(),
        lambda number: f"{number[3:7]}%20{number[7:]}",
        *(lambda number, n=n: base64.b64encode(b"x" * n + number.encode() + b"more").decode() for n in range(6)),
    ],
)
def test_a_number_is_found_however_it_is_written(tmp_path: Path, write: Callable[[str], str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "some.log").write_bytes(b"\0\xff" + write(BY_JSON).encode() + b"\xfe")
    marks = Marks({name: spellings(number) for name, number in PHONES.items()})
    finds = list(marks.in_folder(tmp_path))
    assert {(find.where, find.mark) for find in finds} == {("deep/some.log", "the one of the JSON join")}
    assert list(marks.in_folder(tmp_path, ("deep/*",))) == []

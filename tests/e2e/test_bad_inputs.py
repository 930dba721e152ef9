"""Whatever callers send to the whole system: they are told what is wrong, nothing changes and nothing breaks.

The table is in `bad_inputs`.
"""

import asyncio
import re
import unicodedata
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice
from typing import Any

import aiohttp
import grpc
import pytest
import pytest_asyncio
from google.rpc import code_pb2

from tests.e2e.bad_inputs import ROWS
from tests.e2e.bad_inputs.hostile import FINE, spoiled
from tests.e2e.bad_inputs.names import GUESSED
from tests.e2e.bad_inputs.row import LINE, STATUSES, Call, Http, Row
from tests.e2e.bad_inputs.stage import IN_BULK, Stage
from tests.e2e.bad_inputs.strangers import CHANGES, NOBODY, READS, shows
from tests.e2e.gateway import from_everywhere, session
from tests.e2e.system import System, log_of, running_system
from tests.e2e.ways import METHODS, Outcome, Ways, message_of

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

# of our own code, our libraries and our servers
INSIDES = re.compile(r"Traceback|Exception|Error\b|\.py\b|line \d+,|sqlite|sqlalchemy|<html|upstream", re.IGNORECASE)

ANSWERS = frozenset(STATUSES) - {"DEADLINE_EXCEEDED", "UNIMPLEMENTED"}

LITERAL = {
    "SQL": "'; DROP TABLE stores; --",
    "HTML": "<script>alert(1)</script><b>\"'&amp;",
    "templates": "{{7*7}} ${7*7} #{7*7} %s %(x)s {0} $name `id`",
    "a path": "../../etc/passwd",
    "escapes": "%00%2e%2e\\n\\u0000&#0;",
    "a formula": "=1+1",
    "emoji": "🍜👨‍👩‍👧‍👦🏳️‍🌈👍🏽🇰🇷",
    "emoji newer than we are": "🩷🫩",
    "right-to-left text": "مطعم السلام",
    "Hangul in parts": unicodedata.normalize("NFD", "강남 국밥"),
    "accents in parts": unicodedata.normalize("NFD", "Café Élysée"),
    "spaces around": " Soup ",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    async with running_system(tmp_path_factory.mktemp("system") / "data") as it:
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with session(from_everywhere()) as it:
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ways(system: System, http: aiohttp.ClientSession) -> AsyncIterator[Ways]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{system.port}") as channel:
        yield Ways(system.port, http, channel, system.callers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(system: System, ways: Ways) -> AsyncIterator[Stage]:
    stage = Stage(ways, system.data, system.callers)
    try:
        await stage.set()
        yield stage
    finally:
        stage.close()


def each_row() -> Iterator[Any]:
    for row in ROWS:
        for protocol in row.sent.protocols:
            yield pytest.param(row, protocol, id=f"{protocol}: {row.what}")


@pytest.mark.parametrize(("row", "protocol"), list(each_row()))
async def test_a_bad_input_is_told_what_is_wrong_and_changes_nothing(
    ways: Ways, stage: Stage, row: Row, protocol: str
) -> None:
    before = stage.rows()
    outcome = await sent(ways, stage, row, protocol)
    after = stage.rows()

    assert (outcome.code, outcome.status) == (row.code, row.status if protocol == "json" else None), outcome
    assert not INSIDES.search(outcome.text), outcome
    assert not row.untold or stage.fill(row.untold) not in outcome.text, outcome
    if not row.bare:
        check_answer(outcome, row, stage)
    assert [table for table in before if before[table] != after[table]] == []


async def sent(ways: Ways, stage: Stage, row: Row, protocol: str) -> Outcome:
    sent = row.sent
    if isinstance(sent, Http):
        return await ways.over_http(sent.verb, stage.fill(sent.path), sent.body, stage.fill(sent.headers))
    if isinstance(sent, Call):
        way = ways.as_json if protocol == "json" else ways.as_grpc
        return await way(sent.method, stage.fill(sent.request), sent.headers, stage.fill(sent.by))
    if not sent.framed:
        return await ways.by_hand(sent.method, sent.payload)
    return await ways.over_grpc(sent.method, sent.payload, compressed=sent.compressed)


def check_answer(outcome: Outcome, row: Row, stage: Stage) -> None:
    """The shape that every answer has, and what this row wants to be in it."""
    if outcome.status is not None:
        assert outcome.headers["content-type"] == "application/json", outcome
    if row.code == "OK":
        assert outcome.answer.items() >= stage.fill(row.told).items(), outcome
        return
    assert outcome.answer.keys() == {"code", "message", "details"}, outcome
    assert outcome.answer["message"], outcome
    info = outcome.details["ErrorInfo"]
    assert re.fullmatch(r"[A-Z]+(_[A-Z]+)*", info["reason"]), outcome
    assert re.fullmatch(r"[a-z]+\.tabling", info["domain"]), outcome
    assert row.reason in ("", info["reason"]), outcome
    assert info.get("metadata", {}).items() >= stage.fill(row.metadata).items(), outcome
    assert not row.names or row.names in outcome.fields, outcome


async def test_a_bad_join_in_a_stream_is_told_what_is_wrong_and_changes_nothing(ways: Ways, stage: Stage) -> None:
    bad = [(row, row.sent) for row in ROWS if isinstance(row.sent, Call) and is_refused_join(row, row.sent)]
    assert len(bad) > 30
    before = stage.rows()
    for row, call in bad:
        fine = IN_BULK
        outcome = await ways.as_grpc("CreateReceptions", {"requests": [stage.fill(call.request), fine]})
        assert outcome.code == "OK", (row, outcome)
        refused, joined = outcome.answer["results"]
        status = refused["refusal"]
        check_answer(Outcome(code_pb2.Code.Name(status["code"]), status), row, stage)
        assert code_pb2.Code.Name(status["code"]) == row.code, (row, status)
        assert joined["reception"]["name"] == stage.names["in_bulk"]
    assert stage.rows() == before


def is_refused_join(row: Row, call: Call) -> bool:
    is_by_a_backend = call.by is None and not call.headers
    return call.method == "CreateReception" and row.code != "OK" and is_by_a_backend and not row.bare


@pytest.mark.parametrize("protocol", ["json", "grpc"])
@pytest.mark.parametrize("who", ["nobody", "stranger", "staff"])
async def test_what_is_somebody_elses_sounds_like_what_is_not_there(
    ways: Ways, stage: Stage, protocol: str, who: str
) -> None:
    way = ways.as_json if protocol == "json" else ways.as_grpc
    shown = {"nobody": NOBODY, "stranger": shows("customer_token"), "staff": shows("elsewhere_token")}[who]
    theirs, nothing = stage.names["waiting"], f"{LINE}/receptions/{GUESSED}"
    for call in (*READS, *CHANGES):
        heard = []
        for name in (theirs, nothing):
            request = {**call.request, "name": call.request["name"].replace("$waiting", name)}
            outcome = await way(call.method, request, by=stage.fill(shown))
            heard.append((outcome.code, outcome.text.replace(name, "it")))
        assert heard[0] == heard[1], call
        assert heard[0][0] == "NOT_FOUND"


@pytest.mark.parametrize("protocol", ["json", "grpc"])
@pytest.mark.parametrize("text", [pytest.param(text, id=what) for what, text in LITERAL.items()])
async def test_text_is_kept_and_shown_as_it_was_meant(ways: Ways, stage: Stage, text: str, protocol: str) -> None:
    way = ways.as_json if protocol == "json" else ways.as_grpc
    kept = unicodedata.normalize("NFC", text)

    async def done(method: str, request: Mapping[str, Any]) -> Any:
        outcome = await way(method, request)
        assert outcome.code == "OK", outcome
        return outcome.answer

    store = (await done("CreateStore", {"store": {"displayName": text, "address": text, "category": text[:20]}}))[
        "name"
    ]
    await stage.settled()
    table = await done("CreateTable", {"parent": store, "table": {"capacity": 2, "displayName": text, "section": text}})
    await stage.settled()

    assert (await done("GetStore", {"name": store}))["displayName"] == kept
    shown = await done("GetTable", {"name": table["name"]})
    assert (shown["displayName"], shown["section"]) == (kept, kept)
    view = await done("GetStoreView", {"name": f"{store}/view"})
    assert (view["displayName"], view["address"]) == (kept, kept)
    found = await done("SearchStores", {"text": text.strip()})
    assert store in [view["name"].removesuffix("/view") for view in found["storeViews"]]


@pytest.mark.parametrize("method", METHODS)
async def test_no_value_of_any_field_breaks_a_method(ways: Ways, stage: Stage, method: str) -> None:
    requests = spoiled(message_of(method, stage.fill(FINE[method])))
    while some := list(islice(requests, 16)):
        outcomes = await asyncio.gather(*(ways.over_grpc(method, request.SerializeToString()) for request in some))
        for request, outcome in zip(some, outcomes, strict=True):
            assert outcome.code in ANSWERS, (request, outcome)


async def test_html_in_a_stores_name_is_text_on_everybodys_phone(
    system: System, ways: Ways, stage: Stage, http: aiohttp.ClientSession
) -> None:
    html = "<script>alert(2)</script>"
    store = (await ways.as_grpc("CreateStore", {"store": {"displayName": html}})).answer["name"]
    await ways.as_grpc("OpenStore", {"name": store})
    await stage.settled()
    party = {"partySize": 2, "phone": "010-8765-4321"}
    assert (await ways.as_grpc("CreateReception", {"parent": store, "reception": party})).code == "OK"
    await stage.settled()

    async with http.get(f"{system.kakao_url}/inbox/01087654321") as answer:
        page = await answer.text()

    assert "&lt;script&gt;alert(2)" in page
    assert "<script>alert(2)" not in page


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_page_of_a_strange_origin_is_allowed_nothing(
    system: System, http: aiohttp.ClientSession, method: str
) -> None:
    wish = {"origin": "https://evil.example", "access-control-request-method": method}
    async with http.options(f"{system.url}/v1/stores", headers=wish) as preflight:
        assert preflight.status == 200
        assert "access-control-allow-origin" not in preflight.headers


async def test_no_repetition_of_it_turns_a_service_off(
    system: System, ways: Ways, stage: Stage, http: aiohttp.ClientSession
) -> None:
    """With two hosts to a service a stranger could otherwise switch off both."""
    for row in ROWS:
        if row.status >= 500 or row.reason == "MALFORMED_PATH":
            for _ in range(10):
                await sent(ways, stage, row, row.sent.protocols[0])

    admin = (system.data / "gateway" / "admin-address").read_text()
    async with http.get(f"http://{admin}/stats?format=json&filter=outlier_detection.ejections") as answer:
        stats = {stat["name"]: stat["value"] for stat in (await answer.json(content_type=None))["stats"]}
    print(stats)
    assert len(stats) > 5
    assert [name for name, value in stats.items() if value] == []


async def test_after_all_that_the_books_agree_and_no_log_speaks_of_a_failure(system: System, stage: Stage) -> None:
    await stage.settled()
    text = log_of(system.data).read_text()
    assert not re.search(r"Traceback|\"level\": \"(error|critical)\"|request failed", text), text[-3000:]

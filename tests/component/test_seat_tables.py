"""What staff can do with tables, and how callers' mistakes are answered."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import StatusCode

from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1 import seat_service_pb2 as rpc
from tabling.seat.v1.table_pb2 import Table
from tests.component.seat_kit import House, refusal, seat

INVALID, NOT_FOUND = StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with seat(tmp_path) as house:
        await house.store_is()
        yield house


def a_table(**fields: Any) -> rpc.CreateTableRequest:
    request = {
        "parent": "stores/s1",
        "table_id": "a",
        **{k: fields.pop(k) for k in ("parent", "table_id") if k in fields},
    }
    return rpc.CreateTableRequest(table=Table(**{"capacity": 4, **fields}), **request)


async def test_a_table_is_as_it_was_created(house: House) -> None:
    created = await house.add_table("window-3", 4, display_name="창가 3 👩‍👩‍👧", section="Terrace")
    assert created == Table(
        name="stores/s1/tables/window-3",
        display_name="창가 3 👩‍👩‍👧",
        capacity=4,
        section="Terrace",
        state=Table.FREE,
        version=1,
        etag="1",
    )
    assert await house.table("window-3") == created


async def test_a_table_without_an_id_gets_one(house: House) -> None:
    created = await house.stub.CreateTable(a_table(table_id=""))
    assert await house.table(created.name.rpartition("/")[2]) == created


async def test_texts_are_kept_in_normal_form(house: House) -> None:
    created = await house.stub.CreateTable(a_table(section="Cafe\u0301"))
    assert created.section == "Caf\u00e9"


async def test_a_new_table_calls_whoever_waits_for_it(house: House) -> None:
    await house.join("p", 4)
    created = await house.add_table("a", 4)
    assert (created.state, created.reception) == (Table.HELD, "stores/s1/receptions/p")
    assert await house.table("a") == created


async def test_a_table_exists_once(house: House) -> None:
    await house.add_table("a", 4)
    refused = await refusal(house.stub.CreateTable(a_table()))
    assert (refused.code, refused.reason) == (StatusCode.ALREADY_EXISTS, "ALREADY_EXISTS")


@pytest.mark.parametrize("parent", ["stores/other", "stores/S1", "stores/", "s1", "stores/s1/tables/a", "stores/-"])
async def test_an_unknown_or_malformed_store_gets_no_tables(house: House, parent: str) -> None:
    refused = await refusal(house.stub.CreateTable(a_table(parent=parent)))
    assert (refused.code, refused.reason) == (NOT_FOUND, "NOT_FOUND")
    batch = rpc.BatchCreateTablesRequest(parent=parent, requests=[rpc.CreateTableRequest(table=Table(capacity=2))])
    assert (await refusal(house.stub.BatchCreateTables(batch))).code is NOT_FOUND
    assert (await refusal(house.stub.ListTables(rpc.ListTablesRequest(parent=parent)))).code is NOT_FOUND
    availability = rpc.GetAvailabilityRequest(name=f"{parent}/availability")
    assert (await refusal(house.stub.GetAvailability(availability))).code is NOT_FOUND


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"capacity": 0}, "capacity"),
        ({"capacity": -1}, "capacity"),
        ({"capacity": 101}, "capacity"),
        ({"capacity": 2**31 - 1}, "capacity"),
        ({"table_id": "Upper"}, "table_id"),
        ({"table_id": "-a"}, "table_id"),
        ({"table_id": "a" * 64}, "table_id"),
        ({"table_id": "a/b"}, "table_id"),
        ({"table_id": "창가"}, "table_id"),
        ({"display_name": "x" * 81}, "display_name"),
        ({"display_name": "   "}, "display_name"),
        ({"display_name": "a\x00b"}, "display_name"),
        ({"section": "a\u202eb"}, "section"),
        ({"section": "x" * 10_000}, "section"),
    ],
)
async def test_a_wrong_field_is_named(house: House, fields: dict[str, Any], field: str) -> None:
    refused = await refusal(house.stub.CreateTable(a_table(**fields)))
    assert (refused.code, refused.reason, refused.fields) == (INVALID, "INVALID_FIELD", (field,))


async def test_literal_text_stays_literal(house: House) -> None:
    hostile = "'); DROP TABLE tables; -- <script>{{7*7}}../../etc"
    created = await house.add_table("a", 2, display_name=hostile)
    assert created.display_name == hostile


async def test_the_same_request_id_brings_the_first_answer_again(house: House) -> None:
    request = a_table(table_id="")
    request.request_id = str(uuid4())
    first = await house.stub.CreateTable(request)
    await house.join("p")
    assert await house.stub.CreateTable(request) == first
    request.table.capacity = 5
    assert (await refusal(house.stub.CreateTable(request))).reason == "REQUEST_ID_REUSED"
    request.request_id = "42"
    assert (await refusal(house.stub.CreateTable(request))).fields == ("request_id",)


async def test_a_batch_adds_all_tables_in_order(house: House) -> None:
    await house.join("p", 6)
    requests = [
        rpc.CreateTableRequest(table_id=f"t{n}", table=Table(capacity=n), parent="stores/s1" if n % 2 else "")
        for n in range(1, 8)
    ]
    answer = await house.stub.BatchCreateTables(rpc.BatchCreateTablesRequest(parent="stores/s1", requests=requests))
    assert [table.name.rpartition("/")[2] for table in answer.tables] == [f"t{n}" for n in range(1, 8)]
    assert [table.state for table in answer.tables].index(Table.HELD) == 5


async def test_a_batch_adds_all_tables_or_none(house: House) -> None:
    await house.add_table("a", 4)
    requests = [rpc.CreateTableRequest(table_id=name, table=Table(capacity=2)) for name in ("b", "a")]
    batch = rpc.BatchCreateTablesRequest(parent="stores/s1", requests=requests)
    assert (await refusal(house.stub.BatchCreateTables(batch))).code is StatusCode.ALREADY_EXISTS
    listed = await house.stub.ListTables(rpc.ListTablesRequest(parent="stores/s1"))
    assert len(listed.tables) == 1


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"table": {"capacity": 0}}, "requests[1].capacity"),
        ({"table": {"capacity": 2}, "table_id": "a"}, "requests[1].table_id"),
        ({"table": {"capacity": 2}, "parent": "stores/s2"}, "requests[1].parent"),
        ({}, "requests[1].capacity"),
    ],
)
async def test_a_wrong_field_of_a_batch_is_named(house: House, second: dict[str, Any], field: str) -> None:
    first = rpc.CreateTableRequest(table_id="a", table=Table(capacity=2))
    batch = rpc.BatchCreateTablesRequest(parent="stores/s1", requests=[first, rpc.CreateTableRequest(**second)])
    assert (await refusal(house.stub.BatchCreateTables(batch))).fields == (field,)


@pytest.mark.parametrize("size", [0, 201])
async def test_a_batch_has_a_size(house: House, size: int) -> None:
    requests = [rpc.CreateTableRequest(table=Table(capacity=2))] * size
    batch = rpc.BatchCreateTablesRequest(parent="stores/s1", requests=requests)
    assert (await refusal(house.stub.BatchCreateTables(batch))).fields == ("requests",)


async def test_a_floor_that_is_full_takes_no_more_tables(house: House) -> None:
    requests = [rpc.CreateTableRequest(table=Table(capacity=2))] * 200
    for _ in range(5):
        await house.stub.BatchCreateTables(rpc.BatchCreateTablesRequest(parent="stores/s1", requests=requests))
    refused = await refusal(house.stub.CreateTable(a_table()))
    assert (refused.code, refused.reason) == (StatusCode.RESOURCE_EXHAUSTED, "FLOOR_FULL")


NAMES = ["stores/s1/tables/none", "stores/s2/tables/a", "stores/s1/tables/A", "stores/s1/tables/", "a", "stores/s1"]


@pytest.mark.parametrize("name", NAMES)
async def test_an_unknown_or_malformed_table_is_not_found(house: House, name: str) -> None:
    await house.add_table("a", 4)
    for call in (
        house.stub.GetTable(rpc.GetTableRequest(name=name)),
        house.stub.BlockTable(rpc.BlockTableRequest(name=name)),
        house.stub.UnblockTable(rpc.UnblockTableRequest(name=name)),
        house.stub.UpdateTable(rpc.UpdateTableRequest(table=Table(name=name, capacity=3))),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (NOT_FOUND, "NOT_FOUND")


async def test_tables_are_listed_in_pages_by_id(house: House) -> None:
    for table_id in ("c", "a", "b"):
        await house.add_table(table_id, 2)
    request = rpc.ListTablesRequest(parent="stores/s1", page_size=2)
    first = await house.stub.ListTables(request)
    assert [table.name[-1] for table in first.tables] == ["a", "b"]
    request.page_token = first.next_page_token
    last = await house.stub.ListTables(request)
    assert [table.name[-1] for table in last.tables] == ["c"]
    assert last.next_page_token == ""


async def test_a_page_token_belongs_to_its_list(house: House) -> None:
    await house.store_is("s2")
    for store in ("s1", "s2"):
        await house.add_table("a", 2, store=store)
        await house.add_table("b", 2, store=store)
    token = (await house.stub.ListTables(rpc.ListTablesRequest(parent="stores/s1", page_size=1))).next_page_token
    for request in (
        rpc.ListTablesRequest(parent="stores/s2", page_token=token),
        rpc.ListTablesRequest(parent="stores/s1", page_token=token[:-2]),
        rpc.ListTablesRequest(parent="stores/s1", page_token="다음"),
    ):
        assert (await refusal(house.stub.ListTables(request))).fields == ("page_token",)
    negative = rpc.ListTablesRequest(parent="stores/s1", page_size=-1)
    assert (await refusal(house.stub.ListTables(negative))).fields == ("page_size",)
    assert len((await house.stub.ListTables(rpc.ListTablesRequest(parent="stores/s1", page_size=10**6))).tables) == 2


async def test_only_the_fields_of_the_mask_change(house: House) -> None:
    await house.add_table("a", 4, display_name="A", section="Hall")
    table = Table(name="stores/s1/tables/a", capacity=6, display_name="B")
    mask = FieldMask(paths=["capacity", "section"])
    changed = await house.stub.UpdateTable(rpc.UpdateTableRequest(table=table, update_mask=mask))
    assert (changed.capacity, changed.display_name, changed.section) == (6, "A", "")
    assert changed == await house.table("a")


async def test_without_a_mask_all_fields_that_are_set_change(house: House) -> None:
    await house.add_table("a", 4, display_name="A", section="Hall")
    table = Table(name="stores/s1/tables/a", display_name="B", state=Table.OCCUPIED)
    changed = await house.stub.UpdateTable(rpc.UpdateTableRequest(table=table))
    assert (changed.capacity, changed.display_name, changed.section) == (4, "B", "Hall")
    assert (changed.state, changed.version) == (Table.FREE, 2)


@pytest.mark.parametrize(
    ("table", "paths", "field"),
    [
        ({"capacity": 0}, ["capacity"], "capacity"),
        ({"capacity": 101}, [], "capacity"),
        ({}, ["*"], "capacity"),
        ({"section": " "}, [], "section"),
        ({"capacity": 2}, ["colour"], "update_mask"),
        ({"capacity": 2}, ["capacity.low"], "update_mask"),
    ],
)
async def test_a_wrong_change_is_refused(house: House, table: dict[str, Any], paths: list[str], field: str) -> None:
    created = await house.add_table("a", 4)
    request = rpc.UpdateTableRequest(table=Table(name=created.name, **table), update_mask=FieldMask(paths=paths))
    refused = await refusal(house.stub.UpdateTable(request))
    assert (refused.code, refused.fields) == (INVALID, (field,))
    assert await house.table("a") == created


async def test_a_stale_etag_changes_nothing(house: House) -> None:
    created = await house.add_table("a", 4)
    blocked = await house.stub.BlockTable(rpc.BlockTableRequest(name=created.name, etag=created.etag))
    assert (blocked.state, blocked.blocked) == (Table.BLOCKED, True)
    stale = Table(name=created.name, capacity=2, etag=created.etag)
    for call in (
        house.stub.UnblockTable(rpc.UnblockTableRequest(name=created.name, etag=created.etag)),
        house.stub.BlockTable(rpc.BlockTableRequest(name=created.name, etag='"2"')),
        house.stub.UpdateTable(rpc.UpdateTableRequest(table=stale)),
    ):
        assert (await refusal(call)).code is StatusCode.ABORTED
    assert await house.table("a") == blocked


async def test_a_block_keeps_parties_away_until_it_is_lifted(house: House) -> None:
    name = (await house.add_table("a", 4)).name
    await house.stub.BlockTable(rpc.BlockTableRequest(name=name))
    again = await house.stub.BlockTable(rpc.BlockTableRequest(name=name))
    assert again.version == 2
    await house.join("p")
    assert await house.has("a") == "BLOCKED"
    unblocked = await house.stub.UnblockTable(rpc.UnblockTableRequest(name=name))
    assert (unblocked.state, unblocked.reception) == (Table.HELD, "stores/s1/receptions/p")


async def test_a_party_stays_at_a_table_that_is_blocked(house: House) -> None:
    name = (await house.add_table("a", 4)).name
    await house.join("p")
    await house.reception_is("p", Reception.SEATED)
    blocked = await house.stub.BlockTable(rpc.BlockTableRequest(name=name))
    assert (blocked.state, blocked.blocked) == (Table.OCCUPIED, True)
    await house.reception_is("p", Reception.COMPLETED)
    assert await house.has("a") == "BLOCKED"


async def test_whether_parties_could_sit_now(house: House) -> None:
    await house.add_table("a", 2)
    await house.add_table("t", 6, section="Terrace")
    asked = [(2, ""), (6, ""), (7, ""), (2, "Terrace"), (2, "Hall"), (2**31 - 1, "")]
    assert await house.could_sit(*asked) == [True, True, False, True, False, False]
    await house.join("p", 6)
    assert await house.could_sit(*asked) == [True, False, False, False, False, False]


async def test_a_thousand_questions_about_many_stores_are_answered_in_order(house: House) -> None:
    for n in range(1, 6):
        await house.store_is(f"store{n}")
        await house.add_table("a", n, store=f"store{n}")
    questions = [rpc.SeatQuestion(store=f"stores/store{n % 7}", party_size=1 + n % 5) for n in range(1000)]
    answer = await house.stub.CheckSeats(rpc.CheckSeatsRequest(questions=questions))
    expected = [n % 7 in range(1, 6) and 1 + n % 5 <= n % 7 for n in range(1000)]
    assert [each.available for each in answer.answers] == expected


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"party_size": 2}, "questions[1].store"),
        ({"store": "s1", "party_size": 2}, "questions[1].store"),
        ({"store": "stores/s1"}, "questions[1].party_size"),
        ({"store": "stores/s1", "party_size": -1}, "questions[1].party_size"),
        ({"store": "stores/s1", "party_size": 2, "section": "\t"}, "questions[1].section"),
    ],
)
async def test_a_wrong_question_is_named(house: House, question: dict[str, Any], field: str) -> None:
    right = rpc.SeatQuestion(store="stores/s1", party_size=2)
    request = rpc.CheckSeatsRequest(questions=[right, rpc.SeatQuestion(**question)])
    assert (await refusal(house.stub.CheckSeats(request))).fields == (field,)


@pytest.mark.parametrize("number", [0, 1001])
async def test_there_are_one_to_a_thousand_questions(house: House, number: int) -> None:
    request = rpc.CheckSeatsRequest(questions=[rpc.SeatQuestion(store="stores/s1", party_size=2)] * number)
    assert (await refusal(house.stub.CheckSeats(request))).fields == ("questions",)

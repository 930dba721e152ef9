"""What every database must do for a service; the same assertions on SQLite, PostgreSQL and MariaDB."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Connection, Float, Integer, Interval, LargeBinary, MetaData, String, Table, select

from services.chassis.bulk import delete_keys, insert_if_new, insert_into, insert_newer, update_version
from services.chassis.database import Database
from services.chassis.database.opening import open_database
from services.chassis.database.types import UtcTime
from services.chassis.kernel import Conflict, Stale, uuid7
from services.chassis.outbox import Failure
from services.chassis.statements import rows_by_key
from services.chassis.timers import DueTimer
from services.chassis.writes import Writes
from tests.component.counters import CounterUnit, Running, add_to, counting_on, message

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)

THINGS = Table(
    "things",
    MetaData(),
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("at", UtcTime),
    Column("data", LargeBinary),
    Column("facts", JSON),
    Column("length", Interval),
    Column("weight", Float),
)

OTHERS = Table(
    "others", THINGS.metadata, Column("id", String(63), primary_key=True), Column("version", Integer, nullable=False)
)


@asynccontextmanager
async def replicas(address: str, count: int = 2) -> AsyncIterator[list[Running]]:
    """Several processes' group commits on one database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(counting_on(open_database(address))) for _ in range(count)]


@asynccontextmanager
async def things(address: str) -> AsyncIterator[Database]:
    """A database with the table of things."""
    database = open_database(address)
    await database.write(THINGS.metadata.create_all)
    try:
        yield database
    finally:
        await database.close()


def thing(id_: str, version: int = 1, **values: Any) -> dict[str, Any]:
    """A row of things."""
    return (
        {"at": None, "data": None, "facts": {}, "length": None, "weight": None}
        | values
        | {
            "id": id_,
            "version": version,
        }
    )


def put_newer(connection: Connection, row: dict[str, Any]) -> int:
    """Put a thing where no newer one is."""
    return insert_newer(THINGS, connection.dialect).run(connection, [dict(row)])


async def test_what_is_written_is_read_as_it_was(address: str) -> None:
    rows = [
        thing("a", at=NOON, data=bytes(range(256)) * 1000, facts={"가": [1, None]}, length=timedelta(seconds=90.5)),
        thing("A", weight=37.123456789),
        thing("a ", at=NOON + timedelta(microseconds=1)),
        thing("'; DROP TABLE things; --"),
        thing("%s $1 ? :x"),
    ]
    async with things(address) as database:
        await database.write(lambda c: insert_into(THINGS, c.dialect).run(c, [dict(row) for row in rows]))
        keys = [row["id"] for row in rows]
        found = await database.read(lambda c: rows_by_key(c, THINGS, keys))
        through = await database.read(lambda c: [dict(row) for row in c.execute(select(THINGS)).mappings()])
    by_id = lambda row: str(row["id"])  # noqa: E731
    assert sorted(found, key=by_id) == sorted(rows, key=by_id) == sorted(through, key=by_id)


async def test_rows_are_updated_where_their_version_is_the_expected_one(address: str) -> None:
    async with things(address) as database:
        await database.write(lambda c: insert_into(THINGS, c.dialect).run(c, [thing("a"), thing("b"), thing("c")]))
        changes = [thing(key, 2, at=NOON) | {"b_id": key, "b_version": v} for key, v in (("a", 1), ("b", 7), ("c", 1))]
        hits = await database.write(lambda c: update_version(THINGS, c.dialect).run(c, [dict(row) for row in changes]))
        found = await database.read(lambda c: {r["id"]: r["version"] for r in rows_by_key(c, THINGS, "abc")})
        some = await database.write(
            lambda c: update_version(THINGS, c.dialect, ("version", "weight")).run(
                c, [{"b_id": "b", "b_version": 1, "version": 9, "weight": 1.5}]
            )
        )
        b = await database.read(lambda c: rows_by_key(c, THINGS, ["b"]))
    assert (hits, found) == (2, {"a": 2, "b": 1, "c": 2})
    assert (some, b) == (1, [thing("b", 9, weight=1.5)])


async def test_of_two_versions_of_a_row_the_newer_one_stays(address: str) -> None:
    async with things(address) as database:
        for row in (thing("a", 2, weight=2.0), thing("a", 1, weight=1.0), thing("a", 3, weight=3.0), thing("b", 1)):
            await database.write(partial(put_newer, row=row))
        found = await database.read(lambda c: rows_by_key(c, THINGS, ["a", "b"]))
    assert {row["id"]: (row["version"], row["weight"]) for row in found} == {"a": (3, 3.0), "b": (1, None)}


async def test_what_one_transaction_writes_goes_out_together(address: str) -> None:
    def write(connection: Connection, new: str = "new") -> None:
        writes = Writes(connection)
        writes.insert(THINGS, [thing(new)])
        writes.update(THINGS, [thing("a", 2, at=NOON) | {"b_id": "a", "b_version": 1}])
        writes.insert_newer(OTHERS, [{"id": "a", "version": 1}])
        writes.replace(OTHERS, [{"id": "b", "version": 1}, {"id": "c", "version": 1}])
        writes.delete(THINGS, ["b", "nobody"])
        writes.insert(OTHERS, [])
        writes.run()
        writes.run()

    async with things(address) as database:
        await database.write(lambda c: insert_into(THINGS, c.dialect).run(c, [thing("a"), thing("b")]))
        await database.write(
            lambda c: insert_into(OTHERS, c.dialect).run(c, [{"id": key, "version": 5} for key in "ab"])
        )
        await database.write(write)
        found = await database.read(lambda c: [*c.execute(select(THINGS.c.id, THINGS.c.version, THINGS.c.at))])
        others = await database.read(lambda c: [*c.execute(select(OTHERS))])
        with pytest.raises(Conflict, match="1 of 1 things"):
            await database.write(partial(write, new="newer"))
        after = await database.read(lambda c: [*c.execute(select(OTHERS))])
    assert sorted(map(tuple, found)) == [("a", 2, NOON), ("new", 1, None)]
    assert sorted(map(tuple, others)) == sorted(map(tuple, after)) == [("a", 5), ("b", 1), ("c", 1)]


async def test_keys_are_found_and_deleted_however_many_there_are(address: str) -> None:
    keys = [f"key-{number:04}" for number in range(1200)]
    async with things(address) as database:
        await database.write(lambda c: insert_into(THINGS, c.dialect).run(c, [thing(key) for key in keys]))
        assert len(await database.read(lambda c: rows_by_key(c, THINGS, keys))) == 1200
        assert await database.read(lambda c: rows_by_key(c, THINGS, [])) == []
        assert await database.write(lambda c: delete_keys(c, THINGS, ["nobody", *keys[:700]])) == 700
        assert len(await database.write(lambda c: rows_by_key(c, THINGS, keys, lock=True))) == 500
        assert not await database.write(lambda c: insert_if_new(c, THINGS, thing(keys[900])))
        assert await database.write(lambda c: insert_if_new(c, THINGS, thing(keys[0])))


async def test_work_that_raises_leaves_nothing(address: str) -> None:
    async with replicas(address, 1) as [one]:
        with pytest.raises(ZeroDivisionError):
            await one.lane.run(lambda uow: add_to("a", uow) / 0)
        assert await one.counts() == {}
        assert await one.lane.run(lambda uow: add_to("a", uow)) == 1


async def test_a_read_sees_one_moment(address: str) -> None:
    async with replicas(address, 1) as [one]:
        await one.lane.run(lambda uow: add_to("a", uow))
        counts = await one.database.read(lambda c: [c.exec_driver_sql("SELECT count FROM counters").scalar()] * 2)
    assert counts == [1, 1]


async def test_two_processes_never_lose_each_others_changes(address: str) -> None:
    async with replicas(address) as both:
        names = [f"c{number}" for number in range(8)]
        work = [
            asyncio.ensure_future(replica.lane.run(partial(add_to, name), {"counters": needs}))
            for _ in range(4)
            for replica in both
            # every other one loads them in the other order, and some load nothing in advance
            for name, needs in zip(names, ([*names], [*reversed(names)], [], []) * 2, strict=True)
        ]
        await asyncio.gather(*work)
        assert await both[0].counts() == dict.fromkeys(names, 8)
        written = [body.id for replica in both for unit in replica.committed for body in unit.outbox.written]
        assert len(written) == len(set(written))


async def test_a_message_that_two_processes_get_takes_effect_once(address: str) -> None:
    async with replicas(address) as both:

        def apply(key: str, uow: CounterUnit) -> None:
            if uow.inbox.take(key):
                add_to("a", uow)

        for key in [uuid7() for _ in range(5)]:
            needs = {"inbox": [key]}
            await asyncio.gather(*(r.lane.run(partial(apply, key), needs) for r in both * 3))
        assert await both[0].counts() == {"a": 5}


async def test_a_request_that_two_processes_get_is_answered_alike(address: str) -> None:
    async with replicas(address) as both:

        def answer(key: str, uow: CounterUnit) -> bytes:
            first = uow.requests.answer(key, ("same",))
            if first is None:
                first = str(add_to("a", uow)).encode()
                uow.requests.remember(key, "same", first)
            return first

        keys = [uuid7() for _ in range(5)]
        answers = [set(await asyncio.gather(*(r.lane.run(partial(answer, key)) for r in both * 3))) for key in keys]
        assert answers == [{b"1"}, {b"2"}, {b"3"}, {b"4"}, {b"5"}]


async def test_a_timer_is_taken_by_one_process(address: str) -> None:
    async with replicas(address) as both:
        await both[0].lane.run(lambda uow: uow.timers.set("ring", "a", NOON))
        timer = DueTimer("ring", "a", NOON)
        taken = await asyncio.gather(*(replica.lane.run(lambda uow: uow.timers.claim(timer)) for replica in both * 4))
        assert sorted(taken) == [False] * 7 + [True]


async def test_an_envelope_is_claimed_by_one_process_until_it_is_put_off(address: str) -> None:
    async with replicas(address) as both:
        await both[0].lane.run(lambda uow: uow.outbox.add(message("a")))
        early = await asyncio.gather(*(replica.lane.run(lambda uow: uow.outbox.claim(10)) for replica in both))
        assert early == [[], []], "the process that committed it has the first go"
        [(claimed, _)] = await both[0].lane.run(lambda uow: uow.outbox.claim(10, early=True))
        assert await both[1].lane.run(lambda uow: uow.outbox.claim(10)) == []
        id_ = claimed.id
        await both[1].lane.run(lambda uow: uow.outbox.fail({id_: Failure(3, "TooLarge")}))
        [(body, attempts)] = await both[1].lane.run(lambda uow: uow.outbox.claim(10, early=True))
        assert (body.id, attempts) == (id_, 3)
        await both[1].lane.run(lambda uow: uow.outbox.remove([id_]))
        assert await both[0].lane.run(lambda uow: uow.outbox.claim(10, early=True)) == []


async def test_an_aggregate_changed_by_somebody_else_is_loaded_again(address: str) -> None:
    async with replicas(address) as [here, there]:
        await here.lane.run(lambda uow: add_to("a", uow))
        tries = 0

        def slowly(uow: CounterUnit) -> int:
            nonlocal tries
            tries += 1
            # read without a lock, as a query over many rows does
            statement = select(uow.table("counters")).where(uow.table("counters").c.id == "a")
            [counter] = uow.counters.adopt(uow.connection.execute(statement).mappings())
            if tries == 1 and there.database.shared:
                _elsewhere(address)
            counter.add()
            uow.counters.save(counter)
            return counter.count

        wanted = 3 if there.database.shared else 2
        assert await here.lane.run(slowly) == wanted
        assert await here.counts() == {"a": wanted}


async def test_a_stale_etag_is_the_callers_affair(address: str) -> None:
    async with replicas(address, 1) as [one]:
        tries = 0

        def refuse(uow: CounterUnit) -> None:
            nonlocal tries
            tries += 1
            raise Stale("it was changed meanwhile")

        with pytest.raises(Stale):
            await one.lane.run(refuse)
        assert tries == 1


def _elsewhere(address: str) -> None:
    """Another process adds to the counter, while the transaction here waits."""

    async def add() -> None:
        async with replicas(address, 1) as [other]:
            await other.lane.run(lambda uow: add_to("a", uow))

    thread = Thread(target=lambda: asyncio.run(add()))
    thread.start()
    thread.join()

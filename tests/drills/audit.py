"""What must be found in the databases and at KakaoTalk after a system has died and come back."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from services.operations import invariants
from services.operations.catalogue import SERVICES
from services.operations.invariants import Books
from tests.drills.calls import Call, Record
from tests.drills.restaurants import BY_HAND, CREATED_AND_OPENED, PAUSED
from tests.drills.site import Evidence

LATE = timedelta(seconds=1)
"""A timer that is due for so long has been forgotten."""

Row = Mapping[str, Any]


@dataclass
class Findings:
    """What is wrong, in words: gone though it was answered, there more than once, or wrong in another way."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


async def unrest(evidence: Evidence) -> list[str]:
    """What is still on its way; nothing once a system that is left alone has caught up."""
    books = await evidence.books()
    messages = evidence.site.messages()
    found = [*invariants.violations(books), *_late_timers(books), *_open_notices(books), *_differ(books, messages)]
    return found or await evidence.queues()


async def audit(evidence: Evidence, record: Record, foreseen: Sequence[str] = ()) -> Findings:
    """Compare what was promised to callers with what is there. Look when there is no unrest.

    `foreseen`: words in those complaints that the trouble makes unavoidable.
    """
    there = _There(await evidence.books())
    findings = Findings()
    findings.lost += [*_missing(there, record), *_taken_back(there, record)]
    findings.doubled += [*_too_many(there, record), *_told_twice(evidence.site.messages())]
    for checks in (_postponed(there, record), _paused(there, record)):
        for fewer, sentence in checks:
            (findings.lost if fewer else findings.doubled).append(sentence)
    findings.wrong += await _unreadable(evidence)
    findings.wrong += [line for line in evidence.site.complaints() if not any(word in line for word in foreseen)]
    findings.wrong += [f"still in doubt: {call.method}" for call in record.in_doubt()]
    return findings


class _There:
    """The rows that callers were told of, by name."""

    def __init__(self, books: Books) -> None:
        self.receptions = {_name(r, "receptions"): r for r in books.of("reception", "receptions")}
        self.orders = {_name(r, "orders"): r for r in books.of("management", "orders")}
        self.stores = {f"stores/{r['id']}": r for r in books.of("management", "stores")}
        self.tables = {f"stores/{r['store_id']}/tables/{r['table_id']}": r for r in books.of("seat", "tables")}

    def row(self, name: str) -> Row | None:
        """What a resource name stands for."""
        for rows in (self.receptions, self.orders, self.stores, self.tables):
            if name in rows:
                return rows[name]
        return None


# promises that were not kept


def _missing(there: _There, record: Record) -> Iterator[str]:
    for call in record.accepted("CreateReception", "RegisterWalkIn"):
        if there.receptions.get(call.answer.name.replace("/orders/", "/receptions/")) is None:
            yield f"{call.answer.name} was let in and is not there"


def _taken_back(there: _There, record: Record) -> Iterator[str]:
    for call in record.accepted():
        if call.method == "BatchCreateTables":
            continue
        row = there.row(call.answer.name)
        if row is None or row["version"] < call.answer.version:
            yield f"{call.method} of {call.answer.name} made version {call.answer.version}, there is {row}"
        elif call.method == "CancelReception" and row["state"] != "CANCELED":
            yield f"{call.answer.name} was canceled and is {row['state']}"


def _too_many(there: _There, record: Record) -> Iterator[str]:
    asked = Counter((_parent(call), _customer(call)) for call in record.accepted("CreateReception"))
    found = Counter(
        (f"stores/{row['store_id']}", f"customers/{row['customer_id']}")
        for row in there.receptions.values()
        if row["channel"] == "ONLINE"
    )
    for key, times in (found - asked).items():
        yield f"{key[1]} is {times} times more at {key[0]} than was answered"
    called = {call.answer.name for call in record.accepted("CallNextOrder")}
    for name, order in there.orders.items():
        if order["store_id"] == BY_HAND and order["called_at"] and name not in called:
            yield f"{name} was called and nobody was answered so"
    walk_ins = {call.answer.name for call in record.accepted("RegisterWalkIn")}
    for name, order in there.orders.items():
        if order["walk_in"] and name not in walk_ins:
            yield f"{name} walked in and nobody was answered so"


def _postponed(there: _There, record: Record) -> Iterator[tuple[bool, str]]:
    answered: Counter[str] = Counter()
    for call in record.accepted("PostponeReception"):
        # of a party that is the last already, an answer tells no more than the one before
        answered[call.answer.name] = max(answered[call.answer.name], call.answer.postpone_count)
    for name, row in there.receptions.items():
        if row["postpone_count"] != answered[name]:
            told = f"{name} was postponed {row['postpone_count']} times, answered {answered[name]} times"
            yield row["postpone_count"] < answered[name], told


def _paused(there: _There, record: Record) -> Iterator[tuple[bool, str]]:
    """Every pause ends by its timer: two versions each."""
    store = there.stores[f"stores/{PAUSED}"]
    pauses = sum(1 for _ in record.accepted("PauseStore"))
    wanted = CREATED_AND_OPENED + 2 * pauses
    if (store["state"], store["version"]) != ("OPEN", wanted):
        told = f"after {pauses} pauses {PAUSED} is {store['state']} at version {store['version']}, not {wanted}"
        yield store["version"] < wanted, told


# what is told to parties


def _told_twice(messages: Sequence[str]) -> Iterator[str]:
    for key, times in Counter(messages).items():
        if times > 1:
            yield f"the notice {key} arrived {times} times"


def _open_notices(books: Books) -> Iterator[str]:
    for row in books.of("notification", "notices"):
        if row["state"] in ("PENDING", "SENT"):
            yield f"notice {row['id']} is {row['state']}, attempts {row['attempts']}"


def _differ(books: Books, messages: Sequence[str]) -> Iterator[str]:
    notices = {row["id"]: row["state"] for row in books.of("notification", "notices")}
    arrived = set(messages)
    for key in arrived:
        if notices.get(key) != "DELIVERED":
            yield f"the notice {key} arrived and is {notices.get(key)}"
    for id_, state in notices.items():
        if state == "FAILED" or (state == "DELIVERED" and id_ not in arrived):
            yield f"notice {id_} is {state} and KakaoTalk {'has' if id_ in arrived else 'never had'} it"


# the databases themselves


def _late_timers(books: Books) -> Iterator[str]:
    before = datetime.now(UTC) - LATE
    for service in SERVICES:
        for row in books.of(service, "timers"):
            if row["due_at"] < before:
                yield f"timer {row['id']} of {service} was due at {row['due_at']}"


async def _unreadable(evidence: Evidence) -> list[str]:
    found = []
    for service, database in evidence.databases.items():
        if not database.shared:
            answers = await database.scan(lambda c: list(c.execute(text("PRAGMA integrity_check")).scalars()))
            found += [f"{service}.db: {answer}" for answer in answers if answer != "ok"]
    return found


def _name(row: Row, collection: str) -> str:
    return f"stores/{row['store_id']}/{collection}/{row['id']}"


def _parent(call: Call) -> str:
    return str(call.request.parent)


def _customer(call: Call) -> str:
    return str(call.request.reception.customer)

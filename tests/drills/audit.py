"""What must be found in the databases and at KakaoTalk after a system has died and come back."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.embedded.invariants import violations
from services.embedded.invariants.books import SERVICES
from tests.drills.calls import Call, Record
from tests.drills.restaurants import BY_HAND, CREATED_AND_OPENED, PAUSED
from tests.e2e.system import log_of

LATE = timedelta(seconds=1)
"""A timer that is due for so long has been forgotten."""

Row = dict[str, Any]


@dataclass
class Findings:
    """What is wrong, in words: gone though it was answered, there more than once, or wrong in another way."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


def unrest(data: Path) -> list[str]:
    """What is still on its way; nothing once a system that is left alone has caught up."""
    return [*violations(data), *_late_timers(data), *_open_notices(data), *_notices_and_messages_differ(data)]


def audit(data: Path, record: Record) -> Findings:
    """Compare what was promised to callers with what is there. Look when there is no unrest."""
    books = _Books(data)
    findings = Findings()
    findings.lost += [*_missing(books, record), *_taken_back(books, record)]
    findings.doubled += [*_too_many(books, record), *_told_twice(data)]
    for checks in (_postponed(books, record), _paused(books, record)):
        for fewer, sentence in checks:
            (findings.lost if fewer else findings.doubled).append(sentence)
    findings.wrong += [*_unreadable(data), *_complaints(data)]
    findings.wrong += [f"still in doubt: {call.method}" for call in record.in_doubt()]
    return findings


class _Books:
    """The rows that callers were told of, by name."""

    def __init__(self, data: Path) -> None:
        self.receptions = {_name(r, "receptions"): r for r in _rows(data, "reception", "SELECT * FROM receptions")}
        self.orders = {_name(r, "orders"): r for r in _rows(data, "management", "SELECT * FROM orders")}
        self.stores = {f"stores/{r['id']}": r for r in _rows(data, "management", "SELECT * FROM stores")}
        self.tables = {
            f"stores/{r['store_id']}/tables/{r['table_id']}": r for r in _rows(data, "seat", "SELECT * FROM tables")
        }

    def row(self, name: str) -> Row | None:
        """What a resource name stands for."""
        for rows in (self.receptions, self.orders, self.stores, self.tables):
            if name in rows:
                return rows[name]
        return None


# promises that were not kept


def _missing(books: _Books, record: Record) -> Iterator[str]:
    for call in record.accepted("CreateReception", "RegisterWalkIn"):
        if books.receptions.get(call.answer.name.replace("/orders/", "/receptions/")) is None:
            yield f"{call.answer.name} was let in and is not there"


def _taken_back(books: _Books, record: Record) -> Iterator[str]:
    for call in record.accepted():
        if call.method == "BatchCreateTables":
            continue
        row = books.row(call.answer.name)
        if row is None or row["version"] < call.answer.version:
            yield f"{call.method} of {call.answer.name} made version {call.answer.version}, there is {row}"
        elif call.method == "CancelReception" and row["state"] != "CANCELED":
            yield f"{call.answer.name} was canceled and is {row['state']}"


def _too_many(books: _Books, record: Record) -> Iterator[str]:
    asked = Counter((_parent(call), _customer(call)) for call in record.accepted("CreateReception"))
    there = Counter(
        (f"stores/{row['store_id']}", f"customers/{row['customer_id']}")
        for row in books.receptions.values()
        if row["channel"] == "ONLINE"
    )
    for key, times in (there - asked).items():
        yield f"{key[1]} is {times} times more at {key[0]} than was answered"
    called = {call.answer.name for call in record.accepted("CallNextOrder")}
    for name, order in books.orders.items():
        if order["store_id"] == BY_HAND and order["called_at"] and name not in called:
            yield f"{name} was called and nobody was answered so"
    walk_ins = {call.answer.name for call in record.accepted("RegisterWalkIn")}
    for name, order in books.orders.items():
        if order["walk_in"] and name not in walk_ins:
            yield f"{name} walked in and nobody was answered so"


def _postponed(books: _Books, record: Record) -> Iterator[tuple[bool, str]]:
    answered: Counter[str] = Counter()
    for call in record.accepted("PostponeReception"):
        # of a party that is the last already, an answer tells no more than the one before
        answered[call.answer.name] = max(answered[call.answer.name], call.answer.postpone_count)
    for name, row in books.receptions.items():
        if row["postpone_count"] != answered[name]:
            told = f"{name} was postponed {row['postpone_count']} times, answered {answered[name]} times"
            yield row["postpone_count"] < answered[name], told


def _paused(books: _Books, record: Record) -> Iterator[tuple[bool, str]]:
    """Every pause ends by its timer: two versions each."""
    store = books.stores[f"stores/{PAUSED}"]
    pauses = sum(1 for _ in record.accepted("PauseStore"))
    wanted = CREATED_AND_OPENED + 2 * pauses
    if (store["state"], store["version"]) != ("OPEN", wanted):
        told = f"after {pauses} pauses {PAUSED} is {store['state']} at version {store['version']}, not {wanted}"
        yield store["version"] < wanted, told


# what is told to parties


def _messages(data: Path) -> list[str]:
    """The keys of all messages that KakaoTalk ever took."""
    journal = data / "kakao" / "kakao.jsonl"
    lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return [str(message[2]) for record in records if "messages" in record for message in record["messages"]]


def _told_twice(data: Path) -> Iterator[str]:
    for key, times in Counter(_messages(data)).items():
        if times > 1:
            yield f"the notice {key} arrived {times} times"


def _open_notices(data: Path) -> Iterator[str]:
    for row in _rows(data, "notification", "SELECT * FROM notices WHERE state IN ('PENDING', 'SENT')"):
        yield f"notice {row['id']} is {row['state']}, attempts {row['attempts']}"


def _notices_and_messages_differ(data: Path) -> Iterator[str]:
    notices = {row["id"]: row["state"] for row in _rows(data, "notification", "SELECT id, state FROM notices")}
    messages = set(_messages(data))
    for key in messages:
        if notices.get(key) != "DELIVERED":
            yield f"the notice {key} arrived and is {notices.get(key)}"
    for id_, state in notices.items():
        if state == "FAILED" or (state == "DELIVERED" and id_ not in messages):
            yield f"notice {id_} is {state} and KakaoTalk {'has' if id_ in messages else 'never had'} it"


# the files


def _late_timers(data: Path) -> Iterator[str]:
    before = datetime.now(UTC) - LATE
    for service in SERVICES:
        for row in _rows(data, service, "SELECT * FROM timers"):
            if datetime.fromisoformat(row["due_at"]).replace(tzinfo=UTC) < before:
                yield f"timer {row['id']} of {service} was due at {row['due_at']}"


def _unreadable(data: Path) -> Iterator[str]:
    for service in SERVICES:
        for row in _rows(data, service, "PRAGMA integrity_check"):
            if row["integrity_check"] != "ok":
                yield f"{service}.db: {row['integrity_check']}"


def _complaints(data: Path) -> Iterator[str]:
    """What the system itself calls an error."""
    for line in log_of(data).read_text(errors="replace").splitlines():
        if '"level": "error"' in line or '"level": "critical"' in line or line.startswith("Traceback"):
            yield line


def _rows(data: Path, service: str, statement: str) -> list[Row]:
    with closing(sqlite3.connect(f"file:{data / service}.db?mode=ro", uri=True)) as connection:
        cursor = connection.execute(statement)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def _name(row: Row, collection: str) -> str:
    return f"stores/{row['store_id']}/{collection}/{row['id']}"


def _parent(call: Call) -> str:
    return str(call.request.parent)


def _customer(call: Call) -> str:
    return str(call.request.reception.customer)

"""What the table speaks of: stores, parties and tables in every state that matters, and what the databases hold."""

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from services.operations.catalogue import SERVICES
from tests.agreement import violations
from tests.e2e.bad_inputs.lists import LISTS
from tests.e2e.bad_inputs.strangers import CLAIMS, INCOMPLETE
from tests.e2e.callers import Callers
from tests.e2e.tokens import BAD, Signer
from tests.e2e.ways import Outcome, Ways

REQUEST_ID = "5f0c1e9a-0d4b-4a6e-9c39-2f3c7f5f4a11"
IN_BULK = {
    "parent": "stores/elsewhere",
    "reception": {"partySize": 2, "customer": "customers/a-bulk"},
    "requestId": "8d1f6a52-7c0b-4a3f-8a34-1f6c3b0d9e22",
}
"""A party that a backend brings."""
NOT_YET = ("NOT_FOUND", "FAILED_PRECONDITION")
"""What a service may say until it has heard of what another one did."""

Rows = Mapping[tuple[str, str], list[tuple[Any, ...]]]


class Stage:
    """Sets everything up, and knows the names that only come to be while it does, for `$name` in the table."""

    def __init__(self, ways: Ways, data: Path, callers: Callers) -> None:
        self._ways = ways
        self._data = data
        self._callers = callers
        self._databases = {service: _reading(data / f"{service}.db") for service in SERVICES}
        self._seen: dict[str, tuple[int, Rows]] = {}
        self.names: dict[str, str] = {"request_id": REQUEST_ID}

    def fill(self, value: Any) -> Any:
        """The value with every `$name` in its texts replaced."""
        if isinstance(value, str):
            return Template(value).safe_substitute(self.names)
        if isinstance(value, Mapping):
            return {key: self.fill(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner) for inner in value]
        return value

    async def set(self) -> None:
        """Make it all, and wait until every service knows and nothing moves any more."""
        await self._stores()
        await self._tables()
        await self._line()
        await self._customers()
        await self.settled()
        await self._page_tokens()
        self._people()

    async def settled(self) -> None:
        """Wait until every event has been applied everywhere and every notice has arrived."""
        limit = time.monotonic() + 15
        while found := [*violations(self._data), *self._notices_under_way()]:
            assert time.monotonic() < limit, found
            await asyncio.sleep(0.02)

    def rows(self) -> Rows:
        """Every row of every table of every service."""
        return {key: rows for service in SERVICES for key, rows in self._rows_of(service).items()}

    def close(self) -> None:
        """Let go of the databases."""
        for database in self._databases.values():
            database.close()

    def _rows_of(self, service: str) -> Rows:
        """As they were seen last, if nobody has written since."""
        database = self._databases[service]
        ((version,),) = database.execute("PRAGMA data_version").fetchall()
        if service not in self._seen or self._seen[service][0] != version:
            self._seen[service] = (version, _all_rows(service, database))
        return self._seen[service][1]

    def _notices_under_way(self) -> list[Any]:
        notices = self._rows_of("notification")["notification", "notices"]
        return [row for row in notices if {"PENDING", "SENT"} & set(row)]

    async def _stores(self) -> None:
        for store in ("line", "quiet", "closed", "paused", "full", "elsewhere", "first", "second", "third"):
            await self._store(store, maxWaiting=1 if store == "full" else 0)
        await self._do("CloseStore", {"name": "stores/closed"})
        await self._do("PauseStore", {"name": "stores/paused"})

    async def _store(self, store: str, **particulars: Any) -> None:
        particulars = {
            "displayName": f"Store {store}",
            "seatingMode": "BY_HAND",
            "callTimeout": "3600s",
            "maxPartySize": 8,
            # the business day must not end meanwhile
            "dayStartHour": (datetime.now(UTC).hour + 12) % 24,
            "timeZone": "UTC",
            **particulars,
        }
        await self._do("CreateStore", {"store": particulars, "storeId": store})
        await self._do("OpenStore", {"name": f"stores/{store}"})

    async def _tables(self) -> None:
        tables = {"small": 1, "taken": 4, "free": 4, "blocked": 4}
        requests = [{"tableId": table, "table": {"capacity": capacity}} for table, capacity in tables.items()]
        await self._do("BatchCreateTables", {"parent": "stores/line", "requests": requests})
        await self._do("BlockTable", {"name": "stores/line/tables/blocked"})

    async def _line(self) -> None:
        """The parties of stores/line, in this order; who is not spoken of again waits."""
        for party in ("called", "seated", "canceled", "no_show", "postponed", "front", "waiting", "last"):
            await self._join(party, "line", partySize=2)
        await self._join("party_at_full", "full", partySize=2)
        await self._join("party_elsewhere", "elsewhere", partySize=2, customer="customers/a-stranger")
        await self._do("CancelReception", {"name": "$canceled"})
        for _ in range(2):
            await self._do("PostponeReception", {"name": "$postponed", "parties": 1})
        await self._do("CallOrder", {"name": "$called_order"})
        await self._do("CallOrder", {"name": "$no_show_order"})
        await self._do("MarkOrderNoShow", {"name": "$no_show_order"})
        await self._do("SeatOrder", {"name": "$seated_order", "table": "stores/line/tables/taken"})

    async def _customers(self) -> None:
        """One customer in three lines, two known by phone numbers, and one who gave a request id."""
        for store in ("first", "second", "third"):
            await self._join(f"busy_at_{store}", store, partySize=2, customer="customers/a-busy")
        await self._join("by_phone", "line", partySize=2, phone="010-2345-6789")
        await self._join("by_other_phone", "line", partySize=2, phone="010-3456-7890")
        await self._join("once", "line", request_id=REQUEST_ID, partySize=2, customer="customers/a-once")
        brought = await self._do("CreateReceptions", {"requests": [IN_BULK]})
        self.names["in_bulk"] = brought.answer["results"][0]["reception"]["name"]

    async def _page_tokens(self) -> None:
        """Tokens of second pages."""
        for method, request in LISTS.items():
            page = await self._do(method, {**request, "pageSize": 1})
            token = page.answer["nextPageToken"]
            assert token, f"{method} has one page only"
            self.names[f"{method}_token"] = token

    def _people(self) -> None:
        """Who is there to call, and what they may show."""
        signer = Signer.of(self._callers.keys)
        self.names |= {f"bad_{number}": make(signer) for number, make in enumerate(BAD.values())}
        partly = [{"sub": None, **claims} for claims in INCOMPLETE.values()]
        self.names |= {f"incomplete_{number}": signer.token(**claims) for number, claims in enumerate(partly)}
        self.names |= {f"{who}_token": signer.token(**claims) for who, claims in CLAIMS.items()}
        self.names["once_token"] = signer.token(aud="tabling-customer", sub="a-once")
        self.names["bulk_token"] = signer.token(aud="tabling-backend", sub="app", customers="a-")
        self.names["installation"] = self._callers.keys.installation[0]
        self.names["operators_claims"] = signer.token().split(".")[1]

    async def _join(self, party: str, store: str, request_id: str = "", **reception: Any) -> None:
        request = {"parent": f"stores/{store}", "reception": reception, "requestId": request_id}
        answer = (await self._do("CreateReception", request)).answer
        name = answer["name"]
        self.names[party] = name
        self.names[f"{party}_id"] = name.rpartition("/")[2]
        self.names[f"{party}_pass"] = answer["receptionPass"]
        self.names[f"{party}_order"] = name.replace("/receptions/", "/orders/")

    async def _do(self, method: str, request: Mapping[str, Any]) -> Outcome:
        limit = time.monotonic() + 10
        while (outcome := await self._ways.as_grpc(method, self.fill(request))).code in NOT_YET:
            assert time.monotonic() < limit, (method, request, outcome)
            await asyncio.sleep(0.01)
        assert outcome.code == "OK", (method, request, outcome)
        return outcome


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


def _all_rows(service: str, database: sqlite3.Connection) -> Rows:
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    # names are those of our own tables
    return {(service, table): database.execute(f"SELECT * FROM {table}").fetchall() for (table,) in tables}  # noqa: S608

"""Calls of people who show nothing, what is not good, or that they are somebody else."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.e2e.bad_inputs.row import (
    INVALID,
    LINE,
    MISSING,
    Call,
    Row,
    call,
    create_store,
    create_table,
    join,
    row,
    with_more,
)
from tests.e2e.callers import Headers
from tests.e2e.tokens import BAD

OUT, DENIED = "UNAUTHENTICATED", "PERMISSION_DENIED"

CLAIMS: Mapping[str, Mapping[str, Any]] = {
    "customer": {"aud": "tabling-customer", "sub": "a-stranger"},
    "backend": {"aud": "tabling-backend", "sub": "app", "customers": "b-"},
    "host": {"aud": "tabling-staff", "sub": "kim", "role": "host", "stores": ["line"]},
    "manager": {"aud": "tabling-staff", "sub": "lee", "role": "manager", "stores": ["line", "quiet"]},
    "elsewhere": {"aud": "tabling-staff", "sub": "park", "role": "manager", "stores": ["elsewhere", "lin"]},
    "operator": {"aud": "tabling-operator", "sub": "root"},
}
"""Somebody → what their token, `$somebody_token` in the table, says."""

INCOMPLETE: Mapping[str, Mapping[str, Any]] = {
    "for several audiences": {"aud": ["tabling-operator", "tabling-staff"], "sub": "root"},
    "without a subject": {"aud": "tabling-operator"},
    "with an empty subject": {"aud": "tabling-operator", "sub": ""},
    "of staff in no role": {"aud": "tabling-staff", "sub": "kim", "stores": ["line"]},
    "of staff in an unknown role": {"aud": "tabling-staff", "sub": "kim", "role": "owner", "stores": ["line"]},
    "of staff of no list of stores": {"aud": "tabling-staff", "sub": "kim", "role": "host", "stores": "line"},
    "of a backend for nobody": {"aud": "tabling-backend", "sub": "app"},
    "of a backend for everybody": {"aud": "tabling-backend", "sub": "app", "customers": ""},
}
"""What a token leaves out → what it says."""

NOBODY: Headers = {}


def shows(token: str) -> Headers:
    return {"authorization": f"Bearer ${token}"}


def by(who: Headers, *calls: Call) -> Iterator[Call]:
    for each in calls:
        yield replace(each, by=who)


def of_each(calls: Iterable[Call], who: str, code: str, reason: str = "") -> Iterator[Row]:
    for each in calls:
        yield row(f"{each.method} by {who}", each, code, reason or code)


READS = (
    call("GetReception", name="$waiting"),
    call("GetPlace", name="$waiting/place"),
    call("WatchReception", name="$waiting"),
)
CHANGES = (call("CancelReception", name="$waiting"), call("PostponeReception", name="$waiting", parties=1))
STAFFS = (
    call("GetOrder", name="$waiting_order"),
    call("ListOrders", parent=LINE),
    call("CallNextOrder", parent=LINE),
    call("CallOrder", name="$waiting_order"),
    call("SeatOrder", name="$called_order"),
    call("MarkOrderNoShow", name="$called_order"),
    call("RegisterWalkIn", parent=LINE, partySize=2),
    call("GetStore", name=LINE),
    call("PauseStore", name=LINE),
    call("GetTable", name=f"{LINE}/tables/free"),
    call("BlockTable", name=f"{LINE}/tables/free"),
    call("GetStoreBoard", name=f"{LINE}/board"),
    call("GetDayFigures", name=f"{LINE}/figures/2026-01-01"),
)
MANAGERS = (
    create_table(),
    call("UpdateTable", table={"name": f"{LINE}/tables/free", "capacity": 3}),
    call("UpdateStore", store={"name": LINE, "displayName": "Taken over"}),
)
OPERATORS = (create_store(), call("ListStores"), call("ListNotices"), call("GetNotice", name="notices/none"))


def tokens() -> Iterator[Row]:
    """Tokens that are none, or were not made for this."""
    asked = call("GetStore", name=LINE)
    for number, what in enumerate(BAD):
        yield row(f"a token {what}", replace(asked, by=shows(f"bad_{number}")), OUT, "INVALID_TOKEN")
    for number, what in enumerate(INCOMPLETE):
        yield row(f"a token {what}", replace(asked, by=shows(f"incomplete_{number}")), OUT, OUT)
    everybodys = call("GetReception", name="$waiting")
    yield row(
        "a bad token beside a good pass", replace(everybodys, by={**shows("bad_0"), **_PASS}), OUT, "INVALID_TOKEN"
    )
    for who in ({}, {"authorization": "Basic cm9vdDpyb290"}, {"authorization": "$operator_token"}):
        yield from of_each(by(who, *STAFFS, *MANAGERS, *OPERATORS), f"somebody with {who or 'nothing'}", OUT)
    listing = call("ListReceptions", parent="stores/-", customer="customers/a-busy")
    yield row("listing somebody's receptions by nobody", replace(listing, by=NOBODY), OUT, OUT)


def roles() -> Iterator[Row]:
    """What is for others than who calls."""
    for who in ("customer", "backend"):
        yield from of_each(by(shows(f"{who}_token"), *STAFFS, *MANAGERS, *OPERATORS), f"a {who}", DENIED)
    yield from of_each(by(shows("host_token"), *MANAGERS, *OPERATORS), "a host", DENIED)
    yield from of_each(by(shows("manager_token"), *OPERATORS), "a manager", DENIED)
    changes = [each for each in STAFFS if not each.method.startswith(("Get", "List"))]
    yield from of_each(by(shows("operator_token"), *changes, *MANAGERS), "an operator", DENIED)
    another = join(customer="customers/a-busy")
    for who in ("customer", "backend", "host"):
        stranger = replace(another, by=shows(f"{who}_token"))
        yield row(f"a join as another customer by a {who}", stranger, DENIED, DENIED)
    yield row("a join as a customer by nobody", replace(another, by=NOBODY), DENIED, DENIED)


def others() -> Iterator[Row]:
    """What belongs to somebody else."""
    wrong: Mapping[str, Headers] = {
        "nobody": NOBODY,
        "the holder of another pass": {"tabling-pass": "$front_pass"},
        "the holder of half a pass": {"tabling-pass": "x"},
        "a strange customer": shows("customer_token"),
        "a strange customer's other pass": {**shows("customer_token"), "tabling-pass": "$front_pass"},
        "a strange backend": shows("backend_token"),
        "staff of another store": shows("elsewhere_token"),
    }
    for who, shown in wrong.items():
        yield from of_each(by(shown, *READS, *CHANGES), who, MISSING)
    for who in ("host", "operator"):
        yield from of_each(by(shows(f"{who}_token"), *CHANGES), f"a {who}", MISSING)
    yield from of_each(by(shows("elsewhere_token"), *STAFFS, *MANAGERS), "staff of another store", MISSING)
    stranger = call("ListReceptions", parent=LINE, customer="customers/a-once")
    yield row(
        "listing a strange customer's receptions", replace(stranger, by=shows("customer_token")), "OK", told=_NONE
    )
    stolen = replace(with_more(join(), requestId="$request_id"), by=NOBODY)
    yield row("somebody else's request id", stolen, INVALID, "REQUEST_ID_REUSED", untold="$once_id")


def forged() -> Iterator[Row]:
    """Callers that say of themselves what only our own processes may."""
    for key in ("guessed", "$installation"):
        said = {"x-tabling-principal": "$operators_claims", "x-tabling-service": "seat", "x-tabling-key": key}
        yield from of_each(by(said, *OPERATORS[:2], *STAFFS[:2]), f"a caller with the key {key}", OUT)
        both = {**shows("customer_token"), **said}
        yield from of_each(by(both, *OPERATORS[:2]), f"a customer with the key {key}", DENIED)


def held() -> Iterator[Row]:
    """So that the rows above mean something: the same calls by those whom they are for."""
    for who, shown in {"the pass": _PASS, "staff": shows("host_token"), "an operator": shows("operator_token")}.items():
        seen = call("GetReception", name="$waiting")
        yield row(f"a look by {who}", replace(seen, by=shown), "OK", told={"name": "$waiting"})
    own = call("GetReception", name="$once")
    yield row("a look by the customer", replace(own, by=shows("once_token")), "OK", told={"name": "$once"})
    yield row("a look by the backend", replace(own, by=shows("bulk_token")), "OK", told={"name": "$once"})


_PASS: Headers = {"tabling-pass": "$waiting_pass"}
_NONE: Mapping[str, Any] = {"receptions": [], "nextPageToken": ""}

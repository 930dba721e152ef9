"""One row of the table. Texts in it may hold names of the stage, like `$called`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.e2e.callers import Headers

STATUSES = {
    "OK": 200,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "DEADLINE_EXCEEDED": 504,
}
INVALID, MISSING, IMPOSSIBLE = "INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"

LINE = "stores/line"


@dataclass(frozen=True)
class Call:
    """A request that both protocols can make: a method and the JSON form of its message.

    It shows `by`; without that, what whoever may make it has to show.
    """

    method: str
    request: Mapping[str, Any]
    headers: Headers = field(default_factory=dict)
    by: Headers | None = None
    protocols: tuple[str, ...] = ("json", "grpc")


@dataclass(frozen=True)
class Http:
    """A request that only HTTP can make."""

    verb: str
    path: str
    body: bytes | None = None
    headers: Headers = field(default_factory=dict)
    protocols: tuple[str, ...] = ("json",)


@dataclass(frozen=True)
class Wire:
    """A request that only gRPC can make: a method, or any path, and bytes. Without a frame they are no message."""

    method: str
    payload: bytes
    compressed: bool = False
    framed: bool = True
    protocols: tuple[str, ...] = ("grpc",)


Sent = Call | Http | Wire


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is sent, and what must come back.

    `names` is the field that the answer must name, `told` and `metadata` are what an answer, or the ErrorInfo of a
    refusal, must hold among other things, and `untold` must not be in it. What is `bare` is refused by the transport,
    which knows no details.
    """

    what: str
    sent: Sent
    code: str
    status: int
    reason: str = ""
    names: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    untold: str = ""
    bare: bool = False


def row(what: str, sent: Sent, code: str, reason: str = "", **wanted: Any) -> Row:
    return Row(what=what, sent=sent, code=code, reason=reason, **{"status": STATUSES[code], **wanted})


def of_each(values: Mapping[str, Any], sent: Callable[[Any], Sent], *wanted: str, **more: Any) -> Iterator[Row]:
    """A row for each of these values, all to be answered alike."""
    for what, value in values.items():
        yield row(what, sent(value), *wanted, **more)


def call(method: str, **request: Any) -> Call:
    return Call(method, request)


def get(path: str) -> Http:
    return Http("GET", path)


def post(path: str, body: bytes | str) -> Http:
    return Http("POST", path, body.encode() if isinstance(body, str) else body, {"content-type": "application/json"})


def join(store: str = LINE, **reception: Any) -> Call:
    return call("CreateReception", parent=store, reception={"partySize": 2, **reception})


def create_store(**store: Any) -> Call:
    return call("CreateStore", store={"displayName": "Never", **store}, storeId="never")


def create_table(**table: Any) -> Call:
    return call("CreateTable", parent=LINE, table={"capacity": 2, **table}, tableId="never")


def with_more(sent: Call, **more: Any) -> Call:
    return replace(sent, request={**sent.request, **more})

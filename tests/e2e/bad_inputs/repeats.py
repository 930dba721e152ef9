"""Request ids, etags and deadlines."""

from collections.abc import Iterator

from tests.e2e.bad_inputs.row import INVALID, Call, Row, call, join, row, with_more

FREE_TABLE = "stores/line/tables/free"


def request_ids() -> Iterator[Row]:
    again = with_more(join(customer="customers/a-once"), requestId="$request_id")
    yield row("the same request again", again, "OK", told={"name": "$once"})
    other = with_more(join(partySize=3), requestId="$request_id")
    yield row("a request id with other content", other, INVALID, "REQUEST_ID_REUSED")
    for what, text in {
        "x": "x",
        "half a UUID": "5f0c1e9a-0d4b-4a6e",
        "a UUID without hyphens": "5f0c1e9a0d4b4a6e9c392f3c7f5f4a11",
        "a UUID in braces": "{$request_id}",
        "full-width digits": "１" * 32,
        "SQL": "'; DROP TABLE requests; --",
    }.items():
        for sent in (join(), call("OpenStore", name="stores/closed"), call("BlockTable", name=FREE_TABLE)):
            repeated = with_more(sent, requestId=text)
            yield row(f"{sent.method} with the request id {what}", repeated, INVALID, names="request_id")


def etags() -> Iterator[Row]:
    for sent in (
        call("CancelReception", name="$waiting"),
        call("PostponeReception", name="$waiting", parties=1),
        call("CallOrder", name="$waiting_order"),
        call("SeatOrder", name="$waiting_order"),
        call("CancelOrder", name="$waiting_order"),
        call("OpenStore", name="stores/closed"),
        call("CloseStore", name="stores/quiet"),
        call("BlockTable", name=FREE_TABLE),
    ):
        for etag in ("0", "999", '"1"'):
            yield row(f"{sent.method} with the etag {etag}", with_more(sent, etag=etag), "ABORTED", "STALE")


def deadlines() -> Iterator[Row]:
    for timeout in ("0S", "1n", "1u", "-5S", "-1m"):
        for sent in (join(), call("CancelReception", name="$waiting")):
            late = Call(sent.method, sent.request, {"grpc-timeout": timeout})
            yield row(f"{sent.method} within {timeout}", late, "DEADLINE_EXCEEDED")
    for timeout in ("1000000H", "99999999H"):
        patient = Call("GetReception", {"name": "$waiting"}, {"grpc-timeout": timeout})
        yield row(f"a deadline of {timeout}", patient, "OK", told={"name": "$waiting"})

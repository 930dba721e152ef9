"""What the rules of a restaurant do not allow."""

from collections.abc import Iterator

from tests.e2e.bad_inputs.row import (
    IMPOSSIBLE,
    INVALID,
    LINE,
    MISSING,
    Row,
    call,
    create_store,
    create_table,
    join,
    row,
    with_more,
)


def joining() -> Iterator[Row]:
    yield row("joining a closed store", join("stores/closed"), IMPOSSIBLE, "STORE_CLOSED")
    yield row("joining a paused store", join("stores/paused"), IMPOSSIBLE, "LINE_PAUSED")
    yield row("joining an unknown store", join("stores/nowhere"), MISSING, "NOT_FOUND")
    yield row("joining a full line", join("stores/full"), "RESOURCE_EXHAUSTED", "LINE_FULL")
    twice = join("stores/first", customer="customers/a-busy")
    known = {"reception": "$busy_at_first"}
    yield row("joining twice as a customer", twice, "ALREADY_EXISTS", "ALREADY_IN_LINE", metadata=known)
    # whoever knows the number need not be the party
    twice = join(phone="+82 10-2345-6789")
    yield row("joining twice by phone", twice, "ALREADY_EXISTS", "ALREADY_IN_LINE", untold="$by_phone_id")
    yield row("joining a fourth line", join(customer="customers/a-busy"), IMPOSSIBLE, "TOO_MANY_LINES")


def canceling_and_postponing() -> Iterator[Row]:
    again = call("CancelReception", name="$canceled")
    yield row("canceling a canceled reception", again, "OK", told={"state": "CANCELED"})
    for party, reason in {"seated": "ALREADY_SEATED", "no_show": "ALREADY_CLOSED"}.items():
        yield row(f"canceling a {party} reception", call("CancelReception", name=f"${party}"), IMPOSSIBLE, reason)
    for party, reason in {
        "called": "ALREADY_CALLED",
        "seated": "ALREADY_SEATED",
        "canceled": "ALREADY_CLOSED",
        "postponed": "POSTPONE_LIMIT",
    }.items():
        sent = call("PostponeReception", name=f"${party}", parties=1)
        yield row(f"postponing a {party} reception", sent, IMPOSSIBLE, reason)
    last = call("PostponeReception", name="$front", parties=2**31 - 1, validateOnly=True)
    yield row("postponing behind more than wait", last, "OK", told={"partiesAhead": 6, "postponeCount": 1})


def calling_and_seating() -> Iterator[Row]:
    yield row("calling on an empty line", call("CallNextOrder", parent="stores/quiet"), IMPOSSIBLE, "LINE_EMPTY")
    for table, code, reason in (
        (f"{LINE}/tables/small", IMPOSSIBLE, "TABLE_TOO_SMALL"),
        (f"{LINE}/tables/taken", "ABORTED", "TABLE_TAKEN"),
        (f"{LINE}/tables/blocked", "ABORTED", "TABLE_TAKEN"),
        (f"{LINE}/tables/unknown", MISSING, "NOT_FOUND"),
        ("stores/elsewhere/tables/free", MISSING, "NOT_FOUND"),
        ("the window", INVALID, "INVALID_FIELD"),
    ):
        sent = call("SeatOrder", name="$called_order", table=table)
        yield row(f"seating a party at {table}", sent, code, reason)
    for method, party in {
        "AcceptOrder": "seated",
        "DeclineOrder": "called",
        "CallOrder": "called",
        "SeatOrder": "canceled",
        "CompleteOrder": "waiting",
        "CancelOrder": "seated",
        "MarkOrderNoShow": "waiting",
        "RestoreOrder": "waiting",
    }.items():
        sent = call(method, name=f"${party}_order")
        yield row(f"{method} of a {party} party", sent, IMPOSSIBLE, "ORDER_STATE_CONFLICT")
    yield row("pausing a closed store", call("PauseStore", name="stores/closed"), IMPOSSIBLE, "STORE_CLOSED")


def what_is_there_already() -> Iterator[Row]:
    yield row("a store's id that is taken", with_more(create_store(), storeId="line"), "ALREADY_EXISTS")
    yield row("a table's id that is taken", with_more(create_table(), tableId="free"), "ALREADY_EXISTS")
    twins = [{"tableId": "new", "table": {"capacity": 2}}] * 2
    batch = call("BatchCreateTables", parent=LINE, requests=twins)
    yield row("a table's id twice in a batch", batch, INVALID, names="requests[1].table_id")
    for words in ("%", "_", "' OR ''='", "\\"):
        yield row(f"a search for {words}", call("SearchStores", text=words), "OK", told={"storeViews": []})

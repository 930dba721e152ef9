"""Names of what is not there, belongs to somebody else or is none, and names that contradict each other."""

from collections.abc import Iterator

from tests.e2e.bad_inputs.row import INVALID, LINE, MISSING, Http, Row, Wire, call, get, join, post, row

GUESSED = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
STRANGERS = {
    "GetReception": (f"{LINE}/receptions/{GUESSED}", "stores/elsewhere/receptions/$waiting_id"),
    "CancelReception": (f"{LINE}/receptions/{GUESSED}", "stores/elsewhere/receptions/$waiting_id"),
    "WatchReception": (f"{LINE}/receptions/{GUESSED}", "stores/elsewhere/receptions/$waiting_id"),
    "GetPlace": (f"{LINE}/receptions/{GUESSED}/place", "stores/elsewhere/receptions/$waiting_id/place"),
    "GetOrder": (f"{LINE}/orders/{GUESSED}", "stores/elsewhere/orders/$waiting_id"),
    "AcceptOrder": (f"{LINE}/orders/{GUESSED}", "stores/elsewhere/orders/$waiting_id"),
    "CallOrder": (f"{LINE}/orders/{GUESSED}", "stores/elsewhere/orders/$waiting_id"),
    "GetTable": (f"{LINE}/tables/unknown", "stores/elsewhere/tables/free"),
    "BlockTable": (f"{LINE}/tables/unknown", "stores/elsewhere/tables/free"),
    "GetStore": ("stores/nowhere", "stores/LINE", "stores/line-", "stores/-", "stores/라면", f"stores/{'x' * 64}"),
    "OpenStore": ("stores/nowhere",),
    "GetAvailability": ("stores/nowhere/availability",),
    "GetStoreView": ("stores/nowhere/view",),
    "WatchStore": ("stores/nowhere/view",),
    "GetStoreBoard": ("stores/nowhere/board",),
    "GetDayFigures": ("stores/nowhere/figures/2026-01-01", f"{LINE}/figures/2026-02-30", f"{LINE}/figures/today"),
    "GetNotice": (f"notices/{GUESSED}",),
}


def missing() -> Iterator[Row]:
    for method, names in STRANGERS.items():
        for name in names:
            yield row(f"{method} {name}", call(method, name=name), MISSING, "NOT_FOUND")
    for method in ("ListReceptions", "ListOrders", "ListTables", "CallNextOrder"):
        yield row(f"{method} of an unknown store", call(method, parent="stores/nowhere"), MISSING, "NOT_FOUND")
    for method in STRANGERS:
        yield row(f"{method} without a name", Wire(method, b""), INVALID, names="name")
    for method in ("CreateReception", "ListReceptions", "ListOrders", "ListTables", "CallNextOrder", "CreateTable"):
        yield row(f"{method} without a parent", Wire(method, b""), INVALID, names="parent")
    for customer in ("nobody", "customers/", "customers/A!", LINE, "customers/a/b", f"customers/{'x' * 64}"):
        yield row(f"the customer {customer[:14]}", join(customer=customer), INVALID, names="customer")
        listing = call("ListReceptions", parent=LINE, customer=customer)
        yield row(f"the receptions of the customer {customer[:14]}", listing, INVALID, names="customer")
    everything = call("ListReceptions", parent="stores/-")
    yield row("the receptions of all stores and everybody", everything, INVALID, names="customer")
    yield row("the notices of what is no reception", call("ListNotices", reception=LINE), INVALID, names="reception")


def contradicting() -> Iterator[Row]:
    """A query wins over the path, and so finds no more than it would have by itself; a body never wins."""
    path = "/v1/$waiting?name=stores/elsewhere/receptions/$waiting_id"
    yield row("a query that names another reception than the path", get(path), MISSING, "NOT_FOUND")
    unknown = get(f"/v1/{LINE}?name=stores/nowhere")
    yield row("a query that names an unknown store unlike the path", unknown, MISSING, "NOT_FOUND")
    nothing = get(f"/v1/{LINE}/receptions?parent=nothing")
    yield row("a query that names what is no store unlike the path", nothing, MISSING, "NOT_FOUND")
    canceled = Http("POST", "/v1/$waiting:cancel?name=stores/elsewhere/receptions/$waiting_id", b"{}")
    yield row("a query that names another reception to cancel than the path", canceled, MISSING, "NOT_FOUND")
    opened = post("/v1/stores/closed:open", '{"name":"stores/paused"}')
    yield row("a body that names another store than the path", opened, INVALID)
    joined = post("/v1/stores/closed/receptions", '{"name":"stores/line/receptions/mine","partySize":2}')
    yield row("a resource that names another store than the path", joined, "FAILED_PRECONDITION", "STORE_CLOSED")

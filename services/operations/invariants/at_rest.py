"""What the services promise each other once every event has arrived and every due timer has fired."""

from collections.abc import Iterable, Iterator, Mapping

from services.operations.catalogue import SERVICES
from services.operations.invariants.books import OPEN, Books, Check, Row

SEATINGS: Mapping[str, str] = {"WAITING": "WAITING", "CALLED": "HELD", "SEATED": "OCCUPIED"}
"""State of a reception → state of its seating; a closed one has left."""

GONE = "DONE"

ORDERS: Mapping[str, frozenset[str]] = {
    "WAITING": frozenset({"RECEIVED", "ACCEPTED"}),
    "CALLED": frozenset({"CALLED"}),
    "SEATED": frozenset({"SEATED"}),
    "COMPLETED": frozenset({"COMPLETED"}),
    "CANCELED": frozenset({"CANCELED"}),
    "NO_SHOW": frozenset({"NO_SHOW"}),
    "REJECTED": frozenset({"DECLINED"}),
}
"""State of a reception → states of its order."""

NOTICES: Mapping[str, frozenset[str]] = {
    "WAITING": frozenset({"NUMBERED"}),
    "CALLED": frozenset({"COME_IN", "CALLED"}),
    "CANCELED": frozenset({"CANCELED", "STORE_CLOSED"}),
    "NO_SHOW": frozenset({"NO_SHOW"}),
    "REJECTED": frozenset({"DECLINED"}),
}
"""State of a reception → purposes, one of which its party was told of in the present round."""


def _everything_was_told(books: Books) -> Iterator[str]:
    for service in SERVICES:
        # the oldest by name: what is told again a moment later does not move
        if waiting := sorted(row["id"] for row in books.of(service, "outbox")):
            yield f"{service} has not published envelope {waiting[0]}"
    for order in books.of("reception", "early_orders"):
        yield f"order {order['id']} is {order['state']} and its walk-in was never registered"


def _seat_agrees(books: Books) -> Iterator[str]:
    seatings = books.by_id("seat", "seatings")
    for id_, row in books.receptions.items():
        seating = seatings.get(id_)
        if seating is None:
            yield f"reception {id_} is {row['state']} and seat has never heard of it"
            continue
        if seating["state"] != SEATINGS.get(row["state"], GONE):
            yield f"reception {id_} is {row['state']}, its seating {seating['state']}"
        elif row["state"] in ("CALLED", "SEATED") and _table(row["table_name"]) != seating["table_id"]:
            yield f"reception {id_} is at {row['table_name'] or 'no table'}, its seating at {seating['table_id']!r}"
    yield from _strangers("seating", seatings, books)


def _management_agrees(books: Books) -> Iterator[str]:
    orders = books.by_id("management", "orders")
    for id_, row in books.receptions.items():
        order = orders.get(id_)
        if order is None:
            yield f"reception {id_} is {row['state']} and has no order"
        elif order["state"] not in ORDERS.get(row["state"], ()):
            yield f"reception {id_} is {row['state']}, its order {order['state']}"
        elif order["round"] != row["round"]:
            yield f"reception {id_} is in round {row['round']}, its order in {order['round']}"
        elif row["state"] in OPEN and order["table_name"] != row["table_name"]:
            yield f"reception {id_} is at {row['table_name'] or 'no table'}, its order at {order['table_name']!r}"
    yield from _strangers("order", orders, books)


def _dashboard_agrees(books: Books) -> Iterator[str]:
    shown = books.by_id("dashboard", "receptions")
    for id_, row in books.receptions.items():
        seen = shown.get(id_)
        if seen is None:
            yield f"reception {id_} is {row['state']} and is not shown"
        elif (seen["state"], seen["version"]) != (row["state"], row["version"]):
            yield (
                f"reception {id_} is {row['state']} at version {row['version']}, "
                f"shown as {seen['state']} at version {seen['version']}"
            )
    yield from _strangers("view", shown, books)
    lines = books.by_id("dashboard", "lines")
    for line in books.of("reception", "lines"):
        waiting = lines[line["id"]]["parties_waiting"] if line["id"] in lines else 0
        if waiting != line["waiting"]:
            yield f"{line['waiting']} wait at {line['id']}, shown are {waiting}"


def _copies_of_tables_agree(books: Books) -> Iterator[str]:
    known, shown = books.by_id("management", "tables"), books.by_id("dashboard", "tables")
    for id_, table in books.by_id("seat", "tables").items():
        facts = (table["version"], table["state"], table["capacity"], table["party"])
        copy, view = known.get(id_), shown.get(id_)
        if not copy or facts != (copy["seat_version"], copy["state"], copy["capacity"], copy["reception_id"]):
            yield f"table {id_} is {facts}, management knows {copy}"
        if not view or facts != (view["version"], view["state"], view["capacity"], _table(view["reception"])):
            yield f"table {id_} is {facts}, shown is {view}"
    free = books.by_id("dashboard", "availabilities")
    for floor in books.of("seat", "floors"):
        seats = free[floor["id"]]["seats_remaining"] if floor["id"] in free else 0
        if seats != floor["seats_remaining"]:
            yield f"{floor['seats_remaining']} seats are free at {floor['id']}, shown are {seats}"


def _copies_of_stores_agree(books: Books) -> Iterator[str]:
    copies = (
        ("reception", "lines", "store_version"),
        ("seat", "floors", "store_version"),
        ("dashboard", "stores", "version"),
        ("notification", "stores", "seen"),
    )
    for service, table, column in copies:
        known = {copy["id"]: copy[column] for copy in books.of(service, table)}
        for store in books.of("management", "stores"):
            if known.get(store["id"]) != store["version"]:
                yield f"store {store['id']} is at version {store['version']}, {service} at {known.get(store['id'])}"


def _parties_were_told(books: Books) -> Iterator[str]:
    seen = books.by_id("notification", "receptions")
    told = books.told
    for id_, row in books.receptions.items():
        if not (row["phone"] or row["phone_sealed"]):
            continue
        if id_ not in seen or seen[id_]["seen"] != row["version"]:
            yield f"reception {id_} is at version {row['version']}, notification knows {seen.get(id_)}"
        purposes = NOTICES.get(row["state"], frozenset())
        if purposes and sum(told[id_, purpose, row["round"]] for purpose in purposes) != 1:
            yield f"the party of {id_} was not told once that it is {row['state']} in round {row['round']}"


def _who_was_sent_home_left(books: Books) -> Iterator[str]:
    times = {line["id"]: line["sent_home_at"] for line in books.of("reception", "lines") if line["sent_home_at"]}
    for id_, row in books.receptions.items():
        there = row["state"] in ("REQUESTED", "WAITING") and row["store_id"] in times
        # staff may bring a party back afterwards
        if there and row["created_at"] <= times[row["store_id"]] and not row["round"]:
            yield f"reception {id_} is {row['state']} though {row['store_id']} sent everyone home"


def _who_sat_left_other_lines(books: Books) -> Iterator[str]:
    sat: dict[str, Row] = {}
    for row in books.receptions.values():
        last = sat.get(row["customer_key"])
        if row["customer_key"] and row["seated_at"] and (last is None or row["seated_at"] > last["seated_at"]):
            sat[row["customer_key"]] = row
    for id_, row in books.receptions.items():
        elsewhere = sat.get(row["customer_key"])
        if elsewhere is None or row["state"] not in ("REQUESTED", "WAITING", "CALLED"):
            continue
        # staff may bring a party back afterwards
        if row["created_at"] <= elsewhere["seated_at"] and not row["round"]:
            yield f"reception {id_} is {row['state']} though its party sat down as {elsewhere['id']} later"


AT_REST: tuple[Check, ...] = (
    _everything_was_told,
    _seat_agrees,
    _management_agrees,
    _dashboard_agrees,
    _copies_of_tables_agree,
    _copies_of_stores_agree,
    _parties_were_told,
    _who_was_sent_home_left,
    _who_sat_left_other_lines,
)


def _strangers(what: str, rows: Iterable[str], books: Books) -> Iterator[str]:
    for id_ in rows:
        if id_ not in books.receptions:
            yield f"{what} {id_} has no reception"


def _table(name: str) -> str:
    return name.rpartition("/")[2]

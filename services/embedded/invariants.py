"""Whether five databases tell one story: every fact that the services promise about themselves and each other."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

SERVICES = ("reception", "seat", "management", "dashboard", "notification")

OPEN = frozenset({"REQUESTED", "WAITING", "CALLED", "SEATED"})

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

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Books:
    """All rows that matter, of all services, each service as of one moment."""

    rows: Mapping[tuple[str, str], list[Row]]

    def of(self, service: str, table: str) -> list[Row]:
        """All rows of a table."""
        return self.rows[service, table]

    def by_id(self, service: str, table: str) -> dict[str, Row]:
        """All rows of a table by their ids."""
        return {row["id"]: row for row in self.of(service, table)}

    @cached_property
    def receptions(self) -> dict[str, Row]:
        """The arbiter's view."""
        return self.by_id("reception", "receptions")


Check = Callable[[Books], Iterator[str]]

TABLES: Mapping[str, tuple[str, ...]] = {
    "reception": ("receptions", "lines", "customers", "early_orders"),
    "seat": ("seatings", "tables", "floors"),
    "management": ("orders", "stores", "tables"),
    "dashboard": ("receptions", "lines", "tables", "availabilities", "stores"),
    "notification": ("notices", "receptions", "stores"),
}
SHARED = ("outbox", "timers", "dead_letters")


def violations(folder: Path, *, quiescent: bool = True) -> list[str]:
    """A sentence for every broken promise in the databases of a data folder; nothing is written.

    `quiescent` means that nobody is doing anything: every event has been delivered and every timer that was
    due has fired. Otherwise only what holds at any moment is looked at.
    """
    missing = [service for service in SERVICES if not (folder / f"{service}.db").exists()]
    if missing:
        return [f"{folder / service}.db does not exist" for service in missing]
    books = Books({key: rows for service in SERVICES for key, rows in _read(folder, service)})
    checks = (*ALWAYS, *AT_REST) if quiescent else ALWAYS
    return [sentence for check in checks for sentence in check(books)]


def _read(folder: Path, service: str) -> Iterator[tuple[tuple[str, str], list[Row]]]:
    address = f"{(folder / service).absolute().as_uri()}.db?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        for table in (*TABLES[service], *SHARED):
            # names are those above, none of anybody's choosing
            cursor = connection.execute(f"SELECT * FROM {table}")  # noqa: S608
            names = [column[0] for column in cursor.description]
            yield (service, table), [dict(zip(names, row, strict=True)) for row in cursor]


# what every service promises at any moment


def _nothing_was_given_up(books: Books) -> Iterator[str]:
    for service in SERVICES:
        for letter in books.of(service, "dead_letters"):
            yield f"{service} could not apply {letter['type']} of {letter['subject']}: {letter['reason']}"


def _numbers_are_given_once(books: Books) -> Iterator[str]:
    holders = defaultdict(list)
    for row in books.of("reception", "receptions"):
        if row["waiting_number"]:
            holders[row["store_id"], row["business_day"], row["waiting_number"]].append(row["id"])
        elif row["state"] == "WAITING":
            yield f"reception {row['id']} is WAITING without a number"
    for (store, day, number), ids in holders.items():
        if len(ids) > 1:
            yield f"number {number} of {store} on {day} was given {len(ids)} times: {_list(ids)}"


def _places_are_given_once(books: Books) -> Iterator[str]:
    waiting = [row for row in books.of("reception", "receptions") if row["state"] == "WAITING"]
    for (store, key), times in Counter((row["store_id"], row["order_key"]) for row in waiting).items():
        if times > 1:
            yield f"{times} WAITING receptions of {store} have the order key {key}"


def _lines_are_counted(books: Books) -> Iterator[str]:
    counts = Counter((row["store_id"], row["state"]) for row in books.of("reception", "receptions"))
    lines = books.by_id("reception", "lines")
    for store, line in lines.items():
        for state in ("WAITING", "REQUESTED"):
            if line[state.lower()] != counts[store, state]:
                yield f"the line of {store} counts {line[state.lower()]} {state}, there are {counts[store, state]}"
    for store in {store for store, _ in counts} - lines.keys():
        yield f"{store} has receptions and no line"


def _customers_hold_what_is_open(books: Books) -> Iterator[str]:
    held: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for row in books.of("reception", "receptions"):
        if row["customer_key"] and row["state"] in OPEN:
            held[row["customer_key"]][row["id"]] = row["store_id"]
    told = {row["id"]: json.loads(row["open"]) for row in books.of("reception", "customers")}
    for customer in held.keys() | told.keys():
        if held.get(customer, {}) != told.get(customer, {}):
            yield (
                f"customer {customer} has {_list(held.get(customer, ()))} open, "
                f"remembered are {_list(told.get(customer, ()))}"
            )


def _who_is_near_was_told(books: Books) -> Iterator[str]:
    lines = books.by_id("reception", "lines")
    waiting = [row for row in books.of("reception", "receptions") if row["state"] == "WAITING"]
    ahead: Counter[str] = Counter()
    for row in sorted(waiting, key=lambda row: int(row["order_key"])):
        near = lines[row["store_id"]]["near_turn_parties"] if row["store_id"] in lines else 0
        if near and ahead[row["store_id"]] <= near and not row["near_turn"]:
            yield f"reception {row['id']} has {ahead[row['store_id']]} ahead and was not told that its turn is near"
        ahead[row["store_id"]] += 1


def _tables_and_seatings_match(books: Books) -> Iterator[str]:
    seatings, tables = books.by_id("seat", "seatings"), books.by_id("seat", "tables")
    parties = defaultdict(list)
    for seating in seatings.values():
        if seating["table_id"]:
            parties[f"{seating['store_id']}/{seating['table_id']}"].append(seating["id"])
            if seating["state"] not in ("HELD", "OCCUPIED"):
                yield f"seating {seating['id']} is {seating['state']} and has table {seating['table_id']}"
    for name, ids in parties.items():
        if len(ids) > 1:
            yield f"table {name} has {len(ids)} parties: {_list(ids)}"
        if name not in tables:
            yield f"table {name} does not exist and has {_list(ids)}"
    for name, table in tables.items():
        if table["party"] and table["party"] not in parties[name]:
            yield f"table {name} is {table['state']} for {table['party']}, which does not have it"
        for party in parties[name]:
            if (table["party"], table["state"]) != (party, seatings[party]["state"]):
                yield f"table {name} is {table['state']} for {table['party'] or 'nobody'}, {party} has it"


def _floors_are_counted(books: Books) -> Iterator[str]:
    tables = defaultdict(list)
    for table in books.of("seat", "tables"):
        tables[table["store_id"]].append(table)
    for floor in books.of("seat", "floors"):
        free = [table["capacity"] for table in tables[floor["id"]] if table["state"] == "FREE"]
        counted = (len(free), sum(free), max(free, default=0), len(tables[floor["id"]]))
        told = tuple(floor[f] for f in ("tables_free", "seats_remaining", "largest_free_capacity", "tables_total"))
        if counted != told:
            yield f"the floor of {floor['id']} tells {told}, there are {counted} (free, seats, largest, all)"


def _nobody_waits_beside_a_free_table(books: Books) -> Iterator[str]:
    modes = {floor["id"]: floor["mode"] for floor in books.of("seat", "floors")}
    free = defaultdict(list)
    for table in books.of("seat", "tables"):
        if table["state"] == "FREE":
            free[table["store_id"]].append((table["capacity"], table["section"], table["table_id"]))
    passed: set[str] = set()
    waiting = [row for row in books.of("seat", "seatings") if row["state"] == "WAITING"]
    for row in sorted(waiting, key=lambda row: (row["store_id"], row["order_key"], row["id"])):
        store, mode = row["store_id"], modes.get(row["store_id"], "BY_HAND")
        blocked = mode == "BY_HAND" or (mode == "STRICT_FIFO" and store in passed)
        passed.add(store)
        for capacity, section, table in () if blocked else free[store]:
            if row["party_size"] <= capacity and row["section"] in ("", section):
                yield f"reception {row['id']} waits though table {store}/{table} is free and fits"


def _holds_will_end(books: Books) -> Iterator[str]:
    timers = {row["key"] for row in books.of("seat", "timers") if row["kind"] == "hold"}
    for seating in books.of("seat", "seatings"):
        if seating["state"] == "HELD" and seating["id"] not in timers:
            yield f"seating {seating['id']} is HELD and nothing will end it"


def _notices_are_given_once(books: Books) -> Iterator[str]:
    for (reception, purpose, number), times in _told(books).items():
        if times > 1:
            yield f"reception {reception} has {times} notices {purpose} of round {number}"


# what they promise each other once everything has arrived


def _everything_was_told(books: Books) -> Iterator[str]:
    for service in SERVICES:
        if count := len(books.of(service, "outbox")):
            yield f"{service} has {count} envelopes in its outbox"
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
    told = _told(books)
    for id_, row in books.receptions.items():
        if not row["phone"]:
            continue
        if id_ not in seen or seen[id_]["seen"] != row["version"]:
            yield f"reception {id_} is at version {row['version']}, notification knows {seen.get(id_)}"
        purposes = NOTICES.get(row["state"], frozenset())
        if purposes and sum(told[id_, purpose, row["round"]] for purpose in purposes) != 1:
            yield f"the party of {id_} was not told once that it is {row['state']} in round {row['round']}"


def _who_was_sent_home_left(books: Books) -> Iterator[str]:
    times = {line["id"]: line["sent_home_at"] or "" for line in books.of("reception", "lines")}
    for id_, row in books.receptions.items():
        left = row["state"] not in ("REQUESTED", "WAITING") or row["created_at"] > times.get(row["store_id"], "")
        # staff may bring a party back afterwards
        if not (left or row["round"]):
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


ALWAYS: tuple[Check, ...] = (
    _nothing_was_given_up,
    _numbers_are_given_once,
    _places_are_given_once,
    _lines_are_counted,
    _customers_hold_what_is_open,
    _who_is_near_was_told,
    _tables_and_seatings_match,
    _floors_are_counted,
    _nobody_waits_beside_a_free_table,
    _holds_will_end,
    _notices_are_given_once,
)

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


def _told(books: Books) -> Counter[tuple[str, str, int]]:
    notices = books.of("notification", "notices")
    return Counter((row["reception_id"], row["purpose"], row["round"]) for row in notices)


def _strangers(what: str, rows: Iterable[str], books: Books) -> Iterator[str]:
    for id_ in rows:
        if id_ not in books.receptions:
            yield f"{what} {id_} has no reception"


def _table(name: str) -> str:
    return name.rpartition("/")[2]


def _list(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids)) or "none"

"""What every service promises about itself at any moment."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from services.operations.catalogue import SERVICES
from services.operations.invariants.books import OPEN, Books, Check, listed


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
            yield f"number {number} of {store} on {day} was given {len(ids)} times: {listed(ids)}"


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
    told = {row["id"]: row["open"] for row in books.of("reception", "customers")}
    for customer in held.keys() | told.keys():
        if held.get(customer, {}) != told.get(customer, {}):
            yield (
                f"customer {customer} has {listed(held.get(customer, ()))} open, "
                f"remembered are {listed(told.get(customer, ()))}"
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
            yield f"table {name} has {len(ids)} parties: {listed(ids)}"
        if name not in tables:
            yield f"table {name} does not exist and has {listed(ids)}"
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
    for (reception, purpose, number), times in books.told.items():
        if times > 1:
            yield f"reception {reception} has {times} notices {purpose} of round {number}"


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

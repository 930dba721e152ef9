"""Fields that are missing, out of bounds or not to be read."""

import json
from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from tabling.management.v1.management_service_pb2 import PauseStoreRequest
from tests.e2e.bad_inputs.row import (
    INVALID,
    LINE,
    Call,
    Http,
    Row,
    Wire,
    call,
    create_store,
    create_table,
    join,
    of_each,
    post,
    row,
    with_more,
)

UNREADABLE = {
    "10,000 characters": "x" * 10_000,
    "spaces only": "   ",
    "wide spaces only": "\u3000\u2003\u00a0",
    "joiners only": "\u200d\u200b\u2060",
    "a Hangul filler only": "\u3164",
    "a NUL": "a\0b",
    "an escape sequence": "a\x1b[31mb",
    "a line break": "a\nb",
    "a line separator": "a\u2028b",
    "a delete character": "a\x7fb",
    "a C1 control character": "a\x85b",
    "a right-to-left override": "a\u202eb",
    "an isolate": "a\u2066b",
    "a private character": "a\ue000b",
    "a noncharacter": "a\ufffeb",
}
# cannot even be said in a URL
NOT_IN_A_URL = ("10,000 characters", "a NUL")


def required() -> Iterator[Row]:
    """Empty bodies and misspelt fields: what is missing is named."""
    for what, path, name in (
        ("joining", f"/v1/{LINE}/receptions", "party_size"),
        ("creating a store", "/v1/stores", "display_name"),
        ("creating a table", f"/v1/{LINE}/tables", "capacity"),
        ("creating tables", f"/v1/{LINE}/tables:batchCreate", "requests"),
        ("registering a party at the door", f"/v1/{LINE}/orders:registerWalkIn", "party_size"),
        ("postponing", "/v1/$waiting:postpone", "parties"),
        ("asking for seats", "/v1/stores:checkSeats", "questions"),
    ):
        yield row(f"no body when {what}", Http("POST", path), INVALID, names=name)
        yield row(f"an empty object when {what}", post(path, "{}"), INVALID, names=name)
    yield row("a misspelt field", post(f"/v1/{LINE}/receptions", '{"partysize":2}'), INVALID, names="party_size")
    without = Call("CreateReception", {"parent": LINE}, protocols=("grpc",))
    yield row("joining without a reception", without, INVALID, names="reception")
    yield row("a store without a name", create_store(displayName=""), INVALID, names="display_name")
    near = call("SearchStores", sort="DISTANCE")
    yield row("a search by distance from nowhere", near, INVALID, names="near")


def numbers() -> Iterator[Row]:
    for size in (0, -1, 10**9, 2**31 - 1, -(2**31), 101):
        yield row(f"a party of {size}", join(partySize=size), INVALID, names="party_size")
        door = call("RegisterWalkIn", parent=LINE, partySize=size)
        yield row(f"a party of {size} at the door", door, INVALID, names="party_size")
        yield row(f"a table for {size}", create_table(capacity=size), INVALID, names="capacity")
    yield row("a party above the store's limit", join(partySize=9), INVALID, names="party_size")
    for parties in (0, -1):
        postpone = call("PostponeReception", name="$waiting", parties=parties)
        yield row(f"postponing by {parties}", postpone, INVALID, names="parties")
    for degrees in ("NaN", "Infinity", "-Infinity", 91, -91, 1e300):
        store = create_store(location={"latitude": degrees, "longitude": 0})
        yield row(f"a store at the latitude {degrees}", store, INVALID, names="location.latitude")
        near = call("SearchStores", near={"latitude": degrees, "longitude": 0})
        yield row(f"a search near the latitude {degrees}", near, INVALID, names="near.latitude")
    yield row("the longitude 181", create_store(location={"longitude": 181}), INVALID, names="location.longitude")
    for wait in ("60s", "-1s", "2.000000001s"):
        yield row(f"joining with a wait of {wait}", with_more(join(), wait=wait), INVALID, names="wait")
    for what, sent, name in (
        ("a table kept for a day", create_store(callTimeout="86400s"), "call_timeout"),
        ("a line of 10⁹ parties", create_store(maxWaiting=10**9), "max_waiting"),
        ("a day that begins at 24", create_store(dayStartHour=24), "day_start_hour"),
        ("three postponements", create_store(maxPostpones=3), "max_postpones"),
        ("an eighth weekday", create_store(openingHours=[{"weekday": 8}]), "opening_hours.weekday"),
        ("opening at 25:00", create_store(openingHours=[{"weekday": 1, "open": "25:00"}]), "opening_hours.open"),
        ("a radius below 0", call("SearchStores", near={"latitude": 37}, radiusMeters=-1), "radius_meters"),
    ):
        yield row(what, sent, INVALID, names=name)
    for what, time in (("before all time", Timestamp(seconds=-(2**62))), ("with 2³¹−1 ns", Timestamp(nanos=2**31 - 1))):
        pause = PauseStoreRequest(name="stores/quiet", reopen_time=time).SerializeToString()
        yield row(f"a reopening {what}", Wire("PauseStore", pause), INVALID, names="reopen_time")


def enums() -> Iterator[Row]:
    """Numbers that no enum has. In a query the gateway already refuses them."""
    for number in (99, -1, 2**31 - 1):
        for name, field in (("seatingMode", "seating_mode"), ("acceptMode", "accept_mode")):
            yield row(f"the {field} {number}", create_store(**{name: number}), INVALID, names=field)
        sort = Call("SearchStores", {"sort": number}, protocols=("grpc",))
        yield row(f"the sort {number}", sort, INVALID, names="sort")
        for method in ("ListReceptions", "ListOrders"):
            listing = Call(method, {"parent": LINE, "states": [number]}, protocols=("grpc",))
            yield row(f"{method} in the state {number}", listing, INVALID, names="states")


def texts() -> Iterator[Row]:
    for what, text in UNREADABLE.items():
        for where, sent, name in (
            ("a store's name", create_store(displayName=text), "display_name"),
            ("an address", create_store(address=text), "address"),
            ("a section", join(section=text), "section"),
            ("a table's name", create_table(displayName=text), "display_name"),
            ("a reason", call("CancelOrder", name="$waiting_order", reason=text), "reason"),
        ):
            yield row(f"{where} of {what}", sent, INVALID, names=name)
        protocols = ("grpc",) if what in NOT_IN_A_URL else ("json", "grpc")
        search = Call("SearchStores", {"text": text}, protocols=protocols)
        yield row(f"a search for {what}", search, INVALID, names="text")


def ids() -> Iterator[Row]:
    """Ids and other words that only have some forms."""
    for store in ("a", "-abc", "abc-", "ABC", "a_b", "a/b", "../x", "a b", "라면집", "x" * 64):
        yield row(f"the store id {store[:9]}", with_more(create_store(), storeId=store), INVALID, names="store_id")
    for table in ("-", "T1", "a/b", "a b", "창가"):
        yield row(f"the table id {table}", with_more(create_table(), tableId=table), INVALID, names="table_id")
    yield row("the language xx", join(languageCode="xx"), INVALID, names="language_code")
    for zone in ("Asia/Nowhere", "../../etc/passwd", "localtime", "asia/seoul"):
        yield row(f"the time zone {zone}", create_store(timeZone=zone), INVALID, names="time_zone")
    body = json.dumps({"displayName": "x"}).encode()
    for path in ("nope", "state", "displayName.x", "a" * 1000, "location.altitude"):
        patch = Http("PATCH", f"/v1/stores/quiet?updateMask={path}", body)
        yield row(f"a mask of {path[:20]}", patch, INVALID)


def phones() -> Iterator[Row]:
    numbers = {
        "letters": "010-CALL-ME-NOW",
        "3 digits": "010",
        "40 digits": "0" * 40,
        "full-width digits": "０１０１２３４５６７８",
        "Arabic digits": "٠١٠١٢٣٤٥٦٧٨",
        "another country": "+1 212 555 0123",
        "a country that there is not": "+999 1234 5678",
        "spaces only": "   ",
        "a NUL": "010-1234-5678\0",
        "SQL": "' OR 1=1 --",
    }
    for what, number in numbers.items():
        yield row(f"a phone number of {what}", join(phone=number), INVALID, names="phone")
    of_store = {
        f"a store's phone number of {what}": number for what, number in numbers.items() if what in ("letters", "SQL")
    }
    yield from of_each(of_store, lambda number: create_store(phone=number), INVALID, names="phone")

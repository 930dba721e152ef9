"""What callers may say of a store."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from services.chassis.kernel import InvalidField, NotFound
from services.management.domain import hours
from services.management.domain.profile import Profile
from services.management.entrypoints import fields
from tabling.management.v1.store_pb2 import LatLng, OpeningHours, Store

NAN = float("nan")


def parsed(**facts: Any) -> dict[str, Any]:
    store = Store(**facts)
    return fields.parse_fields(store, fields.given_fields(store))


def violations(paths: list[str] | None = None, **facts: Any) -> list[str]:
    store = Store(**facts)
    with pytest.raises(InvalidField) as caught:
        fields.parse_fields(store, fields.given_fields(store) if paths is None else paths)
    return [violation.field for violation in caught.value.violations]


def test_what_is_not_given_is_not_changed() -> None:
    assert parsed(display_name="Sushi", max_waiting=7) == {"display_name": "Sushi", "max_waiting": 7}


def test_zero_is_a_value_where_the_contract_can_tell_it_from_nothing() -> None:
    facts = {"day_start_hour": 0, "max_postpones": 0, "near_turn_parties": 0}
    assert parsed(**facts) == facts


def test_a_field_in_the_mask_that_is_not_given_gets_its_default() -> None:
    masked = [path for path in fields.FIELDS if path not in ("display_name", "location")]
    values = fields.parse_fields(Store(), masked)
    assert Profile(display_name="Sushi", **values) == Profile(display_name="Sushi")


def test_a_location_in_the_mask_that_is_not_given_is_removed() -> None:
    assert fields.parse_fields(Store(), ["location"]) == {"latitude": None, "longitude": None}


def test_half_a_location_can_be_changed() -> None:
    store = Store(location=LatLng(latitude=1.5))
    assert fields.parse_fields(store, ["location.latitude"]) == {"latitude": 1.5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", "x" * 81),
        ("display_name", "   "),
        ("display_name", "a\x00b"),
        ("display_name", "a\u202eb"),
        ("category", "x" * 41),
        ("address", "x" * 201),
        ("phone", "call me"),
        ("phone", "+82-2-123-4567-8901-2"),
        ("phone", "０２１２３４５６７"),
        ("phone", "++++"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "Asia"),
        ("time_zone", "localtime"),
        ("day_start_hour", 24),
        ("day_start_hour", -1),
        ("min_party_size", -1),
        ("min_party_size", 101),
        ("max_party_size", 101),
        ("max_party_size", -5),
        ("max_waiting", -1),
        ("max_waiting", 100_001),
        ("call_timeout", Duration(seconds=29)),
        ("call_timeout", Duration(seconds=3601)),
        ("call_timeout", Duration(seconds=60, nanos=-1)),
        ("accept_mode", 9),
        ("seating_mode", 9),
        ("max_postpones", 3),
        ("max_postpones", -1),
        ("near_turn_parties", -1),
    ],
)
def test_a_wrong_value_is_refused_by_its_field(field: str, value: Any) -> None:
    assert violations(**{field: value}) == [field]


@pytest.mark.parametrize(
    ("location", "field"),
    [
        (LatLng(latitude=91), "location.latitude"),
        (LatLng(latitude=NAN), "location.latitude"),
        (LatLng(longitude=-181), "location.longitude"),
        (LatLng(longitude=float("inf")), "location.longitude"),
    ],
)
def test_a_place_that_is_not_on_the_earth_is_refused(location: LatLng, field: str) -> None:
    assert violations(location=location) == [field]


@pytest.mark.parametrize(
    ("span", "field"),
    [
        (OpeningHours(weekday=0, open="11:00", close="12:00"), "opening_hours.weekday"),
        (OpeningHours(weekday=8, open="11:00", close="12:00"), "opening_hours.weekday"),
        (OpeningHours(weekday=1, open="24:00", close="12:00"), "opening_hours.open"),
        (OpeningHours(weekday=1, open="9:00", close="12:00"), "opening_hours.open"),
        (OpeningHours(weekday=1, open="11:00", close="11:60"), "opening_hours.close"),
        (OpeningHours(weekday=1, open="11:00", close="１２:00"), "opening_hours.close"),
        (OpeningHours(weekday=1, open="11:00", close=""), "opening_hours.close"),
        (OpeningHours(weekday=1, open="11:00", close="11:00"), "opening_hours.close"),
    ],
)
def test_hours_that_no_clock_shows_are_refused(span: OpeningHours, field: str) -> None:
    assert violations(opening_hours=[span]) == [field]


def test_more_spans_than_a_week_needs_are_refused() -> None:
    spans = [OpeningHours(weekday=1, open="11:00", close="12:00")] * 51
    assert violations(opening_hours=spans) == ["opening_hours"]


def test_hours_are_kept_in_the_order_of_the_week() -> None:
    spans = [
        OpeningHours(weekday=2, open="11:00", close="15:00"),
        OpeningHours(weekday=1, open="11:00", close="15:00"),
    ]
    wanted = (hours.OpeningHours(1, "11:00", "15:00"), hours.OpeningHours(2, "11:00", "15:00"))
    assert parsed(opening_hours=spans) == {"opening_hours": wanted}


def test_every_wrong_field_is_told_at_once() -> None:
    assert violations(display_name=" ", phone="x", max_waiting=-1) == ["display_name", "phone", "max_waiting"]


def test_the_name_is_stored_composed() -> None:
    assert parsed(display_name="\u1109\u1173\u1109\u1175") == {"display_name": "스시"}


def test_a_display_name_cannot_be_taken_away() -> None:
    assert violations(["display_name"]) == ["display_name"]


def test_a_timeout_keeps_its_fraction() -> None:
    assert parsed(call_timeout=Duration(seconds=90, nanos=500_000_000)) == {"call_timeout": timedelta(seconds=90.5)}


def test_a_star_in_the_mask_is_every_field() -> None:
    assert fields.masked_fields(["*"]) == list(fields.FIELDS)


def test_name_and_etag_in_the_mask_are_passed_over() -> None:
    assert fields.masked_fields(["name", "etag", "phone", "phone"]) == ["phone"]


@pytest.mark.parametrize("path", ["nope", "", "location.height", "phone.x", "displayName", "state", "version"])
def test_a_mask_of_what_cannot_be_changed_is_refused(path: str) -> None:
    with pytest.raises(InvalidField) as caught:
        fields.masked_fields([path])
    assert [violation.field for violation in caught.value.violations] == ["update_mask"]


@pytest.mark.parametrize("name", ["sushi", "stores/", "stores/Sushi", "stores/a/b", "stores/-", "stores/" + "a" * 64])
def test_a_name_that_no_store_can_have_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        fields.store_id(name)


def test_a_missing_name_is_a_missing_field() -> None:
    with pytest.raises(InvalidField, match="parent"):
        fields.store_id("", "parent")


def test_a_table_of_another_store_is_not_found() -> None:
    with pytest.raises(NotFound):
        fields.table_id("stores/pizza/tables/t1", "sushi")


def test_a_table_name_of_another_form_is_a_wrong_field() -> None:
    with pytest.raises(InvalidField, match="table"):
        fields.table_id("table 1", "sushi")


@pytest.mark.parametrize("number", [0, 9, -1])
def test_an_unknown_state_in_a_filter_is_refused(number: int) -> None:
    with pytest.raises(InvalidField, match="states"):
        fields.order_states([1, number])

"""What callers may say: fields of stores and names."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from services.chassis.fields import choice, finite, name_parts, optional_name, span, text, whole
from services.chassis.kernel import InvalidField, NotFound, Violation, invalid
from services.management.domain.hours import OpeningHours
from services.management.domain.order import OrderState
from services.management.domain.profile import DEFAULTS, AcceptMode, SeatingMode
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store

SEATING_MODES = {Store.SeatingMode.Value(mode.name): mode for mode in SeatingMode}
ACCEPT_MODES = {Store.AcceptMode.Value(mode.name): mode for mode in AcceptMode}
ORDER_STATES = {Order.State.Value(state.name): state for state in OrderState}

OUTPUT_ONLY = frozenset({"state", "reopen_time", "sent_home_time", "create_time", "update_time", "version"})
# they say which store is meant, and in which version; naming them in a mask changes nothing
GUARDS = frozenset({"name", "etag"})

MOST_SPANS = 50
_PHONE = re.compile(r"[0-9+\- ]{1,20}")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_NOT_PLACES = frozenset({"Factory", "localtime"})


def store_id(name: str, field: str = "name") -> str:
    """The id in `stores/{store}`. Raises `InvalidField` when empty, `NotFound` for another form."""
    return name_parts(name, "stores/*", field)[0]


def order_ids(name: str) -> tuple[str, str]:
    """The ids in `stores/{store}/orders/{order}`. Raises `InvalidField` when empty, `NotFound` for another form."""
    store, order = name_parts(name, "stores/*/orders/*")
    return store, order


def table_id(name: str, store: str) -> str:
    """The key `<store>/<table>` of a table of this store; empty stays empty. Raises `InvalidField`, `NotFound`."""
    parts = optional_name("table", name, "stores/*/tables/*")
    if parts is None:
        return ""
    if parts[0] != store:
        raise NotFound(f"{name} is no table of stores/{store}")
    return "/".join(parts)


def order_states(numbers: Iterable[int]) -> list[OrderState]:
    """The states of a filter, each once."""
    return [choice("states", number, ORDER_STATES) for number in dict.fromkeys(numbers)]


def given_fields(store: Store) -> list[str]:
    """The editable fields that are set."""
    return [field.name for field, _ in store.ListFields() if field.name in PARSERS]


def masked_fields(paths: Iterable[str]) -> list[str]:
    """The editable fields that a mask names; `*` is all. Raises `InvalidField` for what cannot be changed."""
    wanted: list[str] = []
    for path in dict.fromkeys(paths):
        if path == "*":
            wanted.extend(FIELDS)
        elif path in PARSERS:
            wanted.append(path)
        elif path.split(".")[0] in OUTPUT_ONLY:
            raise invalid("update_mask", f"{path} cannot be set by callers")
        elif path not in GUARDS:
            raise invalid("update_mask", f"{path[:80]!r} is not a field of a store that can be changed")
    return wanted


def parse_fields(store: Store, paths: Iterable[str]) -> dict[str, Any]:
    """New values for the profile, by field; what is not set gets its default. Raises one `InvalidField` for all."""
    given = {field.name for field, _ in store.ListFields()}
    values: dict[str, Any] = {}
    violations: list[Violation] = []
    for path in dict.fromkeys(paths):
        try:
            values |= PARSERS[path](store) if path in given or "." in path else _unset(path)
        except InvalidField as error:
            violations.extend(error.violations)
    if violations:
        raise InvalidField(*violations)
    return values


def _unset(path: str) -> Mapping[str, object]:
    if path == "display_name":
        raise invalid("display_name", "is required")
    if path == "location":
        return {"latitude": None, "longitude": None}
    return {path: DEFAULTS[path]}


def _display_name(store: Store) -> Mapping[str, object]:
    return {"display_name": text("display_name", store.display_name, longest=80, required=True)}


def _category(store: Store) -> Mapping[str, object]:
    return {"category": text("category", store.category, longest=40)}


def _address(store: Store) -> Mapping[str, object]:
    return {"address": text("address", store.address, longest=200)}


def _latitude(store: Store) -> Mapping[str, object]:
    return {"latitude": finite("location.latitude", store.location.latitude, least=-90, most=90)}


def _longitude(store: Store) -> Mapping[str, object]:
    return {"longitude": finite("location.longitude", store.location.longitude, least=-180, most=180)}


def _location(store: Store) -> Mapping[str, object]:
    return {**_latitude(store), **_longitude(store)}


def _phone(store: Store) -> Mapping[str, object]:
    if not _PHONE.fullmatch(store.phone) or sum(c.isdigit() for c in store.phone) < 3:
        raise invalid("phone", "must be 3 to 20 of 0-9, +, - and space")
    return {"phone": store.phone}


def _time_zone(store: Store) -> Mapping[str, object]:
    if store.time_zone not in _time_zones():
        raise invalid("time_zone", f"{store.time_zone[:64]!r} is not an IANA time zone")
    return {"time_zone": store.time_zone}


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - _NOT_PLACES)


def _day_start_hour(store: Store) -> Mapping[str, object]:
    return {"day_start_hour": whole("day_start_hour", store.day_start_hour, least=0, most=23)}


def _opening_hours(store: Store) -> Mapping[str, object]:
    if len(store.opening_hours) > MOST_SPANS:
        raise invalid("opening_hours", f"has more than {MOST_SPANS} spans")
    spans = [OpeningHours(span.weekday, span.open, span.close) for span in store.opening_hours]
    for hours in spans:
        _check_span(hours)
    return {"opening_hours": tuple(sorted(spans))}


def _check_span(hours: OpeningHours) -> None:
    whole("opening_hours.weekday", hours.weekday, least=1, most=7)
    for field, clock in (("opening_hours.open", hours.opens), ("opening_hours.close", hours.closes)):
        if not _CLOCK.fullmatch(clock):
            raise invalid(field, "must be HH:MM, from 00:00 to 23:59")
    if hours.opens == hours.closes:
        raise invalid("opening_hours.close", "must not be the same as open")


def _min_party_size(store: Store) -> Mapping[str, object]:
    return {"min_party_size": whole("min_party_size", store.min_party_size, least=1, most=100)}


def _max_party_size(store: Store) -> Mapping[str, object]:
    return {"max_party_size": whole("max_party_size", store.max_party_size, least=1, most=100)}


def _max_waiting(store: Store) -> Mapping[str, object]:
    return {"max_waiting": whole("max_waiting", store.max_waiting, least=1, most=100_000)}


def _call_timeout(store: Store) -> Mapping[str, object]:
    least, most = timedelta(seconds=30), timedelta(minutes=60)
    return {"call_timeout": span("call_timeout", store.call_timeout, least=least, most=most)}


def _accept_mode(store: Store) -> Mapping[str, object]:
    return {"accept_mode": choice("accept_mode", store.accept_mode, ACCEPT_MODES)}


def _seating_mode(store: Store) -> Mapping[str, object]:
    return {"seating_mode": choice("seating_mode", store.seating_mode, SEATING_MODES)}


def _max_postpones(store: Store) -> Mapping[str, object]:
    return {"max_postpones": whole("max_postpones", store.max_postpones, least=0, most=2)}


def _near_turn_parties(store: Store) -> Mapping[str, object]:
    return {"near_turn_parties": whole("near_turn_parties", store.near_turn_parties, least=0, most=1000)}


def _presence_required(store: Store) -> Mapping[str, object]:
    return {"presence_required": store.presence_required}


PARSERS: Mapping[str, Callable[[Store], Mapping[str, object]]] = {
    "display_name": _display_name,
    "category": _category,
    "address": _address,
    "location": _location,
    "location.latitude": _latitude,
    "location.longitude": _longitude,
    "phone": _phone,
    "time_zone": _time_zone,
    "day_start_hour": _day_start_hour,
    "opening_hours": _opening_hours,
    "min_party_size": _min_party_size,
    "max_party_size": _max_party_size,
    "max_waiting": _max_waiting,
    "call_timeout": _call_timeout,
    "accept_mode": _accept_mode,
    "seating_mode": _seating_mode,
    "max_postpones": _max_postpones,
    "near_turn_parties": _near_turn_parties,
    "presence_required": _presence_required,
}

FIELDS = tuple(path for path in PARSERS if "." not in path)

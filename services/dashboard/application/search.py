"""Rules of the store search: what matches, how far it is, and in which order it is shown."""

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from services.dashboard.application.estimates import estimated_wait_seconds
from services.dashboard.application.opening import is_open

EARTH_RADIUS_METERS = 6_371_008.8

Key = tuple[int | str, ...]
"""What found stores are ordered by; ends with the id, so no two are equal, and survives JSON."""


class Sort(Enum):
    """How found stores are ordered; ties by id."""

    DISTANCE = "nearest first"
    NAME = "by name"
    WAIT = "shortest estimated wait first"
    SEATS = "most free seats first"


class Point(NamedTuple):
    """A point on the earth, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Search:
    """What to find. `words` and `category` are folded; 0 and empty mean any."""

    sort: Sort
    words: tuple[str, ...] = ()
    category: str = ""
    near: Point | None = None
    radius_meters: int = 0
    open_now: bool = False
    party_size: int = 0


class Candidate(NamedTuple):
    """A store that matches in text, category, state and free seats: what the rest is decided by."""

    id: str
    name_key: str
    latitude: float | None
    longitude: float | None
    state: str
    time_zone: str
    opening_hours: str
    seats_remaining: int
    largest_free_capacity: int
    parties_waiting: int
    pace_seconds: int


class Found(NamedTuple):
    """A store found: its place in the order, and its distance when one was asked for."""

    key: Key
    id: str
    distance_meters: int


def fold(text: str) -> str:
    """Text as it is compared: width, case and composition make no difference."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def find(search: Search, candidates: Iterable[Candidate], now: datetime) -> list[Found]:
    """The stores that match, in order."""
    found = []
    for store in candidates:
        meters = _distance(search.near, store)
        if search.radius_meters and (meters is None or meters > search.radius_meters):
            continue
        if search.open_now and not is_open(store.opening_hours, store.time_zone, now):
            continue
        found.append(Found(_key(search.sort, store, meters), store.id, round(meters or 0)))
    return sorted(found)


def distance_meters(a: Point, b: Point) -> float:
    """Length of the great circle between two points (haversine)."""
    phi_a, phi_b = math.radians(a.latitude), math.radians(b.latitude)
    half_phi, half_lambda = (phi_b - phi_a) / 2, math.radians(b.longitude - a.longitude) / 2
    h = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_METERS * math.asin(math.sqrt(min(1.0, h)))


def latitudes(search: Search) -> tuple[float, float] | None:
    """Between which latitudes all stores within the radius are, slightly widened; None when any will do."""
    if search.near is None or not search.radius_meters:
        return None
    reach = math.degrees(search.radius_meters / EARTH_RADIUS_METERS) + 1e-6
    return search.near.latitude - reach, search.near.latitude + reach


def _distance(near: Point | None, store: Candidate) -> float | None:
    if near is None or store.latitude is None or store.longitude is None:
        return None
    return distance_meters(near, Point(store.latitude, store.longitude))


def _key(sort: Sort, store: Candidate, meters: float | None) -> Key:
    if sort is Sort.DISTANCE:
        return (1, 0, store.id) if meters is None else (0, round(meters), store.id)
    if sort is Sort.NAME:
        return (store.name_key, store.id)
    if sort is Sort.SEATS:
        return (-store.seats_remaining, store.id)
    wait = estimated_wait_seconds(
        parties_waiting=store.parties_waiting,
        pace_seconds=store.pace_seconds,
        largest_free_capacity=store.largest_free_capacity,
        state=store.state,
    )
    # where nobody can join there is no wait, yet it is not the shortest one
    return (int(store.state != "OPEN"), wait or 0, store.id)

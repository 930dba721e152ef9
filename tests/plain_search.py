"""The store search in plain Python: what every database must find, in the order in which it must find it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from services.dashboard.application.estimates import DEFAULT_PACE_SECONDS, estimated_wait_seconds
from services.dashboard.application.opening import is_open
from services.dashboard.application.search import EARTH_RADIUS_METERS, Point, Search, Sort


@dataclass(frozen=True)
class Shop:
    """A store with what the search goes by; texts are folded."""

    id: str
    name: str = "a"
    category: str = ""
    address: str = ""
    at: Point | None = None
    state: str = "OPEN"
    time_zone: str = "Asia/Seoul"
    hours: str = ""
    seats: int = 0
    largest: int = 0
    waiting: int = 0
    pace: int = DEFAULT_PACE_SECONDS


def plain_search(search: Search, shops: Iterable[Shop], now: datetime) -> list[tuple[str, int]]:
    """The ids of the stores that match, in order, each with its distance."""
    found = []
    for shop in shops:
        meters = None if search.near is None or shop.at is None else distance_meters(search.near, shop.at)
        if _matches(search, shop, meters, now):
            found.append((_key(search.sort, shop, meters), shop.id, round(meters or 0)))
    return [(id_, meters) for _, id_, meters in sorted(found)]


def distance_meters(a: Point, b: Point) -> float:
    """Length of the great circle between two points (haversine)."""
    phi_a, phi_b = math.radians(a.latitude), math.radians(b.latitude)
    half_phi, half_lambda = (phi_b - phi_a) / 2, math.radians(b.longitude - a.longitude) / 2
    h = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_METERS * math.asin(math.sqrt(min(1.0, h)))


def _matches(search: Search, shop: Shop, meters: float | None, now: datetime) -> bool:
    return (
        all(any(word in text for text in (shop.name, shop.category, shop.address)) for word in search.words)
        and search.category in ("", shop.category)
        and (not search.radius_meters or (meters is not None and meters <= search.radius_meters))
        and (not search.open_now or (shop.state == "OPEN" and is_open(shop.hours, shop.time_zone, now)))
        and shop.largest >= search.party_size
    )


def _key(sort: Sort, shop: Shop, meters: float | None) -> tuple[int | str, ...]:
    if sort is Sort.DISTANCE:
        return (1, 0, shop.id) if meters is None else (0, round(meters), shop.id)
    if sort is Sort.NAME:
        return (shop.name[:255], shop.id)
    if sort is Sort.SEATS:
        return (-shop.seats, shop.id)
    wait = estimated_wait_seconds(
        parties_waiting=shop.waiting, pace_seconds=shop.pace, largest_free_capacity=shop.largest, state=shop.state
    )
    return (int(shop.state != "OPEN"), wait or 0, shop.id)

"""What a store search asks for, and what it finds."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

EARTH_RADIUS_METERS = 6_371_008.8

Key = tuple[int | str, ...]
"""What found stores are ordered by; ends with the id, so no two are equal, and survives JSON."""


class Sort(Enum):
    """How found stores are ordered; ties by id."""

    DISTANCE = "nearest first"
    NAME = "by name"
    WAIT = "shortest estimated wait first"
    SEATS = "most free seats first"


_KEYS: dict[Sort, tuple[type[int | str], ...]] = {
    Sort.DISTANCE: (int, int, str),
    Sort.NAME: (str, str),
    Sort.WAIT: (int, int, str),
    Sort.SEATS: (int, str),
}


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


class Found(NamedTuple):
    """A store found: its place in the order, and its distance when one was asked for."""

    key: Key
    id: str
    distance_meters: int


def fold(text: str) -> str:
    """Text as it is compared: width, case and composition make no difference."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def is_key(sort: Sort, place: Sequence[object]) -> bool:
    """Whether this is a place in the order of found stores that every database can tell."""
    fit = (type(part) is kind and _can_be_told(part) for part, kind in zip(place, _KEYS[sort], strict=False))
    return len(place) == len(_KEYS[sort]) and all(fit)


def latitudes(search: Search) -> tuple[float, float] | None:
    """Between which latitudes all stores within the radius are, slightly widened; None when any will do."""
    if search.near is None or not search.radius_meters:
        return None
    reach = math.degrees(search.radius_meters / EARTH_RADIUS_METERS) + 1e-6
    return search.near.latitude - reach, search.near.latitude + reach


def _can_be_told(part: object) -> bool:
    return -(2**63) <= part < 2**63 if isinstance(part, int) else "\0" not in str(part)

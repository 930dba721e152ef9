"""Opening hours: spans of a week in the store's own time."""

import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = 24 * 60
WEEK = 7 * DAY


class Span(NamedTuple):
    """One span of opening hours: ISO weekday, and `HH:MM` of begin and end."""

    weekday: int
    open: str
    close: str


def dump(spans: Iterable[Span]) -> str:
    """Opening hours as a row keeps them; empty when there are none."""
    listed = list(spans)
    return json.dumps(listed) if listed else ""


def load(text: str) -> list[Span]:
    """Opening hours from a row."""
    return [Span(*span) for span in json.loads(text)] if text else []


def is_open(text: str, time_zone: str, now: datetime) -> bool:
    """Whether `now` is within opening hours as a row keeps them; without any a store never closes.

    An end that is not later than the begin is on the next day. Hours that cannot be read keep nobody out,
    for they are only informative.
    """
    if not text:
        return True
    try:
        local = now.astimezone(ZoneInfo(time_zone))
        minute = (local.isoweekday() - 1) * DAY + local.hour * 60 + local.minute
        return any((minute - begin) % WEEK < length for begin, length in _minutes_of(text))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return True


@lru_cache(maxsize=10_000)
def _minutes_of(text: str) -> tuple[tuple[int, int], ...]:
    """Begin of each span in minutes since Monday 00:00, and its length; most stores share few texts."""
    spans = []
    for span in load(text):
        begin, end = _minutes(span.open), _minutes(span.close)
        spans.append(((span.weekday - 1) * DAY + begin, end - begin if end > begin else end - begin + DAY))
    return tuple(spans)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)

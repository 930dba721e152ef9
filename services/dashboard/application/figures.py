"""Figures of a business day, from its receptions as they are now: the order of events plays no part."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR_MICROS = 3_600_000_000

SAT = frozenset({"SEATED", "COMPLETED"})
GAVE_UP = frozenset({"CANCELED", "REJECTED"})


class Visit(NamedTuple):
    """What counts of one reception; times in microseconds since 1970."""

    state: str
    create_micros: int
    call_micros: int | None
    seat_micros: int | None
    close_micros: int | None

    @property
    def called_micros(self) -> int | None:
        """When its wait ended: at the call, or at being seated without one."""
        return self.call_micros if self.call_micros is not None else self.seat_micros


@dataclass(slots=True)
class Hour:
    """What happened in one hour."""

    joined: int = 0
    seated: int = 0
    no_shows: int = 0
    waits: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Figures:
    """A day's figures; waits in microseconds, hours by the microsecond they begin at, in order."""

    joined: int
    seated: int
    canceled: int
    no_shows: int
    waits: list[int]
    hours: dict[int, Hour]


def figures(day: date, time_zone: str, day_start_hour: int, visits: Iterable[Visit]) -> Figures:
    """A day's figures.

    All hours of the business day are there, and those outside it in which something happened to its
    receptions: a party that joined late is seated after the cut-over.
    """
    begin, end = _bounds(day, time_zone, day_start_hour)
    hours: defaultdict[int, Hour] = defaultdict(Hour)
    for start in range(begin, end, HOUR_MICROS):
        hours[start] = Hour()
    result = Figures(0, 0, 0, 0, [], hours)
    for visit in visits:
        _count(visit, begin, result)
    result.hours = dict(sorted(hours.items()))
    return result


def mean(waits: Sequence[int]) -> int | None:
    """The mean, rounded to a microsecond; None of nothing."""
    return round(sum(waits) / len(waits)) if waits else None


def p90(waits: Sequence[int]) -> int | None:
    """The 90th percentile by nearest rank; None of nothing."""
    return sorted(waits)[math.ceil(len(waits) * 9 / 10) - 1] if waits else None


def _count(visit: Visit, begin: int, result: Figures) -> None:
    def hour(micros: int) -> Hour:
        return result.hours[micros - (micros - begin) % HOUR_MICROS]

    result.joined += 1
    hour(visit.create_micros).joined += 1
    if visit.state in SAT:
        result.seated += 1
        if visit.seat_micros is not None:
            hour(visit.seat_micros).seated += 1
    elif visit.state in GAVE_UP:
        result.canceled += 1
    elif visit.state == "NO_SHOW":
        result.no_shows += 1
        if visit.close_micros is not None:
            hour(visit.close_micros).no_shows += 1
    if (called := visit.called_micros) is not None:
        wait = max(0, called - visit.create_micros)
        result.waits.append(wait)
        hour(called).waits.append(wait)


def _bounds(day: date, time_zone: str, day_start_hour: int) -> tuple[int, int]:
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    start = time(day_start_hour, tzinfo=zone)
    return _micros(datetime.combine(day, start)), _micros(datetime.combine(day + timedelta(days=1), start))


def _micros(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

"""Opening hours: spans of a week."""

from collections.abc import Sequence
from typing import NamedTuple

DAY = 24 * 60
WEEK = 7 * DAY


class OpeningHours(NamedTuple):
    """One span: `weekday` 1 (Monday) to 7, `opens` and `closes` as `HH:MM`; one that ends earlier ends next day."""

    weekday: int
    opens: str
    closes: str

    def span(self) -> tuple[int, int]:
        """Begin and end in minutes since Monday 00:00; the end may lie in the next week."""
        begin = (self.weekday - 1) * DAY + _minutes(self.opens)
        return begin, begin + (_minutes(self.closes) - _minutes(self.opens)) % DAY


def overlap(hours: Sequence[OpeningHours]) -> bool:
    """True when two spans share a minute."""
    spans = sorted(each.span() for each in hours)
    if not spans:
        return False
    following = [*spans[1:], (spans[0][0] + WEEK, 0)]
    return any(end > begin for (_, end), (begin, _) in zip(spans, following, strict=True))


def _minutes(clock: str) -> int:
    hour, minute = clock.split(":")
    return int(hour) * 60 + int(minute)

"""Business days: a store's day begins at its own hour, in its own time zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
DEFAULT_ZONE = "Asia/Seoul"


def business_day(now: datetime, time_zone: str, start_hour: int) -> date:
    """The business day that `now` belongs to."""
    local = now.astimezone(_zone(time_zone))
    return local.date() if local.hour >= start_hour else local.date() - ONE_DAY


def start_of(day: date, time_zone: str, start_hour: int) -> datetime:
    """When a business day begins, in UTC."""
    return datetime.combine(day, time(start_hour), _zone(time_zone)).astimezone(UTC)


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or DEFAULT_ZONE)
    except (ValueError, OSError, KeyError):
        return ZoneInfo(DEFAULT_ZONE)

"""What notices say of a store: its name and its clock."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from services.chassis.kernel import Aggregate

HOME_ZONE = "Asia/Seoul"


@dataclass(kw_only=True)
class Store(Aggregate):
    """One store. `seen` is the newest version seen."""

    id: str
    seen: int = 0
    display_name: str = ""
    time_zone: str = HOME_ZONE

    def see(self, version: int, display_name: str, time_zone: str) -> bool:
        """Take over a newer version; False when it is not newer than the one held."""
        if version <= self.seen:
            return False
        self.seen = version
        self.display_name = " ".join(display_name.split())
        self.time_zone = time_zone or HOME_ZONE
        return True


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo(HOME_ZONE)


def time_of_day(moment: datetime, time_zone: str) -> str:
    """`HH:MM` on the wall of a store; on Korean walls when the zone is unknown."""
    local = moment.astimezone(_zone(time_zone))
    return f"{local.hour:02}:{local.minute:02}"

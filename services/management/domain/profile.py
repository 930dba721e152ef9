"""The profile of a store: its particulars and policies, all that staff may edit."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from enum import StrEnum

from services.chassis.kernel import invalid
from services.management.domain.hours import OpeningHours, overlap


class SeatingMode(StrEnum):
    """Who gets a free table."""

    COMPATIBLE_FIFO = "COMPATIBLE_FIFO"
    STRICT_FIFO = "STRICT_FIFO"
    BY_HAND = "BY_HAND"


class AcceptMode(StrEnum):
    """Whether a new order needs staff's consent."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Particulars and policies, with the defaults of a store that says nothing."""

    display_name: str
    category: str = ""
    address: str = ""
    latitude: float | None = None
    longitude: float | None = None
    phone: str = ""
    time_zone: str = "Asia/Seoul"
    day_start_hour: int = 5
    opening_hours: tuple[OpeningHours, ...] = ()
    min_party_size: int = 1
    max_party_size: int = 8
    max_waiting: int = 100
    call_timeout: timedelta = timedelta(minutes=5)
    accept_mode: AcceptMode = AcceptMode.AUTOMATIC
    seating_mode: SeatingMode = SeatingMode.COMPATIBLE_FIFO
    max_postpones: int = 2
    near_turn_parties: int = 3
    presence_required: bool = False

    def __post_init__(self) -> None:
        """Refuses what no single field shows. Raises `InvalidField`."""
        if self.min_party_size > self.max_party_size:
            raise invalid("max_party_size", f"must not be below min_party_size, {self.min_party_size}")
        if (self.latitude is None) != (self.longitude is None):
            raise invalid("location", "needs both latitude and longitude")
        if overlap(self.opening_hours):
            raise invalid("opening_hours", "has spans that overlap")


DEFAULTS: Mapping[str, object] = {f.name: f.default for f in fields(Profile) if f.default is not MISSING}
"""What a field of the profile is when nothing is said."""

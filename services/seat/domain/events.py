"""Facts of the floor."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SeatAdded:
    """A table is held for a party, or the party was called by hand without one."""


@dataclass(frozen=True, slots=True)
class PromiseBroken:
    """No table was left for a party that had been promised one; it waits in line."""


@dataclass(frozen=True, slots=True)
class SeatTaken:
    """The party sits."""


@dataclass(frozen=True, slots=True)
class HoldExpired:
    """The party did not come in time."""

    table_id: str
    held_at: datetime | None
    hold_expire_at: datetime | None


@dataclass(frozen=True, slots=True)
class SeatFreed:
    """The party left or gave up its table."""

    table_id: str
    held_at: datetime | None
    hold_expire_at: datetime | None


@dataclass(frozen=True, slots=True)
class TableChanged:
    """A table was added, changed, blocked, unblocked, held, occupied or freed."""


@dataclass(frozen=True, slots=True)
class AvailabilityChanged:
    """A store's free seats changed."""

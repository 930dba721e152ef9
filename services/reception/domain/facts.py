"""What the other services say, in this service's words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Seating:
    """What seat says about one reception's table."""

    reception_id: str
    store_id: str
    version: int
    round: int
    table: str
    held_at: datetime | None
    hold_expires_at: datetime | None


class OrderState(StrEnum):
    """Where the store's own record of a reception is."""

    RECEIVED = "RECEIVED"
    ACCEPTED = "ACCEPTED"
    CALLED = "CALLED"
    SEATED = "SEATED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    NO_SHOW = "NO_SHOW"
    DECLINED = "DECLINED"


@dataclass(frozen=True, slots=True)
class Order:
    """What management says about one reception."""

    id: str
    store_id: str
    version: int
    round: int
    state: OrderState
    party_size: int
    section: str
    table: str
    created_at: datetime | None
    called_at: datetime | None
    seated_at: datetime | None
    hold_expires_at: datetime | None

"""What the use cases need from outside: the unit of work and its repositories."""

from datetime import datetime
from typing import Protocol

from services.seat.domain.host import Host
from services.seat.domain.seating import Seating


class Seatings(Protocol):
    """All receptions, as the floor sees them."""

    def find(self, key: str) -> Seating | None:
        """The reception's seating, or None when nothing was heard of it."""


class Unit(Protocol):
    """One transaction."""

    @property
    def now(self) -> datetime:
        """When the transaction began."""

    @property
    def seatings(self) -> Seatings:
        """All receptions."""

    def host(self, store_id: str) -> Host:
        """The host of a store; of an unknown one, too: receptions may be heard of before their store."""

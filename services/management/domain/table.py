"""What management knows of a table: the last that seat told, and who was shown to it since."""

from dataclasses import dataclass
from enum import StrEnum

from services.chassis.kernel import Aggregate
from services.management.domain.errors import TableTaken, TableTooSmall


class TableState(StrEnum):
    """Whether a party can get the table."""

    FREE = "FREE"
    HELD = "HELD"
    OCCUPIED = "OCCUPIED"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class TableSnapshot:
    """A table as seat tells it; `reception_id` is empty when nobody has it."""

    id: str
    store_id: str
    version: int
    capacity: int
    state: TableState
    blocked: bool
    reception_id: str


@dataclass(kw_only=True)
class Table(Aggregate):
    """A copy of a table. Its id is `<store>/<table>`.

    `shown_to` is the order that staff last seated here: seat has yet to say so.
    """

    id: str
    store_id: str
    capacity: int = 0
    state: TableState = TableState.FREE
    blocked: bool = False
    reception_id: str = ""
    seat_version: int = 0
    shown_to: str = ""

    def follow(self, seen: TableSnapshot) -> bool:
        """Take over a newer snapshot."""
        if seen.version <= self.seat_version:
            return False
        self.capacity, self.state, self.blocked = seen.capacity, seen.state, seen.blocked
        self.reception_id, self.seat_version = seen.reception_id, seen.version
        return True

    def check_admits(self, order_id: str, party_size: int) -> None:
        """Raises `TableTooSmall` or `TableTaken`; a party that has the table already may stay even if blocked."""
        if party_size > self.capacity:
            raise TableTooSmall(f"table {self.id} seats {self.capacity}, the party is {party_size}")
        if self.reception_id == order_id:
            return
        if self.state is not TableState.FREE or self.blocked:
            raise TableTaken(f"table {self.id} is {self.state}")

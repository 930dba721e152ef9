"""The table: where a party sits."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.chassis.kernel import Aggregate, Stale
from services.seat.domain.events import TableChanged


class TableState(Enum):
    """Whether a party can get the table."""

    FREE = "FREE"
    HELD = "HELD"
    OCCUPIED = "OCCUPIED"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class TableChanges:
    """What to change about a table; None leaves a property as it is."""

    display_name: str | None = None
    capacity: int | None = None
    section: str | None = None


@dataclass(kw_only=True)
class Table(Aggregate):
    """Where a party sits. `party` is the reception that holds or occupies it, empty when nobody does."""

    store_id: str
    table_id: str
    capacity: int
    display_name: str = ""
    section: str = ""
    blocked: bool = False
    party: str = ""
    occupied: bool = False
    hold_expire_at: datetime | None = None

    @property
    def key(self) -> str:
        """Unique among the tables of all stores."""
        return f"{self.store_id}/{self.table_id}"

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"stores/{self.store_id}/tables/{self.table_id}"

    @property
    def state(self) -> TableState:
        """Whether a party can get it; a party that is there counts before a block."""
        if self.party:
            return TableState.OCCUPIED if self.occupied else TableState.HELD
        return TableState.BLOCKED if self.blocked else TableState.FREE

    @property
    def is_free(self) -> bool:
        """True when a party may be put here."""
        return not self.party and not self.blocked

    def fits(self, party_size: int, section: str) -> bool:
        """True when a party of this size, with this wish, could use the table."""
        return party_size <= self.capacity and section in ("", self.section)

    def expect(self, etag: str) -> None:
        """Raises `Stale` when the caller saw another version; no etag means any."""
        if etag and etag != str(self.version):
            raise Stale(f"{self.name} is at etag {self.version}, not {etag[:40]!r}")

    def add(self) -> None:
        """Put it on the floor."""
        self._changed(True)

    def change(self, changes: TableChanges) -> bool:
        """Take over new properties; True when that made a difference. A party that is there stays."""
        before = (self.display_name, self.capacity, self.section)
        if changes.display_name is not None:
            self.display_name = changes.display_name
        if changes.capacity is not None:
            self.capacity = changes.capacity
        if changes.section is not None:
            self.section = changes.section
        return self._changed((self.display_name, self.capacity, self.section) != before)

    def block(self) -> bool:
        """Take it out of use; True when it was in use. A party that is there stays."""
        different = not self.blocked
        self.blocked = True
        return self._changed(different)

    def unblock(self) -> bool:
        """Put it back into use; True when it was blocked."""
        different = self.blocked
        self.blocked = False
        return self._changed(different)

    def hold(self, party: str, until: datetime) -> None:
        """Keep it for a called party."""
        self.party, self.occupied, self.hold_expire_at = party, False, until
        self._changed(True)

    def occupy(self, party: str) -> None:
        """A party sits at it."""
        self.party, self.occupied, self.hold_expire_at = party, True, None
        self._changed(True)

    def free(self) -> None:
        """Nobody has it any more."""
        self.party, self.occupied, self.hold_expire_at = "", False, None
        self._changed(True)

    def _changed(self, different: bool) -> bool:
        if different:
            self.record(TableChanged())
        return different

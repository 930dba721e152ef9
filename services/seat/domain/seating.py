"""The seating: one reception's entry in the line, and the table it holds or occupies."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.chassis.kernel import Aggregate
from services.seat.domain.events import HoldExpired, PromiseBroken, SeatAdded, SeatFreed, SeatTaken


class Stage(Enum):
    """How far a reception is, as far as tables are concerned."""

    REQUESTED = "REQUESTED"
    WAITING = "WAITING"
    CALLED = "CALLED"
    SEATED = "SEATED"
    CLOSED = "CLOSED"


class State(Enum):
    """Where a seating is in its life."""

    WAITING = "WAITING"
    HELD = "HELD"
    OCCUPIED = "OCCUPIED"
    EXPIRED = "EXPIRED"
    DONE = "DONE"


HAS_SEAT = frozenset((State.HELD, State.OCCUPIED))


@dataclass(frozen=True, slots=True)
class ReceptionNews:
    """What reception tells of one of its receptions: the whole of it, at one version."""

    reception_id: str
    store_id: str
    version: int
    stage: Stage
    party_size: int
    order_key: int
    round: int = 0
    section: str = ""
    table_id: str = ""
    hold_expire_at: datetime | None = None


@dataclass(kw_only=True)
class Seating(Aggregate):
    """One reception as the floor sees it.

    `reception_version` and `round` are those of the newest news; 0 when nothing was heard yet. `refused`
    means that this round's promise of a table was withdrawn.
    """

    id: str
    store_id: str
    reception_version: int = 0
    round: int = 0
    state: State = State.WAITING
    order_key: int = 0
    party_size: int = 0
    section: str = ""
    table_id: str = ""
    held_at: datetime | None = None
    hold_expire_at: datetime | None = None
    refused: bool = False

    @property
    def reception(self) -> str:
        """Resource name of its reception."""
        return f"stores/{self.store_id}/receptions/{self.id}"

    @property
    def place(self) -> tuple[int, str]:
        """Smaller is served earlier."""
        return (self.order_key, self.id)

    def is_behind(self, news: ReceptionNews) -> bool:
        """True when `news` is newer than what is known; a higher round outranks any version."""
        return (news.round, news.version) > (self.round, self.reception_version)

    def note(self, news: ReceptionNews) -> None:
        """Take over what news tells of the party."""
        self.reception_version = news.version
        self.round = news.round
        self.order_key = news.order_key
        self.party_size = news.party_size
        self.section = news.section

    def hold(self, table_id: str, at: datetime, until: datetime) -> None:
        """The party is called, to a table or to none."""
        self.state = State.HELD
        self.table_id, self.held_at, self.hold_expire_at = table_id, at, until
        self.record(SeatAdded())

    def sit(self, table_id: str) -> None:
        """The party sits, at a table or at none that is known."""
        self.state = State.OCCUPIED
        self.table_id, self.hold_expire_at = table_id, None
        self.record(SeatTaken())

    def refuse(self) -> None:
        """Withdraw the promise of a table."""
        self.refused = True
        self.record(PromiseBroken())

    def expire(self) -> None:
        """The hold ran out."""
        self.record(HoldExpired(self.table_id, self.held_at, self.hold_expire_at))
        self._end(State.EXPIRED)

    def leave(self) -> None:
        """The party has gone, from the line or from a table."""
        if self.state in HAS_SEAT:
            self.record(SeatFreed(self.table_id, self.held_at, self.hold_expire_at))
        self._end(State.DONE)

    def start_over(self) -> None:
        """Into the line again, for a new round."""
        self._end(State.WAITING)
        self.refused = False

    def _end(self, state: State) -> None:
        self.state = state
        self.table_id, self.held_at, self.hold_expire_at = "", None, None

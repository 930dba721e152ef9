"""The reception: one party's entry with one store, and the arbiter of its own life."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.chassis.kernel import Aggregate, NotFound, Stale
from services.reception.domain import events
from services.reception.domain.errors import (
    AlreadyCalled,
    AlreadyClosed,
    AlreadySeated,
    NotWaiting,
    PostponeLimit,
)
from services.reception.domain.facts import Order, OrderState, Seating
from services.reception.domain.holder import Holder


class State(StrEnum):
    """Where a reception is in its life."""

    REQUESTED = "REQUESTED"
    WAITING = "WAITING"
    CALLED = "CALLED"
    SEATED = "SEATED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    NO_SHOW = "NO_SHOW"
    REJECTED = "REJECTED"


class CloseReason(StrEnum):
    """Why a reception was closed; NONE while open, and when COMPLETED."""

    NONE = ""
    CUSTOMER_CANCELED = "CUSTOMER_CANCELED"
    STORE_CANCELED = "STORE_CANCELED"
    STORE_DECLINED = "STORE_DECLINED"
    STORE_CLOSED = "STORE_CLOSED"
    SEATED_ELSEWHERE = "SEATED_ELSEWHERE"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    MARKED_NO_SHOW = "MARKED_NO_SHOW"


class Channel(StrEnum):
    """How a party came into the line."""

    ONLINE = "ONLINE"
    WALK_IN = "WALK_IN"


IN_LINE = frozenset({State.REQUESTED, State.WAITING})
UNSEATED = frozenset({State.REQUESTED, State.WAITING, State.CALLED})
OPEN = frozenset({*UNSEATED, State.SEATED})
SAT = frozenset({State.SEATED, State.COMPLETED})

_ENDINGS = {
    OrderState.DECLINED: (State.REJECTED, CloseReason.STORE_DECLINED),
    OrderState.CANCELED: (State.CANCELED, CloseReason.STORE_CANCELED),
    OrderState.NO_SHOW: (State.NO_SHOW, CloseReason.MARKED_NO_SHOW),
    OrderState.COMPLETED: (State.COMPLETED, CloseReason.NONE),
}

# a party may let pass those who could sit at the same table: parties up to the top of its own band
_BAND_TOPS = (2, 4, 6)


@dataclass(frozen=True, slots=True)
class Contact:
    """Who the party is and how to reach it; nothing of it is known of a walk-in.

    The number is `phone_sealed`, which nobody here can read, and `phone_masked`, which may be shown. `phone_plain` has
    it in the clear where a version wrote it that did not seal, until it is sealed.
    """

    customer_id: str = ""
    customer_key: str = ""
    phone_sealed: str = field(default="", repr=False)
    phone_masked: str = ""
    language_code: str = "ko"
    phone_plain: str = field(default="", repr=False)

    @property
    def has_phone(self) -> bool:
        """Whether the party can be reached."""
        return bool(self.phone_sealed or self.phone_plain)


@dataclass(kw_only=True)
class Reception(Aggregate):
    """One party's entry. One save tells one event: each is the whole present state."""

    id: str
    store_id: str
    state: State
    channel: Channel
    party_size: int
    section: str
    contact: Contact
    order_key: int
    created_at: datetime
    business_day: str
    waiting_number: int = 0
    near_turn: bool = False
    promised: bool = False
    round: int = 0
    postpone_count: int = 0
    table: str = ""
    hold_expires_at: datetime | None = None
    close_reason: CloseReason = CloseReason.NONE
    called_at: datetime | None = None
    seated_at: datetime | None = None
    closed_at: datetime | None = None
    seating_version: int = 0
    order_version: int = 0

    @property
    def name(self) -> str:
        """`stores/{store}/receptions/{reception}`."""
        return f"stores/{self.store_id}/receptions/{self.id}"

    def expect_holder(self, holder: Holder) -> None:
        """Raises `NotFound`, as for one that there is not, when it is somebody else's.

        A pass is good for nothing once the reception is forgotten.
        """
        has_pass = holder.has_pass and not self.was_left_before(holder.forgotten_before)
        if not (has_pass or holder.is_let_in or holder.acts_for(self.contact.customer_id)):
            raise NotFound(f"{self.name} does not exist")

    def was_left_before(self, moment: datetime) -> bool:
        """Whether it had ended by then; who had sat down has left since, even if nobody said so."""
        left_at = self.closed_at or self.seated_at
        return left_at is not None and left_at < moment

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN

    def was_joined_before(self, seated: "Reception") -> bool:
        """Whether the party joined this line before it sat down as the other one."""
        return seated.seated_at is None or self.created_at <= seated.seated_at

    def expect(self, etag: str) -> None:
        """Raises `Stale` when the caller saw another version than the present one; no etag means any."""
        if etag and etag != str(self.version):
            raise Stale(f"{self.name} has the etag {self.version} now, not {etag[:40]!r}")

    def record(self, event: object) -> None:
        """Keep the last event: what happened before it in the same save is part of the same snapshot."""
        self.events[:] = [event]

    # what the customer does

    def cancel(self, at: datetime) -> None:
        """Give up; nothing happens when it was canceled before. Raises when seated or ended otherwise."""
        if self.state is State.CANCELED:
            return
        if self.state is State.SEATED:
            raise AlreadySeated(f"{self.name} is SEATED")
        self._check_open()
        self._close(State.CANCELED, CloseReason.CUSTOMER_CANCELED, at)

    def check_postpone(self, limit: int) -> None:
        """Raises when it has no place in line, or used up its postponements."""
        self._check_open()
        if self.state is State.REQUESTED:
            raise NotWaiting(f"{self.name} is REQUESTED")
        if self.state is State.CALLED:
            raise AlreadyCalled(f"{self.name} is CALLED")
        if self.state is State.SEATED:
            raise AlreadySeated(f"{self.name} is SEATED")
        if self.postpone_count >= limit:
            raise PostponeLimit(f"{self.name} was postponed {self.postpone_count} times; {limit} at most")

    def postpone(self, order_key: int) -> None:
        """Take a later place in line. The turn is near again only when it is."""
        self.order_key = order_key
        self.postpone_count += 1
        self.near_turn = False
        self.record(events.ReceptionPostponed())

    @property
    def lets_pass_up_to(self) -> int:
        """The largest party that could use the same table."""
        return next((top for top in _BAND_TOPS if self.party_size <= top), 1000)

    # what the line does

    def be_numbered(self, number: int, business_day: str) -> None:
        """Wait under a number."""
        self.state = State.WAITING
        self.waiting_number = number
        self.business_day = business_day

    def come_near(self) -> None:
        """Only few parties are ahead now."""
        self.near_turn = True
        self.record(events.ReceptionNeared())

    def send_away(self, reason: CloseReason, at: datetime) -> None:
        """Close what was not seated; nothing happens otherwise."""
        if self.state in UNSEATED:
            self._close(State.CANCELED, reason, at)

    # what seat says

    def is_news_of_seat(self, seating: Seating) -> bool:
        """Whether a seating is newer than the one applied last, and not of a round gone by."""
        return seating.version > self.seating_version and seating.round >= self.round

    def hold(self, seating: Seating, at: datetime) -> None:
        """A table is held: the party is called. A reception that ended tells so again, so that seat frees it."""
        if self.state in IN_LINE:
            self._call(seating.table, seating.hold_expires_at, seating.held_at or at)
        elif self.state is State.CALLED and seating.table and not self.table:
            self.table = seating.table
            self.hold_expires_at = seating.hold_expires_at
            self.record(events.ReceptionCalled())
        elif not self.is_open:
            self._tell_end()
        self._applied(seating)

    def lose_promise(self, seating: Seating, number: int, business_day: str) -> None:
        """The promised table was gone: wait instead."""
        self.be_numbered(number, business_day)
        self.record(events.ReceptionNumbered())
        self._applied(seating)

    def lose_hold(self, seating: Seating, at: datetime) -> None:
        """The hold ran out before the party came."""
        if self.state in UNSEATED:
            self._close(State.NO_SHOW, CloseReason.HOLD_EXPIRED, at)
        self._applied(seating)

    def sit_at(self, seating: Seating) -> None:
        """Seat tells at which table the party sits."""
        if self.state is State.SEATED and seating.table != self.table:
            self.table = seating.table
            self.record(events.ReceptionSeated())
        self._applied(seating)

    # what management says

    def is_news_of_order(self, order: Order) -> bool:
        """Whether an order is newer than the one applied last, and not of a round gone by."""
        return order.version > self.order_version and order.round >= self.round

    def restore(self, order: Order) -> bool:
        """Enter a new round. True when the party has to get back into the line."""
        self.round = order.round
        if self.state in (State.CANCELED, State.REJECTED, State.COMPLETED):
            self._tell_end()
            return False
        self.state = State.WAITING
        self.table = ""
        self.near_turn = False
        self.close_reason = CloseReason.NONE
        self.hold_expires_at = self.called_at = self.seated_at = self.closed_at = None
        self.record(events.ReceptionRestored())
        return True

    def follow(self, order: Order, at: datetime) -> None:
        """Do what staff did; what comes too late changes nothing."""
        if order.state is OrderState.CALLED and self.state in IN_LINE:
            self._call("", order.hold_expires_at, order.called_at or at)
        elif order.state is OrderState.SEATED:
            self._seat(order, at)
        elif order.state in _ENDINGS and self.is_open:
            if order.state is OrderState.COMPLETED:
                self.seated_at = self.seated_at or order.seated_at or at
            self._close(*_ENDINGS[order.state], at)
        if self.events:
            self.order_version = order.version

    def _seat(self, order: Order, at: datetime) -> None:
        if self.state in UNSEATED:
            self.state = State.SEATED
            self.table = order.table or self.table
            self.hold_expires_at = None
            self.seated_at = order.seated_at or at
            self.record(events.ReceptionSeated())
        elif not self.is_open:
            self._tell_end()

    def _call(self, table: str, hold_expires_at: datetime | None, at: datetime) -> None:
        self.state = State.CALLED
        self.table = table
        self.hold_expires_at = hold_expires_at
        self.called_at = at
        self.record(events.ReceptionCalled())

    def _close(self, state: State, reason: CloseReason, at: datetime) -> None:
        self.state = state
        self.close_reason = reason
        self.hold_expires_at = None
        if state is not State.COMPLETED:
            self.table = ""
        self.closed_at = at
        self._tell_end()

    def _tell_end(self) -> None:
        canceled = self.state is State.CANCELED
        self.record(events.ReceptionCanceled() if canceled else events.ReceptionClosed())

    def _applied(self, seating: Seating) -> None:
        if self.events:
            self.seating_version = seating.version

    def _check_open(self) -> None:
        if not self.is_open:
            raise AlreadyClosed(f"{self.name} is {self.state.value}")

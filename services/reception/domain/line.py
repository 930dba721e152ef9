"""The line: one store's waiting receptions in figures, its policy, numbers and order keys."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from services.chassis.kernel import Aggregate, Allowance, NotFound, invalid
from services.reception.domain.business_day import DEFAULT_ZONE, ONE_DAY, business_day, start_of
from services.reception.domain.errors import LineBusy, LineFull, LinePaused, PresenceRequired, StoreClosed
from services.reception.domain.reception import State

# far apart, so that a postponed party fits between any two others many times over
KEY_STEP = 1 << 20

PACE_SECONDS = 300.0
FASTEST_SECONDS = 10.0
SLOWEST_SECONDS = 3600.0
NEWEST_WEIGHT = 0.3


class StoreState(StrEnum):
    """Whether parties can join."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    PAUSED = "PAUSED"


class SeatingMode(StrEnum):
    """Who gets a free table."""

    COMPATIBLE_FIFO = "COMPATIBLE_FIFO"
    STRICT_FIFO = "STRICT_FIFO"
    BY_HAND = "BY_HAND"


@dataclass(frozen=True, slots=True)
class Policy:
    """What management says about a store. `store_version` 0: nothing was said yet."""

    store_version: int = 0
    display_name: str = ""
    state: StoreState = StoreState.CLOSED
    min_party_size: int = 1
    max_party_size: int = 8
    max_waiting: int = 100
    call_timeout_seconds: int = 300
    seating_mode: SeatingMode = SeatingMode.COMPATIBLE_FIFO
    max_postpones: int = 2
    near_turn_parties: int = 3
    time_zone: str = DEFAULT_ZONE
    day_start_hour: int = 5
    presence_required: bool = False


@dataclass(kw_only=True)
class Line(Aggregate):
    """One store's line. `changed` is set by whatever has to be saved.

    `joins_back_at` tells of the joins by people who come by themselves, as `Allowance` does.
    """

    id: str
    policy: Policy = Policy()
    business_day: str = ""
    day_ends_at: datetime | None = None
    next_waiting_number: int = 1
    next_order_key: int = KEY_STEP
    waiting: int = 0
    requested: int = 0
    pace_seconds: float = PACE_SECONDS
    last_call_at: datetime | None = None
    sent_home_at: datetime | None = None
    joins_back_at: datetime | None = None
    changed: bool = field(default=False, repr=False, compare=False)

    @property
    def is_known(self) -> bool:
        """Whether management has told of the store; a walk-in may come earlier."""
        return self.policy.store_version > 0

    def check_join(self, party_size: int) -> None:
        """Raises when the store takes no such party now."""
        policy = self.policy
        if not self.is_known:
            raise NotFound(f"stores/{self.id} does not exist")
        if policy.state is StoreState.CLOSED:
            raise StoreClosed(f"stores/{self.id} is CLOSED")
        if policy.state is StoreState.PAUSED:
            raise LinePaused(f"stores/{self.id} is PAUSED")
        if not policy.min_party_size <= party_size <= policy.max_party_size:
            raise invalid("party_size", f"must be from {policy.min_party_size} to {policy.max_party_size}")
        # a promise may turn into a place in line
        if self.waiting + self.requested >= policy.max_waiting:
            raise LineFull(f"{self.waiting + self.requested} parties are in line; {policy.max_waiting} at most")

    def check_visitor(self, allowance: Allowance, now: datetime, *, is_present: bool) -> None:
        """Raises when somebody who comes alone may not join now."""
        if self.policy.presence_required and not is_present:
            raise PresenceRequired(f"stores/{self.id} takes parties at its door")
        if wait := allowance.wait(self.joins_back_at, now):
            raise LineBusy(f"stores/{self.id} takes {allowance.most} in {allowance.span}", wait)

    def count_visitor(self, allowance: Allowance, now: datetime) -> None:
        """Somebody who comes alone joins."""
        self.joins_back_at = allowance.take(self.joins_back_at, now)
        self.changed = True

    def may_promise(self, party_size: int) -> bool:
        """Whether it makes sense to ask for a free table."""
        policy = self.policy
        return (
            policy.state is StoreState.OPEN
            and policy.seating_mode is not SeatingMode.BY_HAND
            and policy.min_party_size <= party_size <= policy.max_party_size
        )

    def take_key(self) -> int:
        """The order key at the end of the line."""
        key = self.next_order_key
        self.next_order_key = key + KEY_STEP
        self.changed = True
        return key

    def take_number(self) -> int:
        """The next waiting number of the business day."""
        number = self.next_waiting_number
        self.next_waiting_number = number + 1
        self.changed = True
        return number

    def is_near(self, parties_ahead: int) -> bool:
        """Whether a party with so many ahead is to be told that its turn is near."""
        return 0 < self.policy.near_turn_parties >= parties_ahead

    def count(self, before: State | None, after: State) -> None:
        """A reception went from one state to another."""
        waiting = (after is State.WAITING) - (before is State.WAITING)
        requested = (after is State.REQUESTED) - (before is State.REQUESTED)
        if waiting or requested:
            self.waiting += waiting
            self.requested += requested
            self.changed = True
        if not self.waiting:
            # an empty line has no pace: the next gap would be idle time
            self.last_call_at = None

    def call_made(self, at: datetime) -> None:
        """Somebody who waited was called: learn how fast the line moves."""
        if self.last_call_at is not None:
            gap = min(max((at - self.last_call_at).total_seconds(), FASTEST_SECONDS), SLOWEST_SECONDS)
            self.pace_seconds += NEWEST_WEIGHT * (gap - self.pace_seconds)
        self.last_call_at = at
        self.changed = True

    def wait_seconds(self, parties_ahead: int) -> int:
        """About how long until a party with so many ahead is called."""
        return round((parties_ahead + 1) * self.pace_seconds)

    def roll(self, now: datetime) -> None:
        """Begin a new business day when its time has come: numbers start again."""
        if self.day_ends_at is not None and now < self.day_ends_at:
            return
        today = business_day(now, self.policy.time_zone, self.policy.day_start_hour)
        if self.business_day:
            today = max(today, date.fromisoformat(self.business_day) + ONE_DAY)
        self.business_day = today.isoformat()
        self.next_waiting_number = 1
        self._end_day()

    def adopt(self, policy: Policy, now: datetime) -> bool:
        """Follow a newer policy. False when it is not newer."""
        if policy.store_version <= self.policy.store_version:
            return False
        self.policy = policy
        self.changed = True
        self.roll(now)
        self._end_day()
        return True

    def send_home(self, before: datetime | None) -> bool:
        """Remember that who joined until `before` was sent home. False when that is no news."""
        if before is None or (self.sent_home_at is not None and before <= self.sent_home_at):
            return False
        self.sent_home_at = before
        self.changed = True
        return True

    def _end_day(self) -> None:
        tomorrow = date.fromisoformat(self.business_day) + ONE_DAY
        self.day_ends_at = start_of(tomorrow, self.policy.time_zone, self.policy.day_start_hour)
        self.changed = True

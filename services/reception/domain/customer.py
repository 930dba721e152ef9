"""A customer: one open reception to a store, three in all, and not too many joins in a short time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.chassis.kernel import Aggregate, Limit
from services.reception.domain.business_day import ONE_DAY
from services.reception.domain.errors import AlreadyInLine, TooManyJoins, TooManyLines

MOST_LINES = 3


@dataclass(kw_only=True)
class Customer(Aggregate):
    """Open receptions of one customer, `open`: reception id → store id; and when the last day's were joined."""

    key: str
    open: dict[str, str] = field(default_factory=dict)
    joined_at: list[datetime] = field(default_factory=list)

    @property
    def forget_at(self) -> datetime | None:
        """When nothing of this matters any more; None while a reception is open."""
        if self.open:
            return None
        return self.joined_at[-1] + ONE_DAY if self.joined_at else datetime.min.replace(tzinfo=UTC)

    def may_join(self, store_id: str) -> bool:
        """Whether another reception at this store is within the limits."""
        return store_id not in self.open.values() and len(self.open) < MOST_LINES

    def check_join(self, store_id: str, *, is_known: bool) -> None:
        """Raises `AlreadyInLine`, or `TooManyLines`; tells what is open to who `is_known` to be the customer."""
        for reception_id, open_store_id in self.open.items():
            if open_store_id == store_id:
                name = f"stores/{store_id}/receptions/{reception_id}"
                told = {"reception": name} if is_known else {}
                raise AlreadyInLine(f"{name if is_known else 'a reception'} is open", **told)
        if len(self.open) >= MOST_LINES:
            found = f"{len(self.open)} receptions" if is_known else "too many receptions"
            raise TooManyLines(f"{found} are open; {MOST_LINES} at most")

    def check_pace(self, limits: Iterable[Limit], now: datetime, *, is_known: bool) -> None:
        """Raises `TooManyJoins`: those that were canceled count too."""
        wait = max(limit.wait(self.joined_at, now) for limit in limits)
        if wait:
            times = f"{len(self.joined_at)} times" if is_known else "too often"
            raise TooManyJoins(f"joined {times} in a day", wait)

    def join(self, reception_id: str, store_id: str, at: datetime) -> None:
        """A reception of the customer's begins."""
        self.joined_at = [*(before for before in self.joined_at if at - before < ONE_DAY), at]
        self.hold(reception_id, store_id)

    def hold(self, reception_id: str, store_id: str) -> None:
        """A reception of the customer's is open."""
        self.open[reception_id] = store_id

    def take_over(self, other: "Customer") -> None:
        """It was this customer all the time, known by another key."""
        self.open |= other.open
        self.joined_at = sorted((*self.joined_at, *other.joined_at))

    def let_go(self, reception_id: str) -> None:
        """A reception of the customer's is open no more."""
        self.open.pop(reception_id, None)

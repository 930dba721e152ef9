"""Budgets: how many notices one phone, one block of numbers and one store may cost."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.chassis.kernel import Aggregate, Allowance, Limit

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What there is to spend. No limit is about more than a day."""

    phone: tuple[Limit, ...]
    block: Allowance
    store: Allowance


@dataclass(kw_only=True)
class Budget(Aggregate):
    """What was spent of one budget.

    One of a phone holds the last day's notices, by id; one of many numbers only `back_at`, as `Allowance` tells it.
    """

    key: str
    paid: dict[str, datetime] = field(default_factory=dict)
    back_at: datetime | None = None

    @property
    def forget_at(self) -> datetime:
        """When nothing of this matters any more."""
        return self.back_at or max(self.paid.values()) + ONE_DAY

    def is_within(self, limits: Iterable[Limit], now: datetime) -> bool:
        """Whether there may be one more notice."""
        times = sorted(self.paid.values())
        return not any(limit.wait(times, now) for limit in limits)

    def allows(self, allowance: Allowance, now: datetime) -> bool:
        """Whether there may be one more notice."""
        return not allowance.wait(self.back_at, now)

    def pay(self, notice_id: str, now: datetime) -> None:
        """One more notice is sent to this phone."""
        self.paid = {id_: at for id_, at in self.paid.items() if now - at < ONE_DAY} | {notice_id: now}

    def take(self, allowance: Allowance, now: datetime) -> None:
        """One more notice is sent to one of these numbers, or for this store."""
        self.back_at = allowance.take(self.back_at, now)

"""The store: a restaurant that takes parties."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.chassis.kernel import Aggregate, invalid
from services.management.domain.errors import StoreClosed
from services.management.domain.events import StoreChanged
from services.management.domain.profile import Profile

LONGEST_PAUSE = timedelta(days=366)


class StoreState(StrEnum):
    """Whether parties can join."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    PAUSED = "PAUSED"


@dataclass(kw_only=True)
class Store(Aggregate):
    """A store. Methods answer whether anything changed."""

    id: str
    profile: Profile
    created_at: datetime
    updated_at: datetime
    state: StoreState = StoreState.CLOSED
    reopen_at: datetime | None = None
    sent_home_at: datetime | None = None

    @classmethod
    def create(cls, store_id: str, profile: Profile, now: datetime) -> "Store":
        """A new store; it is closed at first."""
        store = cls(id=store_id, profile=profile, created_at=now, updated_at=now)
        store.record(StoreChanged())
        return store

    def change(self, changes: Mapping[str, Any], now: datetime) -> bool:
        """Give fields of the profile new values. Raises `InvalidField` when they do not go together."""
        profile = replace(self.profile, **changes)
        if profile == self.profile:
            return False
        self.profile = profile
        return self._changed(now)

    def open(self, now: datetime) -> bool:
        """Let parties join."""
        if self.state is StoreState.OPEN:
            return False
        self.state, self.reopen_at = StoreState.OPEN, None
        return self._changed(now)

    def pause(self, reopen_at: datetime | None, now: datetime) -> bool:
        """Let nobody join until `reopen_at`, or until opened by hand. Raises `StoreClosed`, `InvalidField`."""
        if self.state is StoreState.CLOSED:
            raise StoreClosed(f"store {self.id} is CLOSED")
        if reopen_at is not None and not now < reopen_at <= now + LONGEST_PAUSE:
            raise invalid("reopen_time", f"must lie in the next {LONGEST_PAUSE.days} days")
        if self.state is StoreState.PAUSED and self.reopen_at == reopen_at:
            return False
        self.state, self.reopen_at = StoreState.PAUSED, reopen_at
        return self._changed(now)

    def close(self, now: datetime, *, send_everyone_home: bool) -> bool:
        """Close the line; sending home also works on a store that is closed already."""
        if self.state is StoreState.CLOSED and not send_everyone_home:
            return False
        self.state, self.reopen_at = StoreState.CLOSED, None
        if send_everyone_home:
            self.sent_home_at = now
        return self._changed(now)

    def reopen(self, now: datetime) -> bool:
        """Open when the pause is over; a store that was opened, closed or paused anew meanwhile stays as it is."""
        if self.state is not StoreState.PAUSED or self.reopen_at is None or self.reopen_at > now:
            return False
        return self.open(now)

    def _changed(self, now: datetime) -> bool:
        self.updated_at = now
        self.record(StoreChanged())
        return True

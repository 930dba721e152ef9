"""Forgetting what parties were told long ago."""

from datetime import datetime, timedelta
from typing import Protocol


class OldNotices(Protocol):
    """The ledger, as far back as it goes."""

    def forget(self, before: datetime, limit: int) -> int:
        """Delete settled notices decided before then, with what is known of their receptions; gives how many.

        `limit` at most.
        """


class UnitOfWork(Protocol):
    """One transaction."""

    @property
    def now(self) -> datetime:
        """When it began."""

    @property
    def notices(self) -> OldNotices:
        """The ledger."""


def forget(after: timedelta, uow: UnitOfWork, most: int) -> int:
    """What was decided so long ago, and what is known of its receptions, is kept no longer.

    Gives how many they were, `most` at most.
    """
    return uow.notices.forget(uow.now - after, most)

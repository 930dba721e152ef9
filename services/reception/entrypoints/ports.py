"""What the servicers are handed: reading, and following what changes."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from services.reception.application.ports import Placed, Standing
from services.reception.application.ports import UnitOfWork as Work
from services.reception.domain.line import Line
from services.reception.domain.line_order import LineOrder
from services.reception.domain.reception import Reception, State


class UnitOfWork(Work, Protocol):
    """A transaction that can tell where a reception stands."""

    def standing(self, reception: Reception) -> Standing:
        """Where a reception stands, as this transaction sees it."""


class Vault(Protocol):
    """Phone numbers at rest."""

    def seal(self, phone: str, reception_id: str) -> str:
        """The number as it is kept."""

    def hashes(self, told: str) -> list[str]:
        """What tells one number, or address, from another, by each key, the newest first."""


class Followed(Protocol):
    """One reception that is followed."""

    async def changed(self, seconds: float) -> bool:
        """True when the reception, or who is ahead of it, changed within `seconds`."""

    async def changed_itself(self, seconds: float) -> bool:
        """True when the reception changed within `seconds`."""

    async def read(self) -> Placed | None:
        """The reception and its place as they are now."""


class Reads(Protocol):
    """The read side."""

    async def line(self, store_id: str) -> Line | None:
        """A store's line, not to be changed; where another process has just changed it, maybe as it was before."""

    def order(self, store_id: str) -> LineOrder:
        """Who waits, as of the last time that the line was asked for, or later; not to be changed."""

    async def one(self, store_id: str, reception_id: str) -> Placed | None:
        """A store's reception, or None."""

    async def page(
        self,
        *,
        store_id: str | None,
        customer_id: str | None,
        states: Sequence[State],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[Placed]:
        """Receptions by age."""

    async def contacts(self, names: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
        """Name, phone and language of those of (store, reception) that have a phone."""

    def follow(self, store_id: str, reception_id: str) -> AbstractContextManager[Followed]:
        """Follow one reception; nothing that changes after this call is missed."""

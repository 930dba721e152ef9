"""A vendor of notices, and those who know where parties can be reached, by hand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from services.chassis.service import Service
from services.notification.application.notifier import (
    Capabilities,
    Channel,
    Delivery,
    Notification,
    Status,
    Submission,
)
from services.notification.domain.outcome import Outcome
from services.reception.adapters.queries import contacts
from services.reception.adapters.vault import Vault
from tests.entitled import PHONE_KEYS


class Vendor:
    """Delivers notices: each id once, whatever it then answers."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.answers = Outcome.DELIVERED

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        return [self._take(notification.id) for notification in batch]

    async def result(self, notification_id: str) -> Delivery:
        known = Outcome.DELIVERED if notification_id in self.delivered else None
        return Delivery(notification_id, Channel.KAKAO, known, "")

    def capabilities(self) -> Capabilities:
        return Capabilities(
            vendor="test",
            batch_max=100,
            named_variables=True,
            native_fallback=False,
            accepted_is_delivered=True,
            idempotency_window=timedelta(days=3),
        )

    def _take(self, id_: str) -> Submission:
        if id_ in self.delivered:
            return Submission(id_, Status.DUPLICATE, Outcome.DUPLICATE, "")
        if self.answers is not Outcome.TRANSIENT:
            self.delivered.append(id_)
        status = Status.ACCEPTED if self.answers is Outcome.DELIVERED else Status.UNCERTAIN
        return Submission(id_, status, self.answers, "")


class Contacts(Protocol):
    """Knows where parties can be reached."""

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Phone numbers by reception id."""


class Everybody:
    """Everybody has a phone number."""

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        return dict.fromkeys((id_ for _, id_ in receptions), "+821033333333")


class ReceptionContacts:
    """Reception's phone numbers, straight from its database."""

    def __init__(self, reception: Service[Any]) -> None:
        self._reception = reception

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        found = await self._reception.frame.database.read(
            lambda connection: contacts(connection, receptions, Vault(PHONE_KEYS))
        )
        return {name.rpartition("/")[2]: phone for name, phone, _ in found}

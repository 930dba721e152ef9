"""The port to those who deliver notices, and the port to those who know where to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple, Protocol

from services.notification.domain.outcome import Outcome


class Status(Enum):
    """What a vendor said at once to one notification."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"
    UNCERTAIN = "UNCERTAIN"


class Channel(Enum):
    """The way a notification took."""

    KAKAO = "KAKAO"


class Notification(NamedTuple):
    """One message to hand over.

    `id` is the idempotency key everywhere; `to` is E.164; `template_code` and `variables` make up the text.
    """

    id: str
    template_code: str
    language_code: str
    to: str
    variables: Mapping[str, str]
    expire_at: datetime


class Submission(NamedTuple):
    """What became of handing one notification over."""

    id: str
    status: Status
    outcome: Outcome
    raw_code: str
    vendor_reference: str = ""


class Delivery(NamedTuple):
    """What the vendor knows of one notification. `outcome` is None when the vendor never had it."""

    id: str
    channel: Channel
    outcome: Outcome | None
    raw_code: str
    vendor_reference: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a vendor can do.

    `accepted_is_delivered`: no result follows an acceptance. `idempotency_window`: how long it knows an id again.
    """

    vendor: str
    batch_max: int
    named_variables: bool
    native_fallback: bool
    accepted_is_delivered: bool
    idempotency_window: timedelta


class Notifier(Protocol):
    """Delivers notifications. Never raises for what a vendor or a network does: that is an outcome."""

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        """Hand over up to `batch_max` notifications of any templates; one submission each."""

    async def result(self, notification_id: str) -> Delivery:
        """What became of a notification, by its id."""

    def capabilities(self) -> Capabilities:
        """What the vendor can do."""


class Contact(NamedTuple):
    """Where a party can be reached: its number in E.164."""

    reception_id: str
    phone: str


class ContactsUnavailable(Exception):
    """Nobody can say at the moment where parties can be reached."""


class Contacts(Protocol):
    """Knows where parties can be reached."""

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Phone numbers by reception id, for up to 1,000 (store id, reception id); unknown ones are left out.

        Raises `ContactsUnavailable`.
        """

"""The notice: one message to a party for one purpose, from decision to end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.chassis.kernel import Aggregate
from services.notification.domain.errors import NoticeIsSettled
from services.notification.domain.events import NoticeSettled
from services.notification.domain.outcome import WORTH_REPEATING, Outcome, Report
from services.notification.domain.purpose import Purpose, ReceptionState, is_true


class State(Enum):
    """What became of a notice."""

    PENDING = "PENDING"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    WITHHELD = "WITHHELD"


class Reason(Enum):
    """Why a notice was withheld."""

    STALE = "STALE"
    EXPIRED = "EXPIRED"
    NO_CONTACT = "NO_CONTACT"
    PHONE_LIMIT = "PHONE_LIMIT"
    """So many were sent to this phone lately."""
    BLOCK_LIMIT = "BLOCK_LIMIT"
    """So many were sent to numbers that begin alike."""
    STORE_LIMIT = "STORE_LIMIT"
    """So many were sent for this store."""


LEASE = timedelta(seconds=20)
"""How long whoever has a notice in hand has it to himself: who decided on it, or who took up what was left over."""
ATTEMPT = timedelta(seconds=15)
"""How long an attempt may take; what is left of the lease is to write down what came of it."""

FIRST_DELAY = timedelta(seconds=1)
LONGEST_DELAY = timedelta(seconds=30)
KEEP_ASKING = timedelta(days=3)
"""How long a vendor may take to tell whether a notice arrived."""


@dataclass(kw_only=True)
class Notice(Aggregate):
    """One line of the ledger.

    `next_attempt_at` is None once settled. `doubtful`: an attempt may have come through that nobody knows the end
    of; in the ledger every notice is so while somebody who took it up has it in hand.
    `phone` is masked; the number itself is never kept.
    """

    id: str
    store_id: str
    reception_id: str
    purpose: Purpose
    round: int
    language_code: str
    template_code: str
    variables: Mapping[str, str]
    text: str
    expire_at: datetime
    created_at: datetime
    updated_at: datetime
    next_attempt_at: datetime | None
    state: State = State.PENDING
    phone: str = ""
    failure: str = ""
    vendor_reference: str = ""
    attempts: int = 0
    doubtful: bool = False

    @property
    def is_settled(self) -> bool:
        """True when nothing will happen to it any more."""
        return self.state not in (State.PENDING, State.SENT)

    def twin(self) -> "Notice":
        """The same notice once more, to be changed while this one stays as it is."""
        twin = object.__new__(Notice)
        twin.__dict__.update(self.__dict__, events=[])
        return twin

    def why_withhold(self, state: ReceptionState, newest_round: int, now: datetime) -> Reason | None:
        """Why it must not be sent now, given its reception's newest state and round."""
        if not is_true(self.purpose, self.round, state, newest_round):
            return Reason.STALE
        return Reason.EXPIRED if now >= self.expire_at else None

    def is_safe(self, now: datetime) -> bool:
        """Whether there is time for an attempt before somebody else may take the notice up."""
        return self.next_attempt_at is not None and now + ATTEMPT <= self.next_attempt_at

    def take_up(self, at: datetime) -> None:
        """Have in hand what was left over: nobody else takes it up for a while."""
        # who decided on it had it first, and may have sent it
        self.doubtful = self.doubtful or self.version == 1
        self.keep(at)

    def keep(self, at: datetime) -> None:
        """Have it in hand for another while."""
        self.next_attempt_at = at + LEASE

    def withhold(self, reason: Reason, at: datetime) -> None:
        """Never send it."""
        self._settle(State.WITHHELD, reason.value, at)

    def report(self, report: Report, at: datetime) -> None:
        """Take over what an attempt, or asking for its result, came to."""
        self._check_open()
        self.phone = report.phone or self.phone
        self.vendor_reference = report.vendor_reference or self.vendor_reference
        self.attempts += 1
        if report.outcome is Outcome.DELIVERED:
            self._settle(State.DELIVERED, "", at)
        elif report.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
            self.state = State.SENT
            self._put_off(report, at)
        elif report.outcome in WORTH_REPEATING:
            self._put_off(report, at)
        else:
            self._settle(State.FAILED, report.outcome.value, at)

    def _put_off(self, report: Report, at: datetime) -> None:
        if at >= self.created_at + KEEP_ASKING:
            self._settle(State.FAILED, Outcome.UNCERTAIN.value, at)
            return
        unseen = report.outcome not in (Outcome.TRANSIENT, Outcome.CONFIG)
        self.doubtful = self.doubtful or report.doubtful or unseen
        self.updated_at = at
        self.next_attempt_at = at + min(FIRST_DELAY * 2 ** min(self.attempts - 1, 10), LONGEST_DELAY)

    def _settle(self, state: State, failure: str, at: datetime) -> None:
        self._check_open()
        self.state = state
        self.failure = failure
        self.updated_at = at
        self.next_attempt_at = None
        self.record(NoticeSettled())

    def _check_open(self) -> None:
        if self.is_settled:
            raise NoticeIsSettled(f"notice {self.id} is {self.state.value}")

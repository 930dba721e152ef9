"""What unit tests of notification share: snapshots, a notice, and a unit of work in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.notification.adapters import templates
from services.notification.application.tell_party import TellParty, tell_party
from services.notification.domain.notice import Notice
from services.notification.domain.outcome import Outcome, Report
from services.notification.domain.purpose import CloseReason, Purpose, ReceptionState
from services.notification.domain.reception import Reception
from services.notification.domain.snapshot import Snapshot
from services.notification.domain.store import Store

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
WORDS = templates.load()
DELIVERED = Report(Outcome.DELIVERED, "q1", "010-****-5678")


def snapshot(state: ReceptionState, version: int = 1, **facts: Any) -> Snapshot:
    """A reception at one version."""
    known: dict[str, Any] = {
        "id": "r1",
        "store_id": "gangnam",
        "version": version,
        "round": 0,
        "state": state,
        "close_reason": CloseReason.NONE,
        "party_size": 2,
        "waiting_number": 17,
        "parties_ahead": 5,
        "estimated_wait_seconds": 890,
        "hold_expire_at": NOON + timedelta(minutes=5) if state is ReceptionState.CALLED else None,
        "closed_at": None,
        "language_code": "ko",
        "neared": False,
    }
    return Snapshot(**(known | facts))


def notice(purpose: Purpose = Purpose.CALLED, **facts: Any) -> Notice:
    """A notice just decided."""
    known: dict[str, Any] = {
        "id": "r1-called-0",
        "store_id": "gangnam",
        "reception_id": "r1",
        "purpose": purpose,
        "round": 0,
        "language_code": "ko",
        "template_code": "CALLED_KO_1",
        "variables": {},
        "text": "",
        "expire_at": NOON + timedelta(minutes=5),
        "created_at": NOON,
        "updated_at": NOON,
        "next_attempt_at": NOON,
        "version": 1,
    }
    return Notice(**(known | facts))


@dataclass
class Shelf:
    """Aggregates by id."""

    by_id: dict[str, Any] = field(default_factory=dict)

    def find(self, key: str) -> Any:
        return self.by_id.get(key)

    def save(self, aggregate: Any) -> None:
        self.by_id[aggregate.id] = aggregate


@dataclass
class Book:
    """The ledger."""

    lines: dict[str, Notice] = field(default_factory=dict)

    def add(self, notice: Notice) -> None:
        assert notice.id not in self.lines, "a notice is decided once"
        self.lines[notice.id] = notice

    def bring(self, committed: Notice) -> Notice:
        return committed

    def carry_on(self, notice: Notice) -> None:
        self.lines[notice.id] = notice


@dataclass
class Memory:
    """A unit of work without a database."""

    now: datetime = NOON
    notices: Book = field(default_factory=Book)
    receptions: Shelf = field(default_factory=Shelf)
    stores: Shelf = field(default_factory=Shelf)
    budgets: Shelf = field(default_factory=Shelf)

    def see(self, *snapshots: Snapshot) -> None:
        """Let these snapshots arrive."""
        for each in snapshots:
            tell_party(TellParty(each), self, WORDS)

    def store(self, **facts: Any) -> None:
        """Let a store be known."""
        self.stores.save(Store(id="gangnam", seen=1, display_name="강남 국밥", **facts))

    def send(self) -> dict[str, str]:
        """Deliver all that may be delivered, withhold the rest; what became of each."""
        for line in self.notices.lines.values():
            if line.is_settled:
                continue
            reception: Reception = self.receptions.find(line.reception_id)
            reason = line.why_withhold(reception.state, reception.round, self.now)
            if reason:
                line.withhold(reason, self.now)
            else:
                line.report(DELIVERED, self.now)
        return {id_: f"{line.state.value} {line.failure}".strip() for id_, line in self.notices.lines.items()}

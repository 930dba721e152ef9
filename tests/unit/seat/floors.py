"""A store's floor in memory, with everything that was announced."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.seat.domain.events import HoldExpired, PromiseBroken, SeatAdded, SeatFreed, SeatTaken
from services.seat.domain.floor import Floor, SeatingMode, StoreNews
from services.seat.domain.host import Host
from services.seat.domain.seating import ReceptionNews, Seating, Stage, State
from services.seat.domain.table import Table, TableChanges

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TIMEOUT = timedelta(minutes=5)
STEP = 2**20


@dataclass
class MemoryBook:
    """The host's records, in dictionaries."""

    all_tables: dict[str, Table] = field(default_factory=dict)
    seatings: dict[str, Seating] = field(default_factory=dict)
    reminders: dict[str, datetime] = field(default_factory=dict)
    announced: list[tuple[str, str, int]] = field(default_factory=list)

    def tables(self) -> Mapping[str, Table]:
        return self.all_tables

    def line(self) -> list[Seating]:
        """Who waits, in order."""
        waiting = (seating for seating in self.seatings.values() if seating.state is State.WAITING)
        return sorted(waiting, key=lambda seating: seating.place)

    def first(self) -> Seating | None:
        return next(iter(self.line()), None)

    def first_fitting(self, capacity: int, section: str) -> Seating | None:
        table = Table(store_id="s1", table_id="any", capacity=capacity, section=section)
        return next((s for s in self.line() if table.fits(s.party_size, s.section)), None)

    def keep_floor(self, floor: Floor) -> None:
        self._announce("floor", floor)

    def keep_table(self, table: Table) -> None:
        self.all_tables[table.table_id] = table
        self._announce(table.table_id, table)

    def keep_seating(self, seating: Seating) -> None:
        self.seatings[seating.id] = seating
        assert len(seating.events) <= 1, "two events would share one version"
        self._announce(seating.id, seating)

    def remind(self, seating_id: str, at: datetime | None) -> None:
        if at is None:
            self.reminders.pop(seating_id, None)
        else:
            self.reminders[seating_id] = at

    def _announce(self, subject: str, changed: Any) -> None:
        changed.version += 1
        self.announced.extend((subject, type(event).__name__, changed.version) for event in changed.events)
        changed.events.clear()


class Store:
    """A store whose host can be talked to, and what it said."""

    def __init__(self, mode: SeatingMode = SeatingMode.COMPATIBLE_FIFO, book: MemoryBook | None = None) -> None:
        self.book = book or MemoryBook()
        self.floor = Floor(store_id="s1")
        self.now = NOON
        self.news: dict[str, ReceptionNews] = {}
        self.set_mode(mode)

    @property
    def host(self) -> Host:
        return Host(self.floor, self.book, self.now)

    def set_mode(self, mode: SeatingMode) -> None:
        self.host.follow_store(StoreNews("s1", self.floor.store_version + 1, mode, TIMEOUT))

    def add(self, table_id: str, capacity: int, section: str = "") -> Table:
        table = Table(store_id="s1", table_id=table_id, capacity=capacity, section=section)
        self.host.add_tables([table])
        return table

    def change(self, table_id: str, **changes: Any) -> Table:
        return self.host.change_table(table_id, TableChanges(**changes), "")

    def join(self, party: str, size: int, *, section: str = "", promised: bool = False) -> Seating:
        """A new party at the end of the line."""
        news = ReceptionNews(
            reception_id=party,
            store_id="s1",
            version=1,
            stage=Stage.REQUESTED if promised else Stage.WAITING,
            party_size=size,
            order_key=(len(self.news) + 1) * STEP,
            section=section,
        )
        return self.hear(news)

    def tell(self, party: str, stage: Stage, **changes: Any) -> Seating:
        """The next version of a party's reception."""
        last = self.news[party]
        changes = {"table_id": "", "hold_expire_at": None} | changes
        return self.hear(replace(last, version=last.version + 1, stage=stage, **changes))

    def restore(self, party: str) -> Seating:
        return self.tell(party, Stage.WAITING, round=self.news[party].round + 1)

    def hear(self, news: ReceptionNews) -> Seating:
        """News as they come in, in whatever order."""
        known = self.news.get(news.reception_id)
        if known is None or (known.round, known.version) < (news.round, news.version):
            self.news[news.reception_id] = news
        seating = self.book.seatings.get(news.reception_id) or Seating(id=news.reception_id, store_id="s1")
        self.host.follow(seating, news)
        return self.book.seatings[news.reception_id]

    def let_pass(self, time: timedelta) -> None:
        """Time goes by and due holds expire."""
        self.now += time
        for party, due in sorted(self.book.reminders.items(), key=lambda item: item[1]):
            if due <= self.now:
                self.book.reminders.pop(party)
                self.host.expire(self.book.seatings[party])

    def said(self, party: str) -> list[str]:
        """What was announced of a party."""
        return [event for subject, event, _ in self.book.announced if subject == party]

    def at(self, party: str) -> tuple[State, str]:
        """Where a party is."""
        seating = self.book.seatings[party]
        return seating.state, seating.table_id


ADDED, TAKEN, BROKEN = SeatAdded.__name__, SeatTaken.__name__, PromiseBroken.__name__
EXPIRED, FREED = HoldExpired.__name__, SeatFreed.__name__

"""Whatever happens in a store: nobody is passed, no table is given twice or too small, none stays empty in vain."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.seat.domain.floor import SeatingMode
from services.seat.domain.seating import HAS_SEAT, Seating, Stage, State
from services.seat.domain.table import Table
from tests.unit.seat.floors import STEP, TIMEOUT, MemoryBook, Store

SIZES = st.integers(1, 8)
SECTIONS = st.sampled_from(["", "", "Terrace"])
OPEN = (Stage.REQUESTED, Stage.WAITING, Stage.CALLED, Stage.SEATED)


class WatchfulBook(MemoryBook):
    """Looks at every table that is given to a party."""

    def __init__(self) -> None:
        super().__init__()
        self.party_of: dict[str, str] = {}
        self.check: Callable[[Table, Seating], None] = lambda table, seating: None

    def keep_table(self, table: Table) -> None:
        before = self.party_of.get(table.table_id, "")
        if table.party and table.party != before:
            assert not before, f"{table.table_id} is given to {table.party}, but {before} has it"
            self.check(table, self.seatings[table.party])
        self.party_of[table.table_id] = table.party
        super().keep_table(table)


class AnyStore(RuleBasedStateMachine):
    """Parties come, postpone, are called, sit and leave; staff rearrange the tables meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.book = WatchfulBook()
        self.book.check = self.given
        self.store = Store(book=self.book)
        self.by_staff = False

    @initialize(mode=st.sampled_from(SeatingMode), capacities=st.lists(SIZES, max_size=4))
    def open(self, mode: SeatingMode, capacities: list[int]) -> None:
        self.store.set_mode(mode)
        for capacity in capacities:
            self.add_table(capacity, "")

    def given(self, table: Table, seating: Seating) -> None:
        """Called for every table that a party gets."""
        assert table.fits(seating.party_size, seating.section if not self.by_staff else "")
        if self.by_staff:
            return
        mode = self.store.floor.mode
        assert mode is not SeatingMode.BY_HAND
        for other in self.book.line():
            could = mode is SeatingMode.STRICT_FIFO or table.fits(other.party_size, other.section)
            assert not (could and other.place < seating.place), f"{other.id} is passed by {seating.id}"

    def party(self, data: st.DataObject, *stages: Stage) -> str:
        """Some party whose reception is at one of these stages."""
        parties = [party for party, news in self.store.news.items() if news.stage in stages]
        return data.draw(st.sampled_from(sorted(parties))) if parties else ""

    def table(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(sorted(self.book.all_tables)))

    @precondition(lambda self: len(self.store.book.all_tables) < 8)
    @rule(capacity=SIZES, section=SECTIONS)
    def add_table(self, capacity: int, section: str) -> None:
        self.store.add(f"t{len(self.book.all_tables)}", capacity, section)

    @precondition(lambda self: len(self.store.book.all_tables) < 5)
    @rule(tables=st.lists(st.tuples(SIZES, SECTIONS), min_size=2, max_size=4))
    def add_tables(self, tables: list[tuple[int, str]]) -> None:
        first = len(self.book.all_tables)
        self.store.host.add_tables(
            [
                Table(store_id="s1", table_id=f"t{first + n}", capacity=capacity, section=section)
                for n, (capacity, section) in enumerate(tables)
            ]
        )

    @rule(size=SIZES, section=SECTIONS, promised=st.booleans())
    def join(self, size: int, section: str, promised: bool) -> None:
        self.store.join(f"p{len(self.store.news):03}", size, section=section, promised=promised)

    @rule(data=st.data(), by=st.integers(1, 5))
    def postpone(self, data: st.DataObject, by: int) -> None:
        if party := self.party(data, Stage.REQUESTED, Stage.WAITING):
            later = self.store.news[party].order_key + by * STEP + STEP // 2
            self.store.tell(party, Stage.WAITING, order_key=later)

    @rule(data=st.data())
    def hear_of_own_call(self, data: st.DataObject) -> None:
        if party := self.party(data, Stage.REQUESTED, Stage.WAITING):
            seating = self.book.seatings[party]
            if seating.state is State.HELD:
                self.by_staff = True
                self.store.tell(party, Stage.CALLED, table_id=seating.table_id, hold_expire_at=seating.hold_expire_at)
                self.by_staff = False

    @rule(data=st.data(), minutes=st.integers(0, 10))
    def call_by_hand(self, data: st.DataObject, minutes: int) -> None:
        if party := self.party(data, Stage.REQUESTED, Stage.WAITING):
            self.by_staff = self.book.seatings[party].state is State.WAITING
            self.store.tell(party, Stage.CALLED, hold_expire_at=self.store.now + timedelta(minutes=minutes))
            self.by_staff = False

    @rule(data=st.data(), choose=st.booleans())
    def seat(self, data: st.DataObject, choose: bool) -> None:
        party = self.party(data, *OPEN)
        if not party:
            return
        size = self.store.news[party].party_size
        tables = [table.table_id for table in self.book.all_tables.values() if table.fits(size, "")]
        table_id = data.draw(st.sampled_from(tables)) if choose and tables else ""
        before = self.book.seatings[party].table_id
        self.seating(party, table_id, before)

    def seating(self, party: str, table_id: str, before: str) -> None:
        # the party itself goes where staff say; whoever gets the table it leaves is chosen by the rules
        rules = self.book.check

        def check(table: Table, seating: Seating) -> None:
            self.by_staff = seating.id == party
            rules(table, seating)
            self.by_staff = False

        self.book.check = check
        self.store.tell(party, Stage.SEATED, table_id=table_id)
        self.book.check = rules
        assert self.book.seatings[party].table_id or not before

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if party := self.party(data, *OPEN):
            self.store.tell(party, Stage.CLOSED)
            assert self.store.at(party) == (State.DONE, "")

    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        if party := self.party(data, Stage.CLOSED, Stage.CALLED):
            self.store.restore(party)

    @rule(data=st.data())
    def hear_again(self, data: st.DataObject) -> None:
        if party := self.party(data, *Stage):
            announced = len(self.book.announced)
            self.store.hear(self.store.news[party])
            assert len(self.book.announced) == announced

    @rule(time=st.sampled_from([timedelta(seconds=1), TIMEOUT / 2, TIMEOUT]))
    def let_pass(self, time: timedelta) -> None:
        self.store.let_pass(time)

    @precondition(lambda self: self.store.book.all_tables)
    @rule(data=st.data())
    def block(self, data: st.DataObject) -> None:
        self.store.host.block(self.table(data), "")

    @precondition(lambda self: self.store.book.all_tables)
    @rule(data=st.data())
    def unblock(self, data: st.DataObject) -> None:
        self.store.host.unblock(self.table(data), "")

    @precondition(lambda self: self.store.book.all_tables)
    @rule(data=st.data(), capacity=SIZES, section=SECTIONS)
    def change(self, data: st.DataObject, capacity: int, section: str) -> None:
        self.store.change(self.table(data), capacity=capacity, section=section)

    @rule(mode=st.sampled_from(SeatingMode))
    def change_mode(self, mode: SeatingMode) -> None:
        self.store.set_mode(mode)

    @invariant()
    def tables_and_parties_agree(self) -> None:
        at_tables = {table.table_id: table.party for table in self.book.all_tables.values() if table.party}
        seated = [s for s in self.book.seatings.values() if s.table_id]
        assert {s.table_id: s.id for s in seated} == at_tables
        assert len(seated) == len(at_tables)
        for seating in seated:
            assert seating.state in HAS_SEAT
            assert self.book.all_tables[seating.table_id].occupied == (seating.state is State.OCCUPIED)

    @invariant()
    def no_free_table_is_of_use_to_who_waits(self) -> None:
        mode, line = self.store.floor.mode, self.book.line()
        may_sit = {
            SeatingMode.COMPATIBLE_FIFO: line,
            SeatingMode.STRICT_FIFO: line[:1],
            SeatingMode.BY_HAND: [],
        }[mode]
        free = [table for table in self.book.all_tables.values() if table.is_free]
        assert not [(t, s) for t in free for s in may_sit if t.fits(s.party_size, s.section)]

    @invariant()
    def free_seats_are_counted(self) -> None:
        free = [table.capacity for table in self.book.all_tables.values() if table.is_free]
        floor = self.store.floor
        assert (floor.seats_remaining, floor.tables_free) == (sum(free), len(free))
        assert (floor.tables_total, floor.largest_free_capacity) == (len(self.book.all_tables), max(free, default=0))

    @invariant()
    def every_hold_has_its_end(self) -> None:
        held = {s.id: s.hold_expire_at for s in self.book.seatings.values() if s.state is State.HELD}
        assert self.book.reminders == held

    @invariant()
    def versions_tell_the_order_of_events(self) -> None:
        for party in self.book.seatings:
            versions = [version for subject, _, version in self.book.announced if subject == party]
            assert versions == sorted(set(versions))


TestAnyStore = AnyStore.TestCase
TestAnyStore.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

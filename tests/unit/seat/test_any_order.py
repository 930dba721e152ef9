"""One reception's snapshots, in any order and repeated, end in the same state."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.seat.domain.floor import SeatingMode
from services.seat.domain.seating import ReceptionNews, Stage, State
from tests.unit.seat.floors import NOON, TIMEOUT, Store

CLOSING = ("cancel", "complete")
STEPS = ("postpone", "own call", "call by hand", "seat", "seat at", "restore", "expire", *CLOSING)


def a_store(mode: SeatingMode, capacities: list[int]) -> Store:
    store = Store(mode)
    for number, capacity in enumerate(capacities):
        store.add(f"t{number}", capacity)
    return store


class Arbiter:
    """Writes a reception's history as reception would, with the seat service listening in order."""

    def __init__(self, store: Store, size: int) -> None:
        self.store = store
        self.history: list[ReceptionNews] = []
        fits = any(t.is_free and t.fits(size, "") for t in store.book.all_tables.values())
        self.store.join("p", size, promised=fits)
        self.history.append(store.news["p"])

    def tell(self, stage: Stage, **changes: object) -> None:
        self.store.tell("p", stage, **changes)
        self.history.append(self.store.news["p"])

    def take(self, step: str) -> None:
        last, seating = self.history[-1], self.store.book.seatings["p"]
        in_line = last.stage in (Stage.REQUESTED, Stage.WAITING)
        held = seating.state is State.HELD
        if step == "postpone" and last.stage is Stage.WAITING:
            self.tell(Stage.WAITING, order_key=last.order_key + 7)
        elif step == "own call" and in_line and held:
            self.tell(Stage.CALLED, table_id=seating.table_id, hold_expire_at=seating.hold_expire_at)
        elif step == "call by hand" and in_line:
            self.tell(Stage.CALLED, hold_expire_at=self.store.now + timedelta(minutes=9))
        elif step == "expire" and held and last.stage is Stage.CALLED:
            self.store.let_pass(2 * TIMEOUT)
            self.tell(Stage.CLOSED)
        elif step.startswith("seat") and last.stage not in (Stage.SEATED, Stage.CLOSED):
            tables = sorted(t.table_id for t in self.store.book.all_tables.values() if t.is_free)
            self.tell(Stage.SEATED, table_id=tables[0] if step == "seat at" and tables else last.table_id)
        elif step in CLOSING and last.stage is not Stage.CLOSED:
            self.tell(Stage.CLOSED)
        elif step == "restore" and last.stage is not Stage.WAITING:
            self.store.restore("p")
            self.history.append(self.store.news["p"])


def facts(store: Store) -> tuple[object, ...]:
    seating = store.book.seatings["p"]
    known = replace(seating, version=0, held_at=None, hold_expire_at=None, refused=False)
    return known, {t.table_id: (t.party, t.state) for t in store.book.all_tables.values()}


@settings(max_examples=600, deadline=None)
@given(
    mode=st.sampled_from(SeatingMode),
    capacities=st.lists(st.integers(1, 6), max_size=4),
    size=st.integers(1, 6),
    steps=st.lists(st.sampled_from(STEPS), max_size=8),
    data=st.data(),
)
def test_any_order_of_arrival_ends_in_the_same_state(
    mode: SeatingMode, capacities: list[int], size: int, steps: list[str], data: st.DataObject
) -> None:
    arbiter = Arbiter(a_store(mode, capacities), size)
    for step in steps:
        arbiter.take(step)
    repeated = data.draw(st.lists(st.sampled_from(arbiter.history), max_size=4))
    other = a_store(mode, capacities)
    other.now = NOON
    for news in data.draw(st.permutations(arbiter.history + repeated)):
        other.hear(news)
    assert facts(other) == facts(arbiter.store)

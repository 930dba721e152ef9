"""The line in the database answers as the line in memory does."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from services.chassis.database.sqlite import sqlite_engine
from services.chassis.migrate import migrate
from services.chassis.unit_of_work import Surroundings
from services.seat.adapters.tables import metadata
from services.seat.adapters.unit_of_work import SeatUnit, StoreBook
from services.seat.domain.seating import Seating, State
from tests.unit.seat.floors import MemoryBook

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
SECTIONS = st.sampled_from(["", "Terrace", "Hall"])
PARTIES = st.builds(
    Seating,
    id=st.sampled_from([f"p{n}" for n in range(6)]),
    store_id=st.just("s1"),
    state=st.sampled_from([State.WAITING, State.WAITING, State.HELD, State.DONE]),
    order_key=st.integers(-3, 3),
    party_size=st.integers(1, 101),
    section=SECTIONS,
)
QUESTIONS = st.tuples(st.integers(1, 100), SECTIONS)


def unit(connection: Connection) -> SeatUnit:
    return SeatUnit(connection, NOON, Surroundings("seat", metadata))


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(st.tuples(PARTIES, st.booleans(), QUESTIONS), max_size=12))
def test_the_first_of_the_line_is_found(steps: list[tuple[Seating, bool, tuple[int, str]]]) -> None:
    engine = sqlite_engine(":memory:")
    with engine.connect() as connection:
        metadata.create_all(connection)
        uow, memory = unit(connection), MemoryBook()
        for change, begin_anew, question in steps:
            keep(uow, change)
            memory.seatings[change.id] = change
            book = StoreBook(uow, "s1")
            assert facts(book.first()) == facts(memory.first())
            assert facts(book.first_fitting(*question)) == facts(memory.first_fitting(*question))
            if begin_anew:
                uow.flush()
                uow = unit(connection)
    engine.dispose()


def keep(uow: SeatUnit, change: Seating) -> None:
    """Bring a party into this state."""
    seating = uow.seatings.find(change.id) or Seating(id=change.id, store_id=change.store_id)
    seating.state, seating.order_key = change.state, change.order_key
    seating.party_size, seating.section = change.party_size, change.section
    StoreBook(uow, change.store_id).keep_seating(seating)


def facts(seating: Seating | None) -> tuple[object, ...] | None:
    """What matters of a party that was found."""
    return (seating.id, seating.order_key, seating.party_size, seating.section) if seating else None


def test_finding_the_first_that_fits_never_walks_the_line(tmp_path: Path) -> None:
    migrate("seat", str(tmp_path / "seat.db"))
    engine = sqlite_engine(tmp_path / "seat.db")
    with engine.connect() as connection:
        uow, steps = unit(connection), 0
        for n in range(5000):
            keep(uow, Seating(id=f"p{n}", store_id="s1", order_key=n, party_size=4))
        uow.flush()

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_progress_handler(count, 100)
        book = StoreBook(uow, "s1")
        assert book.first_fitting(2, "Terrace") is None
        fitting, first = book.first_fitting(8, ""), book.first()
        raw.set_progress_handler(None, 0)
        assert fitting is not None
        assert fitting is first
        assert steps < 50
        uow.connection.rollback()
    engine.dispose()

"""A store's life, and what goes together in its profile."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.kernel import InvalidField
from services.management.domain.errors import StoreClosed
from services.management.domain.events import StoreChanged
from services.management.domain.hours import DAY, WEEK, OpeningHours, overlap
from services.management.domain.profile import Profile
from services.management.domain.store import Store, StoreState
from tests.unit.management.making import NOON

LATER = NOON + timedelta(minutes=20)


def new_store() -> Store:
    store = Store.create("sushi", Profile(display_name="Sushi"), NOON)
    store.events.clear()
    return store


def open_store() -> Store:
    store = new_store()
    store.open(NOON)
    store.events.clear()
    return store


def paused_store() -> Store:
    store = open_store()
    store.pause(LATER, NOON)
    store.events.clear()
    return store


def test_a_new_store_is_closed_and_told_of() -> None:
    store = Store.create("sushi", Profile(display_name="Sushi"), NOON)
    assert (store.state, store.events) == (StoreState.CLOSED, [StoreChanged()])


def test_opening_an_open_store_changes_nothing() -> None:
    store = open_store()
    assert store.open(LATER) is False
    assert (store.updated_at, store.events) == (NOON, [])


def test_a_closed_store_cannot_be_paused() -> None:
    with pytest.raises(StoreClosed):
        new_store().pause(None, NOON)


@pytest.mark.parametrize("reopen_at", [NOON, NOON - timedelta(hours=1), NOON + timedelta(days=400)])
def test_a_pause_ends_in_the_near_future(reopen_at: object) -> None:
    with pytest.raises(InvalidField, match="reopen_time"):
        open_store().pause(reopen_at, NOON)  # type: ignore[arg-type]


def test_a_paused_store_opens_when_its_time_has_come() -> None:
    store = paused_store()
    assert store.reopen(LATER)
    assert (store.state, store.reopen_at, store.events) == (StoreState.OPEN, None, [StoreChanged()])


def test_a_pause_that_was_prolonged_does_not_end_at_the_old_time() -> None:
    store = paused_store()
    store.pause(LATER + timedelta(hours=1), NOON)
    assert store.reopen(LATER) is False


def test_a_store_closed_during_its_pause_stays_closed() -> None:
    store = paused_store()
    store.close(NOON, send_everyone_home=False)
    assert store.reopen(LATER) is False
    assert (store.state, store.reopen_at) == (StoreState.CLOSED, None)


def test_everyone_is_sent_home_from_a_closed_store_too() -> None:
    store = new_store()
    assert store.close(LATER, send_everyone_home=True)
    assert store.sent_home_at == LATER


def test_closing_without_sending_home_keeps_the_line() -> None:
    store = open_store()
    assert store.close(LATER, send_everyone_home=False)
    assert store.sent_home_at is None


def test_a_change_to_the_same_values_is_none() -> None:
    store = new_store()
    assert store.change({"display_name": "Sushi", "max_waiting": 100}, LATER) is False


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"min_party_size": 9}, "max_party_size"),
        ({"latitude": 37.5}, "location"),
        ({"opening_hours": (OpeningHours(1, "11:00", "15:00"),) * 2}, "opening_hours"),
    ],
)
def test_values_that_do_not_go_together_change_nothing(changes: dict[str, object], field: str) -> None:
    store = new_store()
    with pytest.raises(InvalidField, match=field):
        store.change(changes, LATER)
    assert store.profile == Profile(display_name="Sushi")


def test_hours_past_midnight_run_into_the_next_day() -> None:
    assert overlap([OpeningHours(1, "18:00", "02:00"), OpeningHours(2, "01:00", "03:00")])
    assert not overlap([OpeningHours(1, "18:00", "02:00"), OpeningHours(2, "02:00", "03:00")])


def test_hours_of_sunday_night_run_into_monday() -> None:
    assert overlap([OpeningHours(7, "18:00", "02:00"), OpeningHours(1, "01:00", "03:00")])


CLOCKS = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
HOURS = st.builds(OpeningHours, st.integers(1, 7), CLOCKS, CLOCKS).filter(lambda each: each.opens != each.closes)


@settings(deadline=None)
@given(st.lists(HOURS, max_size=5))
def test_spans_overlap_when_a_minute_is_in_two_of_them(hours: list[OpeningHours]) -> None:
    minutes = [minute % WEEK for begin, end in (each.span() for each in hours) for minute in range(begin, end)]
    assert overlap(hours) == (len(minutes) != len(set(minutes)))
    assert all(0 < end - begin < DAY for begin, end in (each.span() for each in hours))

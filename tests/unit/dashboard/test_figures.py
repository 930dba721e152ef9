"""Figures of a day."""

import random
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.dashboard.application.figures import HOUR_MICROS, Visit, figures, mean, p90

DAY = date(2026, 3, 2)
MINUTE = 60_000_000
FIVE_IN_SEOUL = (datetime(2026, 3, 1, 20, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

moments = st.integers(FIVE_IN_SEOUL - 2 * HOUR_MICROS, FIVE_IN_SEOUL + 30 * HOUR_MICROS)
visits = st.lists(
    st.builds(
        Visit,
        st.sampled_from(["REQUESTED", "WAITING", "CALLED", "SEATED", "COMPLETED", "CANCELED", "NO_SHOW", "REJECTED"]),
        moments,
        st.none() | moments,
        st.none() | moments,
        st.none() | moments,
    )
)


def visit(state: str, joined: int, called: int | None = None, seated: int | None = None) -> Visit:
    def at(minutes: int | None) -> int | None:
        return None if minutes is None else FIVE_IN_SEOUL + minutes * MINUTE

    return Visit(state, FIVE_IN_SEOUL + joined * MINUTE, at(called), at(seated), None)


@given(visits, st.randoms())
def test_figures_do_not_depend_on_the_order_of_the_receptions(seen: list[Visit], chance: random.Random) -> None:
    shuffled = chance.sample(seen, len(seen))
    one, other = figures(DAY, "Asia/Seoul", 5, seen), figures(DAY, "Asia/Seoul", 5, shuffled)
    assert (one.joined, one.seated, one.canceled, one.no_shows) == (
        other.joined,
        other.seated,
        other.canceled,
        other.no_shows,
    )
    assert (sorted(one.waits), list(one.hours)) == (sorted(other.waits), list(other.hours))


@given(visits)
def test_the_hours_add_up_to_the_day(seen: list[Visit]) -> None:
    day = figures(DAY, "Asia/Seoul", 5, seen)
    assert sum(hour.joined for hour in day.hours.values()) == day.joined == len(seen)
    assert sorted(wait for hour in day.hours.values() for wait in hour.waits) == sorted(day.waits)
    assert list(day.hours) == sorted(day.hours)
    assert all((start - FIVE_IN_SEOUL) % HOUR_MICROS == 0 for start in day.hours)


def test_a_party_seated_after_the_cut_over_adds_an_hour() -> None:
    day = figures(DAY, "Asia/Seoul", 5, [visit("SEATED", 23 * 60, 24 * 60 + 5, 25 * 60 + 5)])
    assert len(day.hours) == 26
    assert day.hours[FIVE_IN_SEOUL + 25 * HOUR_MICROS].seated == 1


def test_a_day_of_the_change_to_summer_time_has_an_hour_less() -> None:
    assert len(figures(date(2026, 3, 28), "Europe/Paris", 5, []).hours) == 23
    assert len(figures(date(2026, 10, 24), "Europe/Paris", 5, []).hours) == 25


def test_a_time_zone_that_nobody_knows_counts_as_utc() -> None:
    assert next(iter(figures(DAY, "Nowhere/Town", 0, []).hours)) % (24 * HOUR_MICROS) == 0


def test_a_clock_that_runs_behind_makes_no_negative_wait() -> None:
    assert figures(DAY, "Asia/Seoul", 5, [visit("CALLED", 10, 9)]).waits == [0]


def test_the_percentile_is_by_nearest_rank() -> None:
    assert p90(range(1, 11)) == 9
    assert p90([7]) == 7
    assert p90([1, 2]) == 2
    assert p90([]) is None


def test_the_mean_of_nothing_is_nothing() -> None:
    assert mean([]) is None
    assert mean([1, 2, 4]) == 2

"""Limits: so many within any span of time, or at once and evenly after that; and never a wait that is not needed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.kernel import Allowance, Limit
from services.chassis.limits import Limits
from services.chassis.settings import SettingsError, from_environment
from tests.entitled import ENVIRONMENT

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
KEYS = {name: value for name, value in ENVIRONMENT.items() if "MOST" not in name}

pauses = st.lists(st.integers(0, 400), max_size=60)


@given(st.integers(1, 7), st.integers(1, 600), pauses)
def test_there_are_never_more_than_so_many_within_a_span(most: int, seconds: int, pauses: list[int]) -> None:
    limit, now, times = Limit(most, timedelta(seconds=seconds)), NOON, list[datetime]()
    for pause in pauses:
        now += timedelta(seconds=pause)
        within = [at for at in times if now - at < limit.span]
        assert (limit.wait(times, now) == timedelta()) is (len(within) < most)
        times.append(now + limit.wait(times, now))
        now = times[-1]
        assert len([at for at in times if now - at < limit.span]) <= most


@given(st.integers(1, 7), st.integers(1, 600), pauses)
def test_an_allowance_comes_back_evenly_until_it_is_whole(most: int, seconds: int, pauses: list[int]) -> None:
    allowance, now, back_at = Allowance(most, timedelta(seconds=seconds)), NOON, None
    left = float(most)
    for pause in pauses:
        now += timedelta(seconds=pause)
        left = min(left + pause * most / seconds, most)
        wait = allowance.wait(back_at, now)
        assert wait.total_seconds() == pytest.approx(max(0, 1 - left) * seconds / most, abs=0.001)
        if not wait:
            back_at, left = allowance.take(back_at, now), left - 1


def test_limits_are_changed_by_the_environment_and_are_at_least_one() -> None:
    assert from_environment("seat", KEYS).limits == Limits()
    changed = from_environment("reception", KEYS | {"TABLING_RECEPTION_MOST_JOINS_A_DAY": "40"}).limits
    assert (changed.most_joins_a_day, changed.most_joins_in_ten_minutes) == (40, 3)
    with pytest.raises(SettingsError, match="TABLING_MOST_JOINS_A_DAY must be a whole number from 1 to 1000000"):
        from_environment("seat", KEYS | {"TABLING_MOST_JOINS_A_DAY": "0"})

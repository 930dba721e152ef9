"""A line: who may join, numbers and days, and how fast it moves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.kernel import InvalidField, NotFound
from services.reception.domain.business_day import business_day, start_of
from services.reception.domain.customer import Customer
from services.reception.domain.errors import AlreadyInLine, LineFull, LinePaused, StoreClosed, TooManyLines
from services.reception.domain.line import FASTEST_SECONDS, SLOWEST_SECONDS, Line, Policy, StoreState
from services.reception.domain.reception import State

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
OPEN = Policy(store_version=1, state=StoreState.OPEN)


def a_line(policy: Policy = OPEN) -> Line:
    line = Line(id="sushi")
    line.adopt(policy, NOON)
    return line


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        (Policy(), NotFound),
        (replace(OPEN, state=StoreState.CLOSED), StoreClosed),
        (replace(OPEN, state=StoreState.PAUSED), LinePaused),
        (replace(OPEN, max_party_size=1), InvalidField),
        (replace(OPEN, max_waiting=0), LineFull),
    ],
)
def test_a_store_refuses(policy: Policy, refused: type[Exception]) -> None:
    with pytest.raises(refused):
        Line(id="sushi", policy=policy).check_join(2)


def test_promised_parties_count_for_a_full_line() -> None:
    line = a_line(replace(OPEN, max_waiting=2))
    line.count(None, State.REQUESTED)
    line.count(None, State.WAITING)
    with pytest.raises(LineFull):
        line.check_join(2)
    line.count(State.REQUESTED, State.CALLED)
    line.check_join(2)
    assert (line.waiting, line.requested) == (1, 0)


def test_numbers_start_again_each_business_day() -> None:
    line = a_line()
    assert [line.take_number(), line.take_number()] == [1, 2]
    line.roll(NOON + timedelta(hours=16))
    assert line.take_number() == 3
    line.roll(NOON + timedelta(hours=17))
    assert (line.business_day, line.take_number()) == ("2026-03-03", 1)
    line.roll(NOON + timedelta(days=9))
    assert (line.business_day, line.take_number()) == ("2026-03-11", 1)


def test_a_later_day_start_gives_no_number_twice() -> None:
    line = a_line()
    assert line.take_number() == 1
    line.adopt(replace(OPEN, store_version=2, day_start_hour=13), NOON)
    assert (line.business_day, line.take_number()) == ("2026-03-02", 2)
    line.roll(NOON + timedelta(hours=1))
    assert line.take_number() == 3
    line.roll(NOON + timedelta(hours=25))
    assert (line.business_day, line.take_number()) == ("2026-03-03", 1)


@given(
    st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "no/where", ""]),
    st.integers(0, 23),
)
def test_every_moment_is_within_its_business_day(now: datetime, zone: str, hour: int) -> None:
    day = business_day(now, zone, hour)
    assert start_of(day, zone, hour) <= now < start_of(day + timedelta(days=1), zone, hour)


def test_the_pace_stays_within_bounds() -> None:
    line = a_line()
    for _ in range(100):
        line.call_made(NOON)
    assert FASTEST_SECONDS <= line.pace_seconds < FASTEST_SECONDS + 1
    for days in range(100):
        line.call_made(NOON + timedelta(days=days))
    assert SLOWEST_SECONDS - 1 < line.pace_seconds <= SLOWEST_SECONDS


def test_an_empty_line_teaches_no_pace() -> None:
    line = a_line()
    line.count(None, State.WAITING)
    line.count(State.WAITING, State.CALLED)
    line.call_made(NOON)
    line.count(None, State.WAITING)
    line.count(State.WAITING, State.CANCELED)
    line.call_made(NOON + timedelta(hours=1))
    assert line.pace_seconds == 300


@pytest.mark.parametrize(("threshold", "ahead", "near"), [(0, 0, False), (1, 1, True), (1, 2, False), (3, 0, True)])
def test_a_turn_is_near(threshold: int, ahead: int, near: bool) -> None:
    assert a_line(replace(OPEN, near_turn_parties=threshold)).is_near(ahead) is near


def test_an_older_policy_is_ignored() -> None:
    line = a_line(replace(OPEN, store_version=3))
    assert not line.adopt(replace(OPEN, store_version=2, state=StoreState.CLOSED), NOON)
    assert line.policy.state is StoreState.OPEN


def test_sending_home_happens_once() -> None:
    line = a_line()
    assert line.send_home(NOON)
    assert not line.send_home(NOON)
    assert not line.send_home(None)
    assert line.send_home(NOON + timedelta(seconds=1))


def test_a_customer_is_in_three_lines_at_most_and_in_each_once() -> None:
    customer = Customer(key="c:anna", open={"r1": "a", "r2": "b"})
    with pytest.raises(AlreadyInLine) as refused:
        customer.check_join("a", is_known=True)
    assert refused.value.metadata == {"reception": "stores/a/receptions/r1"}
    customer.check_join("c", is_known=True)
    customer.hold("r3", "c")
    with pytest.raises(TooManyLines):
        customer.check_join("d", is_known=True)
    customer.let_go("r1")
    customer.check_join("d", is_known=True)

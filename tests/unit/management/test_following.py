"""How an order follows its reception: whatever arrives in whatever order, it ends the same."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.management.domain import events
from services.management.domain.order import IMAGE, Order, OrderState, ReceptionSnapshot, ReceptionState
from services.management.domain.profile import AcceptMode
from tests.unit.management.making import (
    NOON,
    WINDOW,
    called_order,
    no_show_order,
    seated_order,
    snapshot,
    waiting_order,
)

S = ReceptionState
CLOSED = (S.COMPLETED, S.CANCELED, S.NO_SHOW, S.REJECTED)
NEXT: dict[ReceptionState, tuple[ReceptionState, ...]] = {
    S.REQUESTED: (S.WAITING, S.CALLED, S.SEATED, *CLOSED),
    S.WAITING: (S.WAITING, S.CALLED, S.SEATED, *CLOSED),
    S.CALLED: (S.SEATED, *CLOSED),
    S.SEATED: (S.SEATED, S.COMPLETED, S.CANCELED),
    S.COMPLETED: (S.COMPLETED,),
    S.CANCELED: (S.CANCELED,),
    S.NO_SHOW: (S.NO_SHOW, S.WAITING),
    S.REJECTED: (S.REJECTED,),
}


@st.composite
def lives(draw: st.DrawFn) -> list[ReceptionSnapshot]:
    """All that reception tells of one party, from joining to wherever it is now."""
    state = draw(st.sampled_from((S.REQUESTED, S.WAITING)))
    told: list[ReceptionSnapshot] = []
    facts: dict[str, Any] = {"round": 0}
    for version in range(1, draw(st.integers(1, 9)) + 1):
        facts |= {"order_key": draw(st.integers(0, 9)), "waiting_number": draw(st.integers(0, 3))}
        at = NOON + timedelta(minutes=version)
        facts |= {"table_name": WINDOW if state in (S.CALLED, S.SEATED) else ""}
        facts |= {"hold_expires_at": at if state is S.CALLED else None}
        facts |= {"called_at": at} if state is S.CALLED else {}
        told.append(snapshot(version, state, **facts))
        following = draw(st.sampled_from(NEXT[state]))
        facts["round"] += state is S.NO_SHOW and following is S.WAITING
        state = following
    return told


def followed(told: list[ReceptionSnapshot], accept_mode: AcceptMode) -> Order:
    order = Order.of_reception(told[0], accept_mode)
    for seen in told[1:]:
        order.follow(seen)
    return order


@settings(deadline=None)
@given(lives(), st.sampled_from(AcceptMode), st.data())
def test_any_order_of_arrival_and_duplicates_end_the_same(
    told: list[ReceptionSnapshot], accept_mode: AcceptMode, data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(told)))
    arrived = data.draw(st.permutations([*told, *again]))
    assert followed(arrived, accept_mode) == followed(told, accept_mode)


@settings(deadline=None)
@given(lives(), st.data())
def test_the_order_is_where_the_newest_snapshot_says(told: list[ReceptionSnapshot], data: st.DataObject) -> None:
    order = followed(data.draw(st.permutations(told)), AcceptMode.AUTOMATIC)
    assert order.state is IMAGE[told[-1].state]
    assert (order.round, order.table_name) == (told[-1].round, told[-1].table_name)


@settings(deadline=None)
@given(lives(), st.data())
def test_a_snapshot_that_was_followed_changes_nothing_again(told: list[ReceptionSnapshot], data: st.DataObject) -> None:
    order = followed(told, AcceptMode.AUTOMATIC)
    assert order.follow(data.draw(st.sampled_from(told))) is False


def test_a_new_order_is_told_as_accepted() -> None:
    order = Order.of_reception(snapshot(1, S.WAITING), AcceptMode.AUTOMATIC)
    assert order.events == [events.OrderAccepted()]


def test_an_order_that_needs_consent_is_not_told() -> None:
    assert Order.of_reception(snapshot(1, S.WAITING), AcceptMode.MANUAL).events == []


def test_an_order_heard_of_only_when_closed_is_not_told() -> None:
    order = Order.of_reception(snapshot(2, S.CANCELED), AcceptMode.AUTOMATIC)
    assert (order.state, order.events) == (OrderState.CANCELED, [])


def test_following_tells_nobody() -> None:
    order = waiting_order()
    order.follow(snapshot(2, S.CALLED))
    assert order.events == []


def test_a_snapshot_from_before_does_not_take_back_what_staff_did() -> None:
    order = seated_order(WINDOW)
    order.follow(snapshot(2, S.CALLED, table_name="stores/sushi/tables/door", order_key=5))
    assert (order.state, order.table_name, order.order_key) == (OrderState.SEATED, WINDOW, 5)


@pytest.mark.parametrize("closed", CLOSED)
def test_a_closed_reception_wins_over_whatever_staff_did(closed: ReceptionState) -> None:
    order = seated_order(WINDOW)
    order.follow(snapshot(2, closed))
    assert order.state is IMAGE[closed]


def test_consent_is_not_taken_for_granted_because_the_place_changed() -> None:
    order = waiting_order(AcceptMode.MANUAL)
    order.follow(snapshot(2, S.WAITING, order_key=9))
    assert order.state is OrderState.RECEIVED


def test_a_no_show_of_the_round_before_does_not_undo_a_restore() -> None:
    order = no_show_order()
    order.restore()
    assert order.follow(snapshot(9, S.NO_SHOW, round=0)) is False
    assert order.state is OrderState.ACCEPTED


def test_a_customer_who_gave_up_before_the_restore_stays_away() -> None:
    order = no_show_order()
    order.restore()
    order.follow(snapshot(9, S.CANCELED, round=0))
    assert (order.state, order.round) == (OrderState.CANCELED, 1)


def test_staff_words_go_when_the_state_they_were_for_goes() -> None:
    order = called_order()
    order.cancel("kitchen closed", NOON)
    order.follow(snapshot(2, S.NO_SHOW))
    assert (order.state, order.reason) == (OrderState.NO_SHOW, "")


def test_the_hold_of_reception_replaces_that_of_a_call_by_hand() -> None:
    order = called_order()
    held_until = NOON + timedelta(minutes=9)
    order.follow(snapshot(2, S.CALLED, table_name=WINDOW, hold_expires_at=held_until, called_at=NOON))
    assert (order.table_name, order.hold_expires_at) == (WINDOW, held_until)

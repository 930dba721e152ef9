"""What staff may do with an order, and when."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.management.domain import events
from services.management.domain.errors import OrderStateConflict
from services.management.domain.order import Order, OrderState
from services.management.domain.profile import AcceptMode
from tests.unit.management.making import (
    NOON,
    TIMEOUT,
    WINDOW,
    called_order,
    no_show_order,
    seated_order,
    waiting_order,
)


def received_order() -> Order:
    return waiting_order(AcceptMode.MANUAL)


def completed_order() -> Order:
    order = seated_order()
    order.complete(NOON)
    return order


def canceled_order() -> Order:
    order = waiting_order()
    order.cancel("", NOON)
    return order


def declined_order() -> Order:
    order = received_order()
    order.decline("", NOON)
    return order


ORDERS: dict[OrderState, Callable[[], Order]] = {
    OrderState.RECEIVED: received_order,
    OrderState.ACCEPTED: waiting_order,
    OrderState.CALLED: called_order,
    OrderState.SEATED: seated_order,
    OrderState.COMPLETED: completed_order,
    OrderState.CANCELED: canceled_order,
    OrderState.NO_SHOW: no_show_order,
    OrderState.DECLINED: declined_order,
}

DEEDS: dict[str, Callable[[Order], object]] = {
    "accept": lambda order: order.accept(),
    "decline": lambda order: order.decline("full", NOON),
    "call": lambda order: order.call(TIMEOUT, NOON),
    "seat": lambda order: order.seat("", NOON),
    "complete": lambda order: order.complete(NOON),
    "cancel": lambda order: order.cancel("sold out", NOON),
    "mark_no_show": lambda order: order.mark_no_show(NOON),
    "restore": lambda order: order.restore(),
}

# deed → (states it works in, the state it leads to, whether asking for the present state is fine, event)
RULES: dict[str, tuple[set[OrderState], OrderState, bool, type]] = {
    "accept": ({OrderState.RECEIVED}, OrderState.ACCEPTED, True, events.OrderAccepted),
    "decline": (
        {OrderState.RECEIVED, OrderState.ACCEPTED},
        OrderState.DECLINED,
        True,
        events.OrderCanceled,
    ),
    "call": ({OrderState.RECEIVED, OrderState.ACCEPTED}, OrderState.CALLED, False, events.OrderCalled),
    "seat": (
        {OrderState.RECEIVED, OrderState.ACCEPTED, OrderState.CALLED},
        OrderState.SEATED,
        True,
        events.OrderSeated,
    ),
    "complete": ({OrderState.SEATED}, OrderState.COMPLETED, True, events.OrderCompleted),
    "cancel": (
        {OrderState.RECEIVED, OrderState.ACCEPTED, OrderState.CALLED},
        OrderState.CANCELED,
        True,
        events.OrderCanceled,
    ),
    "mark_no_show": ({OrderState.CALLED}, OrderState.NO_SHOW, True, events.OrderCanceled),
    "restore": ({OrderState.NO_SHOW}, OrderState.ACCEPTED, False, events.OrderRestored),
}

EVERY_CASE = [(deed, state) for deed in DEEDS for state in OrderState]


@pytest.mark.parametrize(("deed", "state"), EVERY_CASE)
def test_each_deed_works_in_its_states_only(deed: str, state: OrderState) -> None:
    order = ORDERS[state]()
    order.events.clear()
    allowed, result, repeatable, event = RULES[deed]
    if state in allowed:
        DEEDS[deed](order)
        assert (order.state, order.events) == (result, [event()])
    elif state is result and repeatable:
        assert DEEDS[deed](order) is False
        assert (order.state, order.events) == (state, [])
    else:
        with pytest.raises(OrderStateConflict, match=f"order r1 is {state}"):
            DEEDS[deed](order)
        assert (order.state, order.events) == (state, [])


def test_an_order_that_needs_no_consent_is_accepted_at_once() -> None:
    assert waiting_order(AcceptMode.AUTOMATIC).state is OrderState.ACCEPTED


def test_an_order_that_needs_consent_waits_for_it() -> None:
    assert waiting_order(AcceptMode.MANUAL).state is OrderState.RECEIVED


def test_a_party_at_the_door_needs_no_consent() -> None:
    assert waiting_order(AcceptMode.MANUAL, walk_in=True).state is OrderState.ACCEPTED


def test_a_called_party_has_until_the_timeout() -> None:
    order = waiting_order()
    order.call(timedelta(minutes=3), NOON)
    assert order.hold_expires_at == NOON + timedelta(minutes=3)
    assert order.called_at == NOON


def test_a_called_party_cannot_be_called_again() -> None:
    with pytest.raises(OrderStateConflict):
        called_order().call(TIMEOUT, NOON)


def test_the_conflict_tells_the_state() -> None:
    with pytest.raises(OrderStateConflict) as caught:
        seated_order().mark_no_show(NOON)
    assert caught.value.metadata == {"state": "SEATED"}


def test_a_declined_party_is_told_why() -> None:
    order = waiting_order()
    order.decline("Private party tonight", NOON)
    assert (order.reason, order.closed_at) == ("Private party tonight", NOON)


def test_a_seated_party_keeps_the_table_that_was_held_for_it() -> None:
    order = called_order()
    order.table_name = WINDOW
    order.seat("", NOON)
    assert order.table_name == WINDOW


def test_a_seated_party_has_no_hold_any_more() -> None:
    order = called_order()
    order.seat("", NOON)
    assert order.hold_expires_at is None


def test_a_party_that_sits_cannot_be_moved_to_another_table() -> None:
    with pytest.raises(OrderStateConflict):
        seated_order(WINDOW).seat("stores/sushi/tables/door", NOON)


def test_a_closed_order_holds_no_table() -> None:
    order = called_order()
    order.table_name = WINDOW
    order.mark_no_show(NOON)
    assert (order.table_name, order.hold_expires_at) == ("", None)


def test_a_restored_party_begins_a_new_round_with_its_old_number() -> None:
    order = no_show_order()
    order.restore()
    assert (order.round, order.waiting_number, order.called_at, order.closed_at) == (1, 7, None, None)

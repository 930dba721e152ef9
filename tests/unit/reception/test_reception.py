"""A reception's life: who may change what, and that the order of news does not matter."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.kernel import Stale
from services.reception.domain import events
from services.reception.domain.errors import (
    AlreadyCalled,
    AlreadyClosed,
    AlreadySeated,
    NotWaiting,
    PostponeLimit,
)
from services.reception.domain.facts import Order, OrderState, Seating
from services.reception.domain.reception import Channel, CloseReason, Contact, Reception, State

NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def a_reception(state: State = State.WAITING, party_size: int = 2) -> Reception:
    return Reception(
        id="r1",
        store_id="sushi",
        state=state,
        channel=Channel.ONLINE,
        party_size=party_size,
        section="",
        contact=Contact(),
        order_key=1,
        created_at=NOW,
        business_day="2026-03-02",
        waiting_number=1,
        version=1,
    )


def a_seating(version: int = 1, round_: int = 0, table: str = "stores/sushi/tables/t1") -> Seating:
    return Seating("r1", "sushi", version, round_, table, NOW, NOW + timedelta(minutes=5))


def an_order(state: OrderState, version: int = 1, round_: int = 0, table: str = "") -> Order:
    return Order("r1", "sushi", version, round_, state, 2, "", table, NOW, NOW, NOW, NOW)


@pytest.mark.parametrize("state", [State.REQUESTED, State.WAITING, State.CALLED])
def test_a_customer_can_cancel_until_seated(state: State) -> None:
    reception = a_reception(state)
    reception.cancel(NOW)
    assert (reception.state, reception.close_reason) == (State.CANCELED, CloseReason.CUSTOMER_CANCELED)
    assert (reception.closed_at, reception.events) == (NOW, [events.ReceptionCanceled()])


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (State.SEATED, AlreadySeated),
        (State.COMPLETED, AlreadyClosed),
        (State.NO_SHOW, AlreadyClosed),
        (State.REJECTED, AlreadyClosed),
    ],
)
def test_what_is_over_cannot_be_canceled(state: State, refused: type[Exception]) -> None:
    reception = a_reception(state)
    with pytest.raises(refused, match=f"is {state.value}"):
        reception.cancel(NOW)
    assert reception.state is state


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (State.REQUESTED, NotWaiting),
        (State.CALLED, AlreadyCalled),
        (State.SEATED, AlreadySeated),
        (State.CANCELED, AlreadyClosed),
    ],
)
def test_only_who_waits_can_postpone(state: State, refused: type[Exception]) -> None:
    with pytest.raises(refused):
        a_reception(state).check_postpone(2)


def test_postponing_has_a_limit() -> None:
    reception = a_reception()
    for key in (5, 9):
        reception.check_postpone(2)
        reception.postpone(key)
    with pytest.raises(PostponeLimit):
        reception.check_postpone(2)


@pytest.mark.parametrize(("size", "top"), [(1, 2), (2, 2), (3, 4), (4, 4), (5, 6), (6, 6), (7, 1000), (40, 1000)])
def test_parties_up_to_the_top_of_the_band_use_the_same_table(size: int, top: int) -> None:
    assert a_reception(party_size=size).lets_pass_up_to == top


def test_an_etag_guards() -> None:
    reception = a_reception()
    reception.expect("")
    reception.expect("1")
    with pytest.raises(Stale):
        reception.expect("2")


def test_one_save_tells_the_last_of_what_happened() -> None:
    reception = a_reception(State.NO_SHOW)
    order = an_order(OrderState.CALLED, round_=1)
    reception.restore(order)
    reception.follow(order, NOW)
    assert (reception.state, reception.round) == (State.CALLED, 1)
    assert reception.events == [events.ReceptionCalled()]


def test_a_seating_is_news_once() -> None:
    reception = a_reception()
    reception.hold(a_seating(version=3), NOW)
    assert not reception.is_news_of_seat(a_seating(version=3))
    assert not reception.is_news_of_seat(a_seating(version=2))
    assert reception.is_news_of_seat(a_seating(version=4))


def apply(reception: Reception, news: Seating | Order) -> None:
    if isinstance(news, Order):
        if reception.is_news_of_order(news):
            if news.round > reception.round:
                reception.restore(news)
            reception.follow(news, NOW)
    elif reception.is_news_of_seat(news):
        reception.hold(news, NOW)
    reception.events.clear()


HISTORY = (
    an_order(OrderState.CALLED, 2),
    an_order(OrderState.NO_SHOW, 3),
    an_order(OrderState.ACCEPTED, 4, round_=1),
    an_order(OrderState.CALLED, 5, round_=1),
    an_order(OrderState.SEATED, 6, round_=1),
)


@pytest.mark.parametrize("end", range(1, len(HISTORY) + 1))
def test_every_order_of_arrival_ends_alike(end: int) -> None:
    ends = set()
    for arrival in permutations(HISTORY[:end]):
        reception = a_reception()
        for news in arrival:
            apply(reception, news)
        ends.add((reception.state, reception.round, reception.close_reason))
    assert len(ends) == 1


@given(
    st.lists(
        st.one_of(
            st.builds(a_seating, st.integers(1, 5), st.integers(0, 1)),
            st.builds(an_order, st.sampled_from(list(OrderState)), st.integers(1, 6), st.integers(0, 2)),
        )
    )
)
def test_an_ended_reception_stays_ended_within_its_round(news: list[Seating | Order]) -> None:
    reception = a_reception()
    for fact in news:
        before = (reception.state, reception.round)
        ended = not reception.is_open
        apply(reception, fact)
        if ended and reception.round == before[1]:
            assert reception.state is before[0]
        # nothing that is over holds a table
        assert reception.is_open or reception.hold_expires_at is None

"""Which snapshot leads to which notice, and which notices are withheld."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notification.domain.purpose import TRUE_WHILE, CloseReason, Purpose, ReceptionState
from services.notification.domain.snapshot import Snapshot, expire_at, purposes, words
from tests.unit.notification.making import NOON, Memory, snapshot

REQUESTED, WAITING, CALLED, SEATED, COMPLETED, CANCELED, NO_SHOW, REJECTED = ReceptionState


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (snapshot(REQUESTED, waiting_number=0), ()),
        (snapshot(WAITING), (Purpose.NUMBERED,)),
        (snapshot(WAITING, neared=True), (Purpose.NUMBERED, Purpose.NEAR_TURN)),
        (snapshot(CALLED), (Purpose.CALLED,)),
        (snapshot(CALLED, waiting_number=0), (Purpose.COME_IN,)),
        (snapshot(SEATED), ()),
        (snapshot(COMPLETED), ()),
        (snapshot(CANCELED, close_reason=CloseReason.CUSTOMER_CANCELED), (Purpose.CANCELED,)),
        (snapshot(CANCELED, close_reason=CloseReason.STORE_CLOSED), (Purpose.STORE_CLOSED,)),
        (snapshot(NO_SHOW), (Purpose.NO_SHOW,)),
        (snapshot(REJECTED), (Purpose.DECLINED,)),
        (snapshot(WAITING, round=1, close_reason=CloseReason.STORE_CLOSED), (Purpose.NUMBERED,)),
    ],
)
def test_the_state_decides_what_is_told(seen: Snapshot, told: tuple[Purpose, ...]) -> None:
    assert purposes(seen) == told


def test_every_notice_is_true_in_the_state_that_calls_for_it() -> None:
    for state in ReceptionState:
        for reason in CloseReason:
            for number in (0, 17):
                for neared in (False, True):
                    seen = snapshot(state, close_reason=reason, waiting_number=number, neared=neared)
                    assert all(TRUE_WHILE[purpose] is state for purpose in purposes(seen))


def test_a_party_restored_by_staff_reads_other_words() -> None:
    assert words(snapshot(WAITING), Purpose.NUMBERED) == "numbered"
    assert words(snapshot(WAITING, round=1), Purpose.NUMBERED) == "back_in_line"


def test_a_call_is_of_use_until_the_hold_runs_out() -> None:
    assert expire_at(snapshot(CALLED), Purpose.CALLED, NOON) == NOON + timedelta(minutes=5)


def test_news_of_a_close_that_is_long_past_is_of_no_use() -> None:
    closed = snapshot(CANCELED, closed_at=NOON - timedelta(hours=3))
    assert expire_at(closed, Purpose.CANCELED, NOON) < NOON


def test_a_postponed_party_is_not_told_its_number_again() -> None:
    memory = Memory()
    memory.see(snapshot(WAITING, 1), snapshot(WAITING, 2), snapshot(WAITING, 3, neared=True))
    assert memory.send() == {"r1-numbered-0": "DELIVERED", "r1-near-turn-0": "DELIVERED"}


def test_a_store_that_is_not_known_yet_is_called_the_store() -> None:
    memory = Memory()
    memory.see(snapshot(WAITING), snapshot(WAITING, id="r2", language_code="en"))
    assert memory.notices.lines["r1-numbered-0"].text.startswith("[매장]")
    assert memory.notices.lines["r2-numbered-0"].text.startswith("[the restaurant]")


def test_a_text_shows_what_the_store_calls_itself_and_nothing_else_of_it() -> None:
    memory = Memory()
    memory.store()
    memory.stores.find("gangnam").display_name = "#{number} %(party)s {x}"
    memory.see(snapshot(WAITING))
    assert memory.notices.lines["r1-numbered-0"].text.startswith("[#{number} %(party)s {x}]")


LIVES = st.lists(
    st.sampled_from(
        [
            (WAITING,),
            (WAITING, CALLED, SEATED, COMPLETED),
            (REQUESTED, CALLED, SEATED),
            (REQUESTED, WAITING, WAITING, CALLED),
            (WAITING, WAITING, CANCELED),
            (REQUESTED, REJECTED),
            (WAITING, CALLED, NO_SHOW),
        ]
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Snapshot], list[Snapshot]]:
    """The snapshots of one reception over some rounds: in order, and as they may arrive."""
    ordered: list[Snapshot] = []
    number = 0
    for round_, life in enumerate(draw(LIVES)):
        for state in life:
            number = 17 if state is WAITING else number
            neared = state is WAITING and draw(st.booleans())
            reason = draw(st.sampled_from(CloseReason)) if state is CANCELED else CloseReason.NONE
            ordered.append(
                snapshot(
                    state,
                    len(ordered) + 1,
                    round=round_,
                    neared=neared,
                    waiting_number=number,
                    close_reason=reason,
                )
            )
    shuffled = draw(st.permutations(ordered))
    again = draw(st.lists(st.sampled_from(ordered), max_size=4))
    return ordered, [*shuffled, *again]


@given(arrivals())
def test_in_any_order_of_arrival_the_same_notices_are_sent_and_withheld(
    arrived: tuple[list[Snapshot], list[Snapshot]],
) -> None:
    ordered, shuffled = arrived
    one, other = Memory(), Memory()
    one.see(*ordered)
    other.see(*shuffled)
    assert one.send() == other.send()


@given(arrivals(), st.data())
def test_with_sending_in_between_the_same_notices_exist_and_none_is_sent_after_it_became_untrue(
    arrived: tuple[list[Snapshot], list[Snapshot]], data: st.DataObject
) -> None:
    ordered, shuffled = arrived
    one, other = Memory(), Memory()
    one.see(*ordered)
    newest = 0
    for seen in shuffled:
        before = {id_ for id_, line in other.notices.lines.items() if line.is_settled}
        other.see(seen)
        newest = max(newest, seen.version)
        if data.draw(st.booleans()):
            held = ordered[newest - 1]
            for id_, became in other.send().items():
                line = other.notices.lines[id_]
                if id_ not in before and became == "DELIVERED":
                    assert (TRUE_WHILE[line.purpose], line.round) == (held.state, held.round)
    assert one.send().keys() == other.send().keys()


@given(arrivals())
def test_what_is_true_at_the_end_is_always_sent(arrived: tuple[list[Snapshot], list[Snapshot]]) -> None:
    ordered, shuffled = arrived
    memory = Memory()
    for seen in shuffled:
        memory.see(seen)
        memory.send()
    last = ordered[-1]
    became = memory.send()
    for purpose in purposes(last):
        slug = purpose.value.lower().replace("_", "-")
        assert became[f"r1-{slug}-{last.round}"] == "DELIVERED"

"""One line of the ledger, from decision to end."""

from datetime import timedelta

import pytest

from services.notification.domain.errors import NoticeIsSettled
from services.notification.domain.notice import ATTEMPT, KEEP_ASKING, LEASE, LONGEST_DELAY, Reason, State
from services.notification.domain.outcome import WORTH_REPEATING, Outcome, Report
from services.notification.domain.phone import masked
from services.notification.domain.purpose import ReceptionState
from services.notification.domain.store import Store, time_of_day
from tests.unit.notification.making import DELIVERED, NOON, notice


def test_a_settled_notice_does_not_change_any_more() -> None:
    line = notice()
    line.report(DELIVERED, NOON)
    with pytest.raises(NoticeIsSettled):
        line.withhold(Reason.STALE, NOON)
    with pytest.raises(NoticeIsSettled):
        line.report(Report(Outcome.REFUSED), NOON)
    assert line.state is State.DELIVERED


def test_only_its_end_is_told_to_others() -> None:
    line = notice()
    line.report(Report(Outcome.TRANSIENT), NOON)
    assert line.events == []
    line.report(DELIVERED, NOON)
    assert len(line.events) == 1


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_leads_somewhere(outcome: Outcome) -> None:
    line = notice()
    line.report(Report(outcome), NOON)
    assert line.attempts == 1
    if outcome is Outcome.DELIVERED:
        assert line.state is State.DELIVERED
    elif outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE):
        assert (line.state, line.failure) == (State.SENT, "")
        assert line.next_attempt_at is not None
    elif outcome in WORTH_REPEATING:
        assert (line.state, line.failure) == (State.PENDING, "")
        assert line.next_attempt_at == NOON + timedelta(seconds=1)
    else:
        assert (line.state, line.failure, line.next_attempt_at) == (State.FAILED, outcome.value, None)


def test_attempts_grow_apart_up_to_a_limit() -> None:
    line = notice()
    delays = []
    for _ in range(8):
        line.report(Report(Outcome.TRANSIENT), NOON)
        assert line.next_attempt_at is not None
        delays.append((line.next_attempt_at - NOON).total_seconds())
    assert delays == [1, 2, 4, 8, 16, 30, 30, LONGEST_DELAY.total_seconds()]


def test_a_vendor_that_never_tells_the_end_is_given_up() -> None:
    line = notice()
    line.report(Report(Outcome.ACCEPTED, "q1"), NOON)
    line.report(Report(Outcome.UNCERTAIN), NOON + KEEP_ASKING)
    assert (line.state, line.failure, line.vendor_reference) == (State.FAILED, "UNCERTAIN", "q1")


@pytest.mark.parametrize(
    ("outcome", "doubtful"), [(Outcome.UNCERTAIN, True), (Outcome.TRANSIENT, False), (Outcome.CONFIG, False)]
)
def test_only_an_attempt_without_an_answer_leaves_doubt(outcome: Outcome, doubtful: bool) -> None:
    line = notice()
    line.report(Report(outcome), NOON)
    assert line.doubtful is doubtful


def test_a_later_attempt_in_vain_does_not_clear_the_doubt_about_an_earlier_one() -> None:
    line = notice()
    line.report(Report(Outcome.TRANSIENT, doubtful=True), NOON)
    line.report(Report(Outcome.TRANSIENT), NOON)
    assert line.doubtful


def test_one_left_by_whoever_decided_on_it_may_have_arrived() -> None:
    fresh, tried = notice(version=1), notice(version=2)
    fresh.take_up(NOON)
    tried.take_up(NOON)
    assert fresh.doubtful
    assert not tried.doubtful


def test_whoever_has_it_in_hand_makes_an_attempt_only_if_there_is_time_for_it() -> None:
    line = notice()
    assert not line.is_safe(NOON)
    line.keep(NOON)
    assert line.is_safe(NOON + LEASE - ATTEMPT)
    assert not line.is_safe(NOON + LEASE - ATTEMPT + timedelta(milliseconds=1))


def test_it_is_withheld_when_untrue_or_too_late() -> None:
    line = notice()
    assert line.why_withhold(ReceptionState.CALLED, 0, NOON) is None
    assert line.why_withhold(ReceptionState.SEATED, 0, NOON) is Reason.STALE
    assert line.why_withhold(ReceptionState.CALLED, 1, NOON) is Reason.STALE
    assert line.why_withhold(ReceptionState.CALLED, 0, line.expire_at) is Reason.EXPIRED


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("+821012345678", "010-****-5678"),
        ("+82212345678", "02-****-5678"),
        ("+12025550123", "+1******0123"),
        ("+821012345678901234567890", "010-***********-7890"),
        ("", ""),
        ("+1", "**"),
    ],
)
def test_a_phone_number_is_masked(phone: str, shown: str) -> None:
    assert masked(phone) == shown


def test_a_store_never_goes_back_to_an_older_name() -> None:
    store = Store(id="s1")
    assert store.see(2, "새 이름", "")
    assert not store.see(1, "옛 이름", "")
    assert (store.display_name, store.time_zone) == ("새 이름", "Asia/Seoul")


def test_an_unknown_time_zone_is_taken_for_the_korean_one() -> None:
    assert time_of_day(NOON, "Mars/Olympus") == "12:00"
    assert time_of_day(NOON, "../../etc/passwd") == "12:00"
    assert time_of_day(NOON, "UTC") == "03:00"

"""Who gets which table, and when a table is free again."""

from datetime import timedelta

import pytest

from services.chassis.kernel import AlreadyExists, NotFound, Stale
from services.seat.domain.errors import FloorFull
from services.seat.domain.floor import MAX_TABLES, Floor, SeatingMode, StoreNews
from services.seat.domain.host import Host
from services.seat.domain.seating import Stage, State
from services.seat.domain.table import Table, TableState
from tests.unit.seat.floors import ADDED, BROKEN, EXPIRED, FREED, NOON, STEP, TAKEN, TIMEOUT, MemoryBook, Store

BY_HAND, STRICT = SeatingMode.BY_HAND, SeatingMode.STRICT_FIFO


def test_a_party_gets_the_smallest_free_table_that_fits() -> None:
    store = Store()
    for table, capacity in (("a", 8), ("b", 4), ("c", 4), ("d", 2)):
        store.add(table, capacity)
    assert store.join("p", 3).table_id == "b"
    assert store.join("q", 3).table_id == "c"
    assert store.join("r", 3).table_id == "a"
    assert store.at("p")[0] is State.HELD
    assert store.said("p") == [ADDED]


def test_a_hold_lasts_as_long_as_the_store_says() -> None:
    store = Store()
    table = store.add("a", 4)
    seating = store.join("p", 3)
    assert seating.hold_expire_at == table.hold_expire_at == store.book.reminders["p"] == NOON + TIMEOUT
    assert table.state is TableState.HELD


def test_a_party_that_fits_no_free_table_waits_in_silence() -> None:
    store = Store()
    store.add("a", 2)
    assert store.join("p", 3).state is State.WAITING
    assert store.said("p") == []


def test_a_promise_that_cannot_be_kept_is_withdrawn_once() -> None:
    store = Store()
    store.join("p", 2, promised=True)
    assert store.said("p") == [BROKEN]
    store.tell("p", Stage.REQUESTED)
    store.tell("p", Stage.WAITING)
    assert store.said("p") == [BROKEN]
    assert store.at("p") == (State.WAITING, "")


def test_a_party_whose_promise_was_withdrawn_gets_the_next_table() -> None:
    store = Store()
    store.join("p", 2, promised=True)
    store.add("a", 2)
    assert store.said("p") == [BROKEN, ADDED]
    store.tell("p", Stage.WAITING)
    assert store.at("p") == (State.HELD, "a")


def test_a_freed_table_goes_to_the_first_party_that_fits_it() -> None:
    store = Store()
    store.add("a", 4)
    for party, size in (("sitting", 4), ("large", 6), ("first", 3), ("second", 4)):
        store.join(party, size)
    store.tell("sitting", Stage.CLOSED)
    assert store.said("sitting") == [ADDED, FREED]
    assert store.at("first") == (State.HELD, "a")
    assert store.at("large")[0] is store.at("second")[0] is State.WAITING


def test_several_new_tables_go_to_the_line_in_order() -> None:
    store = Store()
    for party, size, section in (("p", 2, ""), ("q", 6, ""), ("r", 2, "Terrace"), ("s", 2, "")):
        store.join(party, size, section=section)
    tables = [
        Table(store_id="s1", table_id=name, capacity=capacity, section=section)
        for name, capacity, section in (("a", 2, ""), ("b", 6, ""), ("t", 4, "Terrace"))
    ]
    store.host.add_tables(tables)
    assert [store.at(party)[1] for party in "pqrs"] == ["a", "b", "t", ""]


def test_the_first_in_line_is_served_before_one_who_sits_anywhere() -> None:
    store = Store()
    store.join("first", 2, section="Terrace")
    store.join("second", 2)
    store.host.add_tables(
        [
            Table(store_id="s1", table_id="a", capacity=6),
            Table(store_id="s1", table_id="t", capacity=2, section="Terrace"),
        ]
    )
    assert store.at("first") == (State.HELD, "t")
    assert store.at("second") == (State.HELD, "a")


def test_the_largest_of_several_new_tables_counts() -> None:
    store = Store()
    store.join("p", 6)
    store.host.add_tables(
        [Table(store_id="s1", table_id="a", capacity=6), Table(store_id="s1", table_id="b", capacity=2)]
    )
    assert store.at("p") == (State.HELD, "a")


def test_a_wished_section_is_kept_to() -> None:
    store = Store()
    store.add("a", 4)
    assert store.join("p", 2, section="Terrace").state is State.WAITING
    store.add("t", 2, "Terrace")
    assert store.at("p") == (State.HELD, "t")


def test_in_a_strict_line_nobody_is_passed() -> None:
    store = Store(STRICT)
    store.add("a", 2)
    store.join("large", 4)
    store.join("small", 2)
    assert store.at("small") == (State.WAITING, "")
    store.tell("large", Stage.CLOSED)
    assert store.at("small") == (State.HELD, "a")


def test_when_the_first_of_a_strict_line_postpones_the_next_is_served() -> None:
    store = Store(STRICT)
    store.add("a", 2)
    store.join("large", 4)
    store.join("small", 2)
    store.tell("large", Stage.WAITING, order_key=10 * STEP)
    assert store.at("small") == (State.HELD, "a")


def test_a_store_that_calls_by_hand_assigns_no_tables() -> None:
    store = Store(BY_HAND)
    store.add("a", 2)
    store.join("p", 2, promised=True)
    assert store.said("p") == [BROKEN]
    store.tell("p", Stage.CALLED, hold_expire_at=NOON + TIMEOUT)
    assert store.at("p") == (State.HELD, "")
    store.tell("p", Stage.SEATED, table_id="a")
    assert store.at("p") == (State.OCCUPIED, "a")


def test_a_new_seating_mode_seats_whom_it_allows_at_once() -> None:
    store = Store(BY_HAND)
    store.add("a", 2)
    store.join("large", 4)
    store.join("small", 2)
    store.set_mode(STRICT)
    assert store.at("small")[0] is State.WAITING
    store.set_mode(SeatingMode.COMPATIBLE_FIFO)
    assert store.at("small") == (State.HELD, "a")


def test_old_news_of_a_store_change_nothing() -> None:
    store = Store()
    store.host.follow_store(StoreNews("s1", 0, BY_HAND, TIMEOUT))
    store.host.follow_store(StoreNews("s1", 1, BY_HAND, TIMEOUT))
    assert store.floor.mode is SeatingMode.COMPATIBLE_FIFO


def test_a_party_called_by_hand_without_a_free_table_is_held_for_without_one() -> None:
    store = Store()
    store.join("p", 2)
    store.tell("p", Stage.CALLED, hold_expire_at=NOON + timedelta(minutes=2))
    assert store.at("p") == (State.HELD, "")
    assert store.said("p") == [ADDED]
    store.let_pass(timedelta(minutes=2))
    assert store.said("p") == [ADDED, EXPIRED]


def test_a_hold_that_runs_out_passes_the_table_on() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 4)
    store.join("q", 4)
    store.let_pass(TIMEOUT - timedelta(seconds=1))
    assert store.at("p") == (State.HELD, "a")
    store.let_pass(timedelta(seconds=1))
    assert store.at("p") == (State.EXPIRED, "")
    assert store.at("q") == (State.HELD, "a")
    assert store.said("p") == [ADDED, EXPIRED]


def test_an_expired_party_does_not_come_back_in_the_same_round() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 4)
    store.let_pass(TIMEOUT)
    store.tell("p", Stage.WAITING)
    store.tell("p", Stage.CALLED, table_id="a", hold_expire_at=NOON + 2 * TIMEOUT)
    assert store.at("p") == (State.EXPIRED, "")
    store.tell("p", Stage.CLOSED)
    assert store.at("p") == (State.DONE, "")
    assert store.said("p") == [ADDED, EXPIRED]


def test_a_party_that_was_seated_in_the_last_moment_sits_although_its_hold_expired() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 4)
    store.let_pass(TIMEOUT)
    store.tell("p", Stage.SEATED, table_id="a")
    assert store.at("p") == (State.OCCUPIED, "a")


def test_a_hold_that_staff_prolong_expires_later() -> None:
    store = Store()
    table = store.add("a", 4)
    store.join("p", 4)
    store.tell("p", Stage.CALLED, table_id="a", hold_expire_at=NOON + 2 * TIMEOUT)
    assert table.hold_expire_at == NOON + 2 * TIMEOUT
    store.let_pass(TIMEOUT)
    assert store.at("p") == (State.HELD, "a")
    store.let_pass(TIMEOUT)
    assert store.at("p") == (State.EXPIRED, "")


def test_a_seated_party_sits_at_the_table_it_was_called_to() -> None:
    store = Store()
    table = store.add("a", 4)
    store.join("p", 4)
    store.tell("p", Stage.SEATED)
    assert store.at("p") == (State.OCCUPIED, "a")
    assert (table.state, table.hold_expire_at) == (TableState.OCCUPIED, None)
    assert store.book.reminders == {}
    assert store.said("p") == [ADDED, TAKEN]


def test_a_party_seated_elsewhere_lets_go_of_the_table_it_was_called_to() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 2)
    store.join("q", 4)
    store.add("b", 2)
    store.tell("p", Stage.SEATED, table_id="b")
    assert store.at("p") == (State.OCCUPIED, "b")
    assert store.at("q") == (State.HELD, "a")


def test_a_party_seated_at_a_table_of_somebody_else_sits_at_its_own() -> None:
    store = Store()
    store.add("a", 4)
    store.add("b", 4)
    store.join("p", 4)
    store.join("q", 4)
    store.tell("p", Stage.SEATED, table_id="b")
    assert store.at("p") == (State.OCCUPIED, "a")
    assert store.at("q") == (State.HELD, "b")


def test_a_seated_party_without_a_table_takes_the_smallest_that_is_free_if_any() -> None:
    store = Store(BY_HAND)
    store.join("p", 4)
    store.tell("p", Stage.SEATED)
    assert store.at("p") == (State.OCCUPIED, "")
    store.add("a", 6)
    store.add("b", 4)
    store.join("q", 4)
    store.tell("q", Stage.SEATED)
    assert store.at("q") == (State.OCCUPIED, "b")
    store.tell("p", Stage.SEATED)
    assert store.at("p") == (State.OCCUPIED, "")


def test_a_seated_party_can_move_to_another_table() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 4)
    store.tell("p", Stage.SEATED)
    store.add("b", 4)
    store.tell("p", Stage.SEATED, table_id="b")
    assert store.at("p") == (State.OCCUPIED, "b")
    assert store.book.all_tables["a"].is_free


def test_news_of_a_party_that_left_come_too_late() -> None:
    store = Store()
    store.add("a", 4)
    waiting = store.join("p", 4)
    joined = store.news["p"]
    store.tell("p", Stage.CLOSED)
    store.hear(joined)
    store.tell("p", Stage.SEATED)
    store.tell("p", Stage.CALLED)
    assert waiting.state is State.DONE
    assert store.book.all_tables["a"].is_free


def test_a_reception_that_was_closed_before_it_was_heard_of_leaves_a_tombstone() -> None:
    store = Store()
    store.add("a", 4)
    other = Store()
    other.join("p", 4)
    joined = other.news["p"]
    other.tell("p", Stage.CLOSED)
    store.hear(other.news["p"])
    store.hear(joined)
    assert store.at("p") == (State.DONE, "")
    assert store.said("p") == []


def test_a_restored_party_is_back_at_its_old_place() -> None:
    store = Store()
    store.add("a", 4)
    for party in ("p", "q", "r"):
        store.join(party, 4)
    store.let_pass(TIMEOUT)
    store.tell("p", Stage.CLOSED)
    store.restore("p")
    assert store.at("p") == (State.WAITING, "")
    store.tell("q", Stage.CLOSED)
    assert store.at("p") == (State.HELD, "a")
    assert store.at("r") == (State.WAITING, "")


def test_a_restored_party_lets_go_of_what_it_had_before() -> None:
    store = Store()
    table = store.add("a", 4)
    store.join("p", 4)
    store.restore("p")
    assert store.at("p") == (State.HELD, "a")
    assert table.party == "p"
    assert store.said("p") == [ADDED, FREED, ADDED]


def test_what_a_restored_party_lets_go_of_is_for_the_first_in_line() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 4)
    store.join("q", 4)
    store.tell("p", Stage.WAITING, round=1, order_key=10 * STEP)
    assert store.at("q") == (State.HELD, "a")
    assert store.at("p") == (State.WAITING, "")


def test_a_restored_party_that_lost_its_table_gets_another_that_is_free() -> None:
    store = Store()
    store.add("large", 8)
    store.join("p", 2)
    store.join("q", 8)
    store.add("small", 2)
    store.tell("p", Stage.WAITING, round=1, order_key=10 * STEP)
    assert store.at("q") == (State.HELD, "large")
    assert store.at("p") == (State.HELD, "small")


def test_events_of_one_seating_have_growing_versions() -> None:
    store = Store()
    store.add("a", 4)
    store.join("p", 4)
    store.restore("p")
    versions = [version for subject, _, version in store.book.announced if subject == "p"]
    assert versions == sorted(set(versions))


def test_a_blocked_table_is_given_to_nobody_until_it_is_unblocked() -> None:
    store = Store()
    table = store.add("a", 4)
    store.host.block("a", "")
    assert table.state is TableState.BLOCKED
    assert store.join("p", 4).state is State.WAITING
    store.host.unblock("a", "")
    assert store.at("p") == (State.HELD, "a")


def test_a_party_stays_at_a_table_that_is_blocked() -> None:
    store = Store()
    table = store.add("a", 4)
    store.join("p", 4)
    store.join("q", 4)
    store.host.block("a", "")
    assert store.at("p") == (State.HELD, "a")
    store.tell("p", Stage.SEATED)
    store.tell("p", Stage.CLOSED)
    assert table.state is TableState.BLOCKED
    assert store.at("q") == (State.WAITING, "")


def test_a_table_that_grew_calls_whom_it_fits_now() -> None:
    store = Store()
    store.add("a", 2)
    store.join("p", 4)
    store.change("a", capacity=4)
    assert store.at("p") == (State.HELD, "a")


def test_a_change_that_changes_nothing_is_not_announced() -> None:
    store = Store()
    table = store.add("a", 2)
    before = len(store.book.announced)
    store.change("a", capacity=2, section="")
    store.host.unblock("a", "")
    assert len(store.book.announced) == before
    assert table.version == 1


def test_free_seats_are_counted_without_blocked_and_taken_tables() -> None:
    store = Store()
    for table, capacity in (("a", 2), ("b", 4), ("c", 6)):
        store.add(table, capacity)
    store.host.block("c", "")
    store.join("p", 2)
    floor = store.floor
    counts = (floor.seats_remaining, floor.tables_free, floor.tables_total, floor.largest_free_capacity)
    assert counts == (4, 1, 3, 4)


def test_an_act_on_a_table_that_somebody_changed_meanwhile_is_stale() -> None:
    store = Store()
    store.add("a", 2)
    store.host.block("a", "1")
    with pytest.raises(Stale):
        store.host.unblock("a", "1")


def test_an_unknown_table_is_not_found() -> None:
    with pytest.raises(NotFound):
        Store().host.block("a", "")


def test_an_unknown_store_gets_no_tables() -> None:
    host = Host(Floor(store_id="s1"), MemoryBook(), NOON)
    with pytest.raises(NotFound):
        host.add_tables([Table(store_id="s1", table_id="a", capacity=2)])


def test_a_table_is_added_once() -> None:
    store = Store()
    store.add("a", 2)
    with pytest.raises(AlreadyExists):
        store.add("a", 4)


def test_a_floor_has_room_for_so_many_tables() -> None:
    store = Store()
    store.host.add_tables([Table(store_id="s1", table_id=str(n), capacity=2) for n in range(MAX_TABLES)])
    with pytest.raises(FloorFull):
        store.add("one-more", 2)

"""Who may be seated at which table."""

import pytest

from services.management.domain.errors import OrderStateConflict, TableTaken, TableTooSmall
from services.management.domain.order import OrderState
from services.management.domain.table import TableSnapshot, TableState
from tests.unit.management.making import NOON, WINDOW, called_order, seated_order, table, waiting_order


def test_a_party_sits_at_a_free_table() -> None:
    order, window = waiting_order(), table()
    assert order.seat_at(window, WINDOW, None, NOON)
    assert (order.state, order.table_name, window.shown_to) == (OrderState.SEATED, WINDOW, "r1")


def test_a_party_does_not_sit_at_a_table_too_small() -> None:
    order = waiting_order()
    with pytest.raises(TableTooSmall):
        order.seat_at(table(capacity=1), WINDOW, None, NOON)
    assert order.state is OrderState.ACCEPTED


@pytest.mark.parametrize(
    "facts",
    [
        {"state": TableState.HELD, "reception_id": "other"},
        {"state": TableState.OCCUPIED, "reception_id": "other"},
        {"state": TableState.BLOCKED, "blocked": True},
        {"state": TableState.OCCUPIED, "reception_id": "other", "blocked": True},
    ],
)
def test_a_party_does_not_sit_at_a_table_that_is_taken(facts: dict[str, object]) -> None:
    with pytest.raises(TableTaken):
        waiting_order().seat_at(table(**facts), WINDOW, None, NOON)


def test_a_party_sits_at_the_table_held_for_it_even_if_blocked_since() -> None:
    window = table(state=TableState.HELD, reception_id="r1", blocked=True)
    assert called_order().seat_at(window, WINDOW, None, NOON)


def test_a_table_is_given_once_even_before_seat_has_heard_of_it() -> None:
    first, second, window = waiting_order(), waiting_order(id="r2"), table()
    first.seat_at(window, WINDOW, None, NOON)
    with pytest.raises(TableTaken):
        second.seat_at(window, WINDOW, first, NOON)


def test_a_table_is_free_again_once_the_party_shown_to_it_has_left() -> None:
    first, second, window = waiting_order(), waiting_order(id="r2"), table()
    first.seat_at(window, WINDOW, None, NOON)
    first.complete(NOON)
    assert second.seat_at(window, WINDOW, first, NOON)


def test_seating_a_party_where_it_sits_changes_nothing() -> None:
    order = seated_order(WINDOW)
    assert order.seat_at(table(state=TableState.OCCUPIED, reception_id="r1"), WINDOW, None, NOON) is False


def test_a_party_that_sits_elsewhere_is_refused_before_the_table_is_looked_at() -> None:
    with pytest.raises(OrderStateConflict):
        seated_order("stores/sushi/tables/door").seat_at(table(capacity=1), WINDOW, None, NOON)


def test_an_older_word_of_seat_is_not_listened_to() -> None:
    window = table(version=5, capacity=4)
    older = TableSnapshot("sushi/window", "sushi", 5, 9, TableState.BLOCKED, True, "")
    assert window.follow(older) is False
    assert window.capacity == 4

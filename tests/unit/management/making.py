"""Orders, snapshots and tables for the tests of the rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.management.domain.order import Order, ReceptionSnapshot, ReceptionState
from services.management.domain.profile import AcceptMode
from services.management.domain.table import Table, TableSnapshot, TableState

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
TIMEOUT = timedelta(minutes=5)
WINDOW = "stores/sushi/tables/window"


def snapshot(version: int, state: ReceptionState, **facts: Any) -> ReceptionSnapshot:
    """What reception tells of a party of two at `version`."""
    known: dict[str, Any] = {
        "id": "r1",
        "store_id": "sushi",
        "version": version,
        "state": state,
        "round": 0,
        "party_size": 2,
        "waiting_number": 7,
        "order_key": 1 << 20,
        "table_name": "",
        "section": "",
        "walk_in": False,
        "created_at": NOON,
        "called_at": None,
        "seated_at": None,
        "closed_at": None,
        "hold_expires_at": None,
    }
    return ReceptionSnapshot(**(known | facts))


def waiting_order(accept_mode: AcceptMode = AcceptMode.AUTOMATIC, **facts: Any) -> Order:
    """The order of a party that has just joined."""
    order = Order.of_reception(snapshot(1, ReceptionState.WAITING, **facts), accept_mode)
    order.events.clear()
    return order


def called_order(**facts: Any) -> Order:
    order = waiting_order(**facts)
    order.call(TIMEOUT, NOON)
    order.events.clear()
    return order


def seated_order(table_name: str = "") -> Order:
    order = waiting_order()
    order.seat(table_name, NOON)
    order.events.clear()
    return order


def no_show_order() -> Order:
    order = called_order()
    order.mark_no_show(NOON)
    order.events.clear()
    return order


def table(**facts: Any) -> Table:
    """The window table, free, for four."""
    known: dict[str, Any] = {"id": "sushi/window", "store_id": "sushi", "version": 1, "capacity": 4}
    known |= {"state": TableState.FREE, "blocked": False, "reception_id": ""}
    window = Table(id="sushi/window", store_id="sushi")
    window.follow(TableSnapshot(**(known | facts)))
    return window

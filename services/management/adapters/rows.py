"""Rows ⇄ aggregates."""

from dataclasses import fields
from typing import Any

from services.chassis.statements import Row
from services.management.domain.hours import OpeningHours
from services.management.domain.order import Order, OrderState, ReceptionState
from services.management.domain.profile import AcceptMode, Profile, SeatingMode
from services.management.domain.store import Store, StoreState
from services.management.domain.table import Table, TableState

PROFILE = tuple(field.name for field in fields(Profile))
PLAIN = tuple(name for name in PROFILE if name not in ("opening_hours", "accept_mode", "seating_mode"))


def store_to_row(store: Store) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(store.profile, name) for name in PROFILE}
    row["opening_hours"] = [list(hours) for hours in store.profile.opening_hours]
    row |= {"state": store.state, "reopen_at": store.reopen_at, "sent_home_at": store.sent_home_at}
    return row | {"created_at": store.created_at, "updated_at": store.updated_at}


def store_from_row(row: Row) -> Store:
    profile = Profile(
        **{name: row[name] for name in PLAIN},
        opening_hours=tuple(OpeningHours(*hours) for hours in row["opening_hours"]),
        accept_mode=AcceptMode(row["accept_mode"]),
        seating_mode=SeatingMode(row["seating_mode"]),
    )
    return Store(
        id=row["id"],
        version=row["version"],
        profile=profile,
        state=StoreState(row["state"]),
        reopen_at=row["reopen_at"],
        sent_home_at=row["sent_home_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def order_to_row(order: Order) -> dict[str, Any]:
    return {
        "store_id": order.store_id,
        "state": order.state,
        "party_size": order.party_size,
        "waiting_number": order.waiting_number,
        "table_name": order.table_name,
        "section": order.section,
        "walk_in": order.walk_in,
        "reason": order.reason,
        "round": order.round,
        "created_at": order.created_at,
        "called_at": order.called_at,
        "seated_at": order.seated_at,
        "closed_at": order.closed_at,
        "hold_expires_at": order.hold_expires_at,
        "reception_version": order.reception_version,
        "reception_state": order.reception_state,
        "order_key": order.order_key,
    }


def order_from_row(row: Row) -> Order:
    values = dict(row)
    values["state"] = OrderState(values["state"])
    seen = values["reception_state"]
    values["reception_state"] = None if seen is None else ReceptionState(seen)
    return Order(**values)


def table_to_row(table: Table) -> dict[str, Any]:
    return {
        "store_id": table.store_id,
        "capacity": table.capacity,
        "state": table.state,
        "blocked": table.blocked,
        "reception_id": table.reception_id,
        "seat_version": table.seat_version,
        "shown_to": table.shown_to,
    }


def table_from_row(row: Row) -> Table:
    return Table(**{**row, "state": TableState(row["state"])})

"""Rows ⇄ the domain's objects."""

from datetime import timedelta
from typing import Any

from services.chassis.statements import Row
from services.seat.domain.floor import Floor, SeatingMode
from services.seat.domain.seating import Seating, State
from services.seat.domain.table import Table, TableState


def floor_to_row(floor: Floor) -> dict[str, Any]:
    """A floor's columns."""
    return {
        "store_version": floor.store_version,
        "mode": floor.mode.name,
        "call_timeout_seconds": int(floor.call_timeout.total_seconds()),
        "seats_remaining": floor.seats_remaining,
        "tables_free": floor.tables_free,
        "tables_total": floor.tables_total,
        "largest_free_capacity": floor.largest_free_capacity,
    }


def floor_from_row(row: Row) -> Floor:
    """A floor."""
    return Floor(
        store_id=row["id"],
        version=row["version"],
        store_version=row["store_version"],
        mode=SeatingMode[row["mode"]],
        call_timeout=timedelta(seconds=row["call_timeout_seconds"]),
        seats_remaining=row["seats_remaining"],
        tables_free=row["tables_free"],
        tables_total=row["tables_total"],
        largest_free_capacity=row["largest_free_capacity"],
    )


def table_to_row(table: Table) -> dict[str, Any]:
    """A table's columns."""
    return {
        "store_id": table.store_id,
        "table_id": table.table_id,
        "display_name": table.display_name,
        "capacity": table.capacity,
        "section": table.section,
        "blocked": table.blocked,
        "state": table.state.name,
        "party": table.party,
        "hold_expire_at": table.hold_expire_at,
    }


def table_from_row(row: Row) -> Table:
    """A table."""
    return Table(
        store_id=row["store_id"],
        table_id=row["table_id"],
        version=row["version"],
        display_name=row["display_name"],
        capacity=row["capacity"],
        section=row["section"],
        blocked=row["blocked"],
        party=row["party"],
        occupied=row["state"] == TableState.OCCUPIED.name,
        hold_expire_at=row["hold_expire_at"],
    )


def seating_to_row(seating: Seating) -> dict[str, Any]:
    """A seating's columns."""
    return {
        "store_id": seating.store_id,
        "reception_version": seating.reception_version,
        "round": seating.round,
        "state": seating.state.name,
        "order_key": seating.order_key,
        "party_size": seating.party_size,
        "section": seating.section,
        "table_id": seating.table_id,
        "held_at": seating.held_at,
        "hold_expire_at": seating.hold_expire_at,
        "refused": seating.refused,
    }


def seating_from_row(row: Row) -> Seating:
    """A seating."""
    return Seating(
        id=row["id"],
        version=row["version"],
        store_id=row["store_id"],
        reception_version=row["reception_version"],
        round=row["round"],
        state=State[row["state"]],
        order_key=row["order_key"],
        party_size=row["party_size"],
        section=row["section"],
        table_id=row["table_id"],
        held_at=row["held_at"],
        hold_expire_at=row["hold_expire_at"],
        refused=row["refused"],
    )

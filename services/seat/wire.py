"""The floor's nouns as messages of the contract, for answers and events alike."""

from collections.abc import Mapping
from typing import TypeAlias

from services.chassis.fields import timestamp
from services.seat.domain.floor import Floor
from services.seat.domain.table import Table, TableState
from tabling.seat.v1 import events_pb2, table_pb2

TABLE_STATES: Mapping[TableState, table_pb2.Table.State.ValueType] = {
    TableState.FREE: table_pb2.Table.FREE,
    TableState.HELD: table_pb2.Table.HELD,
    TableState.OCCUPIED: table_pb2.Table.OCCUPIED,
    TableState.BLOCKED: table_pb2.Table.BLOCKED,
}

SeatingState: TypeAlias = events_pb2.Seating.State.ValueType


def table_to_pb(table: Table) -> table_pb2.Table:
    """A table, whole."""
    return table_pb2.Table(
        name=table.name,
        display_name=table.display_name,
        capacity=table.capacity,
        section=table.section,
        state=TABLE_STATES[table.state],
        reception=f"stores/{table.store_id}/receptions/{table.party}" if table.party else "",
        hold_expire_time=timestamp(table.hold_expire_at),
        blocked=table.blocked,
        version=table.version,
        etag=str(table.version),
    )


def availability_to_pb(floor: Floor) -> table_pb2.Availability:
    """A store's free seats."""
    return table_pb2.Availability(
        name=f"{floor.name}/availability",
        seats_remaining=floor.seats_remaining,
        tables_free=floor.tables_free,
        tables_total=floor.tables_total,
        largest_free_capacity=floor.largest_free_capacity,
        version=floor.version,
    )

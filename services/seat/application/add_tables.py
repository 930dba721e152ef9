"""Put tables on a store's floor."""

from dataclasses import dataclass

from services.seat.application.ports import Unit
from services.seat.domain.table import Table


@dataclass(frozen=True, slots=True)
class NewTable:
    """A table to be."""

    table_id: str
    capacity: int
    display_name: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True)
class AddTables:
    """Add tables with distinct ids, all or none."""

    store_id: str
    tables: tuple[NewTable, ...]


def add_tables(cmd: AddTables, uow: Unit) -> list[Table]:
    """Add them; whoever waits for such a table is called at once."""
    tables = [
        Table(
            store_id=cmd.store_id,
            table_id=table.table_id,
            capacity=table.capacity,
            display_name=table.display_name,
            section=table.section,
        )
        for table in cmd.tables
    ]
    uow.host(cmd.store_id).add_tables(tables)
    return tables

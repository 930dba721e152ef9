"""Change a table's properties."""

from dataclasses import dataclass

from services.seat.application.ports import Unit
from services.seat.domain.table import Table, TableChanges


@dataclass(frozen=True, slots=True)
class UpdateTable:
    """Change a table, only if it still has `etag` when one is given."""

    store_id: str
    table_id: str
    changes: TableChanges
    etag: str = ""


def update_table(cmd: UpdateTable, uow: Unit) -> Table:
    """Change it; whoever fits a free table only now is called at once."""
    return uow.host(cmd.store_id).change_table(cmd.table_id, cmd.changes, cmd.etag)

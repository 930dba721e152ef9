"""Put a table back into use."""

from dataclasses import dataclass

from services.seat.application.ports import Unit
from services.seat.domain.table import Table


@dataclass(frozen=True, slots=True)
class UnblockTable:
    """Unblock a table, only if it still has `etag` when one is given."""

    store_id: str
    table_id: str
    etag: str = ""


def unblock_table(cmd: UnblockTable, uow: Unit) -> Table:
    """Unblock it; the next fitting party is called at once."""
    return uow.host(cmd.store_id).unblock(cmd.table_id, cmd.etag)

"""Take a table out of use."""

from dataclasses import dataclass

from services.seat.application.ports import Unit
from services.seat.domain.table import Table


@dataclass(frozen=True, slots=True)
class BlockTable:
    """Block a table, only if it still has `etag` when one is given."""

    store_id: str
    table_id: str
    etag: str = ""


def block_table(cmd: BlockTable, uow: Unit) -> Table:
    """Block it; a party that is there stays."""
    return uow.host(cmd.store_id).block(cmd.table_id, cmd.etag)

"""Following what seat tells of a table."""

from services.management.application.ports import UnitOfWork
from services.management.domain.table import Table, TableSnapshot


def follow_table(seen: TableSnapshot, uow: UnitOfWork) -> None:
    """Keep a copy of the newest snapshot."""
    table = uow.tables.find(seen.id) or Table(id=seen.id, store_id=seen.store_id)
    if table.follow(seen):
        uow.tables.save(table)

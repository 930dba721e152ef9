"""Opening a store."""

from dataclasses import dataclass

from services.management.application.names import get_store
from services.management.application.ports import UnitOfWork
from services.management.application.reopen_store import REOPEN
from services.management.domain.store import Store


@dataclass(frozen=True, slots=True)
class OpenStore:
    store_id: str
    etag: str = ""


def open_store(cmd: OpenStore, uow: UnitOfWork) -> Store:
    """The store, open; an open one stays as it is."""
    store = get_store(uow, cmd.store_id, cmd.etag)
    if store.open(uow.now):
        uow.timers.cancel(REOPEN, store.id)
        uow.stores.save(store)
    return store

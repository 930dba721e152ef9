"""Closing a store."""

from dataclasses import dataclass

from services.management.application.names import get_store
from services.management.application.ports import UnitOfWork
from services.management.application.reopen_store import REOPEN
from services.management.domain.store import Store


@dataclass(frozen=True, slots=True)
class CloseStore:
    store_id: str
    send_everyone_home: bool = False
    etag: str = ""


def close_store(cmd: CloseStore, uow: UnitOfWork) -> Store:
    """The store, closed; reception sends the line home when asked to."""
    store = get_store(uow, cmd.store_id, cmd.etag)
    if store.close(uow.now, send_everyone_home=cmd.send_everyone_home):
        uow.timers.cancel(REOPEN, store.id)
        uow.stores.save(store)
    return store

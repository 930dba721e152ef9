"""Pausing a store."""

from dataclasses import dataclass
from datetime import datetime

from services.management.application.names import get_store
from services.management.application.ports import UnitOfWork
from services.management.application.reopen_store import REOPEN
from services.management.domain.store import Store


@dataclass(frozen=True, slots=True)
class PauseStore:
    """`reopen_at` None: until opened by hand."""

    store_id: str
    reopen_at: datetime | None = None
    etag: str = ""


def pause_store(cmd: PauseStore, uow: UnitOfWork) -> Store:
    """The store, paused; it opens by itself when a time was given. Raises `StoreClosed`."""
    store = get_store(uow, cmd.store_id, cmd.etag)
    if store.pause(cmd.reopen_at, uow.now):
        if store.reopen_at is None:
            uow.timers.cancel(REOPEN, store.id)
        else:
            uow.timers.set(REOPEN, store.id, store.reopen_at)
        uow.stores.save(store)
    return store

"""Opening a paused store when its time has come: what the timer does."""

from services.management.application.ports import UnitOfWork

REOPEN = "reopen"
"""The kind of the timer; its key is the store's id."""


def reopen_store(store_id: str, uow: UnitOfWork) -> None:
    """Open the store, unless somebody decided otherwise meanwhile."""
    store = uow.stores.find(store_id)
    if store is not None and store.reopen(uow.now):
        uow.stores.save(store)

"""Changing a store's particulars and policies."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.management.application.names import get_store
from services.management.application.ports import UnitOfWork
from services.management.domain.store import Store


@dataclass(frozen=True, slots=True)
class UpdateStore:
    """`changes` maps fields of the profile to their new values."""

    store_id: str
    changes: Mapping[str, object]
    etag: str = ""


def update_store(cmd: UpdateStore, uow: UnitOfWork) -> Store:
    """The store with its new profile. Raises `InvalidField` when the values do not go together."""
    store = get_store(uow, cmd.store_id, cmd.etag)
    if store.change(cmd.changes, uow.now):
        uow.stores.save(store)
    return store

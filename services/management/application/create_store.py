"""Creating a store."""

from dataclasses import dataclass

from services.chassis.kernel import AlreadyExists
from services.management.application.names import store_name
from services.management.application.ports import UnitOfWork
from services.management.domain.profile import Profile
from services.management.domain.store import Store


@dataclass(frozen=True, slots=True)
class CreateStore:
    store_id: str
    profile: Profile


def create_store(cmd: CreateStore, uow: UnitOfWork) -> Store:
    """A new store, closed. Raises `AlreadyExists`."""
    if uow.stores.find(cmd.store_id) is not None:
        raise AlreadyExists(f"{store_name(cmd.store_id)} exists")
    store = Store.create(cmd.store_id, cmd.profile, uow.now)
    uow.stores.save(store)
    return store

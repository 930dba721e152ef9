"""Keep what notices say of a store."""

from dataclasses import dataclass

from services.notification.application.ports import UnitOfWork
from services.notification.domain.store import Store


@dataclass(frozen=True, slots=True)
class KeepStore:
    """A store at one version."""

    id: str
    version: int
    display_name: str
    time_zone: str


def keep_store(cmd: KeepStore, uow: UnitOfWork) -> None:
    """Take over a newer version of a store; an older one changes nothing."""
    store = uow.stores.find(cmd.id) or Store(id=cmd.id)
    if store.see(cmd.version, cmd.display_name, cmd.time_zone):
        uow.stores.save(store)

"""Giving up a place or a hold."""

from dataclasses import dataclass

from services.chassis.kernel import NotFound
from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.holder import Holder
from services.reception.domain.reception import Reception


@dataclass(frozen=True, slots=True)
class CancelReception:
    """The customer gives up."""

    store_id: str
    id: str
    etag: str
    by: Holder


def cancel_reception(cmd: CancelReception, uow: UnitOfWork) -> Reception:
    """Cancel; a canceled reception stays as it is."""
    reception = load(cmd.store_id, cmd.id, cmd.by, uow)
    reception.expect(cmd.etag)
    before = reception.state
    reception.cancel(uow.now)
    if reception.state is not before:
        keep(reception, uow.lines.get(cmd.store_id), before, uow)
    return reception


def load(store_id: str, reception_id: str, by: Holder, uow: UnitOfWork) -> Reception:
    """A store's reception. Raises `NotFound`, also when it belongs to another store, or is somebody else's."""
    name = f"stores/{store_id}/receptions/{reception_id}"
    reception = uow.receptions.get(reception_id, name)
    if reception.store_id != store_id:
        raise NotFound(f"{name} does not exist")
    reception.expect_holder(by)
    return reception

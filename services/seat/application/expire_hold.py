"""End a hold that has run out."""

from dataclasses import dataclass

from services.seat.application.ports import Unit


@dataclass(frozen=True, slots=True)
class ExpireHold:
    """A hold's time has come."""

    reception_id: str


def expire_hold(cmd: ExpireHold, uow: Unit) -> None:
    """Withdraw the hold unless it has ended already; the next party gets the table."""
    seating = uow.seatings.find(cmd.reception_id)
    if seating:
        uow.host(seating.store_id).expire(seating)

"""Joining a line."""

from dataclasses import dataclass
from datetime import timedelta

from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.customer import Customer
from services.reception.domain.events import ReceptionAdded
from services.reception.domain.line import Line, SeatingMode
from services.reception.domain.line_order import LineOrder
from services.reception.domain.reception import Channel, Contact, Reception, State

# a party that sat down so long ago has left, even if nobody said so
LONGEST_STAY = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class CreateReception:
    """A party wants to join. `seats_fit`: seat said that a table fits right now."""

    id: str
    store_id: str
    party_size: int
    section: str
    contact: Contact
    seats_fit: bool


def create_reception(cmd: CreateReception, uow: UnitOfWork) -> Reception:
    """Refuse, promise a table, or give a waiting number."""
    line = uow.lines.get(cmd.store_id, f"stores/{cmd.store_id}")
    line.check_join(cmd.party_size)
    if cmd.contact.customer_key:
        _check_customer(cmd, uow)
    line.roll(uow.now)
    reception = Reception(
        id=cmd.id,
        store_id=cmd.store_id,
        state=State.REQUESTED,
        channel=Channel.ONLINE,
        party_size=cmd.party_size,
        section=cmd.section,
        contact=cmd.contact,
        order_key=line.take_key(),
        created_at=uow.now,
        business_day=line.business_day,
        promised=cmd.seats_fit,
    )
    if not cmd.seats_fit:
        reception.be_numbered(line.take_number(), line.business_day)
        reception.near_turn = line.is_near(line.waiting)
    reception.record(ReceptionAdded())
    keep(reception, line, None, uow)
    return reception


def seats_worth_asking(line: Line | None, order: LineOrder, party_size: int, section: str) -> bool:
    """Whether seat's answer can matter: not where somebody in line has the better claim to every table that fits."""
    if line is None or not line.may_promise(party_size):
        return False
    if line.policy.seating_mode is SeatingMode.STRICT_FIFO:
        return not order.keys
    return not order.could_use(party_size, section)


def _check_customer(cmd: CreateReception, uow: UnitOfWork) -> None:
    customer = uow.customers.find(cmd.contact.customer_key)
    if customer is None:
        return
    if not customer.may_join(cmd.store_id):
        customer = _without_past_stays(customer, uow)
    customer.check_join(cmd.store_id)


def _without_past_stays(customer: Customer, uow: UnitOfWork) -> Customer:
    left = Customer(key=customer.key, open=dict(customer.open))
    for reception_id in customer.open:
        reception = uow.receptions.find(reception_id)
        if reception is None or (reception.seated_at and uow.now - reception.seated_at > LONGEST_STAY):
            left.let_go(reception_id)
    return left

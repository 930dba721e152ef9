"""Joining a line."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.address import Address
from services.reception.domain.allowed import Allowed
from services.reception.domain.customer import Customer
from services.reception.domain.events import ReceptionAdded
from services.reception.domain.holder import Holder
from services.reception.domain.line import Line, SeatingMode
from services.reception.domain.line_order import LineOrder
from services.reception.domain.reception import Channel, Contact, Reception, State

# a party that sat down so long ago has left, even if nobody said so
LONGEST_STAY = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class CreateReception:
    """A party wants to join.

    `seats_fit`: seat said that a table fits right now. `is_present`: showed the code on the store's display.
    `former_keys`: under which older keys for phones the customer may be known. `address_key`: under which the address
    is known, as far as it counts.
    """

    id: str
    store_id: str
    party_size: int
    section: str
    contact: Contact
    seats_fit: bool
    by: Holder
    allowed: Allowed
    is_present: bool = False
    former_keys: tuple[str, ...] = ()
    address_key: str = ""

    @property
    def customer_keys(self) -> tuple[str, ...]:
        """All under which the customer may be known; none of somebody who tells nothing."""
        return (self.contact.customer_key, *self.former_keys) if self.contact.customer_key else ()


def create_reception(cmd: CreateReception, uow: UnitOfWork) -> Reception:
    """Refuse, promise a table, or give a waiting number."""
    line = uow.lines.get(cmd.store_id, f"stores/{cmd.store_id}")
    line.check_join(cmd.party_size)
    if cmd.by.comes_alone:
        line.check_visitor(cmd.allowed.joins_of_line, uow.now, is_present=cmd.is_present)
    _check_customer(cmd, uow)
    address = _checked_address(cmd, uow)
    line.roll(uow.now)
    if cmd.by.comes_alone:
        line.count_visitor(cmd.allowed.joins_of_line, uow.now)
    if address is not None:
        address.count_join(cmd.allowed.joins_of_address, uow.now)
        uow.addresses.save(address)
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
    known = [customer for key in cmd.customer_keys if (customer := uow.customers.find(key))]
    if not known:
        return
    customer = Customer(key=cmd.contact.customer_key)
    for each in known:
        customer.take_over(each)
    if not customer.may_join(cmd.store_id):
        customer = _without_what_has_ended(customer, uow)
    is_known = cmd.by.acts_for(cmd.contact.customer_id)
    customer.check_join(cmd.store_id, is_known=is_known)
    if not cmd.by.is_let_in:
        customer.check_pace(cmd.allowed.joins, uow.now, is_known=is_known)


def _checked_address(cmd: CreateReception, uow: UnitOfWork) -> Address | None:
    if not cmd.address_key:
        return None
    address = uow.addresses.find(cmd.address_key) or Address(key=cmd.address_key, back_at=uow.now)
    address.check_join(cmd.allowed.joins_of_address, uow.now)
    return address


def _without_what_has_ended(customer: Customer, uow: UnitOfWork) -> Customer:
    left = replace(customer, open=dict(customer.open))
    for reception_id in customer.open:
        reception = uow.receptions.find(reception_id)
        if reception is None or not reception.is_open or _has_left(reception, uow.now):
            left.let_go(reception_id)
    return left


def _has_left(reception: Reception, now: datetime) -> bool:
    return reception.seated_at is not None and now - reception.seated_at > LONGEST_STAY

"""Keeping a reception together with what hangs on it: the line's figures and the customer's list."""

from services.reception.application.ports import UnitOfWork
from services.reception.domain.customer import Customer
from services.reception.domain.line import Line
from services.reception.domain.reception import OPEN, SAT, Reception, State


def keep(reception: Reception, line: Line, before: State | None, uow: UnitOfWork) -> None:
    """Save a reception that was in the state `before`; None when it is new."""
    account(reception, line, before, uow)
    save_line(line, uow)
    uow.receptions.save(reception)


def account(reception: Reception, line: Line, before: State | None, uow: UnitOfWork) -> None:
    """Carry a reception's change over to its line and its customer."""
    after = reception.state
    line.count(before, after)
    if before is State.WAITING and after is State.CALLED:
        line.call_made(uow.now)
    key = reception.contact.customer_key
    if not key:
        return
    # who has left has sat, even if nothing was heard of that
    if after in SAT and before not in SAT:
        uow.seated.append(reception)
    was_open, is_open = before in OPEN, after in OPEN
    if was_open and not is_open:
        uow.customers.release(key, reception.id)
    elif is_open and not was_open:
        customer = uow.customers.find(key) or Customer(key=key)
        if before is None:
            customer.join(reception.id, reception.store_id, uow.now)
        else:
            customer.hold(reception.id, reception.store_id)
        uow.customers.save(customer)


def save_line(line: Line, uow: UnitOfWork) -> None:
    """Save the line if anything about it changed; before its receptions, which tell its figures."""
    if line.changed:
        line.changed = False
        uow.lines.save(line)

"""Following what staff did with an order: every order tells its whole state."""

from services.reception.application.follow_seating import enter_line
from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.facts import Order
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception, State


def follow_order(order: Order, uow: UnitOfWork) -> None:
    """Call, seat, complete, close or restore. An order that comes before its walk-in is kept for it."""
    reception = uow.receptions.find(order.id)
    if reception is None:
        if uow.lines.find(order.store_id) is None:
            # from now on there is one: the walk-in waits for this order to be there
            uow.lines.save(Line(id=order.store_id))
        uow.early_orders.keep(order)
    elif reception.is_news_of_order(order):
        apply_order(order, reception, uow)


def apply_order(order: Order, reception: Reception, uow: UnitOfWork) -> None:
    """Apply an order that is news."""
    before = reception.state
    line = uow.lines.get(reception.store_id)
    if order.round > reception.round and reception.restore(order):
        line.roll(uow.now)
        if not reception.waiting_number:
            reception.be_numbered(line.take_number(), line.business_day)
        if before is not State.WAITING:
            enter_line(reception, line, uow)
    reception.follow(order, uow.now)
    if reception.events:
        keep(reception, line, before, uow)

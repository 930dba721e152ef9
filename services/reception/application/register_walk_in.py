"""Giving a party at the door its place in line."""

from services.reception.application.change_store import SEND_HOME
from services.reception.application.follow_order import apply_order
from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.events import ReceptionAdded
from services.reception.domain.facts import Order
from services.reception.domain.line import Line
from services.reception.domain.reception import Channel, Contact, Reception, State


def register_walk_in(order: Order, uow: UnitOfWork) -> None:
    """Add the party to the line under the order's id, whatever the store's limits.

    Then catch up with what staff did meanwhile.
    """
    if uow.receptions.find(order.id) is not None:
        return
    line = uow.lines.find(order.store_id) or Line(id=order.store_id)
    line.roll(uow.now)
    reception = Reception(
        id=order.id,
        store_id=order.store_id,
        state=State.WAITING,
        channel=Channel.WALK_IN,
        party_size=order.party_size,
        section=order.section,
        contact=Contact(),
        order_key=line.take_key(),
        created_at=order.created_at or uow.now,
        business_day=line.business_day,
        round=order.round,
        near_turn=line.is_near(line.waiting),
    )
    reception.be_numbered(line.take_number(), line.business_day)
    reception.record(ReceptionAdded())
    keep(reception, line, None, uow)
    if line.sent_home_at is not None and reception.created_at <= line.sent_home_at:
        uow.timers.set(SEND_HOME, line.id, uow.now)
    for news in (order, uow.early_orders.take(order.id)):
        if news is not None and reception.is_news_of_order(news):
            apply_order(news, reception, uow)

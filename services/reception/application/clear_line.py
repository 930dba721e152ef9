"""Sending parties home, some at a time: a timer that comes again until nobody is left."""

from services.reception.application.change_store import DAY_END, SEND_HOME
from services.reception.application.keep import account, save_line
from services.reception.application.ports import UnitOfWork
from services.reception.domain.line import Line
from services.reception.domain.reception import CloseReason, Reception

AT_ONCE = 200


def send_home(store_id: str, uow: UnitOfWork) -> None:
    """The store closed and sent home whoever had joined by then."""
    line = uow.lines.get(store_id)
    leaving = uow.receptions.uncalled(store_id, until=line.sent_home_at, limit=AT_ONCE)
    _send_away(leaving, line, uow)
    if len(leaving) == AT_ONCE:
        uow.timers.set(SEND_HOME, store_id, uow.now)


def end_day(store_id: str, uow: UnitOfWork) -> None:
    """The business day is over: numbers start again, and who is left from earlier days has to leave."""
    line = uow.lines.get(store_id)
    line.roll(uow.now)
    leaving = uow.receptions.uncalled(store_id, before_day=line.business_day, limit=AT_ONCE)
    _send_away(leaving, line, uow)
    if len(leaving) == AT_ONCE:
        uow.timers.set(DAY_END, store_id, uow.now)
    elif line.day_ends_at is not None:
        uow.timers.set(DAY_END, store_id, line.day_ends_at)


def _send_away(leaving: list[Reception], line: Line, uow: UnitOfWork) -> None:
    for reception in leaving:
        before = reception.state
        reception.send_away(CloseReason.STORE_CLOSED, uow.now)
        account(reception, line, before, uow)
    save_line(line, uow)
    for reception in leaving:
        uow.receptions.save(reception)

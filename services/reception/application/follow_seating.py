"""Following what seat says about a reception's table."""

from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.facts import Seating
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception, State


def hold_table(seating: Seating, uow: UnitOfWork) -> None:
    """A table is held for the party."""
    reception = _news(seating, uow)
    if reception is not None:
        before = reception.state
        reception.hold(seating, uow.now)
        _keep_if_changed(reception, before, uow)


def break_promise(seating: Seating, uow: UnitOfWork) -> None:
    """The promised table was gone: the party gets a number, and keeps the place of its asking."""
    reception = _news(seating, uow)
    if reception is None or reception.state is not State.REQUESTED:
        return
    line = uow.lines.get(reception.store_id)
    line.roll(uow.now)
    reception.lose_promise(seating, line.take_number(), line.business_day)
    enter_line(reception, line, uow)
    keep(reception, line, State.REQUESTED, uow)


def expire_hold(seating: Seating, uow: UnitOfWork) -> None:
    """The party did not come in time."""
    reception = _news(seating, uow)
    if reception is not None:
        before = reception.state
        reception.lose_hold(seating, uow.now)
        _keep_if_changed(reception, before, uow)


def note_table(seating: Seating, uow: UnitOfWork) -> None:
    """The party sits at a table."""
    reception = _news(seating, uow)
    if reception is not None:
        before = reception.state
        reception.sit_at(seating)
        _keep_if_changed(reception, before, uow)


def enter_line(reception: Reception, line: Line, uow: UnitOfWork) -> None:
    """Give a party that has a number its place by its order key."""
    reception.order_key = uow.places.free_key(line.id, reception.order_key)
    reception.near_turn = line.is_near(uow.places.ahead(line.id, reception.order_key))


def _news(seating: Seating, uow: UnitOfWork) -> Reception | None:
    reception = uow.receptions.find(seating.reception_id)
    return reception if reception is not None and reception.is_news_of_seat(seating) else None


def _keep_if_changed(reception: Reception, before: State, uow: UnitOfWork) -> None:
    if reception.events:
        keep(reception, uow.lines.get(reception.store_id), before, uow)

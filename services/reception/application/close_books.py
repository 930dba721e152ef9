"""What a transaction still owes at its end, done once for all its members."""

from itertools import islice

from services.reception.application.keep import keep
from services.reception.application.ports import UnitOfWork
from services.reception.domain.line import Line
from services.reception.domain.reception import UNSEATED, CloseReason, Reception, State


def close_books(uow: UnitOfWork) -> None:
    """Cancel what seated customers have elsewhere, and tell parties whose turn came near."""
    _leave_other_lines(uow)
    for store_id in uow.places.moved_up():
        line = uow.lines.find(store_id)
        if line is not None and line.policy.near_turn_parties:
            _tell_near(line, uow)


def _leave_other_lines(uow: UnitOfWork) -> None:
    seated = [*uow.seated]
    if not seated:
        return
    uow.seated.clear()
    uow.customers.preload({reception.contact.customer_key for reception in seated})
    leaving: list[tuple[str, Reception]] = []
    stores: set[str] = set()
    for reception in seated:
        customer = uow.customers.find(reception.contact.customer_key)
        for key, store_id in customer.open.items() if customer is not None else ():
            if key != reception.id:
                leaving.append((key, reception))
                stores.add(store_id)
    # lines first, as everywhere: transactions that need the same rows must not wait for each other
    uow.lines.preload(stores)
    uow.receptions.preload(key for key, _ in leaving)
    for key, reception in leaving:
        _leave(key, reception, uow)


def _leave(reception_id: str, seated: Reception, uow: UnitOfWork) -> None:
    reception = uow.receptions.find(reception_id)
    # a line that was joined after sitting down stays, however late the news of that is
    if reception is not None and reception.state in UNSEATED and reception.was_joined_before(seated):
        before = reception.state
        reception.send_away(CloseReason.SEATED_ELSEWHERE, uow.now)
        keep(reception, uow.lines.get(reception.store_id), before, uow)


def _tell_near(line: Line, uow: UnitOfWork) -> None:
    first = islice(uow.places.behind(line.id, -1), line.policy.near_turn_parties + 1)
    ids = [spot.reception_id for spot in first if not spot.near_turn]
    uow.receptions.preload(ids)
    for reception_id in ids:
        reception = uow.receptions.find(reception_id)
        if reception is not None and reception.state is State.WAITING and not reception.near_turn:
            reception.come_near()
            uow.receptions.save(reception)

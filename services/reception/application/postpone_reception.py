"""Letting others go first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.reception.application.cancel_reception import load
from services.reception.application.keep import save_line
from services.reception.application.ports import Standing, UnitOfWork
from services.reception.domain.holder import Holder
from services.reception.domain.line import Line
from services.reception.domain.line_order import Spot
from services.reception.domain.reception import Reception


@dataclass(frozen=True, slots=True)
class PostponeReception:
    """Move behind `parties` later parties that could use the same table."""

    store_id: str
    id: str
    parties: int
    etag: str
    by: Holder


def postpone_reception(cmd: PostponeReception, uow: UnitOfWork) -> Reception:
    """Move back; who is last already stays as it is."""
    reception, line = _load(cmd, uow)
    order_key = _later_key(reception, cmd.parties, line, uow)
    if order_key is None:
        return reception
    reception.postpone(order_key)
    reception.near_turn = line.is_near(uow.places.ahead(line.id, order_key) - 1)
    if order_key >= line.next_order_key:
        line.take_key()
        save_line(line, uow)
    uow.receptions.save(reception)
    return reception


def preview_postponement(cmd: PostponeReception, uow: UnitOfWork) -> tuple[Reception, Standing]:
    """What `postpone_reception` would give; changes nothing."""
    reception, line = _load(cmd, uow)
    order_key = _later_key(reception, cmd.parties, line, uow)
    if order_key is None:
        ahead = uow.places.ahead(line.id, reception.order_key)
        return reception, Standing(ahead, line.wait_seconds(ahead))
    ahead = uow.places.ahead(line.id, order_key) - 1
    count = reception.postpone_count + 1
    return replace(reception, order_key=order_key, postpone_count=count), Standing(ahead, line.wait_seconds(ahead))


def _load(cmd: PostponeReception, uow: UnitOfWork) -> tuple[Reception, Line]:
    reception = load(cmd.store_id, cmd.id, cmd.by, uow)
    reception.expect(cmd.etag)
    line = uow.lines.get(cmd.store_id)
    reception.check_postpone(line.policy.max_postpones)
    return reception, line


def _later_key(reception: Reception, parties: int, line: Line, uow: UnitOfWork) -> int | None:
    later = uow.places.behind(line.id, reception.order_key)
    here = _last_to_pass(reception, parties, later)
    if here is None:
        return None
    for after in later:
        # a place that was shared out too often has no room left: then the next one
        if after.order_key - here.order_key > 1:
            return (here.order_key + after.order_key) // 2
        here = after
    return line.next_order_key


def _last_to_pass(reception: Reception, parties: int, later: Iterator[Spot]) -> Spot | None:
    """The last of so many that could use the same table, or of all; None when nobody is behind."""
    last = None
    for last in later:
        parties -= last.party_size <= reception.lets_pass_up_to
        if not parties:
            break
    return last

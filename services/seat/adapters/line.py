"""The line of a store, asked for whoever is next; never loaded whole."""

from typing import Any

from sqlalchemy import Connection, Select, bindparam, literal, select, union_all
from sqlalchemy.sql import ColumnElement

from services.chassis.rows import Rows
from services.chassis.writes import Writes
from services.seat.adapters.tables import seatings, waiting
from services.seat.domain.seating import Seating, State

_OF_STORE = seatings.c.store_id == bindparam("store")
_IN_ORDER = (seatings.c.order_key, seatings.c.id)

_FIRST = select(seatings).where(_OF_STORE, waiting).order_by(*_IN_ORDER).limit(1)


def _first_fitting(*sections: ColumnElement[str]) -> Select[Any]:
    # the first party of each size, a seek in the index each: the line may have 100,000 parties that do not fit
    size = select(literal(1).label("size")).cte("sizes", recursive=True)
    size = size.union_all(select(size.c.size + 1).where(size.c.size < bindparam("capacity")))
    firsts = [
        select(
            select(seatings.c.id)
            .where(_OF_STORE, waiting, seatings.c.section == section, seatings.c.party_size == size.c.size)
            .order_by(*_IN_ORDER)
            .limit(1)
            .correlate(size)
            .scalar_subquery()
        ).select_from(size)
        for section in sections
    ]
    # joined rather than looked up: of a list in a WHERE, MariaDB would ask for every row of the table
    first = union_all(*firsts).subquery("first")
    (key,) = first.c
    return select(seatings).join(first, seatings.c.id == key).order_by(*_IN_ORDER).limit(1)


_FIRST_FITTING_ANYWHERE = _first_fitting(literal(""))
_FIRST_FITTING = _first_fitting(literal(""), bindparam("section"))


class Line:
    """Waiting parties by store, in order."""

    def __init__(self, connection: Connection, rows: Rows[Seating]) -> None:
        self._connection = connection
        self._rows = rows
        self._first: dict[str, Seating] = {}

    def first(self, store_id: str) -> Seating | None:
        """The first of a store's line."""
        first = self._first.get(store_id) or self._ask(_FIRST, store=store_id)
        if first:
            self._first[store_id] = first
        return first

    def first_fitting(self, store_id: str, capacity: int, section: str) -> Seating | None:
        """The first of a store's line that could use such a table."""
        if section:
            return self._ask(_FIRST_FITTING, store=store_id, capacity=capacity, section=section)
        return self._ask(_FIRST_FITTING_ANYWHERE, store=store_id, capacity=capacity)

    def changed(self, seating: Seating) -> None:
        """Forget the first of the line when this one was it, or now is."""
        first = self._first.get(seating.store_id)
        if first is None:
            return
        if first is seating or (seating.state is State.WAITING and seating.place < first.place):
            del self._first[seating.store_id]

    def _ask(self, statement: Select[Any], **values: object) -> Seating | None:
        writes = Writes(self._connection)
        self._rows.flush(writes)
        writes.run()
        found = self._rows.adopt(self._connection.execute(statement, values).mappings())
        return found[0] if found else None

"""Replicas of reception for tests: each has a view of the lines of its own, over one database."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, select

from services.chassis.database.opening import open_database
from services.chassis.database.sqlite import sqlite_connection, sqlite_engine
from services.chassis.kernel import DomainError
from services.chassis.statements import rows_by_key
from services.chassis.unit_of_work import Surroundings
from services.reception.adapters import queries
from services.reception.adapters.line_view import LineView
from services.reception.adapters.rows import line_from_row
from services.reception.adapters.tables import lines, metadata, receptions
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.application.cancel_reception import CancelReception, cancel_reception
from services.reception.application.change_store import ChangeStore, change_store
from services.reception.application.close_books import close_books
from services.reception.application.create_reception import CreateReception, create_reception
from services.reception.application.follow_order import follow_order
from services.reception.application.follow_seating import break_promise, expire_hold, hold_table
from services.reception.application.postpone_reception import PostponeReception, postpone_reception
from services.reception.domain.facts import Order, OrderState, Seating
from services.reception.domain.line import Line, Policy, StoreState
from services.reception.domain.line_order import Spot
from services.reception.domain.reception import Contact
from tests.entitled import LET_IN, OFTEN

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
AROUND = Surroundings("reception", metadata)

Work = Callable[[ReceptionUnitOfWork], object]


class Broken(Exception):
    """A transaction is given up at its end."""


class Truth(NamedTuple):
    """A store as the tables have it: the line's version, who waits, and each reception's version and line version."""

    version: int
    line: tuple[Spot, ...]
    receptions: dict[str, tuple[int, int]]


class Replica:
    """One process's view of the lines, and its transactions, one at a time."""

    def __init__(self, address: str) -> None:
        self.database = open_database(address)
        self.view = LineView()
        self.unheard: ReceptionUnitOfWork | None = None

    async def write(self, *works: Work, broken: bool = False) -> bool:
        """Commit, in one transaction, those works that are possible; `settle` lets the view know.

        False when one that is not possible would leave traces in the transaction: nothing is committed then.
        """

        def transaction(connection: Connection) -> ReceptionUnitOfWork:
            uow = ReceptionUnitOfWork(connection, NOON, AROUND, self.view, close_books)
            for work in works:
                before = uow.changes.count
                try:
                    work(uow)
                except DomainError:
                    if uow.changes.count != before:
                        raise
            uow.flush()
            if broken:
                raise Broken
            return uow

        try:
            self.unheard = await self.database.write(transaction)
        except Broken:
            return True
        except DomainError:
            return False
        return True

    def settle(self) -> None:
        """The news that the last transaction was committed gets here."""
        if self.unheard is not None:
            self.view.committed(self.unheard.lines.found, self.unheard.places, self.unheard.lines.saved)
            self.unheard = None

    async def look(self, store_id: str) -> None:
        """Read a line, as for somebody who asks for a place."""
        await self.database.read(lambda connection: queries.catch_up(self.view, connection, (store_id,)))

    def line(self, store_id: str) -> tuple[Spot, ...]:
        """Who waits, as far as the view knows."""
        order = self.view.order(store_id)
        return tuple(order.spots[key] for key in order.keys)


async def truth(replica: Replica, store_id: str) -> Truth:
    """A store as the tables have it."""
    return await replica.database.read(lambda connection: _truth(connection, store_id))


def _truth(connection: Connection, store_id: str) -> Truth:
    c = receptions.c
    rows = [*connection.execute(select(receptions).where(c.store_id == store_id).order_by(c.order_key))]
    version = connection.execute(select(lines.c.version).where(lines.c.id == store_id)).scalar()
    return Truth(
        version or 0,
        tuple(Spot(r.order_key, r.id, r.party_size, r.section, r.near_turn) for r in rows if r.state == "WAITING"),
        {r.id: (r.version, r.line_version) for r in rows},
    )


@contextmanager
def snapshot(file: Path) -> Iterator[Connection]:
    """A SQLite file as it is now, whatever is written to it meanwhile."""
    with sqlite_engine(file).connect() as connection, connection.begin():
        _truth(connection, "")
        yield connection


def present_lines(connection: Connection, store_ids: Iterable[str]) -> list[Line]:
    """The lines as a snapshot has them."""
    return [line_from_row(row) for row in rows_by_key(connection, lines, [*store_ids])]


@contextmanager
def at_first_statement(connection: Connection, act: Callable[[], object]) -> Iterator[None]:
    """Act while the next statement of a SQLite connection is under way."""
    acts = iter((act,))
    sqlite_connection(connection).set_trace_callback(lambda _: [next_act() for next_act in islice(acts, 1)])
    try:
        yield
    finally:
        sqlite_connection(connection).set_trace_callback(None)


@dataclass
class Works:
    """Makes what happens to receptions, whatever it is that can happen; each is a piece of a transaction."""

    versions: "count[int]"

    def opened(self, store_id: str, near: int) -> Work:
        policy = Policy(next(self.versions), store_id, StoreState.OPEN, near_turn_parties=near, max_waiting=1000)
        return lambda uow: change_store(ChangeStore(store_id, policy, None), uow)

    def joined(self, store_id: str, id_: str, size: int, *, customer: str, fits: bool) -> Work:
        contact = Contact(customer, f"c:{customer}" if customer else "")
        cmd = CreateReception(id_, store_id, size, "", contact, fits, LET_IN, OFTEN)
        return lambda uow: create_reception(cmd, uow)

    def canceled(self, store_id: str, id_: str) -> Work:
        return lambda uow: cancel_reception(CancelReception(store_id, id_, "", LET_IN), uow)

    def postponed(self, store_id: str, id_: str, parties: int) -> Work:
        return lambda uow: postpone_reception(PostponeReception(store_id, id_, parties, "", LET_IN), uow)

    def seating(self, kind: str, store_id: str, id_: str, round_: int) -> Work:
        use_case = {"held": hold_table, "taken": break_promise, "expired": expire_hold}[kind]
        seating = Seating(id_, store_id, next(self.versions), round_, "t", NOON, NOON)
        return lambda uow: use_case(seating, uow)

    def ordered(self, state: OrderState, store_id: str, id_: str, round_: int) -> Work:
        order = Order(id_, store_id, next(self.versions), round_, state, 2, "", "", NOON, NOON, NOON, NOON)
        return lambda uow: follow_order(order, uow)

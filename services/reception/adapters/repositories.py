"""The repositories: rows, and what else has to be kept in step with them."""

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from services.chassis.rows import Rows
from services.chassis.writes import Writes
from services.reception.adapters.line_view import LineView, TransactionPlaces
from services.reception.adapters.rows import EarlyOrder
from services.reception.adapters.tables import IN_LINE, customers, receptions
from services.reception.domain.customer import Customer
from services.reception.domain.facts import Order
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception


class SqlReceptions:
    """Receptions, with their places in line."""

    def __init__(
        self, rows: Rows[Reception], places: TransactionPlaces, connection: Connection, flush: Callable[[], None]
    ) -> None:
        self._rows = rows
        self._places = places
        self._connection = connection
        self._flush = flush
        self.saved: dict[str, Reception] = {}
        self.preload, self.find, self.get = rows.preload, rows.find, rows.get

    def save(self, reception: Reception) -> None:
        """Keep it, move it in its line, and tell what happened."""
        self.saved[reception.id] = reception
        self._places.put(reception)
        self._rows.save(reception)

    def uncalled(
        self, store_id: str, *, until: datetime | None = None, before_day: str | None = None, limit: int
    ) -> list[Reception]:
        """REQUESTED and WAITING receptions of a store, joined `until` then or on a day before that one."""
        self._flush()
        statement = select(receptions).where(receptions.c.store_id == store_id, IN_LINE)
        if until is not None:
            statement = statement.where(receptions.c.created_at <= until)
        if before_day is not None:
            statement = statement.where(receptions.c.business_day < before_day)
        # what is sealed anew meanwhile must not be written back as it was
        rows = self._connection.execute(statement.order_by(receptions.c.created_at).limit(limit).with_for_update())
        return self._rows.adopt(rows.mappings())


class SqlLines:
    """Lines. With a line that is found, and thereby locked, the view knows its order.

    `found`: the versions at which they were, 0 where there was none; `saved`: those saved, for the view.
    """

    def __init__(self, rows: Rows[Line], view: LineView, signal: Callable[[str], None], connection: Connection) -> None:
        self._rows = rows
        self._view = view
        self._signal = signal
        self._connection = connection
        self.found: dict[str, int] = {}
        self.saved: dict[str, Line] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Load and lock these in one statement."""
        unknown = [key for key in keys if key not in self.found]
        if not unknown:
            return
        self._rows.preload(unknown)
        lines = [line for key in unknown if (line := self._rows.find(key)) is not None]
        self.found.update(dict.fromkeys(unknown, 0))
        self.found.update((line.id, line.version) for line in lines)
        self._view.catch_up(self._connection, lines)

    def find(self, key: str) -> Line | None:
        """The line of the store with this id, or None."""
        if key not in self.found:
            self.preload((key,))
        return self._rows.find(key)

    def get(self, key: str, name: str | None = None) -> Line:
        """The line of the store with this id. Raises `NotFound`, telling `name`."""
        if key not in self.found:
            self.preload((key,))
        return self._rows.get(key, name)

    def save(self, line: Line) -> None:
        """Keep it, and tell all replicas that something about its receptions or itself has changed."""
        self.saved[line.id] = line
        self._signal(line.id)
        self._rows.save(line)

    def flush(self, writes: Writes) -> None:
        """Hand over those saved."""
        self._rows.flush(writes)


class SqlCustomers:
    """Customers. Those released are loaded together at the end: most events do not know their customer."""

    def __init__(self, rows: Rows[Customer], connection: Connection, now: datetime) -> None:
        self._rows = rows
        self._connection = connection
        self._now = now
        self._released: dict[str, list[str]] = {}

    def preload(self, keys: Iterable[str]) -> None:
        """Load these in one statement."""
        self._rows.preload(keys)

    def find(self, key: str) -> Customer | None:
        """The customer, or None when nothing is known."""
        customer = self._rows.find(key)
        released = self._released.pop(key, None) if self._released else None
        if released and customer is not None:
            for reception_id in released:
                customer.let_go(reception_id)
            self.save(customer)
            return self._rows.find(key)
        return customer

    def save(self, customer: Customer) -> None:
        """Keep it; one of whom nothing matters any more is forgotten."""
        if customer.forget_at is None or customer.forget_at > self._now:
            self._rows.save(customer)
        elif self._rows.find(customer.key) is not None:
            self._rows.remove(customer)

    def release(self, key: str, reception_id: str) -> None:
        """A reception of this customer's has ended."""
        self._released.setdefault(key, []).append(reception_id)

    def ended(self, limit: int) -> list[Customer]:
        """Customers whose time to be forgotten has passed; `limit` at most. Each of several processes takes others."""
        statement = select(customers).where(customers.c.forget_at < self._now).limit(limit)
        rows = self._connection.execute(statement.with_for_update(skip_locked=True))
        return self._rows.adopt(rows.mappings())

    def settle(self) -> None:
        """Apply what was released."""
        if self._released:
            self._rows.preload(self._released)
            for key in list(self._released):
                self.find(key)


class SqlEarlyOrders:
    """Orders that came before the walk-in they are about."""

    def __init__(self, rows: Rows[EarlyOrder]) -> None:
        self._rows = rows

    def keep(self, order: Order) -> None:
        """Remember the newest."""
        early = self._rows.find(order.id)
        if early is None:
            self._rows.save(EarlyOrder(order=order))
        elif order.version > early.order.version:
            early.order = order
            self._rows.save(early)

    def take(self, reception_id: str) -> Order | None:
        """What was kept; it is forgotten."""
        early = self._rows.find(reception_id)
        if early is None:
            return None
        self._rows.remove(early)
        return early.order

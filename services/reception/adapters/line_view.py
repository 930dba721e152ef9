"""All lines in memory: the order of who waits, and every store's figures, as committed.

Read by requests, watches and transactions. It changes only on the event loop between two transactions, which
are one at a time: so a transaction sees exactly what is committed.
"""

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, select

from services.reception.adapters.rows import line_from_row
from services.reception.adapters.tables import IN_LINE, lines, receptions
from services.reception.application.ports import NOWHERE, Standing
from services.reception.domain.line import Line
from services.reception.domain.line_order import LineDraft, LineOrder, Spot
from services.reception.domain.reception import Reception, State


class LineView:
    """What is committed of every line; loaded by the first transaction."""

    def __init__(self) -> None:
        self._orders: dict[str, LineOrder] = {}
        self._lines: dict[str, Line] = {}
        self._loaded = False

    def load(self, connection: Connection) -> None:
        """Read all lines, the first time."""
        if self._loaded:
            return
        self._lines = {row["id"]: line_from_row(row) for row in connection.execute(select(lines)).mappings()}
        columns = receptions.c
        statement = select(
            columns.store_id, columns.order_key, columns.id, columns.party_size, columns.near_turn
        ).where(IN_LINE, columns.state == State.WAITING.value)
        self._orders = {}
        for store_id, *spot in connection.execute(statement.order_by(columns.store_id, columns.order_key)):
            self.order(store_id).put(Spot(*spot))
        self._loaded = True

    def line(self, store_id: str) -> Line | None:
        """A store's line as committed; not to be changed."""
        return self._lines.get(store_id)

    def order(self, store_id: str) -> LineOrder:
        """The order of a store's line."""
        # asked from several threads: none may put another's aside
        return self._orders.get(store_id) or self._orders.setdefault(store_id, LineOrder())

    def standing(self, reception: Reception) -> Standing:
        """Where a reception stands."""
        line = self._lines.get(reception.store_id)
        if reception.state is not State.WAITING or line is None:
            return NOWHERE
        ahead = self.order(reception.store_id).ahead(reception.order_key)
        return Standing(ahead, line.wait_seconds(ahead))

    def committed(self, places: "TransactionPlaces", saved: dict[str, Line]) -> None:
        """Take over what a transaction changed."""
        places.commit()
        self._lines.update(saved)


class TransactionPlaces:
    """The order of the lines as one transaction sees it."""

    def __init__(self, view: LineView, signal: Callable[[str], None]) -> None:
        self._view = view
        self._signal = signal
        self._drafts: dict[str, LineDraft] = {}
        self._moved_up: set[str] = set()

    def put(self, reception: Reception) -> None:
        """A reception was saved: it has a place while it waits."""
        store_id = reception.store_id
        draft = self._draft(store_id)
        if reception.state is State.WAITING:
            spot = Spot(reception.order_key, reception.id, reception.party_size, reception.near_turn)
            moved = draft.put(spot)
        else:
            moved = draft.drop(reception.id)
        if moved:
            self._moved_up.add(store_id)
            self._signal(line_topic(store_id))

    def ahead(self, store_id: str, order_key: int) -> int:
        """How many WAITING parties have a smaller key."""
        return self._draft(store_id).ahead(order_key)

    def behind(self, store_id: str, order_key: int) -> Iterator[Spot]:
        """WAITING parties with a greater key, in order."""
        return self._draft(store_id).behind(order_key)

    def free_key(self, store_id: str, order_key: int) -> int:
        """This order key, or the next one that nobody has who waits."""
        draft = self._draft(store_id)
        while draft.taken(order_key):
            order_key += 1
        return order_key

    def look_again(self, store_id: str) -> None:
        """Who is near may have changed here."""
        self._moved_up.add(store_id)

    def moved_up(self) -> set[str]:
        """Stores where parties may have come near since the last time this was asked."""
        moved, self._moved_up = self._moved_up, set()
        return moved

    def commit(self) -> None:
        """Make all changes part of what is committed."""
        for draft in self._drafts.values():
            draft.commit()

    def _draft(self, store_id: str) -> LineDraft:
        draft = self._drafts.get(store_id)
        if draft is None:
            draft = self._drafts[store_id] = LineDraft(self._view.order(store_id))
        return draft


def line_topic(store_id: str) -> str:
    """Signalled when places in a store's line change."""
    return f"line:{store_id}"


def reception_topic(reception_id: str) -> str:
    """Signalled when a reception changes."""
    return f"reception:{reception_id}"

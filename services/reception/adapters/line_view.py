"""The lines in memory: who waits in which order, and each store's figures, at one version of the store's line.

Any number of processes work on the tables; each has a view of its own, and it is exact. Whoever saves a
reception holds its store's line locked from before it looked at the order until it has committed. It finds the
line at a version v, saves it at least once, so that others find it at some v' > v, and gives every reception
that it saves the `line_version` v + 1. Transactions on one store follow each other, so that for any two
v < v + 1 <= v' <= w < w + 1 <= w'. Hence, at whatever version w a line was ever found, exactly those of its
receptions were saved since whose `line_version` is greater than w. (Versions between v and v', one for each save
within a transaction, nobody ever finds.)

So a view that is behind needs only those rows, by index; and what it shows is the line at exactly the version
that it holds, however far that is from the newest one.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from typing import NamedTuple

from sqlalchemy import Connection

from services.reception.adapters.line_rows import changed_since, waiting
from services.reception.application.ports import NOWHERE, Standing
from services.reception.domain.line import Line
from services.reception.domain.line_order import LineDraft, LineOrder, Spot
from services.reception.domain.reception import Reception, State

WORTH_A_DELTA = 1000
"""A view that is further behind than this, beyond as many as wait, reads who waits instead of what changed."""


class Known(NamedTuple):
    """A store's line: its figures and its order at `line.version`."""

    line: Line
    order: LineOrder


class News(NamedTuple):
    """What a view learned about a store from the tables: whose receptions changed, None when it may be anybody's.

    `moved`: places in the line changed.
    """

    store_id: str
    receptions: Collection[str] | None
    moved: bool


class LineView:
    """The lines of those stores that were asked for. `learned` is told what came from the tables.

    It is read, and changes, on the event loop only.
    """

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self.learned: Callable[[News], None] = lambda _: None

    def catch_up(self, connection: Connection, lines: Iterable[Line]) -> None:
        """Bring the view to at least the versions of these `lines`, as the connection's transaction sees them.

        A transaction that means to change a line must have it locked and must not have written receptions of it.
        """
        behind = {line.id: line for line in lines if line.version > self.version(line.id)}
        far = [line.id for line in behind.values() if self._is_far(line)]
        near = {store_id: self.version(store_id) for store_id in behind.keys() - far}
        # others use this view while the database answers: what they bring it to is never older than before
        for store_id, order in waiting(connection, far):
            if behind[store_id].version > self.version(store_id):
                self._known[store_id] = Known(_own(behind[store_id]), order)
                self.learned(News(store_id, None, True))
        for store_id, spots in changed_since(connection, near):
            if behind[store_id].version > self.version(store_id):
                moved = self._known[store_id].order.update(spots)
                self._known[store_id] = Known(_own(behind[store_id]), self._known[store_id].order)
                self.learned(News(store_id, spots.keys(), moved))

    @property
    def stores(self) -> Set[str]:
        """Those whose lines are known."""
        return self._known.keys()

    def version(self, store_id: str) -> int:
        """At which version a store's line is known; 0 when it is not."""
        known = self._known.get(store_id)
        return known.line.version if known else 0

    def line(self, store_id: str) -> Line | None:
        """A store's line; not to be changed."""
        known = self._known.get(store_id)
        return known.line if known else None

    def order(self, store_id: str) -> LineOrder:
        """The order of a store's line."""
        known = self._known.get(store_id)
        return known.order if known else LineOrder()

    def standing(self, reception: Reception) -> Standing:
        """Where a reception stands; its place is its own only if the view `agrees` with it."""
        known = self._known.get(reception.store_id)
        if reception.state is not State.WAITING or known is None:
            return NOWHERE
        ahead = known.order.ahead(reception.order_key)
        return Standing(ahead, known.line.wait_seconds(ahead))

    def agrees(self, reception: Reception) -> bool:
        """Whether the reception has the place that it has in the view, which may be of an earlier or later time."""
        if reception.state is not State.WAITING:
            return True
        return self.order(reception.store_id).keys_by_id.get(reception.id) == reception.order_key

    def committed(self, found: Mapping[str, int], places: "TransactionPlaces", saved: Mapping[str, Line]) -> None:
        """Take over what a transaction changed; `found`: the versions at which it found its lines."""
        for store_id, line in saved.items():
            # else somebody has read what it wrote already, and maybe more
            if self.version(store_id) == found[store_id]:
                self._known[store_id] = Known(line, places.commit(store_id))

    def _is_far(self, line: Line) -> bool:
        known = self._known.get(line.id)
        return known is None or line.version - known.line.version > line.waiting + WORTH_A_DELTA


class TransactionPlaces:
    """The order of the lines as one transaction sees it. `moved`: stores where it changed places."""

    def __init__(self, view: LineView, find_line: Callable[[str], Line | None]) -> None:
        self._view = view
        self._find_line = find_line
        self._drafts: dict[str, LineDraft] = {}
        self._moved_up: set[str] = set()
        self.moved: set[str] = set()

    def put(self, reception: Reception) -> None:
        """A reception was saved: it has a place while it waits."""
        store_id = reception.store_id
        draft = self._draft(store_id)
        if reception.state is State.WAITING:
            spot = Spot(reception.order_key, reception.id, reception.party_size, reception.section, reception.near_turn)
            moved = draft.put(spot)
        else:
            moved = draft.drop(reception.id)
        if moved:
            self._moved_up.add(store_id)
            self.moved.add(store_id)
        elif reception.state is State.WAITING and not reception.near_turn:
            # restored where it stands: its turn may be near already
            self._moved_up.add(store_id)

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

    def commit(self, store_id: str) -> LineOrder:
        """Make the changes to a line part of its order."""
        return self._draft(store_id).commit()

    def _draft(self, store_id: str) -> LineDraft:
        draft = self._drafts.get(store_id)
        if draft is None:
            # with its line locked, the order stays what the view shows until this transaction has ended
            self._find_line(store_id)
            draft = self._drafts[store_id] = LineDraft(self._view.order(store_id))
        return draft


def _own(line: Line) -> Line:
    """The line as it is, whatever a transaction goes on to do with it."""
    return replace(line, events=[])

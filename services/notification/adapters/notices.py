"""The ledger inside a unit of work: written in one statement per kind of change."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from services.chassis.bulk import delete_keys
from services.chassis.kernel import Stale
from services.chassis.statements import rows_by_key
from services.chassis.writes import Writes
from services.notification.adapters.rows import notice_from_row, notice_to_row, progress_to_row
from services.notification.adapters.tables import notices, receptions
from services.notification.domain.notice import Notice

_PROGRESS = (
    "version",
    "state",
    "phone",
    "failure",
    "vendor_reference",
    "attempts",
    "doubtful",
    "updated_at",
    "next_attempt_at",
)


_LEASE = ("version", "doubtful", "next_attempt_at")


class SqlNotices:
    """The lines of the ledger that one transaction adds, takes up or carries on.

    Other than `Rows` it reads little: whoever has a notice as it was committed brings it along, and the
    version tells on writing when it was changed since. This halves the cost of a notice.
    """

    def __init__(
        self,
        connection: Connection,
        now: datetime,
        announce: Callable[[Notice], None],
        changed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._now = now
        self._announce = announce
        self._changed = changed
        self._added: list[Notice] = []
        self._carried: list[Notice] = []

    def add(self, notice: Notice) -> None:
        """Keep a new notice and announce its events."""
        self._added.append(notice)
        self._save(notice)

    def bring(self, committed: Notice) -> Notice:
        """A notice to carry on, given as it was committed; the given one stays as it is."""
        return committed.twin()

    def carry_on(self, notice: Notice) -> None:
        """Keep what became of a notice and announce its events."""
        self._carried.append(notice)
        self._save(notice)

    def forget(self, before: datetime, limit: int) -> int:
        """Delete settled notices decided before then, with what is known of their receptions; gives how many.

        `limit` at most.
        """
        old = select(notices.c.id, notices.c.reception_id).where(
            notices.c.created_at < before, notices.c.next_attempt_at.is_(None)
        )
        some = old.order_by(notices.c.created_at, notices.c.id).limit(limit).with_for_update(skip_locked=True)
        found = self._connection.execute(some).all()
        delete_keys(self._connection, receptions, {reception_id for _, reception_id in found})
        return delete_keys(self._connection, notices, [id_ for id_, _ in found])

    def take_up(self, limit: int) -> list[Notice]:
        """Notices whose time has come, longest due first; whoever has them in hand has been given up."""
        due = notices.c.next_attempt_at
        statement = select(notices).where(due.is_not(None), due <= self._now).order_by(due, notices.c.id).limit(limit)
        rows = self._connection.execute(statement.with_for_update(skip_locked=True)).mappings()
        found = [notice_from_row(row) for row in rows]
        for notice in found:
            notice.take_up(self._now)
        self._lease(found)
        return found

    def keep(self, committed: Iterable[Notice]) -> list[Notice]:
        """Those of these notices, given as they were committed, that nobody else has taken up; for another while."""
        twins = {notice.id: notice.twin() for notice in committed}
        rows = rows_by_key(self._connection, notices, [*twins], lock=True)
        ours = [twins[row["id"]] for row in rows if row["version"] == twins[row["id"]].version]
        for notice in ours:
            notice.keep(self._now)
        self._lease(ours)
        return ours

    def _lease(self, taken: Sequence[Notice]) -> None:
        for notice in taken:
            notice.version += 1
            self._changed()
        # if whoever has it in hand now is not heard of again, it may have been sent
        writes = Writes(self._connection)
        writes.update(notices, [progress_to_row(notice) | {"doubtful": True} for notice in taken], _LEASE, Stale)
        writes.run()

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load."""

    def flush(self, writes: Writes) -> None:
        """Hand over what was added and carried on; one that was changed since is `Stale`."""
        writes.insert(notices, [notice_to_row(notice) for notice in self._added])
        writes.update(notices, [progress_to_row(notice) for notice in self._carried], _PROGRESS, Stale)
        self._added, self._carried = [], []

    def _save(self, notice: Notice) -> None:
        notice.version += 1
        self._changed()
        self._announce(notice)
        notice.events.clear()

"""The ledger inside a unit of work: written in one statement per kind of change."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.sql.dml import UpdateBase

from services.chassis.kernel import Stale
from services.chassis.statements import bulk
from services.notification.adapters.rows import notice_to_row, progress_to_row
from services.notification.adapters.tables import notices
from services.notification.domain.notice import Notice

_COLUMNS = tuple(notices.c.keys())
_INSERT = insert(notices)
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
_UPDATE = (
    update(notices)
    .where(notices.c.id == bindparam("b_id"), notices.c.version == bindparam("b_version"))
    .values({column: bindparam(column) for column in _PROGRESS})
)


class SqlNotices:
    """The lines of the ledger that one transaction adds or carries on.

    Other than `Rows` it reads nothing: whoever has a notice as it was committed brings it along, and the
    version tells on writing when it was changed since. This halves the cost of a notice.
    """

    def __init__(self, connection: Connection, announce: Callable[[Notice], None], changed: Callable[[], None]) -> None:
        self._connection = connection
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

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing to load."""

    def flush(self) -> None:
        """Write what was added and carried on. Raises `Stale`."""
        added, self._added = self._added, []
        carried, self._carried = self._carried, []
        if added:
            self._run(_INSERT, _COLUMNS, [notice_to_row(notice) for notice in added])
        if carried:
            hits = self._run(_UPDATE, _PROGRESS, [progress_to_row(notice) for notice in carried])
            if hits != len(carried):
                raise Stale(f"{len(carried) - hits} of {len(carried)} notices were changed by somebody else")

    def _run(self, statement: UpdateBase, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> int:
        return bulk(statement, columns, self._connection.dialect).run(self._connection, rows)

    def _save(self, notice: Notice) -> None:
        notice.version += 1
        self._changed()
        self._announce(notice)
        notice.events.clear()

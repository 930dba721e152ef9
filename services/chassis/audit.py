"""The audit trail: what staff and operators changed, written in the transaction of the change."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, MetaData, String, Table

from services.chassis.database.types import UtcTime
from services.chassis.kernel import Role, uuid7
from services.chassis.permissions import Admission
from services.chassis.writes import Writes

TABLE = "audit_entries"
AUDITED = frozenset((Role.HOST, Role.MANAGER, Role.OPERATOR))
LONGEST_ACTOR = 255


def audit_table(metadata: MetaData) -> None:
    """Add the trail to the metadata of a service in which staff or operators change something."""
    Table(
        TABLE,
        metadata,
        Column("id", String(36), primary_key=True, comment="sorts by age"),
        Column("at", UtcTime, nullable=False, index=True),
        Column("actor", String(LONGEST_ACTOR), nullable=False, comment="the subject of the token"),
        Column("role", String(10), nullable=False),
        Column("action", String(80), nullable=False, comment="the method that was called"),
        Column("store_id", String(63), nullable=False),
        Column("resource", String(160), nullable=False, comment="the name of what was changed"),
        Column("request_id", String(36), nullable=False, comment="of the request; may be empty"),
        Index("audit_entries_by_store", "store_id", "id"),
    )


class Trail:
    """The entries of one transaction."""

    def __init__(self, table: Table, now: datetime) -> None:
        self._table = table
        self._now = now
        self._new: list[dict[str, Any]] = []

    def preload(self, keys: Iterable[str]) -> None:
        """Nothing is ever read here."""

    def note(self, by: Admission, request: Any, answer: Any) -> None:
        """Somebody was answered so: an entry, where it was staff or an operator."""
        if by.caller.role not in AUDITED:
            return
        resource: str = getattr(answer, "name", "") or getattr(request, "parent", "")
        self._new.append(
            {
                "id": uuid7(),
                "at": self._now,
                "actor": by.caller.id[:LONGEST_ACTOR],
                "role": by.caller.role.value,
                "action": request.DESCRIPTOR.name.removesuffix("Request"),
                "store_id": resource.removeprefix("stores/").partition("/")[0],
                "resource": resource,
                "request_id": request.request_id,
            }
        )

    def flush(self, writes: Writes) -> None:
        """Hand over the new entries."""
        if self._new:
            writes.insert(self._table, self._new)
            self._new = []

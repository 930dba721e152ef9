"""Reads: the ledger straight into messages, and what the sender looks up."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import Connection, RowMapping, Select, bindparam, literal, select, tuple_

from services.chassis.database import Database
from services.chassis.database.types import UtcTime
from services.chassis.kernel import NotFound
from services.chassis.paging import page_token
from services.chassis.statements import among, fetch
from services.notification.adapters.messages import PURPOSES, STATES
from services.notification.adapters.rows import PURPOSE_OF, RECEPTION_STATE_OF, STATE_OF, notice_from_row
from services.notification.adapters.tables import notices, receptions
from services.notification.domain.notice import Notice, State
from services.notification.domain.purpose import ReceptionState
from tabling.notification.v1 import notice_pb2
from tabling.notification.v1.notification_service_pb2 import ListNoticesRequest, ListNoticesResponse

_BY_IDS = select(notices).where(notices.c.id.in_(bindparam("ids", expanding=True))).order_by(notices.c.next_attempt_at)


class SqlQueries:
    """Reads for the servicer, each in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_notice(self, notice_id: str) -> notice_pb2.Notice:
        """One notice. Raises `NotFound`."""
        return await self._database.look_in_turn(lambda connection: get_notice(connection, notice_id))

    async def list_notices(
        self,
        request: ListNoticesRequest,
        reception: tuple[str, ...] | None,
        states: Sequence[State],
        size: int,
        after: tuple[datetime, str] | None,
    ) -> ListNoticesResponse:
        """A page of notices, newest first; of one (store id, reception id) or of all, in these states or in any."""
        statement = _filtered(reception, states)
        return await self._database.scan(lambda connection: _page(connection, statement, request, size, after))


def get_notice(connection: Connection, notice_id: str) -> notice_pb2.Notice:
    """One notice. Raises `NotFound`."""
    row = connection.execute(select(notices).where(notices.c.id == notice_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"notices/{notice_id} does not exist")
    return _to_pb(row)


def _page(
    connection: Connection,
    statement: Select[Any],
    request: ListNoticesRequest,
    size: int,
    after: tuple[datetime, str] | None,
) -> ListNoticesResponse:
    newest = (notices.c.created_at, notices.c.id)
    statement = statement.order_by(*(column.desc() for column in newest)).limit(size + 1)
    if after is not None:
        statement = statement.where(tuple_(*newest) < tuple_(literal(after[0], UtcTime), literal(after[1])))
    rows = connection.execute(statement).mappings().all()
    answer = ListNoticesResponse(notices=map(_to_pb, rows[:size]))
    if len(rows) > size:
        last = rows[size - 1]
        answer.next_page_token = page_token(request, [last["created_at"].isoformat(), last["id"]])
    return answer


def due_notices(connection: Connection, now: datetime, limit: int, without: Container[str]) -> list[Notice]:
    """Notices to send, or to ask the vendor about, longest due first; without those already in hand."""
    due = notices.c.next_attempt_at
    statement = select(notices.c.id).where(due.is_not(None), due <= now).order_by(due, notices.c.id)
    left = (id_ for id_ in connection.execute(statement).scalars() if id_ not in without)
    some = {"ids": list(islice(left, limit))}
    return [notice_from_row(row) for row in connection.execute(_BY_IDS, some).mappings()] if some["ids"] else []


def is_any_due(connection: Connection, now: datetime) -> bool:
    """Whether there is a notice to send, or to ask the vendor about."""
    due = notices.c.next_attempt_at
    return connection.execute(select(notices.c.id).where(due.is_not(None), due <= now).limit(1)).first() is not None


_STATES = select(receptions.c.id, receptions.c.state, receptions.c.round).where(among(receptions.c.id))


def newest_states(connection: Connection, ids: Iterable[str]) -> dict[str, tuple[ReceptionState, int]]:
    """State and round of receptions, as of their newest snapshot."""
    found = fetch(_STATES, connection.dialect).run(connection, {"keys": ids})
    return {row["id"]: (RECEPTION_STATE_OF[row["state"]], row["round"]) for row in found}


def _filtered(reception: tuple[str, ...] | None, states: Sequence[State]) -> Select[Any]:
    statement = select(notices)
    if reception is not None:
        store_id, reception_id = reception
        # ids begin with the reception's: `.` is the character after `-`
        statement = statement.where(notices.c.id > f"{reception_id}-", notices.c.id < f"{reception_id}.")
        statement = statement.where(notices.c.reception_id == reception_id, notices.c.store_id == store_id)
    if states:
        statement = statement.where(notices.c.state.in_([state.value for state in states]))
    return statement


def _to_pb(row: RowMapping) -> notice_pb2.Notice:
    return notice_pb2.Notice(
        name=f"notices/{row['id']}",
        reception=f"stores/{row['store_id']}/receptions/{row['reception_id']}",
        purpose=PURPOSES[PURPOSE_OF[row["purpose"]]],
        state=STATES[STATE_OF[row["state"]]],
        round=row["round"],
        phone=row["phone"],
        language_code=row["language_code"],
        text=row["text"],
        failure=row["failure"],
        vendor_reference=row["vendor_reference"],
        attempts=row["attempts"],
        create_time=_time(row["created_at"]),
        update_time=_time(row["updated_at"]),
    )


def _time(moment: datetime) -> Timestamp:
    result = Timestamp()
    result.FromDatetime(moment)
    return result

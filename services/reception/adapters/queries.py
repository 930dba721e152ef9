"""Reads: straight from the tables, with places from memory."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, select, tuple_

from services.chassis.logs import get_logger
from services.chassis.messages import Message
from services.chassis.statements import Row, among, fetch, rows_by_key
from services.reception.adapters.line_view import LineView
from services.reception.adapters.messages import snapshot_message
from services.reception.adapters.rows import line_from_row, reception_from_row
from services.reception.adapters.tables import OF_CUSTOMER, lines, receptions
from services.reception.adapters.vault import Unreadable, Vault, key_id
from services.reception.domain.line import Line
from services.reception.domain.reception import Reception, State

log = get_logger(__name__)

SNAPSHOTS = 200


class Read(NamedTuple):
    """A reception, and the version of its line at that moment."""

    reception: Reception
    line_version: int


# looked up for each reception found: joined, a planner may begin with the line and go through all its receptions
_LINE_VERSION = select(lines.c.version).where(lines.c.id == receptions.c.store_id).scalar_subquery()
_READ: Select[tuple[object, ...]] = select(receptions, _LINE_VERSION.label("present_line_version"))
_BY_ID = _READ.where(among(receptions.c.id))


def receptions_by_id(connection: Connection, ids: Collection[str]) -> list[Read]:
    """Those of these receptions that there are."""
    return [
        Read(reception_from_row(row), row["present_line_version"])
        for row in fetch(_BY_ID, connection.dialect).run(connection, {"keys": ids})
    ]


def page_of_receptions(
    connection: Connection,
    *,
    store_id: str | None,
    customer_id: str | None,
    states: Sequence[State],
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Read]:
    """Receptions by age, of a store or a customer or both; no states means all."""
    columns = receptions.c
    statement = _READ
    if store_id is not None:
        statement = statement.where(columns.store_id == store_id)
    if customer_id is not None:
        statement = statement.where(OF_CUSTOMER, columns.customer_id == customer_id)
    if states:
        statement = statement.where(columns.state.in_([state.value for state in states]))
    if after is not None:
        statement = statement.where(tuple_(columns.created_at, columns.id) > tuple_(*after))
    rows = connection.execute(statement.order_by(columns.created_at, columns.id).limit(limit)).mappings()
    return [Read(reception_from_row(row), row["present_line_version"]) for row in rows]


_CONTACTS = select(
    receptions.c.store_id, receptions.c.id, receptions.c.phone, receptions.c.phone_sealed, receptions.c.language_code
).where(among(receptions.c.id))


def contacts(connection: Connection, names: Sequence[tuple[str, str]], vault: Vault) -> list[tuple[str, str, str]]:
    """Name, phone and language of receptions given as (store, id) that have a phone which can be read."""
    wanted = set(names)
    keys = [reception_id for _, reception_id in names]
    return [
        (f"stores/{row['store_id']}/receptions/{row['id']}", number, row["language_code"])
        for row in fetch(_CONTACTS, connection.dialect).run(connection, {"keys": keys})
        if (row["store_id"], row["id"]) in wanted and (number := phone_in(row, vault))
    ]


def phone_in(row: Row, vault: Vault) -> str:
    """The number in a row of `receptions`; empty when there is none, or none that can be read with the keys given."""
    if row["phone"] or not row["phone_sealed"]:
        return str(row["phone"])
    try:
        return vault.open(row["phone_sealed"], row["id"])
    except Unreadable:
        # one must not keep the others' notices back
        log.error("phone unreadable", key=key_id(row["phone_sealed"]), correlation_id=row["id"])
        return ""


def catch_up(view: LineView, connection: Connection, store_ids: Iterable[str]) -> dict[str, Line]:
    """Bring the view up to these stores' present lines, which it gives."""
    present = {row["id"]: line_from_row(row) for row in rows_by_key(connection, lines, [*store_ids])}
    view.catch_up(connection, present.values())
    return present


def snapshots(view: LineView, connection: Connection, after: str | None) -> tuple[list[Message], str | None]:
    """The next receptions as events, by id, and where to go on."""
    statement = select(receptions).where(receptions.c.id > (after or "")).order_by(receptions.c.id)
    found = [reception_from_row(row) for row in connection.execute(statement.limit(SNAPSHOTS)).mappings()]
    line_of = catch_up(view, connection, {reception.store_id for reception in found})
    page = [snapshot_message(r, line_of[r.store_id], view.standing(r)) for r in found]
    return page, found[-1].id if len(found) == SNAPSHOTS else None

"""Reads: straight from the tables, with places from memory."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, literal_column, select, tuple_

from services.chassis.messages import Message
from services.chassis.statements import among, fetch, key_list, row_by_key
from services.reception.adapters.line_view import LineView
from services.reception.adapters.messages import snapshot_message
from services.reception.adapters.rows import line_from_row, reception_from_row
from services.reception.adapters.tables import OF_CUSTOMER, lines, receptions
from services.reception.domain.reception import Reception, State

SNAPSHOTS = 200


def one_reception(connection: Connection, store_id: str, reception_id: str) -> Reception | None:
    """A store's reception, or None."""
    row = row_by_key(connection, receptions, reception_id)
    return reception_from_row(row) if row and row["store_id"] == store_id else None


def page_of_receptions(
    connection: Connection,
    *,
    store_id: str | None,
    customer_id: str | None,
    states: Sequence[State],
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[Reception]:
    """Receptions by age, of a store or a customer or both; no states means all."""
    columns = receptions.c
    statement: Select[tuple[object, ...]] = select(receptions)
    if store_id is not None:
        statement = statement.where(columns.store_id == store_id)
    if customer_id is not None:
        statement = statement.where(OF_CUSTOMER, columns.customer_id == customer_id)
    if states:
        statement = statement.where(columns.state.in_([state.value for state in states]))
    if after is not None:
        statement = statement.where(tuple_(columns.created_at, columns.id) > tuple_(*after))
    rows = connection.execute(statement.order_by(columns.created_at, columns.id).limit(limit)).mappings()
    return [reception_from_row(row) for row in rows]


_CONTACTS = select(receptions.c.store_id, receptions.c.id, receptions.c.phone, receptions.c.language_code).where(
    among(receptions.c.id), receptions.c.phone != literal_column("''")
)


def contacts(connection: Connection, names: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Name, phone and language of receptions given as (store, id) that have a phone."""
    wanted = set(names)
    keys = key_list(reception_id for _, reception_id in names)
    return [
        (f"stores/{row['store_id']}/receptions/{row['id']}", row["phone"], row["language_code"])
        for row in fetch(_CONTACTS, connection.dialect).run(connection, {"keys": keys})
        if (row["store_id"], row["id"]) in wanted
    ]


def snapshots(view: LineView, connection: Connection, after: str | None) -> tuple[list[Message], str | None]:
    """The next receptions as events, by id, and where to go on."""
    statement = select(receptions).where(receptions.c.id > (after or "")).order_by(receptions.c.id)
    found = [reception_from_row(row) for row in connection.execute(statement.limit(SNAPSHOTS)).mappings()]
    stores = {reception.store_id for reception in found}
    of_stores = connection.execute(select(lines).where(lines.c.id.in_(stores))).mappings()
    line_of = {row["id"]: line_from_row(row) for row in of_stores}
    page = [snapshot_message(r, line_of[r.store_id], view.standing(r)) for r in found]
    return page, found[-1].id if len(found) == SNAPSHOTS else None

"""What a view of the lines reads: who waits, or only what has changed since."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select

from services.chassis.statements import fetch
from services.reception.adapters.tables import IN_LINE, receptions
from services.reception.domain.line_order import LineOrder, Spot
from services.reception.domain.reception import State

SIZES = (1, 8, 64)
"""For how many stores at once there is a statement that tells what changed."""

_COLUMNS = receptions.c
_SPOT = (_COLUMNS.order_key, _COLUMNS.id, _COLUMNS.party_size, _COLUMNS.section, _COLUMNS.near_turn)
_IS_WAITING = _COLUMNS.state == State.WAITING.value


def waiting(connection: Connection, store_ids: Collection[str]) -> Iterator[tuple[str, LineOrder]]:
    """Each store's line as it is."""
    for store_id in store_ids:
        statement = select(*_SPOT).where(_COLUMNS.store_id == store_id, IN_LINE, _IS_WAITING)
        yield store_id, LineOrder(Spot(*row) for row in connection.execute(statement))


def changed_since(
    connection: Connection, versions: Mapping[str, int]
) -> Iterator[tuple[str, Mapping[str, Spot | None]]]:
    """What of each store's line has changed since the version given, maybe nothing: receptions, with their spots."""
    pairs = iter(versions.items())
    while some := [*islice(pairs, SIZES[-1])]:
        spots: dict[str, dict[str, Spot | None]] = {store_id: {} for store_id, _ in some}
        for row in _changes(connection, some):
            is_waiting = row["state"] == State.WAITING.value
            spots[row["store_id"]][row["id"]] = Spot(*(row[column.name] for column in _SPOT)) if is_waiting else None
        yield from spots.items()


def _changes(connection: Connection, versions: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    size = next(size for size in SIZES if size >= len(versions))
    filled = [*versions, *[versions[0]] * (size - len(versions))]
    values = {f"{name}{i}": value for i, pair in enumerate(filled) for name, value in zip("sv", pair, strict=True)}
    return fetch(changed(size), connection.dialect).run(connection, values)


@cache
def changed(stores: int) -> Select[Any]:
    """Receptions of so many stores `s0`, `s1`… with greater line versions than `v0`, `v1`…, each store's own."""
    since: Iterable[Any] = (
        and_(_COLUMNS.store_id == bindparam(f"s{i}"), _COLUMNS.line_version > bindparam(f"v{i}")) for i in range(stores)
    )
    return select(_COLUMNS.store_id, _COLUMNS.state, *_SPOT).where(or_(*since))

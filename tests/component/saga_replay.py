"""The same events in another order: what services make of them that hear nothing else."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from tabling.messaging.v1.envelope_pb2 import Envelope
from tests.component.saga_bus import Parcel, ShuffledBus
from tests.component.saga_kit import Stores, store_created, tables_added, world
from tests.component.saga_vendor import Everybody

PICTURE: Mapping[tuple[str, str], str] = {
    **{("dashboard", table): "*" for table in ("stores", "availabilities", "lines", "receptions", "orders", "tables")},
    ("notification", "notices"): "id, state, failure",
    ("notification", "receptions"): "id, seen, round, state, told",
    ("notification", "stores"): "id, seen, display_name, time_zone",
    (
        "management",
        "orders",
    ): "id, store_id, state, party_size, waiting_number, table_name, round, called_at, seated_at, "
    "closed_at, hold_expires_at, reception_version, reception_state, order_key",
    ("management", "tables"): "id, store_id, capacity, state, blocked, reception_id, seat_version",
    # who of those in line got a table is the one thing that the order of arrival decides
    ("seat", "seatings"): "id, store_id, reception_version, round, order_key, party_size, section, "
    "CASE WHEN state IN ('WAITING', 'HELD') THEN 'UNSEATED' ELSE state END",
    ("seat", "floors"): "id, store_version, mode, call_timeout_seconds, tables_total",
    ("reception", "receptions"): "id, store_id, state, channel, party_size, section, round, close_reason, created_at",
    ("reception", "lines"): "id, store_version, display_name, state, seating_mode, sent_home_at, waiting, requested",
    ("reception", "early_orders"): "id, order_version, round, state",
}
"""What every order of arrival ends in: rows without the columns that count changes or tell whose turn came first."""


Picture: TypeAlias = Mapping[tuple[str, str], list[tuple[Any, ...]]]
"""Rows by service and table."""


def picture(folder: Path) -> Picture:
    """All rows that PICTURE speaks of, in order."""
    rows = {}
    for (service, table), columns in PICTURE.items():
        with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
            rows[service, table] = sorted(connection.execute(f"SELECT {columns} FROM {table}"), key=repr)  # noqa: S608
    return rows


async def replay(folder: Path, stores: Stores, told: Iterable[Envelope], choice: Random | None) -> None:
    """Let services that know nothing but their stores and tables hear all of this; nobody hears what they say to it.

    In order and once without a `choice`; else in any order and company, some of it twice, some in pieces.
    """
    async with world(folder) as found:
        found.contacts = Everybody()
        for store, (profile, tables) in stores.items():
            await found.do("management", store_created(store, profile))
            parcels = [parcel for body in found.told for parcel in found.bus.parcels(body)]
            await found.hand_over([parcel for parcel in parcels if parcel.consumer == "seat"])
            await found.do("seat", tables_added(store, tables))
        parcels = [parcel for body in told for parcel in found.bus.parcels(body) if _in_any_order(parcel)]
        if choice:
            parcels = _shuffled(found.bus, parcels, choice)
        while parcels:
            some = choice.randint(1, 10) if choice else 1
            await found.hand_over(parcels[:some])
            del parcels[:some]
        for due in await found.due():
            await found.fire(*due)
        await found.send_notices()


def _in_any_order(parcel: Parcel) -> bool:
    """Whether it may come at any time; seat speaks of a reception only after reception did."""
    return parcel.consumer != "reception" or parcel.body.source == "management"


def _shuffled(bus: ShuffledBus, parcels: Sequence[Parcel], choice: Random) -> list[Parcel]:
    twice = [parcel for parcel in parcels if choice.random() < 0.2]
    pieces = [piece for parcel in parcels if choice.random() < 0.2 for piece in bus.parts(parcel)]
    together = [*parcels, *twice, *pieces]
    return choice.sample(together, len(together))

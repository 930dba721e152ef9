"""What operators are shown of tables and holds."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, func, select

from services.chassis.figures import Figure, counted
from services.chassis.metrics import Family, Labels
from services.seat.adapters.tables import metadata, tables
from services.seat.adapters.unit_of_work import HOLD
from services.seat.domain.table import TableState

_TABLES = Family("tabling_tables", "Tables of all stores, by state.", ("state",))
_HOLDS = Family("tabling_holds_open", "Holds that have not ended, those without a table included.")

_timers = metadata.tables["timers"]
# every open hold has a timer, and the closed ones have none
_OPEN_HOLDS = select(func.count()).select_from(_timers).where(_timers.c.kind == HOLD)


def _holds(connection: Connection, now: datetime) -> Mapping[Labels, float]:
    return {(): connection.execute(_OPEN_HOLDS).scalar_one()}


FIGURES = (
    Figure(_TABLES, counted(select(tables.c.state, func.count()).group_by(tables.c.state), TableState)),
    Figure(_HOLDS, _holds),
)

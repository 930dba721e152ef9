"""What operators are shown of receptions."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from services.chassis.figures import Figure, counted
from services.chassis.metrics import Family, Labels
from services.reception.adapters.phones import oldest_overdue
from services.reception.adapters.tables import IN_HOUSE, lines, receptions
from services.reception.domain.reception import State

_OPEN = Family("tabling_receptions_open", "Open receptions; WAITING are the parties in line.", ("state",))

_OVERDUE = Family(
    "tabling_contacts_overdue_seconds", "How long ago the contact that is overdue longest should have been forgotten."
)

# lines count for themselves who waits: that stays one row per store, however many wait
_IN_LINE = select(func.coalesce(func.sum(lines.c.requested), 0), func.coalesce(func.sum(lines.c.waiting), 0))
_BY_STATE = select(receptions.c.state, func.count()).where(IN_HOUSE).group_by(receptions.c.state)
_in_house = counted(_BY_STATE, (State.CALLED, State.SEATED))


def _open(connection: Connection, now: datetime) -> Mapping[Labels, float]:
    requested, waiting = connection.execute(_IN_LINE).one()
    in_line: dict[Labels, float] = {(State.REQUESTED.value,): float(requested), (State.WAITING.value,): float(waiting)}
    return {**in_line, **_in_house(connection, now)}


def figures(contact_kept: timedelta) -> tuple[Figure, ...]:
    """All of them; `contact_kept`: for how long after a party left it is known how to reach it."""

    def overdue(connection: Connection, now: datetime) -> Mapping[Labels, float]:
        due = now - contact_kept
        left_at = oldest_overdue(connection, due)
        return {(): (due - left_at).total_seconds() if left_at else 0.0}

    return Figure(_OPEN, _open), Figure(_OVERDUE, overdue)

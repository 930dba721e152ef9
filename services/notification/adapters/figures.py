"""What operators are shown of notices."""

from sqlalchemy import func, select

from services.chassis.figures import Figure, counted
from services.chassis.metrics import Family
from services.notification.adapters.tables import notices
from services.notification.domain.notice import State

_OPEN = Family("tabling_notices_open", "Notices that are not settled, by state.", ("state",))

# only what is not settled has a next attempt, and is in the index of them
_BY_STATE = (
    select(notices.c.state, func.count()).where(notices.c.next_attempt_at.is_not(None)).group_by(notices.c.state)
)

FIGURES = (Figure(_OPEN, counted(_BY_STATE, (State.PENDING, State.SENT))),)

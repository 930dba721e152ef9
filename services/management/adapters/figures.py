"""What operators are shown of orders."""

from sqlalchemy import func, select

from services.chassis.figures import Figure, counted
from services.chassis.metrics import Family
from services.management.adapters.tables import IS_OPEN, orders
from services.management.domain.order import CLOSED, STAGE

_OPEN = Family("tabling_orders_open", "Orders that are not closed, by state.", ("state",))

_BY_STATE = select(orders.c.state, func.count()).where(IS_OPEN).group_by(orders.c.state)

FIGURES = (Figure(_OPEN, counted(_BY_STATE, [state for state, stage in STAGE.items() if stage != CLOSED])),)

"""Open orders can be counted without looking at the closed ones."""

import sqlalchemy as sa
from alembic import op

revision = "0003_count_open_orders"
down_revision = "0002_outbox_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    some = sa.text("state IN ('RECEIVED', 'ACCEPTED', 'CALLED', 'SEATED')")
    op.create_index("ix_orders_open", "orders", ["state"], sqlite_where=some, postgresql_where=some)

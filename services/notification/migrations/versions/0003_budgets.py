"""What was spent on notices to one phone, to numbers that begin alike, and for one store."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0003_budgets"
down_revision = "0002_outbox_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.String(80), primary_key=True, comment="`<plain or urgent>/<phone, block or store>/<which>`"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("paid", sa.JSON(), nullable=False, comment="a phone's notices of the last day: id → epoch seconds"),
        sa.Column("back_at", UtcTime(), comment="when the allowance of a block or store will be whole again"),
        sa.Column("forget_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_budgets_forget_at", "budgets", ["forget_at"])

"""The outbox remembers failed attempts, and who is at work on what."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0002_outbox_attempts"
down_revision = "0001_create"
branch_labels = None
depends_on = None


def upgrade() -> None:
    attempts = sa.Column(
        "attempts", sa.Integer(), nullable=False, server_default="0", comment="failed attempts to publish it"
    )
    op.add_column("outbox", attempts)
    op.add_column(
        "outbox",
        sa.Column("next_attempt_at", UtcTime(), nullable=True, comment="not to be taken up by a sweep before then"),
    )
    op.add_column("outbox", sa.Column("failure", sa.String(80), nullable=True, comment="class of the last error"))

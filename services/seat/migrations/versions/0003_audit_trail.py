"""The audit trail of what staff and operators change."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0003_audit_trail"
down_revision = "0002_outbox_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.String(36), primary_key=True, comment="sorts by age"),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False, comment="the subject of the token"),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("action", sa.String(80), nullable=False, comment="the method that was called"),
        sa.Column("store_id", sa.String(63), nullable=False),
        sa.Column("resource", sa.String(160), nullable=False, comment="the name of what was changed"),
        sa.Column("request_id", sa.String(36), nullable=False, comment="of the request; may be empty"),
    )
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])
    op.create_index("audit_entries_by_store", "audit_entries", ["store_id", "id"])

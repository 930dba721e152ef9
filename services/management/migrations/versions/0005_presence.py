"""Stores may want who joins to be there."""

import sqlalchemy as sa
from alembic import op

revision = "0005_presence"
down_revision = "0004_audit_trail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    required = sa.Column("presence_required", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("stores", required)

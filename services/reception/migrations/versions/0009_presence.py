"""Lines know whether who joins has to be there."""

import sqlalchemy as sa
from alembic import op

revision = "0009_presence"
down_revision = "0008_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    required = sa.Column("presence_required", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("lines", required)

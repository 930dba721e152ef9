"""The longest name of a table, of the longest ids, is 141 characters long."""

import sqlalchemy as sa
from alembic import op

revision = "0006_longer_table_names"
down_revision = "0005_presence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.alter_column(
            "table_name",
            type_=sa.String(160),
            existing_type=sa.String(140),
            existing_nullable=False,
            existing_comment="resource name; empty when none",
        )

"""The longest name of a table, of the longest ids, is 141 characters long."""

import sqlalchemy as sa
from alembic import op

revision = "0012_longer_table_names"
down_revision = "0011_addresses"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("receptions", "early_orders"):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                "table_name", type_=sa.String(160), existing_type=sa.String(140), existing_nullable=False
            )

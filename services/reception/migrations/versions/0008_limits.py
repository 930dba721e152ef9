"""Customers remember when they joined, and lines how many people just did.

Expands: processes from before it forget customers who have nothing open, and with them their joins.
"""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0008_limits"
down_revision = "0007_phone_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    joined_at = sa.Column(
        "joined_at",
        sa.JSON(),
        nullable=False,
        server_default="[]",
        comment="joins of the last day, epoch seconds",
    )
    op.add_column("customers", joined_at)
    op.add_column("customers", sa.Column("forget_at", UtcTime(), comment="none while a reception is open"))
    some = sa.text("forget_at IS NOT NULL")
    op.create_index("customers_to_forget", "customers", ["forget_at"], sqlite_where=some, postgresql_where=some)
    back_at = sa.Column(
        "joins_back_at",
        UtcTime,
        comment="when the allowance of those who come by themselves will be whole again",
    )
    op.add_column("lines", back_at)

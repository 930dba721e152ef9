"""Lines know how many parties that told nothing of themselves came from where."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0011_addresses"
down_revision = "0010_phone_key_index"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.String(64), primary_key=True, comment="keyed hash of the address and the store"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("back_at", UtcTime(), nullable=False, comment="when its allowance will be whole again"),
        comment="where parties came from that told nothing of themselves",
    )
    op.create_index("ix_addresses_back_at", "addresses", ["back_at"])

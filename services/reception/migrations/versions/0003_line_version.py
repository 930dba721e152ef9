"""Receptions know since which version of their line they are as they are, so that any number of processes may write.

Expands: what is written without the column gets 0. Processes from before it, of which there was one, do not advance
it; they must have ended before newer ones start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_line_version"
down_revision = "0002_outbox_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "receptions",
        sa.Column(
            "line_version",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="one more than the version of its line when it was saved",
        ),
    )
    op.create_index("receptions_by_line_version", "receptions", ["store_id", "line_version"])


def downgrade() -> None:
    op.drop_index("receptions_by_line_version", "receptions")
    op.drop_column("receptions", "line_version")

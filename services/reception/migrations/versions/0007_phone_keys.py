"""Rows tell by which key their number is sealed, so that those of older keys, and those to forget, are found.

Expands: what is written without the column is `plain`, which housekeeping looks at and seals, newest first. The
version before 0006 reads numbers in the clear alone: of a party whose number is sealed it tells notification that
there is none. Notification must rest while reception is replaced by a version that seals; nothing is lost then.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_phone_keys"
down_revision = "0006_sealed_phones"
branch_labels = None
depends_on = None


def upgrade() -> None:
    key = sa.Column(
        "phone_key",
        sa.String(8),
        nullable=False,
        server_default="plain",
        comment="id of the key that sealed it; `plain` when not looked at yet, empty when none, or forgotten",
    )
    op.add_column("receptions", key)

"""Parties that are called or seated can be counted without looking at the others."""

import sqlalchemy as sa
from alembic import op

revision = "0004_count_in_house"
down_revision = "0003_line_version"
branch_labels = None
depends_on = None


def upgrade() -> None:
    some = sa.text("state IN ('CALLED', 'SEATED')")
    op.create_index("receptions_in_house", "receptions", ["state"], sqlite_where=some, postgresql_where=some)

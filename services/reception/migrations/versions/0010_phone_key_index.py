"""What is sealed by a key is found by an index, which is built while receptions are written.

One that was not built to its end is in the way of the next try.
"""

from alembic import op

revision = "0010_phone_key_index"
down_revision = "0009_presence"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("receptions_by_phone_key", "receptions", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "receptions_by_phone_key", "receptions", ["phone_key", "created_at"], postgresql_concurrently=True
        )

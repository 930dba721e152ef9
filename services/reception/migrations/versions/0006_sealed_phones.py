"""Phone numbers are sealed; what is still in the clear is sealed by the service, which has the key."""

import sqlalchemy as sa
from alembic import op

revision = "0006_sealed_phones"
down_revision = "0005_audit_trail"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sealed = sa.Column(
        "phone_sealed",
        sa.String(200),
        nullable=False,
        server_default="",
        comment="empty when none, or forgotten",
    )
    op.add_column("receptions", sealed)
    shown = sa.Column("phone_masked", sa.String(20), nullable=False, server_default="", comment="as it is shown")
    op.add_column("receptions", shown)

"""The ledger of notices, what is known of receptions and stores, and the tables of the chassis."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0001_create"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the event's id"),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=120), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False, comment="the event, serialized"),
        sa.Column("reason", sa.Text(), nullable=False, comment="class of the error, never its text"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False, comment="id of an envelope that was applied"),
        sa.Column("applied_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_inbox_applied_at"), "inbox", ["applied_at"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.String(length=80), nullable=False, comment="`<reception>-<purpose>-<round>`"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("reception_id", sa.String(length=63), nullable=False),
        sa.Column("purpose", sa.String(length=20), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("language_code", sa.String(length=8), nullable=False),
        sa.Column("template_code", sa.String(length=20), nullable=False),
        sa.Column(
            "variables", sa.Text(), nullable=False, comment="what the template was filled with, `name=value` lines"
        ),
        sa.Column("text", sa.Text(), nullable=False, comment="what the party reads"),
        sa.Column("phone", sa.String(length=20), nullable=False, comment="masked; the number itself is never kept"),
        sa.Column("failure", sa.String(length=32), nullable=False),
        sa.Column("vendor_reference", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False, comment="an attempt may have come through unseen"),
        sa.Column("expire_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.Column(
            "next_attempt_at",
            UtcTime(),
            nullable=True,
            comment="when to send or to ask again; none once settled",
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_notices_due",
        "notices",
        ["next_attempt_at"],
        unique=False,
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.create_index("ix_notices_newest", "notices", ["created_at", "id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the envelope's id; sorts by age"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the envelope, serialized"),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "receptions",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False, comment="newest version of the reception"),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("told", sa.Text(), nullable=False, comment="`<purpose>-<round>` of every notice decided, by spaces"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "requests",
        sa.Column("id", sa.String(length=36), nullable=False, comment="request_id of a mutation that succeeded"),
        sa.Column("fingerprint", sa.String(length=64), nullable=False, comment="hash of method and request"),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_requests_created_at"), "requests", ["created_at"], unique=False)
    op.create_table(
        "stores",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False, comment="newest version of the store"),
        sa.Column("display_name", sa.String(length=80), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "timers",
        sa.Column("id", sa.String(length=200), nullable=False, comment="`<kind>:<key>`"),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_timers_due_at"), "timers", ["due_at"], unique=False)
    # ### end Alembic commands ###


def downgrade() -> None:
    op.drop_index(op.f("ix_timers_due_at"), table_name="timers")
    op.drop_table("timers")
    op.drop_table("stores")
    op.drop_index(op.f("ix_requests_created_at"), table_name="requests")
    op.drop_table("requests")
    op.drop_table("receptions")
    op.drop_table("outbox")
    op.drop_index("ix_notices_newest", table_name="notices")
    op.drop_index(
        "ix_notices_due",
        table_name="notices",
        sqlite_where=sa.text("next_attempt_at IS NOT NULL"),
        postgresql_where=sa.text("next_attempt_at IS NOT NULL"),
    )
    op.drop_table("notices")
    op.drop_index(op.f("ix_inbox_applied_at"), table_name="inbox")
    op.drop_table("inbox")
    op.drop_table("dead_letters")
    # ### end Alembic commands ###

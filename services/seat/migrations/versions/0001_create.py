"""Creates the floors, tables and seatings, and the chassis' tables."""

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
        "floors",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the store's id"),
        sa.Column("version", sa.Integer(), nullable=False, comment="that of the store's availability"),
        sa.Column("store_version", sa.Integer(), nullable=False, comment="0 while the store is unknown"),
        sa.Column("mode", sa.String(length=20), nullable=False, comment="who gets a free table"),
        sa.Column("call_timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("seats_remaining", sa.Integer(), nullable=False),
        sa.Column("tables_free", sa.Integer(), nullable=False),
        sa.Column("tables_total", sa.Integer(), nullable=False),
        sa.Column("largest_free_capacity", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False, comment="id of an envelope that was applied"),
        sa.Column("applied_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_inbox_applied_at", "inbox", ["applied_at"])
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=36), nullable=False, comment="the envelope's id; sorts by age"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="the envelope, serialized"),
        sa.Column("created_at", UtcTime(), nullable=False),
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
    op.create_index("ix_requests_created_at", "requests", ["created_at"])
    op.create_table(
        "seatings",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the reception's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("reception_version", sa.Integer(), nullable=False, comment="of the newest snapshot applied"),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False, comment="WAITING, HELD, OCCUPIED, EXPIRED or DONE"),
        sa.Column("order_key", sa.BigInteger(), nullable=False),
        sa.Column("party_size", sa.Integer(), nullable=False),
        sa.Column(
            "section", sa.String(length=80), nullable=False, comment="where the party wishes to sit; empty for anywhere"
        ),
        sa.Column("table_id", sa.String(length=63), nullable=False, comment="held or occupied; empty when none"),
        sa.Column("held_at", UtcTime()),
        sa.Column("hold_expire_at", UtcTime()),
        sa.Column("refused", sa.Boolean(), nullable=False, comment="this round's promise of a table was withdrawn"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "ix_seatings_fitting",
        "seatings",
        ["store_id", "section", "party_size", "order_key"],
        sqlite_where=sa.text("state = 'WAITING'"),
        postgresql_where=sa.text("state = 'WAITING'"),
    )
    op.create_index(
        "ix_seatings_line",
        "seatings",
        ["store_id", "order_key"],
        sqlite_where=sa.text("state = 'WAITING'"),
        postgresql_where=sa.text("state = 'WAITING'"),
    )
    op.create_table(
        "tables",
        sa.Column("id", sa.String(length=127), nullable=False, comment="`<store>/<table>`"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("table_id", sa.String(length=63), nullable=False),
        sa.Column("display_name", sa.String(length=80), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("section", sa.String(length=80), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False, comment="FREE, HELD, OCCUPIED or BLOCKED"),
        sa.Column("party", sa.String(length=63), nullable=False, comment="the reception that has it; empty when none"),
        sa.Column("hold_expire_at", UtcTime()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_tables_store_id", "tables", ["store_id"])
    op.create_table(
        "timers",
        sa.Column("id", sa.String(length=200), nullable=False, comment="`<kind>:<key>`"),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_timers_due_at", "timers", ["due_at"])


def downgrade() -> None:
    op.drop_index("ix_timers_due_at", table_name="timers")
    op.drop_table("timers")
    op.drop_index("ix_tables_store_id", table_name="tables")
    op.drop_table("tables")
    op.drop_index("ix_seatings_line", table_name="seatings")
    op.drop_index("ix_seatings_fitting", table_name="seatings")
    op.drop_table("seatings")
    op.drop_index("ix_requests_created_at", table_name="requests")
    op.drop_table("requests")
    op.drop_table("outbox")
    op.drop_index("ix_inbox_applied_at", table_name="inbox")
    op.drop_table("inbox")
    op.drop_table("floors")
    op.drop_table("dead_letters")

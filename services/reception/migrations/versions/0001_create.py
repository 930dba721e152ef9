"""Receptions, lines, customers, orders that came early, and the tables of the chassis."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0001_create"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.String(length=66), nullable=False, comment="the customer's key"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("open", sa.JSON(), nullable=False, comment="open receptions: id → store"),
        sa.PrimaryKeyConstraint("id"),
    )
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
        "early_orders",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the order's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("order_version", sa.Integer(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("party_size", sa.Integer(), nullable=False),
        sa.Column("section", sa.String(length=80), nullable=False),
        sa.Column("table_name", sa.String(length=140), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=True),
        sa.Column("called_at", UtcTime(), nullable=True),
        sa.Column("seated_at", UtcTime(), nullable=True),
        sa.Column("hold_expires_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        comment="orders that came before the walk-in they are about",
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False, comment="id of an envelope that was applied"),
        sa.Column("applied_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_inbox_applied_at"), "inbox", ["applied_at"], unique=False)
    op.create_table(
        "lines",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the store's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_version", sa.Integer(), nullable=False, comment="of the policy; 0 before the first one came"),
        sa.Column("display_name", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("min_party_size", sa.Integer(), nullable=False),
        sa.Column("max_party_size", sa.Integer(), nullable=False),
        sa.Column("max_waiting", sa.Integer(), nullable=False),
        sa.Column("call_timeout_seconds", sa.Integer(), nullable=False),
        sa.Column("seating_mode", sa.String(length=20), nullable=False),
        sa.Column("max_postpones", sa.Integer(), nullable=False),
        sa.Column("near_turn_parties", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("day_start_hour", sa.Integer(), nullable=False),
        sa.Column("business_day", sa.String(length=10), nullable=False),
        sa.Column("day_ends_at", UtcTime(), nullable=True),
        sa.Column("next_waiting_number", sa.Integer(), nullable=False),
        sa.Column("next_order_key", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("requested", sa.Integer(), nullable=False),
        sa.Column("pace_seconds", sa.Float(), nullable=False),
        sa.Column("last_call_at", UtcTime(), nullable=True),
        sa.Column("sent_home_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
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
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("channel", sa.String(length=10), nullable=False),
        sa.Column("party_size", sa.Integer(), nullable=False),
        sa.Column("section", sa.String(length=80), nullable=False),
        sa.Column("customer_id", sa.String(length=63), nullable=False, comment="empty when not known"),
        sa.Column(
            "customer_key",
            sa.String(length=66),
            nullable=False,
            comment="c:<customer> or p:<hash of the phone> or empty",
        ),
        sa.Column("phone", sa.String(length=20), nullable=False, comment="E.164; empty when not known"),
        sa.Column("language_code", sa.String(length=2), nullable=False),
        sa.Column("order_key", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("business_day", sa.String(length=10), nullable=False),
        sa.Column("waiting_number", sa.Integer(), nullable=False, comment="0 when none"),
        sa.Column("near_turn", sa.Boolean(), nullable=False),
        sa.Column("promised", sa.Boolean(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("postpone_count", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.String(length=140), nullable=False),
        sa.Column("hold_expires_at", UtcTime(), nullable=True),
        sa.Column("close_reason", sa.String(length=20), nullable=False),
        sa.Column("called_at", UtcTime(), nullable=True),
        sa.Column("seated_at", UtcTime(), nullable=True),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("seating_version", sa.Integer(), nullable=False, comment="the seating applied last"),
        sa.Column("order_version", sa.Integer(), nullable=False, comment="the order applied last"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "receptions_by_customer",
        "receptions",
        ["customer_id", "created_at", "id"],
        unique=False,
        sqlite_where=sa.text("customer_id <> ''"),
        postgresql_where=sa.text("customer_id <> ''"),
    )
    op.create_index("receptions_by_store", "receptions", ["store_id", "created_at", "id"], unique=False)
    op.create_index(
        "receptions_in_line",
        "receptions",
        ["store_id", "created_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('REQUESTED', 'WAITING')"),
        postgresql_where=sa.text("state IN ('REQUESTED', 'WAITING')"),
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
        "timers",
        sa.Column("id", sa.String(length=200), nullable=False, comment="`<kind>:<key>`"),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_timers_due_at"), "timers", ["due_at"], unique=False)


def downgrade() -> None:
    op.drop_table("timers")
    op.drop_table("requests")
    op.drop_table("receptions")
    op.drop_table("outbox")
    op.drop_table("lines")
    op.drop_table("inbox")
    op.drop_table("early_orders")
    op.drop_table("dead_letters")
    op.drop_table("customers")

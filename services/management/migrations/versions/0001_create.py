"""Stores, orders, copies of tables, and the tables of the chassis."""

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
        "orders",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the reception's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("party_size", sa.Integer(), nullable=False),
        sa.Column("waiting_number", sa.Integer(), nullable=False),
        sa.Column("table_name", sa.String(length=140), nullable=False, comment="resource name; empty when none"),
        sa.Column("section", sa.String(length=80), nullable=False),
        sa.Column("walk_in", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("called_at", UtcTime(), nullable=True),
        sa.Column("seated_at", UtcTime(), nullable=True),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.Column("hold_expires_at", UtcTime(), nullable=True),
        sa.Column(
            "reception_version", sa.Integer(), nullable=False, comment="of the newest snapshot; 0 before the first"
        ),
        sa.Column("reception_state", sa.String(length=20), nullable=True),
        sa.Column("order_key", sa.BigInteger(), nullable=False, comment="smaller is called earlier"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_orders_age", "orders", ["store_id", "created_at", "id"], unique=False)
    op.create_index("ix_orders_line", "orders", ["store_id", "reception_state", "order_key"], unique=False)
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
    op.create_index(op.f("ix_requests_created_at"), "requests", ["created_at"], unique=False)
    op.create_table(
        "stores",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("display_name", sa.String(length=80), nullable=False),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("day_start_hour", sa.Integer(), nullable=False),
        sa.Column("opening_hours", sa.JSON(), nullable=False, comment="list of [weekday, opens, closes]"),
        sa.Column("min_party_size", sa.Integer(), nullable=False),
        sa.Column("max_party_size", sa.Integer(), nullable=False),
        sa.Column("max_waiting", sa.Integer(), nullable=False),
        sa.Column("call_timeout", sa.Interval(), nullable=False),
        sa.Column("accept_mode", sa.String(length=20), nullable=False),
        sa.Column("seating_mode", sa.String(length=20), nullable=False),
        sa.Column("max_postpones", sa.Integer(), nullable=False),
        sa.Column("near_turn_parties", sa.Integer(), nullable=False),
        sa.Column("reopen_at", UtcTime(), nullable=True),
        sa.Column("sent_home_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tables",
        sa.Column("id", sa.String(length=127), nullable=False, comment="`<store>/<table>`"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("reception_id", sa.String(length=63), nullable=False, comment="who has it; empty when nobody"),
        sa.Column("seat_version", sa.Integer(), nullable=False, comment="of the newest snapshot that seat told"),
        sa.Column("shown_to", sa.String(length=63), nullable=False, comment="order that staff last seated there"),
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


def downgrade() -> None:
    op.drop_index(op.f("ix_timers_due_at"), table_name="timers")
    op.drop_table("timers")
    op.drop_table("tables")
    op.drop_table("stores")
    op.drop_index(op.f("ix_requests_created_at"), table_name="requests")
    op.drop_table("requests")
    op.drop_table("outbox")
    op.drop_index("ix_orders_line", table_name="orders")
    op.drop_index("ix_orders_age", table_name="orders")
    op.drop_table("orders")
    op.drop_index(op.f("ix_inbox_applied_at"), table_name="inbox")
    op.drop_table("inbox")
    op.drop_table("dead_letters")

"""Creates the read model and the chassis' tables."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.types import UtcTime

revision = "0001_create"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "availabilities",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the store's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seats_remaining", sa.Integer(), nullable=False),
        sa.Column("largest_free_capacity", sa.Integer(), nullable=False),
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
        "inbox",
        sa.Column("id", sa.String(length=36), nullable=False, comment="id of an envelope that was applied"),
        sa.Column("applied_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_inbox_applied_at", "inbox", ["applied_at"])
    op.create_table(
        "lines",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the store's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("parties_waiting", sa.Integer(), nullable=False),
        sa.Column("pace_seconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=63), nullable=False, comment="the reception's id"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
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
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("party_size", sa.Integer(), nullable=False),
        sa.Column("waiting_number", sa.Integer(), nullable=False),
        sa.Column("order_key", sa.BigInteger(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("business_day", sa.String(length=10), nullable=False),
        sa.Column("postpone_count", sa.Integer(), nullable=False),
        sa.Column("create_micros", sa.BigInteger(), nullable=False),
        sa.Column("call_micros", sa.BigInteger(), nullable=True),
        sa.Column("seat_micros", sa.BigInteger(), nullable=True),
        sa.Column("close_micros", sa.BigInteger(), nullable=True),
        sa.Column("hold_expire_micros", sa.BigInteger(), nullable=True),
        sa.Column("change_micros", sa.BigInteger(), nullable=False, comment="the latest of the times it tells"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_receptions_store_change", "receptions", ["store_id", "change_micros"])
    op.create_index("ix_receptions_store_day", "receptions", ["store_id", "business_day"])
    op.create_index("ix_receptions_store_state", "receptions", ["store_id", "state", "order_key"])
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
        "stores",
        sa.Column("id", sa.String(length=63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("day_start_hour", sa.Integer(), nullable=False),
        sa.Column(
            "opening_hours", sa.Text(), nullable=False, comment="JSON of [weekday, open, close]; empty when none"
        ),
        sa.Column("min_party_size", sa.Integer(), nullable=False),
        sa.Column("max_party_size", sa.Integer(), nullable=False),
        sa.Column("accept_mode", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("update_micros", sa.BigInteger(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False, comment="the folded name, for sorting"),
        sa.Column("category_key", sa.Text(), nullable=False, comment="the folded category"),
        sa.Column("search_text", sa.Text(), nullable=False, comment="folded name, category and address, a line each"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tables",
        sa.Column("id", sa.String(length=127), nullable=False, comment="`<store>/<table>`"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("store_id", sa.String(length=63), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("section", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reception", sa.Text(), nullable=False),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("hold_expire_micros", sa.BigInteger(), nullable=True),
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
    op.drop_table("stores")
    op.drop_index("ix_requests_created_at", table_name="requests")
    op.drop_table("requests")
    op.drop_index("ix_receptions_store_state", table_name="receptions")
    op.drop_index("ix_receptions_store_day", table_name="receptions")
    op.drop_index("ix_receptions_store_change", table_name="receptions")
    op.drop_table("receptions")
    op.drop_table("outbox")
    op.drop_table("orders")
    op.drop_table("lines")
    op.drop_index("ix_inbox_applied_at", table_name="inbox")
    op.drop_table("inbox")
    op.drop_table("dead_letters")
    op.drop_table("availabilities")

"""Management's tables."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    Interval,
    MetaData,
    String,
    Table,
    false,
    text,
)

from services.chassis.audit import audit_table
from services.chassis.database.types import UtcTime
from services.chassis.tables import chassis_tables

metadata = MetaData()
chassis_tables(metadata)
audit_table(metadata)

IS_OPEN = text("state IN ('RECEIVED', 'ACCEPTED', 'CALLED', 'SEATED')")
"""Written out, so that the partial index serves it."""

stores = Table(
    "stores",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("display_name", String(80), nullable=False),
    Column("category", String(40), nullable=False),
    Column("address", String(200), nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("phone", String(20), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("day_start_hour", Integer, nullable=False),
    Column("opening_hours", JSON, nullable=False, comment="list of [weekday, opens, closes]"),
    Column("min_party_size", Integer, nullable=False),
    Column("max_party_size", Integer, nullable=False),
    Column("max_waiting", Integer, nullable=False),
    Column("call_timeout", Interval, nullable=False),
    Column("accept_mode", String(20), nullable=False),
    Column("seating_mode", String(20), nullable=False),
    Column("max_postpones", Integer, nullable=False),
    Column("near_turn_parties", Integer, nullable=False),
    Column("presence_required", Boolean, nullable=False, server_default=false()),
    Column("reopen_at", UtcTime),
    Column("sent_home_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(63), primary_key=True, comment="the reception's id"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("state", String(20), nullable=False),
    Column("party_size", Integer, nullable=False),
    Column("waiting_number", Integer, nullable=False),
    Column("table_name", String(160), nullable=False, comment="resource name; empty when none"),
    Column("section", String(80), nullable=False),
    Column("walk_in", Boolean, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("round", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("called_at", UtcTime),
    Column("seated_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("hold_expires_at", UtcTime),
    Column("reception_version", Integer, nullable=False, comment="of the newest snapshot; 0 before the first"),
    Column("reception_state", String(20)),
    Column("order_key", BigInteger, nullable=False, comment="smaller is called earlier"),
    Index("ix_orders_age", "store_id", "created_at", "id"),
    Index("ix_orders_line", "store_id", "reception_state", "order_key"),
    Index("ix_orders_open", "state", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
)

tables = Table(
    "tables",
    metadata,
    Column("id", String(127), primary_key=True, comment="`<store>/<table>`"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("reception_id", String(63), nullable=False, comment="who has it; empty when nobody"),
    Column("seat_version", Integer, nullable=False, comment="of the newest snapshot that seat told"),
    Column("shown_to", String(63), nullable=False, comment="order that staff last seated there"),
)

"""The tables of reception's database."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    text,
)

from services.chassis.database.types import UtcTime
from services.chassis.tables import chassis_tables

metadata = MetaData()
chassis_tables(metadata)

IN_LINE = text("state IN ('REQUESTED', 'WAITING')")
"""Written out, so that the partial index serves it."""

IN_HOUSE = text("state IN ('CALLED', 'SEATED')")

OF_CUSTOMER = text("customer_id <> ''")

receptions = Table(
    "receptions",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("state", String(10), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("party_size", Integer, nullable=False),
    Column("section", String(80), nullable=False),
    Column("customer_id", String(63), nullable=False, comment="empty when not known"),
    Column("customer_key", String(66), nullable=False, comment="c:<customer> or p:<hash of the phone> or empty"),
    Column("phone", String(20), nullable=False, comment="E.164; empty when not known"),
    Column("language_code", String(2), nullable=False),
    Column("order_key", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("business_day", String(10), nullable=False),
    Column("waiting_number", Integer, nullable=False, comment="0 when none"),
    Column("near_turn", Boolean, nullable=False),
    Column("promised", Boolean, nullable=False),
    Column("round", Integer, nullable=False),
    Column("postpone_count", Integer, nullable=False),
    Column("table_name", String(140), nullable=False),
    Column("hold_expires_at", UtcTime),
    Column("close_reason", String(20), nullable=False),
    Column("called_at", UtcTime),
    Column("seated_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("seating_version", Integer, nullable=False, comment="the seating applied last"),
    Column("order_version", Integer, nullable=False, comment="the order applied last"),
    Column(
        "line_version",
        Integer,
        nullable=False,
        server_default="0",
        comment="one more than the version of its line when it was saved",
    ),
    Index("receptions_by_store", "store_id", "created_at", "id"),
    Index(
        "receptions_by_customer",
        "customer_id",
        "created_at",
        "id",
        sqlite_where=OF_CUSTOMER,
        postgresql_where=OF_CUSTOMER,
    ),
    Index("receptions_by_line_version", "store_id", "line_version"),
    Index("receptions_in_line", "store_id", "created_at", sqlite_where=IN_LINE, postgresql_where=IN_LINE),
    Index("receptions_in_house", "state", sqlite_where=IN_HOUSE, postgresql_where=IN_HOUSE),
)

lines = Table(
    "lines",
    metadata,
    Column("id", String(63), primary_key=True, comment="the store's id"),
    Column("version", Integer, nullable=False),
    Column("store_version", Integer, nullable=False, comment="of the policy; 0 before the first one came"),
    Column("display_name", String(80), nullable=False),
    Column("state", String(10), nullable=False),
    Column("min_party_size", Integer, nullable=False),
    Column("max_party_size", Integer, nullable=False),
    Column("max_waiting", Integer, nullable=False),
    Column("call_timeout_seconds", Integer, nullable=False),
    Column("seating_mode", String(20), nullable=False),
    Column("max_postpones", Integer, nullable=False),
    Column("near_turn_parties", Integer, nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("day_start_hour", Integer, nullable=False),
    Column("business_day", String(10), nullable=False),
    Column("day_ends_at", UtcTime),
    Column("next_waiting_number", Integer, nullable=False),
    Column("next_order_key", BigInteger, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("requested", Integer, nullable=False),
    Column("pace_seconds", Float, nullable=False),
    Column("last_call_at", UtcTime),
    Column("sent_home_at", UtcTime),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(66), primary_key=True, comment="the customer's key"),
    Column("version", Integer, nullable=False),
    Column("open", JSON, nullable=False, comment="open receptions: id → store"),
)

early_orders = Table(
    "early_orders",
    metadata,
    Column("id", String(63), primary_key=True, comment="the order's id"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("order_version", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("party_size", Integer, nullable=False),
    Column("section", String(80), nullable=False),
    Column("table_name", String(140), nullable=False),
    Column("created_at", UtcTime),
    Column("called_at", UtcTime),
    Column("seated_at", UtcTime),
    Column("hold_expires_at", UtcTime),
    comment="orders that came before the walk-in they are about",
)

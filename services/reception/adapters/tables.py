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
    false,
    text,
)

from services.chassis.audit import audit_table
from services.chassis.database.types import UtcTime
from services.chassis.tables import chassis_tables
from services.reception.adapters.vault import ID_LENGTH, PLAIN

metadata = MetaData()
chassis_tables(metadata)
audit_table(metadata)

IN_LINE = text("state IN ('REQUESTED', 'WAITING')")
"""Written out, so that the partial index serves it."""

IN_HOUSE = text("state IN ('CALLED', 'SEATED')")

TO_FORGET = text("forget_at IS NOT NULL")

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
    Column("phone_sealed", String(200), nullable=False, server_default="", comment="empty when none, or forgotten"),
    Column(
        "phone_key",
        String(ID_LENGTH),
        nullable=False,
        server_default=PLAIN,
        comment="id of the key that sealed it; `plain` when not looked at yet, empty when none, or forgotten",
    ),
    Column("phone_masked", String(20), nullable=False, server_default="", comment="as it is shown"),
    Column("language_code", String(2), nullable=False),
    Column("order_key", BigInteger, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("business_day", String(10), nullable=False),
    Column("waiting_number", Integer, nullable=False, comment="0 when none"),
    Column("near_turn", Boolean, nullable=False),
    Column("promised", Boolean, nullable=False),
    Column("round", Integer, nullable=False),
    Column("postpone_count", Integer, nullable=False),
    Column("table_name", String(160), nullable=False),
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
    Index("receptions_by_phone_key", "phone_key", "created_at"),
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
    Column("joins_back_at", UtcTime, comment="when the allowance of those who come by themselves will be whole again"),
    Column("presence_required", Boolean, nullable=False, server_default=false()),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(66), primary_key=True, comment="the customer's key"),
    Column("version", Integer, nullable=False),
    Column("open", JSON, nullable=False, comment="open receptions: id → store"),
    Column("joined_at", JSON, nullable=False, server_default="[]", comment="joins of the last day, epoch seconds"),
    Column("forget_at", UtcTime, comment="none while a reception is open"),
    Index(
        "customers_to_forget",
        "forget_at",
        sqlite_where=TO_FORGET,
        postgresql_where=TO_FORGET,
    ),
)

addresses = Table(
    "addresses",
    metadata,
    Column("id", String(64), primary_key=True, comment="keyed hash of the address and the store"),
    Column("version", Integer, nullable=False),
    Column("back_at", UtcTime, nullable=False, index=True, comment="when its allowance will be whole again"),
    comment="where parties came from that told nothing of themselves",
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
    Column("table_name", String(160), nullable=False),
    Column("created_at", UtcTime),
    Column("called_at", UtcTime),
    Column("seated_at", UtcTime),
    Column("hold_expires_at", UtcTime),
    comment="orders that came before the walk-in they are about",
)

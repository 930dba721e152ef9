"""The tables of notification."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, MetaData, String, Table, Text

from services.chassis.database.types import UtcTime
from services.chassis.tables import chassis_tables

metadata = MetaData()

notices = Table(
    "notices",
    metadata,
    Column("id", String(80), primary_key=True, comment="`<reception>-<purpose>-<round>`"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("reception_id", String(63), nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("round", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("language_code", String(8), nullable=False),
    Column("template_code", String(20), nullable=False),
    Column("variables", Text, nullable=False, comment="what the template was filled with, `name=value` lines"),
    Column("text", Text, nullable=False, comment="what the party reads"),
    Column("phone", String(20), nullable=False, comment="masked; the number itself is never kept"),
    Column("failure", String(32), nullable=False),
    Column("vendor_reference", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("doubtful", Boolean, nullable=False, comment="an attempt may have come through unseen"),
    Column("expire_at", UtcTime, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("next_attempt_at", UtcTime, comment="when to send or to ask again; none once settled"),
)
Index("ix_notices_newest", notices.c.created_at, notices.c.id)
Index(
    "ix_notices_due",
    notices.c.next_attempt_at,
    sqlite_where=notices.c.next_attempt_at.is_not(None),
    postgresql_where=notices.c.next_attempt_at.is_not(None),
)

receptions = Table(
    "receptions",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seen", Integer, nullable=False, comment="newest version of the reception"),
    Column("round", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("told", Text, nullable=False, comment="`<purpose>-<round>` of every notice decided, by spaces"),
)

stores = Table(
    "stores",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seen", Integer, nullable=False, comment="newest version of the store"),
    Column("display_name", String(80), nullable=False),
    Column("time_zone", String(64), nullable=False),
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", String(80), primary_key=True, comment="`<plain or urgent>/<phone, block or store>/<which>`"),
    Column("version", Integer, nullable=False),
    Column("paid", JSON, nullable=False, comment="a phone's notices of the last day: id → epoch seconds"),
    Column("back_at", UtcTime, comment="when the allowance of a block or store will be whole again"),
    Column("forget_at", UtcTime, nullable=False, index=True),
)

chassis_tables(metadata)

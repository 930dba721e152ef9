"""The read model's tables; columns are in the order of the rows in `application.model`."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

from services.chassis.tables import chassis_tables

metadata = MetaData()
chassis_tables(metadata)

stores = Table(
    "stores",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("time_zone", String(64), nullable=False),
    Column("day_start_hour", Integer, nullable=False),
    Column("opening_hours", Text, nullable=False, comment="JSON of [weekday, open, close]; empty when none"),
    Column("min_party_size", Integer, nullable=False),
    Column("max_party_size", Integer, nullable=False),
    Column("accept_mode", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("update_micros", BigInteger, nullable=False),
    Column("name_key", Text, nullable=False, comment="the folded name, for sorting"),
    Column("category_key", Text, nullable=False, comment="the folded category"),
    Column("search_text", Text, nullable=False, comment="folded name, category and address, a line each"),
)

availabilities = Table(
    "availabilities",
    metadata,
    Column("id", String(63), primary_key=True, comment="the store's id"),
    Column("version", Integer, nullable=False),
    Column("seats_remaining", Integer, nullable=False),
    Column("largest_free_capacity", Integer, nullable=False),
)

lines = Table(
    "lines",
    metadata,
    Column("id", String(63), primary_key=True, comment="the store's id"),
    Column("version", Integer, nullable=False),
    Column("parties_waiting", Integer, nullable=False),
    Column("pace_seconds", Integer, nullable=False),
)

receptions = Table(
    "receptions",
    metadata,
    Column("id", String(63), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("state", String(16), nullable=False),
    Column("party_size", Integer, nullable=False),
    Column("waiting_number", Integer, nullable=False),
    Column("order_key", BigInteger, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("business_day", String(10), nullable=False),
    Column("postpone_count", Integer, nullable=False),
    Column("create_micros", BigInteger, nullable=False),
    Column("call_micros", BigInteger),
    Column("seat_micros", BigInteger),
    Column("close_micros", BigInteger),
    Column("hold_expire_micros", BigInteger),
    Column("change_micros", BigInteger, nullable=False, comment="the latest of the times it tells"),
    Index("ix_receptions_store_day", "store_id", "business_day"),
    Index("ix_receptions_store_state", "store_id", "state", "order_key"),
    Index("ix_receptions_store_change", "store_id", "change_micros"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", String(63), primary_key=True, comment="the reception's id"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("accepted", Boolean, nullable=False),
)

tables = Table(
    "tables",
    metadata,
    Column("id", String(127), primary_key=True, comment="`<store>/<table>`"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("section", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("reception", Text, nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("hold_expire_micros", BigInteger),
)

READ_MODEL = (stores, availabilities, lines, receptions, orders, tables)
"""What a rebuild puts right; everything else in the database is the chassis'."""

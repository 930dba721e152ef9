"""The service's tables."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, literal_column

from services.chassis.audit import audit_table
from services.chassis.database.types import UtcTime
from services.chassis.tables import chassis_tables

metadata = MetaData()
chassis_tables(metadata)
audit_table(metadata)

floors = Table(
    "floors",
    metadata,
    Column("id", String(63), primary_key=True, comment="the store's id"),
    Column("version", Integer, nullable=False, comment="that of the store's availability"),
    Column("store_version", Integer, nullable=False, comment="0 while the store is unknown"),
    Column("mode", String(20), nullable=False, comment="who gets a free table"),
    Column("call_timeout_seconds", Integer, nullable=False),
    Column("seats_remaining", Integer, nullable=False),
    Column("tables_free", Integer, nullable=False),
    Column("tables_total", Integer, nullable=False),
    Column("largest_free_capacity", Integer, nullable=False),
)

tables = Table(
    "tables",
    metadata,
    Column("id", String(127), primary_key=True, comment="`<store>/<table>`"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False, index=True),
    Column("table_id", String(63), nullable=False),
    Column("display_name", String(80), nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("section", String(80), nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("state", String(20), nullable=False, comment="FREE, HELD, OCCUPIED or BLOCKED"),
    Column("party", String(63), nullable=False, comment="the reception that has it; empty when none"),
    Column("hold_expire_at", UtcTime),
)

seatings = Table(
    "seatings",
    metadata,
    Column("id", String(63), primary_key=True, comment="the reception's id"),
    Column("version", Integer, nullable=False),
    Column("store_id", String(63), nullable=False),
    Column("reception_version", Integer, nullable=False, comment="of the newest snapshot applied"),
    Column("round", Integer, nullable=False),
    Column("state", String(20), nullable=False, comment="WAITING, HELD, OCCUPIED, EXPIRED or DONE"),
    Column("order_key", BigInteger, nullable=False),
    Column("party_size", Integer, nullable=False),
    Column("section", String(80), nullable=False, comment="where the party wishes to sit; empty for anywhere"),
    Column("table_id", String(63), nullable=False, comment="held or occupied; empty when none"),
    Column("held_at", UtcTime),
    Column("hold_expire_at", UtcTime),
    Column("refused", Boolean, nullable=False, comment="this round's promise of a table was withdrawn"),
)

# said literally: only then does a planner see that a query may use the partial indexes
waiting = seatings.c.state == literal_column("'WAITING'")

Index(
    "ix_seatings_line",
    seatings.c.store_id,
    seatings.c.order_key,
    sqlite_where=waiting,
    postgresql_where=waiting,
)
Index(
    "ix_seatings_fitting",
    seatings.c.store_id,
    seatings.c.section,
    seatings.c.party_size,
    seatings.c.order_key,
    sqlite_where=waiting,
    postgresql_where=waiting,
)

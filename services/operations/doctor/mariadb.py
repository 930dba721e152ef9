"""What is asked of a MariaDB server."""

from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, text

from services.operations.doctor.facts import Judged, Rule, at_least, judge, one_of
from services.operations.doctor.finding import Severity

OLDEST = (10, 6)
CONNECTIONS = 100
PACKET = 16 * 1024**2


def _set(name: str, value: str) -> str:
    return f"SET GLOBAL {name} = {value}; and in the server's configuration"


RULES = (
    Rule(
        "innodb_flush_log_at_trx_commit",
        one_of("1"),
        Severity.WRONG,
        "what was answered may be gone after a crash",
        _set("innodb_flush_log_at_trx_commit", "1"),
    ),
    Rule(
        "innodb_doublewrite",
        one_of("on", "1", "fast"),
        Severity.WRONG,
        "a power cut can leave pages half written",
        "innodb_doublewrite = ON in the server's configuration",
    ),
    Rule(
        "read_only",
        one_of("off", "0"),
        Severity.WRONG,
        "it takes no writes",
        "name the primary in the address, or SET GLOBAL read_only = OFF",
    ),
    Rule(
        "sql_mode",
        lambda value: "STRICT_TRANS_TABLES" in value or "STRICT_ALL_TABLES" in value,
        Severity.WRONG,
        "values that do not fit are cut off instead of refused",
        _set("sql_mode", "CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')"),
    ),
    Rule(
        "max_allowed_packet",
        at_least(PACKET),
        Severity.RISKY,
        f"{PACKET} or more is wanted",
        _set("max_allowed_packet", str(PACKET)),
    ),
    Rule(
        "max_connections",
        at_least(CONNECTIONS),
        Severity.RISKY,
        f"{CONNECTIONS} or more are wanted",
        _set("max_connections", str(CONNECTIONS)),
    ),
)
BINARY_LOG = (
    Rule(
        "binlog_format",
        one_of("row", "mixed"),
        Severity.WRONG,
        "with READ COMMITTED every write is refused",
        _set("binlog_format", "'ROW'"),
    ),
    Rule(
        "sync_binlog",
        one_of("1"),
        Severity.WRONG,
        "after a crash replicas may have other rows than the server",
        _set("sync_binlog", "1"),
    ),
)

GLOBALS = text(
    "SELECT LOWER(variable_name), variable_value FROM information_schema.global_variables WHERE variable_name IN :names"
).bindparams(bindparam("names", expanding=True))
SESSION = text("SELECT VERSION(), @@tx_isolation, @@character_set_database, @@collation_database, @@log_bin")
COLUMNS = text(
    "SELECT DISTINCT CONCAT(table_name, '.', column_name) FROM information_schema.columns "
    "WHERE table_schema = DATABASE() AND table_name <> 'alembic_version' AND collation_name NOT LIKE '%\\_bin'"
)
ENGINES = text(
    "SELECT table_name FROM information_schema.tables "
    "WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine <> 'InnoDB'"
)
CLOCK = text("SELECT UNIX_TIMESTAMP(NOW(6))")


def look(connection: Connection) -> Iterator[Judged]:
    """The server's settings, and how the database writes and compares texts."""
    version, isolation, charset, collation, log = connection.execute(SESSION).one()
    yield from _version(str(version))
    rules = (*RULES, *BINARY_LOG) if log else RULES
    found = connection.execute(GLOBALS, {"names": [rule.name.upper() for rule in rules]})
    yield from judge(rules, {row[0]: row[1] for row in found})
    if isolation not in ("READ-COMMITTED", "REPEATABLE-READ"):
        what = f"our sessions get {isolation}: something between us and the server sets it"
        yield Severity.WRONG, what, "let the proxy leave tx_isolation as the client sets it"
    yield from _texts(connection, str(charset), str(collation))
    if tables := sorted(connection.execute(ENGINES).scalars()):
        what = f"not in InnoDB, hence without transactions: {', '.join(tables)}"
        yield Severity.WRONG, what, "ALTER TABLE … ENGINE = InnoDB"


def clock(connection: Connection) -> float:
    """The server's time, in seconds since 1970."""
    return float(connection.scalar(CLOCK) or 0.0)


def _version(version: str) -> Iterator[Judged]:
    if "mariadb" not in version.lower():
        yield Severity.WRONG, f"it is no MariaDB but {version}", "MariaDB 10.6 or newer is needed"
    elif tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        yield Severity.WRONG, f"MariaDB {version} is too old", "MariaDB 10.6 or newer is needed"


def _texts(connection: Connection, charset: str, collation: str) -> Iterator[Judged]:
    fix = "ALTER DATABASE … CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    if charset != "utf8mb4":
        yield Severity.WRONG, f"its character set is {charset}, which cannot hold every name", fix
    if columns := sorted(connection.execute(COLUMNS).scalars()):
        what = f"does not compare texts bytewise: {', '.join(columns[:3])} and {len(columns) - 3} more columns"
        yield Severity.WRONG, what, f"{fix}; ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    elif not collation.endswith("_bin"):
        yield Severity.RISKY, f"new columns would compare texts by {collation}, not bytewise", fix

"""What is asked of a PostgreSQL server."""

from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, text

from services.operations.doctor.facts import Judged, Rule, at_least, judge, one_of
from services.operations.doctor.finding import Severity

OLDEST = 130000
CONNECTIONS = 100
"""Of five services with a process each, and of people who look; every further replica takes ten more."""

RULES = (
    Rule(
        "server_version_num",
        at_least(OLDEST),
        Severity.WRONG,
        "PostgreSQL 13 or newer is needed",
        "move to a newer server",
    ),
    Rule(
        "fsync",
        one_of("on"),
        Severity.WRONG,
        "a power cut can destroy the whole cluster",
        "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
    ),
    Rule(
        "full_page_writes",
        one_of("on"),
        Severity.WRONG,
        "a power cut can leave pages half written",
        "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();",
    ),
    Rule(
        "synchronous_commit",
        one_of("on", "local", "remote_write", "remote_apply"),
        Severity.WRONG,
        "what was answered may be gone after a crash",
        "ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf();",
    ),
    Rule(
        "max_connections",
        at_least(CONNECTIONS),
        Severity.RISKY,
        f"{CONNECTIONS} or more are wanted",
        f"ALTER SYSTEM SET max_connections = {CONNECTIONS}; then restart the server",
    ),
)

SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name IN :names").bindparams(
    bindparam("names", expanding=True)
)
ENCODING = text("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()")
BYTEWISE = text("SELECT 'B' < 'a' COLLATE \"default\" AND 'Z' < '_' COLLATE \"default\"")
STANDBY = text("SELECT pg_is_in_recovery()")
CLOCK = text("SELECT extract(epoch FROM clock_timestamp())")


def look(connection: Connection) -> Iterator[Judged]:
    """The server's settings, and how the database writes and compares texts."""
    found = connection.execute(SETTINGS, {"names": [rule.name for rule in RULES]})
    yield from judge(RULES, {row[0]: row[1] for row in found})
    if connection.scalar(STANDBY):
        yield Severity.WRONG, "it is a standby, which takes no writes", "name the primary in the address"
    encoding = connection.scalar(ENCODING)
    if encoding != "UTF8":
        what = f"it is encoded as {encoding}, which cannot hold every name"
        yield Severity.WRONG, what, "make it anew: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
    if not connection.scalar(BYTEWISE):
        what = "it does not compare texts bytewise: pages of lists come in another order than here"
        yield Severity.RISKY, what, "make it anew: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"


def clock(connection: Connection) -> float:
    """The server's time, in seconds since 1970."""
    return float(connection.scalar(CLOCK) or 0.0)

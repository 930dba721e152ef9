"""What is asked of a SQLite file."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from services.operations.doctor.facts import Judged
from services.operations.doctor.finding import Severity

OLDEST = (3, 35)


def look(connection: Connection) -> Iterator[Judged]:
    """The library's version, and whether the file can be written ahead of."""
    version = str(connection.scalar(text("SELECT sqlite_version()")))
    if tuple(map(int, version.split(".")[:2])) < OLDEST:
        what = f"SQLite {version} is too old, {'.'.join(map(str, OLDEST))} or newer is needed"
        yield Severity.WRONG, what, "run with a newer Python, which brings its own SQLite"
    mode = str(connection.scalar(text("PRAGMA journal_mode")))
    if mode != "wal":
        yield Severity.WRONG, f"its journal mode is {mode}, not WAL", "keep it on a local disk: no share can do WAL"

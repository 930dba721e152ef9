"""The ledger's indexes, as SQLite uses them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tabling.notification.v1.notice_pb2 import Notice
from tests.component.notification_kit import joined, world


async def test_reading_the_ledger_does_not_walk_through_all_of_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await here.tell(joined())
        await here.until("r1-numbered-0", Notice.DELIVERED)
    with closing(sqlite3.connect(tmp_path / "notification.db")) as connection:
        for where, index in (
            ("id > 'r1-' AND id < 'r1.' AND reception_id = 'r1' ORDER BY created_at DESC, id DESC LIMIT 51", "id>?"),
            ("next_attempt_at IS NOT NULL AND next_attempt_at <= 'x' ORDER BY next_attempt_at, id", "ix_notices_due"),
            ("(created_at, id) < ('x', 'y') ORDER BY created_at DESC, id DESC LIMIT 51", "ix_notices_newest"),
        ):
            plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM notices WHERE {where}").fetchall()  # noqa: S608
            assert index in plan[0][3], plan

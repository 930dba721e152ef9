"""A transaction's events go into few envelopes, each bounded."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import MetaData, create_engine

from services.chassis.messages import Message
from services.chassis.outbox import MAX_BYTES, MAX_EVENTS, Outbox
from services.chassis.tables import chassis_tables
from services.chassis.writes import Writes


@pytest.mark.parametrize(
    ("count", "size", "events"),
    [
        (1, 10, [1]),
        (MAX_EVENTS, 10, [MAX_EVENTS]),
        (MAX_EVENTS + 1, 10, [MAX_EVENTS, 1]),
        (3, MAX_BYTES // 2, [2, 1]),
        (2, MAX_BYTES * 2, [1, 1]),
    ],
)
def test_an_envelope_is_bounded_in_events_and_bytes(count: int, size: int, events: list[int]) -> None:
    metadata = MetaData()
    chassis_tables(metadata)
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        outbox = Outbox(connection, metadata.tables["outbox"], "a", datetime.now(UTC), lambda: None)
        for number in range(count):
            outbox.add(Message("a.b.c.v1", str(number), "", b"x" * size))
        writes = Writes(connection)
        outbox.flush(writes)
        writes.run()
    engine.dispose()

    assert [len(body.events) for body in outbox.written] == events
    assert [event.subject for body in outbox.written for event in body.events] == [str(n) for n in range(count)]

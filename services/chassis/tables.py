"""The tables that every service's database has: outbox, inbox, requests, timers, dead letters."""

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, Text

from services.chassis.database.types import UtcTime


def chassis_tables(metadata: MetaData) -> None:
    """Add the chassis' tables to a service's metadata; its first migration creates them."""
    Table(
        "outbox",
        metadata,
        Column("id", String(36), primary_key=True, comment="the envelope's id; sorts by age"),
        Column("body", LargeBinary, nullable=False, comment="the envelope, serialized"),
        Column("created_at", UtcTime, nullable=False),
        Column("attempts", Integer, nullable=False, server_default="0", comment="failed attempts to publish it"),
        Column("next_attempt_at", UtcTime, comment="not to be taken up by a sweep before then"),
        Column("failure", String(80), comment="class of the last error"),
    )
    Table(
        "inbox",
        metadata,
        Column("id", String(36), primary_key=True, comment="id of an envelope that was applied"),
        Column("applied_at", UtcTime, nullable=False, index=True),
    )
    Table(
        "requests",
        metadata,
        Column("id", String(36), primary_key=True, comment="request_id of a mutation that succeeded"),
        Column("fingerprint", String(64), nullable=False, comment="hash of method and request"),
        Column("response", LargeBinary, nullable=False),
        Column("created_at", UtcTime, nullable=False, index=True),
    )
    Table(
        "timers",
        metadata,
        Column("id", String(200), primary_key=True, comment="`<kind>:<key>`"),
        Column("kind", String(40), nullable=False),
        Column("key", String(160), nullable=False),
        Column("due_at", UtcTime, nullable=False, index=True),
    )
    Table(
        "dead_letters",
        metadata,
        Column("id", String(36), primary_key=True, comment="the event's id"),
        Column("source", String(40), nullable=False),
        Column("type", String(120), nullable=False),
        Column("subject", String(200), nullable=False),
        Column("event", LargeBinary, nullable=False, comment="the event, serialized"),
        Column("reason", Text, nullable=False, comment="class of the error, never its text"),
        Column("attempts", Integer, nullable=False),
        Column("created_at", UtcTime, nullable=False),
    )

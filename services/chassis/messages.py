"""Messages: what a service has to say to the others, before they are put in envelopes."""

from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.kernel import uuid7
from tabling.messaging.v1.envelope_pb2 import Envelope, Event


@dataclass(frozen=True, slots=True)
class Message:
    """One event to publish: its routing key, what it is about, and the serialized event message.

    `traceparent` is the W3C trace context of what caused it, empty when that is not traced.

    Of messages with the same `latest_of` in one transaction only the last is published: use it where each
    one replaces the one before.
    """

    type: str
    subject: str
    correlation_id: str
    data: bytes
    latest_of: str | None = None
    traceparent: str = ""


def envelope(source: str, messages: list[Message], at: datetime) -> Envelope:
    """An envelope with a new id for messages of one transaction."""
    time = Timestamp()
    time.FromDatetime(at)
    events = [
        Event(
            id=uuid7(),
            type=message.type,
            subject=message.subject,
            time=time,
            correlation_id=message.correlation_id,
            traceparent=message.traceparent,
            data=message.data,
        )
        for message in messages
    ]
    return Envelope(id=uuid7(), source=source, events=events)

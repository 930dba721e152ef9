"""Envelopes as AMQP messages: body, properties and headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from google.protobuf.message import DecodeError
from pamqp.commands import Basic

from tabling.messaging.v1.envelope_pb2 import Envelope, Event

CONTENT_TYPE = "application/protobuf"
FAILURE_HEADERS = ("attempts", "reason", "first-time", "last-time")


PERSISTENT = 2


class Packet(NamedTuple):
    """A message to publish."""

    body: bytes
    properties: Basic.Properties


@dataclass(frozen=True, slots=True)
class Failure:
    """Why and since when something cannot be applied. `reason` is the class of an error, never its text."""

    attempts: int
    reason: str
    first_time: datetime
    last_time: datetime

    @property
    def headers(self) -> dict[str, Any]:
        values = (self.attempts, self.reason, self.first_time.isoformat(), self.last_time.isoformat())
        return dict(zip(FAILURE_HEADERS, values, strict=True))

    @classmethod
    def after(cls, before: "Failure | None", error: Exception, now: datetime) -> "Failure":
        """The failure once another attempt has ended in `error`."""
        attempts, first = (before.attempts, before.first_time) if before else (0, now)
        return cls(attempts + 1, type(error).__name__, first, now)


def failure_of(headers: Mapping[str, Any]) -> Failure | None:
    """What a message's headers tell of failed attempts."""
    try:
        attempts, reason, first, last = (headers[name] for name in FAILURE_HEADERS)
        return Failure(int(attempts), str(reason), datetime.fromisoformat(first), datetime.fromisoformat(last))
    except (KeyError, TypeError, ValueError):
        return None  # there was none, or the headers are not ours


def unfailed(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The headers without what they tell of failed attempts."""
    return {name: value for name, value in headers.items() if name not in FAILURE_HEADERS}


def message(body: Envelope, routing_keys: list[str]) -> Packet:
    """An envelope to publish with the first of `routing_keys`; the others travel in its headers."""
    headers: dict[str, Any] = _attributes(body)
    if len(routing_keys) > 1:
        # further routing keys, taken off before delivery: a queue that several of them lead to gets one copy
        headers["BCC"] = routing_keys[1:]
    return durable(body.SerializeToString(), body.id, headers, body.source)


def single(source: str, event: Event, failure: Failure) -> Packet:
    """An event alone in an envelope, under the event's own id: that is its key in the inbox from now on."""
    body = Envelope(id=event.id, source=source, events=[event])
    return durable(body.SerializeToString(), body.id, _attributes(body) | failure.headers, source)


def durable(body: bytes, id_: str | None, headers: Mapping[str, Any], source: str | None) -> Packet:
    """A message that survives a restart of the broker."""
    kept = {name: value for name, value in headers.items() if not name.startswith("x-")}
    return Packet(
        body,
        Basic.Properties(
            content_type=CONTENT_TYPE, message_id=id_, headers=kept, app_id=source, delivery_mode=PERSISTENT
        ),
    )


def parse(body: bytes) -> Envelope:
    """The envelope in a message. Raises `DecodeError`."""
    found = Envelope.FromString(body)
    if not (found.id and found.events):
        raise DecodeError("an envelope without id or without events")
    return found


def _attributes(body: Envelope) -> dict[str, Any]:
    """Attributes of CloudEvents 1.0, and the trace that the envelope belongs to."""
    first = body.events[0]
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": body.id,
        "ce-source": body.source,
        "ce-time": first.time.ToJsonString(),
    }
    attributes["ce-type"] = first.type if len(body.events) == 1 else Envelope.DESCRIPTOR.full_name
    if len(body.events) == 1:
        attributes["ce-subject"] = first.subject
    if traceparent := next((event.traceparent for event in body.events if event.traceparent), ""):
        attributes["traceparent"] = traceparent
    return attributes

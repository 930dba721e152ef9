"""Events as people and scripts read them."""

import re
from importlib import import_module
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

from tabling.messaging.v1.envelope_pb2 import Envelope, Event

KEY = re.compile(r"([a-z]+)\.([a-z]+)\.([a-z]+)\.(v\d+)")
PRIVATE = frozenset({"phone", "text", "variables"})
"""Fields that might hold something about a person. No event has them; one of a faulty version could."""


def summary(event: Event) -> dict[str, Any]:
    """Which event it is, without what it says."""
    return {
        "id": event.id,
        "type": event.type,
        "subject": event.subject,
        "time": event.time.ToJsonString(),
        "correlation_id": event.correlation_id,
    }


def whole(event: Event) -> dict[str, Any]:
    """The event with what it says, as JSON; `data` is None when it cannot be read."""
    return summary(event) | {"data": _data(event)}


def envelope_summary(body: bytes) -> list[dict[str, Any]]:
    """The events in an outbox row. Raises `DecodeError`."""
    return [summary(event) for event in Envelope.FromString(body).events]


def _data(event: Event) -> dict[str, Any] | None:
    kind = message_of(event.type)
    try:
        return None if kind is None else _masked(MessageToDict(kind.FromString(event.data)))
    except DecodeError:
        return None


def message_of(type_: str) -> type[Message] | None:
    """The contract's message for a routing key `<service>.<aggregate>.<past tense>.v<n>`; None when there is none.

    Its name is the aggregate's and the fact's, or the only one of that service which ends with the fact.
    """
    if (key := KEY.fullmatch(type_)) is None:
        return None
    service, aggregate, fact, version = key.groups()
    try:
        module = import_module(f"tabling.{service}.{version}.events_pb2")
    except ModuleNotFoundError:
        return None
    names = list(module.DESCRIPTOR.message_types_by_name)
    exact = [name for name in names if name.lower() == aggregate + fact]
    alike = exact or [name for name in names if name.lower().endswith(fact)]
    return getattr(module, alike[0]) if len(alike) == 1 else None


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "…" if name in PRIVATE else _masked(inner) for name, inner in value.items()}
    return [_masked(inner) for inner in value] if isinstance(value, list) else value

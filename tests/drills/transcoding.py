"""A gRPC request as the HTTP request that the gateway makes the same of, by the contract's own annotations."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

VARIABLE = re.compile(r"\{(\w+)(?:=[^}]*)?\}")


class HttpRequest(NamedTuple):
    """What a caller of the JSON side sends."""

    method: str
    path: str
    body: Any


def as_http(method: MethodDescriptor, request: Message) -> HttpRequest:
    """The request by the method's first binding."""
    rule: Any = method.GetOptions().Extensions[annotations_pb2.http]  # type: ignore[index]
    verb = rule.WhichOneof("pattern")
    given = json_format.MessageToDict(request, preserving_proto_field_name=True)
    path = VARIABLE.sub(lambda found: str(given.pop(found[1])), getattr(rule, verb))
    if rule.body == "*":
        return HttpRequest(verb.upper(), path, given)
    body = given.pop(rule.body, {}) if rule.body else None
    query = urlencode(list(_flat(given)))
    return HttpRequest(verb.upper(), f"{path}?{query}" if query else path, body)


def _flat(fields: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield from ((before + name, str(each)) for each in (value if isinstance(value, list) else [value]))

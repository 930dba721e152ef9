"""What a call looks like on an HTTP/2 stream: as gRPC, and as JSON to a gateway."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from scripts.bench.answers import INTERNAL, OK, UNKNOWN, Call

# gRPC's own table: "HTTP to gRPC Status Code Mapping".
_OF_HTTP = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_uint32 = struct.Struct(">I")


class Wire(Protocol):
    """One way to make a call."""

    content_type: str

    def framed(self, body: bytes) -> bytes:
        """What the request's DATA frames hold."""

    def status(self, call: Call) -> int:
        """The grpc-status of a call whose stream has ended."""

    def message(self, data: bytes) -> bytes:
        """The answer out of what the DATA frames of a call answered OK held."""


class Grpc:
    """Unary gRPC. HTTP 200 alone is no proof of anything."""

    content_type = "application/grpc"

    def framed(self, body: bytes) -> bytes:
        return b"\0" + _uint32.pack(len(body)) + body

    def status(self, call: Call) -> int:
        if call.grpc is None:
            return UNKNOWN if call.http == 200 else _OF_HTTP.get(call.http or 0, UNKNOWN)
        if call.grpc == OK and not _is_one_message(call.data):
            return INTERNAL
        return call.grpc

    def message(self, data: bytes) -> bytes:
        return data[5:]


class Json:
    """JSON over HTTP, refused with a google.rpc.Status."""

    content_type = "application/json"

    def framed(self, body: bytes) -> bytes:
        return body

    def status(self, call: Call) -> int:
        if call.http == 200:
            return OK
        try:
            return int(json.loads(call.data)["code"])
        except (ValueError, KeyError, TypeError):
            return _OF_HTTP.get(call.http or 0, UNKNOWN)

    def message(self, data: bytes) -> bytes:
        return data


WIRES: Mapping[str, Wire] = {"grpc": Grpc(), "json": Json()}


def literal_headers(fields: Iterable[tuple[str, str]]) -> bytes:
    """A header block that no table is needed for: every field literal, without indexing (RFC 7541, 6.2.2)."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def request_block(authority: str, path: str, wire: Wire, metadata: Sequence[tuple[str, str]]) -> bytes:
    """The headers of every call of a run."""
    return literal_headers(
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", authority),
            ("te", "trailers"),
            ("content-type", wire.content_type),
            ("user-agent", "tabling-load"),
            *metadata,
        ]
    )


def _text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 127:
        return bytes((len(raw),)) + raw
    size, rest = bytearray((127,)), len(raw) - 127
    while rest >= 128:
        size.append(rest & 0x7F | 0x80)
        rest >>= 7
    size.append(rest)
    return bytes(size) + raw


def _is_one_message(data: bytes) -> bool:
    return len(data) >= 5 and data[0] == 0 and int.from_bytes(data[1:5], "big") == len(data) - 5

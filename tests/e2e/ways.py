"""One request, two ways through the gateway: as JSON by the HTTP rules of the contracts, and as native gRPC."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import grpc
import yarl
from google.api import annotations_pb2
from google.protobuf import json_format, message_factory
from google.protobuf.message import DecodeError, Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from services.local.gateway_routes import PUBLIC
from tests.e2e.callers import Callers, Headers
from tests.e2e.upstream import SERVICES

METHODS: Mapping[str, Any] = {
    method.name: method for service in SERVICES if service.full_name in PUBLIC.values() for method in service.methods
}
"""The public methods by their names, of which there are no two the same."""

# what an error brings along; making JSON of it takes that its types are known
DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.LocalizedMessage)
DETAILS_HEADER = "grpc-status-details-bin"


@dataclass(frozen=True)
class Outcome:
    """What came back: `code` is the name of a google.rpc.Code, `answer` the message, or the error's Status, as JSON.

    `status` and `headers` are those of HTTP, None and empty after a gRPC call. `text` is all that was said.
    """

    code: str
    answer: Any
    text: str = ""
    status: int | None = None
    headers: Headers = field(default_factory=dict)

    @property
    def details(self) -> dict[str, Any]:
        """The error's details by the short names of their types."""
        return {detail["@type"].rpartition(".")[2]: detail for detail in self.answer["details"]}

    @property
    def fields(self) -> list[str]:
        """The fields that the caller is told to look at."""
        violations = self.details.get("BadRequest", {}).get("fieldViolations", [])
        return [violation["field"] for violation in violations]


class Ways:
    """Both doors of the gateway on a port of this machine.

    What a call shows is `by`, or what whoever may make it has to show if there are `callers`.
    """

    def __init__(
        self, port: int, http: aiohttp.ClientSession, channel: grpc.aio.Channel, callers: Callers | None = None
    ) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._http = http
        self._channel = channel
        self._callers = callers

    async def as_json(
        self, method: str, request: Mapping[str, Any], headers: Headers | None = None, by: Headers | None = None
    ) -> Outcome:
        """A call by its path, query and body. `request` is the message as JSON."""
        verb, path, body = _http_of(method, request)
        return await self.over_http(verb, path, None if body is None else json.dumps(body).encode(), headers, by)

    async def as_grpc(
        self, method: str, request: Mapping[str, Any], headers: Headers | None = None, by: Headers | None = None
    ) -> Outcome:
        """The same call as a gRPC client makes it; one with headers is made by hand."""
        payload = message_of(method, request).SerializeToString()
        if not headers:
            return await self.over_grpc(method, payload, by=by)
        return await self.by_hand(method, b"\0" + len(payload).to_bytes(4, "big") + payload, headers, by)

    async def over_http(
        self,
        verb: str,
        path: str,
        body: bytes | None = None,
        headers: Headers | None = None,
        by: Headers | None = None,
    ) -> Outcome:
        """A request of these very bytes; the path goes out exactly as given."""
        url = yarl.URL(self._url + path, encoded=True)
        if by is None and self._callers:
            by = self._callers.headers(verb, path, body)
        async with self._http.request(verb, url, data=body, headers={**(by or {}), **(headers or {})}) as response:
            text = await response.text()
            got = {name.lower(): value for name, value in response.headers.items()}
            answer = json.loads(text) if text and got.get("content-type") == "application/json" else {}
            code = "OK" if response.status == 200 else code_pb2.Code.Name(answer.get("code", 0))
            return Outcome(code, answer, text, response.status, got)

    async def over_grpc(
        self, method: str, payload: bytes, *, compressed: bool = False, by: Headers | None = None
    ) -> Outcome:
        """A gRPC call with these very bytes as its message, to a method of the contracts or to any path."""
        path, compression = _path_of(method), grpc.Compression.Gzip if compressed else None
        metadata = tuple((self._told(method, payload) if by is None else by).items())
        try:
            if method in METHODS and METHODS[method].server_streaming:
                stream: Any = self._channel.unary_stream(path)
                watching = stream(payload, compression=compression, metadata=metadata)
                answer = await watching.read()
                watching.cancel()
            else:
                call: Any = self._channel.unary_unary(path)
                answer = await call(payload, compression=compression, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ()).get(DETAILS_HEADER, b"")
            return _refused(error.code().name, error.details() or "", bytes(details))
        return _answered(method, answer)

    async def by_hand(
        self, method: str, body: bytes, headers: Headers | None = None, by: Headers | None = None
    ) -> Outcome:
        """A gRPC call with what no gRPC client would send, over HTTP/1.1. `body`: the message's frame."""
        shown = self._told(method, body[5:]) if by is None else by
        given = {"content-type": "application/grpc", "te": "trailers", **shown, **(headers or {})}
        async with self._http.post(self._url + _path_of(method), data=body, headers=given) as response:
            answer, got = await response.read(), response.headers
        assert response.status == 200, response
        if "grpc-status" not in got:
            return _answered(method, answer[5:])
        details = got.get(DETAILS_HEADER, "")
        code = code_pb2.Code.Name(int(got["grpc-status"]))
        return _refused(code, got.get("grpc-message", ""), base64.b64decode(details + "=" * (-len(details) % 4)))

    def _told(self, method: str, payload: bytes) -> Headers:
        """What whoever may call a method with this message shows; of one that cannot be read with an empty one."""
        if not self._callers or method not in METHODS:
            return {}
        if METHODS[method].client_streaming:
            return dict(self._callers.told(_path_of(method), None))
        message: Any = message_factory.GetMessageClass(METHODS[method].input_type)()
        with suppress(DecodeError):
            message = type(message).FromString(payload)
        return dict(self._callers.told(_path_of(method), message))


def message_of(method: str, request: Mapping[str, Any]) -> Message:
    """A method's request from its JSON form."""
    message: Message = message_factory.GetMessageClass(METHODS[method].input_type)()
    return json_format.ParseDict(dict(request), message)


def _path_of(method: str) -> str:
    return f"/{METHODS[method].containing_service.full_name}/{method}" if method in METHODS else method


def _answered(method: str, answer: bytes) -> Outcome:
    message = message_factory.GetMessageClass(METHODS[method].output_type).FromString(answer)
    return Outcome("OK", json_format.MessageToDict(message, always_print_fields_with_no_presence=True))


def _refused(code: str, message: str, details: bytes) -> Outcome:
    answer = json_format.MessageToDict(status_pb2.Status.FromString(details))
    return Outcome(code, answer, f"{message} {answer}")


def _http_of(method: str, request: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Verb, path with query, and body (None for none) by the first HTTP rule of a method."""
    rule = METHODS[method].GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    rest: dict[str, Any] = json.loads(json.dumps(dict(request)))
    path = re.sub(r"\{([a-z_.]+)=[^}]+\}", lambda found: _taken(rest, found[1]), getattr(rule, verb))
    if rule.body == "*":
        return verb.upper(), path, rest
    body = rest.pop(rule.body, None) if rule.body else None
    query = urlencode(list(_flat("", rest)), doseq=True)
    return verb.upper(), f"{path}?{query}" if query else path, body


def _taken(rest: dict[str, Any], variable: str) -> str:
    """The text of a path's variable, which then is in the path alone."""
    *outer, last = variable.split(".")
    for name in outer:
        rest = rest[name]
    return quote(rest.pop(last), safe="/:@!$&'()*+,;=~")


def _flat(prefix: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(f"{prefix}{name}.", inner)
        else:
            yield f"{prefix}{name}", str(inner).lower() if isinstance(inner, bool) else inner

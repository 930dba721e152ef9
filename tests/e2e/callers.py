"""Calls to a whole system by whoever may make them, with tokens, passes and the key of its own."""

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import grpc
from google.api import annotations_pb2
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from services.chassis.callers import Identity, as_principal, as_service
from services.local import keys
from services.local.calling import Tell, Telling
from services.local.gateway_routes import PUBLIC
from services.permissions import PERMISSIONS
from services.reception.domain.holder import NEVER
from services.reception.entrypoints.passes import Passes
from tests.e2e.upstream import SERVICES
from tests.entitled import Claims, claims_for, pass_for

STAFF_OF_A_STORE = 50
"""Calls are spread over so many people, so that none of them calls more often than the gateway lets anybody."""
LONGEST_SUBJECT = 64
VARIABLE = re.compile(r"\{([a-z_.]+)=([^}]+)\}")
TELLING = ("name", "parent", "customer")
"""What a query may tell of whose call it is."""

Headers = Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    """One way to call a method by JSON."""

    method: Any
    verb: str
    path: re.Pattern[str]
    variables: tuple[str, ...]
    body: str

    def message(self, variables: tuple[str, ...], query: Mapping[str, str], body: Any) -> Any:
        """The request, as far as it can be read and tells whose it is."""
        told: dict[str, Any] = {name: value for name, value in query.items() if name in TELLING}
        if isinstance(body, dict):
            told |= body if self.body == "*" else {self.body: body}
        for field, value in zip(self.variables, variables, strict=True):
            *outer, last = field.split(".")
            inner: Any = told
            for name in outer:
                inner = inner.setdefault(name, {})
            inner[last] = unquote(value, errors="replace")
        message: Any = GetMessageClass(self.method.input_type)()
        try:
            return json_format.ParseDict(told, message, ignore_unknown_fields=True)
        except json_format.ParseError:
            return message if not (query or body) else self.message(variables, {}, None)


def rules() -> Iterator[Rule]:
    """Every rule of the public contracts."""
    for method in (each for service in SERVICES if service.full_name in PUBLIC.values() for each in service.methods):
        first = method.GetOptions().Extensions[annotations_pb2.http]
        for rule in (first, *first.additional_bindings):
            if verb := rule.WhichOneof("pattern"):
                template = getattr(rule, verb)
                parts = VARIABLE.sub(lambda found: f"({found[2].replace('*', '[^/:]+')})", template)
                variables = tuple(name for name, _ in VARIABLE.findall(template))
                yield Rule(method, verb.upper(), re.compile(parts), variables, rule.body)


RULES = list(rules())


class Callers:
    """Whoever calls the system in a data folder."""

    def __init__(self, data: Path) -> None:
        self.keys = keys.of(data)
        self._passes = Passes(self.keys.passes, lambda: NEVER)
        self._tokens: dict[str, str] = {}

    def token(self, **claims: Any) -> str:
        """A token that says this; the same one every time."""
        told = json.dumps(claims, sort_keys=True)
        if told not in self._tokens:
            given = dict(claims)
            self._tokens[told] = self.keys.token(given.pop("aud"), given.pop("sub"), **given)
        return self._tokens[told]

    @property
    def tokens(self) -> list[str]:
        """All that were used so far."""
        return [*self._tokens.values()]

    def told(self, method: str, request: Any) -> Identity:
        """What a call through the gateway carries, so that it is allowed."""
        claims = self._claims(method, request)
        by = (("authorization", f"Bearer {self.token(**claims)}"),) if claims else ()
        return (*by, *pass_for(request, self._passes))

    def told_inside(self, method: str, request: Any) -> Identity:
        """What a call straight to a service carries, as if the gateway had passed it on."""
        if claims := self._claims(method, request):
            by = as_principal(self.keys.installation, **claims)
        else:
            by = as_service(self.keys.installation, "")[:1]
        return (*by, *pass_for(request, self._passes))

    def headers(self, verb: str, path: str, body: Any = None) -> Headers:
        """What a JSON request carries; `body` is its JSON, or its bytes. Nothing where no method is at the path."""
        where, _, query = path.partition("?")
        for rule in RULES:
            if rule.verb == verb and (found := rule.path.fullmatch(where)):
                message = rule.message(found.groups(), dict(parse_qsl(query)), _read(body))
                return dict(self.told(_path(rule.method), message))
        return {}

    def _claims(self, method: str, request: Any) -> Claims | None:
        if method.removeprefix("/") not in PERMISSIONS:
            return None
        claims = claims_for(method, request)
        if not claims:
            return None
        subject = claims["sub"]
        if subject == "tests":
            subject = f"tests-{zlib.crc32(request.SerializeToString()) % STAFF_OF_A_STORE}"
        return {**claims, "sub": subject[:LONGEST_SUBJECT]}


class Speaking(Telling):
    """A channel of its own whose calls tell who makes them."""

    def __init__(self, channel: grpc.aio.Channel, tell: Tell) -> None:
        super().__init__(channel, tell)
        self.close = channel.close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _path(method: Any) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _read(body: Any) -> Any:
    if not isinstance(body, bytes):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None

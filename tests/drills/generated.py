"""Requests that nobody thought of: made by the contracts and their OpenAPI description; and bytes that are none."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import schemathesis
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core import NotSet

from tests.e2e.bad_inputs.hostile import VALUES

DESCRIPTION = Path(__file__).resolve().parents[2] / "gen" / "openapi.json"
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
DEEPEST = 4
REAL = 0.7
"""How often a name of something that is there takes the place of a name that was made up."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; `what` is the method of the contracts that it is about."""

    what: str
    verb: str
    path: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Names:
    """Names of what is there."""

    stores: Sequence[str]
    tables: Sequence[str]
    receptions: Sequence[str]

    def any(self, chance: random.Random) -> str:
        """A name of any of it."""
        return chance.choice(chance.choice((self.stores, self.tables, self.receptions)))

    def id(self, kind: str, chance: random.Random) -> str:
        """The id of something of this kind: `store`, `table`, `reception`, `order`."""
        names = {"store": self.stores, "table": self.tables}.get(kind, self.receptions)
        return chance.choice(names).rpartition("/")[2]


@cache
def operations() -> list[Any]:
    """Every verb and path of the JSON API."""
    schema: Any = schemathesis.openapi.from_dict(json.loads(DESCRIPTION.read_text()))
    return [each.ok() for each in schema.get_all_operations()]


def requests_for(operation: Any, count: int, names: Names, chance: random.Random) -> Iterator[Request]:
    """Right and wrong requests, half of each, some of them about what is there."""
    for mode in MODES:
        for case in _cases(operation, mode, count // len(MODES), chance):
            yield _request(case, names, chance)


def _cases(operation: Any, mode: GenerationMode, count: int, chance: random.Random) -> list[Any]:
    made: list[Any] = []

    @seed(chance.getrandbits(64))
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def keep(case: Any) -> None:
        made.append(case)

    keep()
    return made


def _request(case: Any, names: Names, chance: random.Random) -> Request:
    path = case.formatted_path
    if chance.random() < REAL:
        real = {kind: names.id(kind, chance) for kind in case.path_parameters or ()}
        path = case.path.format_map(real)
    query = {name: _real(name, value, names, chance) for name, value in (case.query or {}).items()}
    if query:
        path = f"{path}?{urlencode(query, doseq=True, errors='replace')}"
    what = case.operation.definition.raw["operationId"].partition("_")[0]
    return Request(what, case.method, path, _bytes(case.body, names, chance))


def _bytes(body: Any, names: Names, chance: random.Random) -> bytes | None:
    if isinstance(body, NotSet):
        return None
    if isinstance(body, bytes):
        return body
    return json.dumps(_real("", body, names, chance)).encode()


def _real(name: str, value: Any, names: Names, chance: random.Random) -> Any:
    """A value in which names that were made up gave way to real ones, now and then."""
    if isinstance(value, Mapping):
        return {key: _real(str(key), inner, names, chance) for key, inner in value.items()}
    if name.rpartition(".")[2] in ("parent", "name", "store", "table") and chance.random() < REAL:
        return names.any(chance)
    return value


def message_for(method: MethodDescriptor, names: Names, chance: random.Random) -> bytes:
    """A message of random fields, hostile values and real names; one in five spoiled as bytes, too."""
    message = GetMessageClass(method.input_type)()
    _fill(message, names, chance, DEEPEST)
    made = bytearray(message.SerializeToString())
    if made and chance.random() < 0.2:
        for _ in range(chance.randint(1, 4)):
            made[chance.randrange(len(made))] = chance.randrange(256)
        del made[chance.randrange(len(made) + 1) :]
    return bytes(made)


def _fill(message: Message, names: Names, chance: random.Random, deep: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.3:
            continue
        for _ in range(chance.choice((0, 1, 3)) if field.is_repeated else 1):
            if field.message_type is None:
                value = names.any(chance) if _is_text(field) and chance.random() < REAL else _value(field, chance)
                if field.is_repeated:
                    getattr(message, field.name).append(value)
                else:
                    setattr(message, field.name, value)
            elif deep and not field.message_type.GetOptions().map_entry:
                inner = getattr(message, field.name)
                _fill(inner.add() if field.is_repeated else inner, names, chance, deep - 1)


def _is_text(field: Any) -> bool:
    return bool(field.type == FieldDescriptor.TYPE_STRING)


def _value(field: Any, chance: random.Random) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 1, 100)))
    return chance.choice(VALUES.get(field.type, (0, 1)))


def garbage(chance: random.Random) -> bytes:
    """Bytes that are no request, or only begin like one."""
    noise = chance.randbytes(chance.choice((1, 10, 100, 1000, 20_000)))
    line = b"POST /v1/stores/%s/receptions HTTP/1.1\r\nhost: x\r\n" % quote(chance.randbytes(5)).encode()
    beginnings = (
        b"",
        b"GET ",
        line,
        line + b"content-length: 10\r\n\r\n",
        line + b"transfer-encoding: chunked\r\n\r\n",
        line + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)),
    )
    return chance.choice(beginnings) + noise

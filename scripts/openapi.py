"""The OpenAPI description of the JSON API, made of the contracts: `gen/openapi.json`, for tools and for the API's docs.

Follows what Envoy's transcoder does with google.api.http (AIP-127) and the JSON form of protobuf messages.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from services.chassis.callers import PASS
from services.chassis.kernel import Role
from services.local.gateway_routes import PUBLIC
from services.permissions import PERMISSIONS

Json = dict[str, Any]
F = FieldDescriptorProto

SCALARS: Mapping[int, Json] = {
    F.TYPE_BOOL: {"type": "boolean"},
    F.TYPE_INT32: {"type": "integer", "format": "int32"},
    F.TYPE_INT64: {"type": "string", "format": "int64"},
    F.TYPE_DOUBLE: {"type": "number", "format": "double"},
    F.TYPE_FLOAT: {"type": "number", "format": "float"},
    F.TYPE_STRING: {"type": "string"},
    F.TYPE_BYTES: {"type": "string", "format": "byte"},
}
WELL_KNOWN: Mapping[str, Json] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$", "example": "1.5s"},
    ".google.protobuf.FieldMask": {"type": "string", "example": "displayName,maxWaiting"},
    ".google.protobuf.Any": {
        "type": "object",
        "properties": {"@type": {"type": "string"}},
        "required": ["@type"],
        "additionalProperties": True,
    },
}
VERBS = ("get", "put", "post", "delete", "patch")
STATUS = ".google.rpc.Status"

_VARIABLE = re.compile(r"\{([a-z_.]+)=([^}]+)\}")


class Contracts:
    """The messages, enums and services of a descriptor set, with their comments."""

    def __init__(self, files: FileDescriptorSet) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.services: dict[str, ServiceDescriptorProto] = {}
        self._comments: dict[str, str] = {}
        for file in files.file:
            self._add(file)

    def comment(self, name: str) -> str:
        """What stands above something in its file: a message, a field of one, an enum, a method."""
        return self._comments.get(name, "")

    def _add(self, file: FileDescriptorProto) -> None:
        comments = {
            tuple(location.path): " ".join(location.leading_comments.split())
            for location in file.source_code_info.location
        }
        for number, message in enumerate(file.message_type):
            self._add_message(f".{file.package}", message, (4, number), comments)
        for number, enum in enumerate(file.enum_type):
            self._add_enum(f".{file.package}", enum, (5, number), comments)
        for number, service in enumerate(file.service):
            self.services[f"{file.package}.{service.name}"] = service
            for place, method in enumerate(service.method):
                name = f"{file.package}.{service.name}/{method.name}"
                self._comments[name] = comments.get((6, number, 2, place), "")

    def _add_message(
        self, inside: str, message: DescriptorProto, path: tuple[int, ...], comments: Mapping[tuple[int, ...], str]
    ) -> None:
        name = f"{inside}.{message.name}"
        self.messages[name] = message
        self._comments[name] = comments.get(path, "")
        for number, field in enumerate(message.field):
            self._comments[f"{name}.{field.name}"] = comments.get((*path, 2, number), "")
        for number, nested in enumerate(message.nested_type):
            self._add_message(name, nested, (*path, 3, number), comments)
        for number, enum in enumerate(message.enum_type):
            self._add_enum(name, enum, (*path, 4, number), comments)

    def _add_enum(
        self, inside: str, enum: EnumDescriptorProto, path: tuple[int, ...], comments: Mapping[tuple[int, ...], str]
    ) -> None:
        self.enums[f"{inside}.{enum.name}"] = enum
        self._comments[f"{inside}.{enum.name}"] = comments.get(path, "")


class Description:
    """The OpenAPI description of the public services."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self._schemas: dict[str, Json] = {}

    @cached_property
    def document(self) -> Json:
        """All of it (OpenAPI 3.1)."""
        paths: dict[str, Json] = {}
        for upstream, name in PUBLIC.items():
            for method in self._contracts.services[name].method:
                for number, (verb, path, operation) in enumerate(self._operations(upstream, name, method)):
                    operation["operationId"] += f"_{number}" if number else ""
                    paths.setdefault(path, {})[verb] = operation
        error = self._reference(STATUS)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Tabling",
                "version": "1",
                "description": "Remote queueing for restaurants. The same methods are there for gRPC on the same port.",
            },
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(self._schemas.items())),
                "responses": {
                    "Refused": {
                        "description": "Refused: `code` is one of google.rpc.Code, the first detail tells the reason.",
                        "content": {"application/json": {"schema": error}},
                    }
                },
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                    "pass": {"type": "apiKey", "in": "header", "name": PASS},
                },
            },
        }

    def _operations(
        self, upstream: str, service: str, method: MethodDescriptorProto
    ) -> Iterator[tuple[str, str, Json]]:
        options: Any = method.options
        rule = options.Extensions[annotations_pb2.http]
        for binding in (rule, *rule.additional_bindings):
            verb = next((verb for verb in VERBS if getattr(binding, verb)), None)
            if verb is not None:
                path, parameters = self._path(getattr(binding, verb))
                yield verb, path, self._operation(upstream, service, method, binding, path, parameters)

    def _operation(
        self,
        upstream: str,
        service: str,
        method: MethodDescriptorProto,
        binding: http_pb2.HttpRule,
        path: str,
        parameters: Mapping[str, list[Json]],
    ) -> Json:
        request = self._contracts.messages[method.input_type]
        taken = set(parameters)
        operation: Json = {
            "operationId": method.name,
            "tags": [upstream],
            "description": self._contracts.comment(f"{service}/{method.name}"),
            "parameters": [each for of in parameters.values() for each in of],
            "responses": {"200": self._answer(method), "default": {"$ref": "#/components/responses/Refused"}},
            "security": _security(f"{service}/{method.name}"),
        }
        if binding.body == "*":
            operation["requestBody"] = _body(self._object(method.input_type, without=taken))
        else:
            if binding.body:
                [field] = (field for field in request.field if field.name == binding.body)
                inner = {name.partition(".")[2] for name in taken if name.startswith(f"{binding.body}.")}
                schema = self._object(field.type_name, without=inner) if inner else self._reference(field.type_name)
                operation["requestBody"] = _body(schema)
            operation["parameters"] += self._query(method.input_type, taken | {binding.body})
        return operation

    def _answer(self, method: MethodDescriptorProto) -> Json:
        schema = self._reference(method.output_type)
        kinds = {"application/json": {"schema": schema}}
        told = "Answered."
        if method.server_streaming:
            kinds["text/event-stream"] = {"schema": schema}
            told = "One message a line, or one an event, as they happen."
        return {"description": told, "content": kinds}

    def _path(self, template: str) -> tuple[str, dict[str, list[Json]]]:
        """The path with a parameter for each id, and those parameters by the field that they are part of."""
        found: dict[str, list[Json]] = {}

        def expand(variable: re.Match[str]) -> str:
            names = []
            segments = variable[2].split("/")
            for place, segment in enumerate(segments):
                if segment == "*":
                    names.append(segments[place - 1].removesuffix("s"))
                    segments[place] = f"{{{names[-1]}}}"
            pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
            found[variable[1]] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}
                for name in names
            ]
            return "/".join(segments)

        return _VARIABLE.sub(expand, template), found

    def _query(self, name: str, without: set[str], prefix: str = "") -> list[Json]:
        found = []
        for field in self._contracts.messages[name].field:
            if f"{prefix}{field.name}" in without or _is_told_only(field):
                continue
            nested = field.type == F.TYPE_MESSAGE and field.type_name not in WELL_KNOWN
            if nested:
                found += self._query(field.type_name, without, f"{prefix}{field.json_name}.")
                continue
            parameter = {
                "name": f"{prefix}{field.json_name}",
                "in": "query",
                "required": _is_required(field),
                "description": self._contracts.comment(f"{name}.{field.name}"),
                "schema": self._field(field),
            }
            found.append(parameter)
        return found

    def _object(self, name: str, without: Collection[str] = ()) -> Json:
        fields = [field for field in self._contracts.messages[name].field if field.name not in without]
        required = [field.json_name for field in fields if _is_required(field)]
        return {
            "type": "object",
            "description": self._contracts.comment(name),
            "properties": {field.json_name: self._described(name, field) for field in fields},
            **({"required": required} if required else {}),
        }

    def _described(self, name: str, field: FieldDescriptorProto) -> Json:
        schema = {**self._field(field), "description": self._contracts.comment(f"{name}.{field.name}")}
        return {**schema, "readOnly": True} if _is_told_only(field) else schema

    def _field(self, field: FieldDescriptorProto) -> Json:
        if field.type == F.TYPE_MESSAGE:
            one = WELL_KNOWN.get(field.type_name) or self._reference(field.type_name)
        elif field.type == F.TYPE_ENUM:
            one = self._reference(field.type_name)
        else:
            one = SCALARS[field.type]
        return {"type": "array", "items": one} if field.label == F.LABEL_REPEATED else dict(one)

    def _reference(self, name: str) -> Json:
        key = name.removeprefix(".").removeprefix("tabling.")
        if key not in self._schemas:
            self._schemas[key] = {}
            if name in WELL_KNOWN:
                self._schemas[key] = dict(WELL_KNOWN[name])
            elif name in self._contracts.enums:
                enum = self._contracts.enums[name]
                values = [value.name for value in enum.value]
                self._schemas[key] = {"type": "string", "enum": values, "description": self._contracts.comment(name)}
            else:
                self._schemas[key] = self._object(name)
        return {"$ref": f"#/components/schemas/{key}"}


def _body(schema: Json) -> Json:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _is_required(field: FieldDescriptorProto) -> bool:
    return field_behavior_pb2.REQUIRED in _behavior(field)


def _is_told_only(field: FieldDescriptorProto) -> bool:
    return field_behavior_pb2.OUTPUT_ONLY in _behavior(field)


def _behavior(field: FieldDescriptorProto) -> Collection[int]:
    """What google.api.field_behavior says of a field (AIP-203)."""
    options: Any = field.options
    behavior: Collection[int] = options.Extensions[field_behavior_pb2.field_behavior]
    return behavior


def _security(method: str) -> list[Json]:
    """What a caller may show; nothing is among it where nobody has to."""
    row = PERMISSIONS[method]
    return [*([{}, {"pass": []}] if Role.ANYBODY in row else []), {"token": []}]


def write(gen: Path) -> None:
    """Write the description of what is in `gen`, beside it."""
    files = FileDescriptorSet.FromString((gen / "tabling.lint.pb").read_bytes())
    document = Description(Contracts(files)).document
    (gen / "openapi.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

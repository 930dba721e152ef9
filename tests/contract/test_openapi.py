"""The OpenAPI description: whole, valid, and true to the contracts."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.api import annotations_pb2
from openapi_spec_validator import OpenAPIV31SpecValidator

from services.chassis.kernel import Role
from services.local.gateway_routes import PUBLIC
from services.permissions import PERMISSIONS
from tests.e2e.upstream import SERVICES

GEN = Path(__file__).resolve().parents[2] / "gen"
DOCUMENT: dict[str, Any] = json.loads((GEN / "openapi.json").read_text(encoding="utf-8"))


def rules() -> Iterator[tuple[Any, str, str]]:
    """Every public method with a verb and a path that leads to it."""
    for method in (each for service in SERVICES if service.full_name in PUBLIC.values() for each in service.methods):
        first = method.GetOptions().Extensions[annotations_pb2.http]
        for rule in (first, *first.additional_bindings):
            if verb := rule.WhichOneof("pattern"):
                yield method, verb, getattr(rule, verb)


def shape(path: str) -> str:
    """A path in which every variable is a star."""
    return re.sub(r"\{\w+\}", "*", re.sub(r"\{[a-z_.]+=([^}]+)\}", r"\1", path))


def test_it_is_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_a_wrong_one_would_be_noticed() -> None:
    [path] = [path for path in DOCUMENT["paths"] if path.endswith("/receptions")]
    wrong = {**DOCUMENT, "paths": {path: {"get": {"parameters": [{"name": "store"}]}}}}
    assert not OpenAPIV31SpecValidator(wrong).is_valid()


def test_it_describes_every_public_path_and_no_other() -> None:
    described = {(verb, shape(path)) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    assert described == {(verb, shape(path)) for _, verb, path in rules()}


@pytest.mark.parametrize(
    ("method", "verb", "path"), [pytest.param(*rule, id=f"{rule[1]} {rule[2]}") for rule in rules()]
)
def test_it_tells_who_has_to_show_something(method: Any, verb: str, path: str) -> None:
    [operation] = [verbs[verb] for known, verbs in DOCUMENT["paths"].items() if shape(known) == shape(path)]
    assert operation["operationId"].partition("_")[0] == method.name
    row = PERMISSIONS[f"{method.containing_service.full_name}/{method.name}"]
    assert ({} in operation["security"]) == (Role.ANYBODY in row)


def test_everything_in_it_is_explained() -> None:
    silent = [
        operation["operationId"]
        for verbs in DOCUMENT["paths"].values()
        for operation in verbs.values()
        if not operation["description"]
    ]
    assert silent == []

"""Objects of custom kinds, judged by their definitions (CRDs)."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema

from tests.manifests.kustomized import Object, read
from tests.mesh.tools import FOLDER

Schema = Mapping[str, Any]


@cache
def definitions() -> Mapping[tuple[str, str], Schema]:
    """apiVersion and kind → the schema, of the definitions that the set-up brought."""
    found = {}
    for file in sorted((FOLDER / "crds").glob("*.yaml")):
        for each in read(file.read_text(encoding="utf-8")):
            spec = each["spec"]
            for version in spec["versions"]:
                key = f"{spec['group']}/{version['name']}", spec["names"]["kind"]
                found[key] = _strict(version["schema"]["openAPIV3Schema"])
    return found


def problems(each: Object, schema: Schema) -> Iterator[str]:
    """What is wrong with an object."""
    for error in jsonschema.Draft202012Validator(schema).iter_errors(each):
        yield f"{error.json_path}: {error.message}"


def _strict(schema: Any, *, whole: bool = True) -> Any:
    """As the API server reads it: fields that are not defined are mistakes, and a number may stand for a text."""
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes") and key != "format"}
    if schema.get("x-kubernetes-int-or-string"):
        made = {"type": ["integer", "string"]}
    for key in ("items", "additionalProperties", "not"):
        if key in made:
            made[key] = _strict(made[key], whole=key != "not" and whole)
    for key in ("allOf", "anyOf", "oneOf"):
        if key in made:
            made[key] = [_strict(each, whole=False) for each in made[key]]
    if "properties" in made:
        made["properties"] = {key: _strict(value, whole=whole) for key, value in made["properties"].items()}
        keeps = schema.get("x-kubernetes-preserve-unknown-fields")
        if whole and not keeps and "additionalProperties" not in made:
            made["additionalProperties"] = False
            made["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}} if "spec" in made["properties"] else {}
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    return made

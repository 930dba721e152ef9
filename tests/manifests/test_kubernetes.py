"""The Kubernetes files are right by the judgement of the real tools: every overlay, every set of components."""

from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest

from tests.manifests import operators
from tests.manifests.custom_resources import definitions, problems
from tests.manifests.kustomized import OVERLAYS, Object, combinations, combined, name_of, overlay

VERSIONS = ("1.35", "1.36", "1.37")


@cache
def every_object() -> list[Object]:
    """Each of the overlays' objects once."""
    found: list[Object] = []
    for name in OVERLAYS:
        found += [each for each in overlay(name) if each not in found]
    return found


def native(objects: list[Object]) -> list[Object]:
    return [each for each in objects if not is_custom(each)]


def is_custom(each: Object) -> bool:
    group = each["apiVersion"].partition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


@pytest.mark.parametrize("components", tuple(combinations()), ids=" ".join)
def test_every_set_of_components_can_be_built(components: tuple[str, ...], tmp_path: Path) -> None:
    objects = combined(tmp_path, components)
    names = [(each["apiVersion"], name_of(each)) for each in objects]
    assert len(names) == len(set(names))
    assert {each["metadata"].get("namespace", "tabling") for each in objects} == {"tabling"}


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_of_kubernetes_follow_its_schemas(version: str) -> None:
    wrong = []
    for each in native(every_object()):
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            wrong.append(f"{name_of(each)}: {error.message}")
    assert not wrong


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    broken = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"port": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[-1], strict=True)


def test_custom_objects_follow_their_definitions() -> None:
    wrong = []
    for each in (each for each in every_object() if is_custom(each)):
        schema = definitions().get((each["apiVersion"], each["kind"])) or operators.schema(each)
        wrong += [f"{name_of(each)}: {problem}" for problem in problems(each, schema)]
    assert not wrong


def test_a_field_that_a_definition_does_not_know_is_found() -> None:
    rule = next(each for each in every_object() if each["kind"] == "DestinationRule")
    broken = {**rule, "spec": {**rule["spec"], "trafficPolice": {}}}
    assert list(problems(broken, definitions()[rule["apiVersion"], "DestinationRule"]))

"""The table of built-in kinds: that it is whole, and that what it points at is there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.builtin_types import TYPES, text_of
from zenctl.sandbox.apiserver.kinds import BUILT_IN, FIELDS, Served
from zenctl.sandbox.apiserver.types import DEFINITIONS, REF, resolve

KEPT = [served for served in BUILT_IN if not served.virtual and not served.loaded]


def kind(name: str) -> Served:
    return next(served for served in BUILT_IN if served.type.kind == name)


def ids(served: Served) -> str:
    return served.type.kind


def test_every_resource_stands_there_once() -> None:
    addresses = [(served.type.api_version, served.type.plural) for served in BUILT_IN]

    assert len(addresses) == len(set(addresses)) == 29


@pytest.mark.parametrize("served", BUILT_IN, ids=ids)
def test_a_schema_describes_the_whole_object(served: Served) -> None:
    properties = resolve(served.schema, served.definitions)["properties"]

    assert {"apiVersion", "kind", "metadata"} <= set(properties)


@pytest.mark.parametrize("served", BUILT_IN, ids=ids)
def test_status_is_a_subresource_or_there_is_none_to_begin_with(served: Served) -> None:
    assert ("status" in served.subresources) == served.type.status_subresource
    assert served.type.status_subresource or served.initial_status is None


@pytest.mark.parametrize("served", KEPT, ids=ids)
def test_what_is_kept_can_be_read_and_written(served: Served) -> None:
    assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= served.type.verbs


def references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].removeprefix(REF)
        for value in schema.values():
            yield from references(value)


def test_every_reference_means_a_definition_and_every_definition_is_meant() -> None:
    meant = {name for served in BUILT_IN for name in references(served.schema)}
    meant |= {name for schema in DEFINITIONS.values() for name in references(schema)}

    assert meant == set(DEFINITIONS)


def sentences(value: object) -> Iterator[str]:
    if isinstance(value, str) and " " in value:
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from sentences(key)
            yield from sentences(item)
    elif isinstance(value, list):
        for item in value:
            yield from sentences(item)


def test_the_file_of_types_holds_facts_only_and_is_as_its_generator_writes_it() -> None:
    text = TYPES.read_text()

    assert list(sentences(json.loads(text))) == []
    assert text == text_of(dict(sorted(json.loads(text).items())))
    assert len(text) < 120_000


POD: dict[str, Any] = {
    "metadata": {"name": "p", "namespace": "n"},
    "spec": {"nodeName": "node", "hostNetwork": True},
    "status": {"phase": "Running"},
}
EVENT: dict[str, Any] = {"metadata": {"name": "e"}, "source": {}, "reportingComponent": "watcher", "type": "Normal"}


@pytest.mark.parametrize(
    ("name", "obj", "field", "value"),
    [
        ("Pod", POD, "metadata.name", "p"),
        ("Pod", POD, "metadata.namespace", "n"),
        ("Pod", POD, "spec.nodeName", "node"),
        ("Pod", POD, "status.phase", "Running"),
        ("Pod", POD, "status.podIP", ""),
        ("Pod", POD, "spec.hostNetwork", "true"),
        ("Pod", {}, "spec.hostNetwork", "false"),
        ("Node", {}, "spec.unschedulable", "false"),
        ("Job", {"status": {"succeeded": 2}}, "status.successful", "2"),
        ("Job", {}, "status.successful", "0"),
        ("Event", EVENT, "source", "watcher"),
        ("Event", {**EVENT, "source": {"component": "kubelet"}}, "source", "kubelet"),
        ("Event", EVENT, "type", "Normal"),
        ("Event", {"involvedObject": {"uid": "7"}}, "involvedObject.uid", "7"),
    ],
)
def test_a_field_selector_compares_text(name: str, obj: dict[str, Any], field: str, value: str) -> None:
    assert kind(name).field_selectors[field](obj) == value


@pytest.mark.parametrize("name", ["Deployment", "ReplicaSet", "ConfigMap", "ClusterRole", "CustomResourceDefinition"])
def test_most_kinds_are_selected_by_name_and_namespace_only(name: str) -> None:
    assert set(kind(name).field_selectors) == set(FIELDS) == {"metadata.name", "metadata.namespace"}

"""zenctl.sandbox.apiserver.merge_keys: how strategic merge treats a field, read from schemas."""

from __future__ import annotations

from typing import Any

import pytest

from zenctl.sandbox.apiserver.merge_keys import merge_rules
from zenctl.sandbox.apiserver.types import DEFINITIONS, reference

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kept": {"type": "array", "items": {"type": "string"}},
        "united": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"},
        "volumes": {
            "type": "array",
            "items": {"$ref": "#/definitions/io.example.Volume"},
            "x-kubernetes-patch-strategy": "merge,retainKeys",
            "x-kubernetes-patch-merge-key": "name",
        },
        "strategy": {"$ref": "#/definitions/io.example.Strategy", "x-kubernetes-patch-strategy": "retainKeys"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "additionalProperties": True},
    },
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "io.example.Spec": SCHEMA,
    "io.example.Volume": {"properties": {"sources": SCHEMA["properties"]["united"]}},
    "io.example.Strategy": {"properties": {"type": {"type": "string"}}},
}


@pytest.mark.parametrize(
    ("field", "merges", "key", "inner"),
    [
        ("kept", False, "", ""),
        ("united", True, "", ""),
        ("volumes", True, "name", "Volume"),
        ("strategy", False, "", "Strategy"),
        ("labels", False, "", ""),
    ],
)
def test_the_rule_of_a_field(field, merges, key, inner):
    rule = merge_rules({"$ref": "#/definitions/io.example.Spec"}, SCHEMAS).field(field)
    assert rule is not None
    assert (rule.merges, rule.key, rule.inner.name) == (merges, key, inner)


def test_rules_go_down_into_items_and_maps():
    rules = merge_rules({"$ref": "#/definitions/io.example.Spec"}, SCHEMAS)
    volumes, labels, free = (rules.field(name) for name in ("volumes", "labels", "free"))
    assert volumes is not None
    assert labels is not None
    assert free is not None
    sources = volumes.inner.field("sources")
    assert sources is not None
    assert sources.merges
    assert labels.inner.field("any") is not None
    assert free.inner.field("any") is None
    assert rules.field("unknown") is None


@pytest.mark.parametrize(
    ("kind", "path", "merges", "key"),
    [
        ("core.v1.Pod", "spec.containers", True, "name"),
        ("core.v1.Pod", "spec.containers.ports", True, "containerPort"),
        ("core.v1.Pod", "spec.containers.env", True, "name"),
        ("core.v1.Pod", "spec.containers.args", False, ""),
        ("core.v1.Pod", "spec.volumes", True, "name"),
        ("core.v1.Pod", "spec.tolerations", False, ""),
        ("core.v1.Pod", "spec.imagePullSecrets", True, "name"),
        ("core.v1.Pod", "metadata.finalizers", True, ""),
        ("core.v1.Pod", "metadata.ownerReferences", True, "uid"),
        ("core.v1.Pod", "status.conditions", True, "type"),
        ("core.v1.Service", "spec.ports", True, "port"),
    ],
)
def test_rules_of_the_built_in_kinds(kind, path, merges, key):
    *steps, last = path.split(".")
    rules = merge_rules(reference(f"io.k8s.api.{kind}"), DEFINITIONS)
    for step in steps:
        rule = rules.field(step)
        assert rule is not None
        rules = rule.inner
    found = rules.field(last)
    assert found is not None
    assert (found.merges, found.key) == (merges, key)

"""The CRD that is shipped agrees with the facts in zenctl.product, and refuses nothing that anybody ever wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.dataset import observations
from zenctl.core.observation import GROUP, KIND, Phase
from zenctl.manifests.load import crd_yaml
from zenctl.product import crd

CRD: dict[str, Any] = yaml.safe_load(crd_yaml())
VERSION: dict[str, Any] = CRD["spec"]["versions"][0]
SCHEMA: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]

SPEC = (
    "source", "category", "severity", "eventType", "message", "timestamp", "detectedAt", "resource",
    "affectedResources", "details", "priority", "tags", "fingerprint", "ttlSecondsAfterCreation", "expiresAt",
)  # fmt: skip
STATUS = ("phase", "firstSeen", "lastSeen", "count", "resolvedAt", "conditions")


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


ALL = dict(nodes(SCHEMA))
OURS = {path: node for path, node in ALL.items() if path not in ("", ".apiVersion", ".kind", ".metadata")}


def test_names_are_those_of_the_product():
    names = CRD["spec"]["names"]
    assert CRD["metadata"]["name"] == crd.NAME == "zenevents.zen.kube-zen.io"
    assert CRD["spec"]["group"] == crd.GROUP == GROUP
    assert (names["plural"], names["singular"], names["kind"]) == (crd.PLURAL, crd.SINGULAR, crd.KIND)
    assert tuple(names["shortNames"]) == crd.SHORT_NAMES == ("ze", "zevt")
    assert names["kind"] == KIND
    assert names["listKind"] == "ObservationList"
    assert CRD["spec"]["scope"] == ("Namespaced" if crd.OBSERVATIONS.namespaced else "Cluster")
    assert [version["name"] for version in CRD["spec"]["versions"]] == [crd.VERSION]
    assert crd.API_VERSION == "zen.kube-zen.io/v1alpha1"


def test_the_one_version_is_served_and_stored_with_a_status_subresource():
    assert VERSION["served"] is True
    assert VERSION["storage"] is True
    assert ("status" in VERSION["subresources"]) is crd.OBSERVATIONS.status_subresource is True


@pytest.mark.parametrize(("part", "fields"), [("spec", SPEC), ("status", STATUS)])
def test_the_schema_has_the_designed_fields(part, fields):
    assert tuple(SCHEMA["properties"][part]["properties"]) == fields


@pytest.mark.parametrize("path", ALL)
def test_the_schema_is_structural(path):
    node = ALL[path]
    assert node["type"] in ("object", "array", "string", "number", "integer", "boolean")
    assert ("items" in node) is (node["type"] == "array")
    assert set(node) <= {
        "type", "description", "properties", "items", "nullable", "default", "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-map-type",
    }  # fmt: skip


@pytest.mark.parametrize("path", OURS)
def test_nothing_is_refused_or_pruned(path):
    node = OURS[path]
    # An absent phase gets its default and so may be null too; every other field says so itself.
    assert node.get("nullable") is True or "default" in node
    assert node["type"] != "object" or node["x-kubernetes-preserve-unknown-fields"] is True


@pytest.mark.parametrize("path", [path for path in ALL if path != ".metadata"])
def test_every_field_is_described(path):
    assert ALL[path]["description"].endswith(".")


def test_metadata_is_left_to_the_server():
    # An API server refuses a CRD that says anything more about metadata, even a description.
    assert ALL[".metadata"] == {"type": "object"}


def test_times_are_plain_strings():
    times = ("timestamp", "detectedAt", "expiresAt", "firstSeen", "lastSeen", "resolvedAt", "lastTransitionTime")
    found = {path: node for path, node in ALL.items() if path.rpartition(".")[2] in times}
    assert len(found) == len(times)
    assert all(node["type"] == "string" and "format" not in node for node in found.values())


def test_only_phase_has_a_default():
    assert {path: node["default"] for path, node in ALL.items() if "default" in node} == {
        ".status.phase": Phase.ACTIVE
    }


def test_columns_show_fields_that_there_are():
    columns = VERSION["additionalPrinterColumns"]
    paths = [column["jsonPath"] for column in columns]
    assert {path for path in paths if path not in ALL} == {".metadata.creationTimestamp"}
    shown = [column["name"] for column in columns if not column.get("priority")]
    assert shown == ["Severity", "Source", "Type", "Kind", "Resource", "Phase", "Age"]
    assert all(column["description"].endswith(".") for column in columns)


# Objects as the releases before this one wrote them, each with what is peculiar to it.
EARLIER: dict[str, dict[str, Any]] = {
    "nothing but metadata": {},
    "null": {"spec": None, "status": None},
    "the first model": {
        "spec": {
            "category": "security", "source": "trivy", "eventType": "vulnerability", "message": "m",
            "severity": "CRITICAL", "timestamp": "2025-11-08T10:00:00Z", "priority": 1, "tags": ["security"],
            "metadata": {"cluster_id": "c"}, "affectedResources": [{"kind": "Pod", "name": "web"}],
        },
        "status": {"phase": "Active", "count": 1, "firstSeen": "2025-11-08T10:00:00Z",
                   "conditions": [{"type": "Escalated", "status": "Unknown"}]},
    },
    "the operator's": {
        "spec": {
            "domain": "security", "type": "vulnerability", "priority": 0.95, "title": "t", "description": "d",
            "severity": "critical", "detectedAt": "2026-01-04T10:00:00.123+02:00", "expiresAt": None,
            "resources": [{"kind": "Pod"}], "raw": {"any": [1, {"thing": None}]}, "ttlSecondsAfterCreation": 604800,
            "resource": {"kind": "Pod", "name": "web", "labels": {"a": "b"}}, "processedAt": None,
        },
        "status": {"synced": True, "phase": "Escalated"},
    },
    "Go's nil": {"spec": {"tags": None, "affectedResources": None, "details": None, "timestamp": None}},
    "a time of day": {"spec": {"timestamp": "yesterday", "severity": "Moderate"}, "status": {"phase": None}},
}  # fmt: skip


@pytest.mark.parametrize("found", EARLIER.values(), ids=EARLIER)
def test_an_object_of_an_earlier_writer_is_valid(found):
    assert list(problems(found, SCHEMA, "")) == []


def test_what_is_written_here_is_valid():
    assert [problem for found in observations(300) for problem in problems(found, SCHEMA, "")] == []


def test_the_check_above_does_find_problems():
    found = {"spec": {"tags": ["a", {}], "priority": "high", "resource": []}, "status": 1}
    assert list(problems(found, SCHEMA, "")) == [".spec.resource", ".spec.priority", ".spec.tags[1]", ".status"]


_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,), "number": (int, float), "integer": (int,),
}  # fmt: skip


def problems(value: object, schema: dict[str, Any], path: str) -> Iterator[str]:
    """Yield where a value is not what the schema says, as far as this schema can say it."""
    if value is None:
        # The server takes the null out where there is a default, and puts the default in.
        if not schema.get("nullable") and "default" not in schema:
            yield path
        return
    if not isinstance(value, _TYPES[schema["type"]]) or isinstance(value, bool):
        yield path
        return
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from problems(value[name], inner, f"{path}.{name}")
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from problems(entry, schema["items"], f"{path}[{index}]")

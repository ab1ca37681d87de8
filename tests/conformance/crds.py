"""The custom resources that cases work on, and how to make a server serve a CRD.

It owns the three definitions that every target gets once; cases about CRDs make their own from ``definition``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.conformance.api import Api, Document
from tests.conformance.expect import eventually, succeeded
from tests.conformance.resources import CRDS, Resource

WIDGET_SPEC: Document = {
    "type": "object",
    "properties": {
        "size": {"type": "string", "enum": ["small", "large"]},
        "weight": {"type": "integer", "minimum": 0, "maximum": 100},
        "ratio": {"type": "number", "multipleOf": 0.5},
        "enabled": {"type": "boolean"},
        "code": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
        "when": {"type": "string", "format": "date-time"},
        "colour": {"type": "string", "default": "red"},
        "note": {"type": "string", "nullable": True},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "loose": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
            "properties": {"strict": {"type": "object", "properties": {"a": {"type": "string"}}}},
        },
        "template": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "limits": {
            "type": "object",
            "required": ["cpu"],
            "properties": {"cpu": {"type": "string"}, "memory": {"type": "string", "default": "1Gi"}},
        },
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set", "maxItems": 3},
        "parts": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "count": {"type": "integer", "default": 1}},
            },
        },
        "levels": {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 2},
        "choice": {
            "type": "object",
            "properties": {"left": {"type": "string"}, "right": {"type": "string"}},
            "oneOf": [{"required": ["left"]}, {"required": ["right"]}],
        },
    },
}

WIDGET_SCHEMA: Document = {
    "type": "object",
    "properties": {
        "spec": WIDGET_SPEC,
        "status": {
            "type": "object",
            "properties": {"phase": {"type": "string"}, "count": {"type": "integer"}},
        },
    },
}

OPEN_SCHEMA: Document = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}

WIDGET_COLUMNS = [
    {"name": "Size", "type": "string", "jsonPath": ".spec.size", "description": "how large it is"},
    {"name": "Weight", "type": "integer", "jsonPath": ".spec.weight", "priority": 1},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def version(name: str = "v1", schema: Document = OPEN_SCHEMA, **more: Any) -> Document:
    """Return one version of a CRD, served and stored unless ``more`` says otherwise."""
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}, **more}


def definition(resource: Resource, *versions: Document, names: Document | None = None) -> Document:
    """Return a CRD for a resource; without versions it has one that takes anything in spec and status."""
    return CRDS.body(
        f"{resource.plural}.{resource.group}",
        spec={
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                **(names or {}),
            },
            "versions": list(versions) or [version(resource.version)],
        },
    )


def serve(api: Api, *definitions: Document) -> None:
    """Create CRDs and wait until their resources are served."""
    for each in definitions:
        succeeded(api.request("POST", CRDS.path(), each), 201)
    for each in definitions:
        wait_until_served(api, each)


def wait_until_served(api: Api, crd: Document) -> None:
    """Wait until every served version of a CRD answers, discovery included."""
    for each in crd["spec"]["versions"]:
        if each["served"]:
            _wait_for_version(api, crd["spec"]["group"], each["name"], crd["spec"]["names"]["plural"])


def _wait_for_version(api: Api, group: str, name: str, plural: str) -> None:
    root = f"/apis/{group}/{name}"

    def is_served() -> bool:
        found = api.request("GET", root)
        listed = found.status == 200 and any(each["name"] == plural for each in found.json["resources"])
        return listed and api.request("GET", f"{root}/{plural}").status == 200

    eventually(is_served, f"{plural}.{group}/{name} being served")


def standard(group: str) -> tuple[Resource, Resource, Resource]:
    """Return widgets, gadgets and planets in a group."""
    return (
        Resource(group, "v1", "widgets", "Widget"),
        Resource(group, "v1", "gadgets", "Gadget"),
        Resource(group, "v1", "planets", "Planet", namespaced=False),
    )


def standard_definitions(group: str) -> list[Document]:
    """Return the CRDs of ``standard``: widgets have versions v1 (stored), v1beta1 (served) and v1alpha1 (not)."""
    widgets, gadgets, planets = standard(group)
    status: Document = {"subresources": {"status": {}}}
    more: Document = {**status, "additionalPrinterColumns": WIDGET_COLUMNS}
    return [
        definition(
            widgets,
            version("v1", WIDGET_SCHEMA, **more),
            version("v1beta1", WIDGET_SCHEMA, **{**more, "storage": False}),
            version("v1alpha1", WIDGET_SCHEMA, **{**more, "storage": False, "served": False}),
            names={"shortNames": ["wd"], "categories": ["toys"]},
        ),
        definition(gadgets),
        definition(planets, version("v1", OPEN_SCHEMA, **status)),
    ]


@contextmanager
def serving_standard(api: Api, group: str) -> Iterator[tuple[Resource, Resource, Resource]]:
    """Serve widgets, gadgets and planets for the duration of the context."""
    definitions = standard_definitions(group)
    try:
        serve(api, *definitions)
        yield standard(group)
    finally:
        for each in definitions:
            api.request("DELETE", CRDS.path("", each["metadata"]["name"]))

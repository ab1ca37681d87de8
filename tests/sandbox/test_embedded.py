"""Resources within custom resources: they have the metadata that every object has.

The answers are those of kube-apiserver v1.20.2, but for the words about types, which are newer.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.api import Answer, Document
from tests.conformance.crds import definition, version
from tests.conformance.embedded import InProcessApi, sandbox
from tests.conformance.resources import CRDS, Resource
from zenctl.sandbox.apiserver.embedded import embeds

THINGS = Resource("ex.example.com", "v1", "things", "Thing")
EMBEDDED: Document = {
    "type": "object",
    "x-kubernetes-embedded-resource": True,
    "x-kubernetes-preserve-unknown-fields": True,
}
LABELLED: Document = {
    **EMBEDDED,
    "properties": {
        "metadata": {
            "type": "object",
            "properties": {"labels": {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}},
        }
    },
}
SPEC: Document = {
    "type": "object",
    "properties": {
        "one": EMBEDDED,
        "list": {"type": "array", "items": EMBEDDED},
        "map": {"type": "object", "additionalProperties": EMBEDDED},
        "labelled": LABELLED,
    },
}
POD = {"apiVersion": "v1", "kind": "Pod"}


def post(spec: Document, query: str = "") -> Answer:
    api = InProcessApi(sandbox())
    schema = {"type": "object", "properties": {"spec": SPEC}}
    api.request("POST", CRDS.path(), definition(THINGS, version("v1", schema)))
    return api.request("POST", THINGS.path("default") + query, THINGS.body("a", spec=spec))


def pod(**metadata: Any) -> Document:
    return {**POD, "metadata": metadata}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"one": pod(name="p", unknown=1)}, {"one": pod(name="p")}),
        ({"one": pod(name="p", creationTimestamp=None)}, {"one": pod(name="p")}),
        ({"one": pod(ownerReferences=[{"kind": "K", "apiVersion": "v1", "name": "n", "uid": "u", "more": 1}])},
         {"one": pod(ownerReferences=[{"kind": "K", "apiVersion": "v1", "name": "n", "uid": "u"}])}),
        ({"list": [pod(unknown=1), {**POD, "spec": {"metadata": {"any": 1}}}]},
         {"list": [pod(), {**POD, "spec": {"metadata": {"any": 1}}}]}),
        ({"map": {"k": pod(unknown=1)}}, {"map": {"k": pod()}}),
        ({"labelled": pod(name="p", labels={"b": "c"})}, {"labelled": pod(name="p", labels={"a": "x"})}),
    ],
)  # fmt: skip
def test_metadata_loses_what_no_object_has(sent, kept):
    assert post(sent).json["spec"] == kept


def test_what_is_lost_is_told():
    refused = post({"list": [pod(unknown=1)]}, "?fieldValidation=Strict")
    assert refused.json["message"].endswith('strict decoding error: unknown field "spec.list[0].metadata.unknown"')


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"one": {"apiVersion": 5, "kind": "Pod"}}, "spec.one.apiVersion: Invalid value: 5: must be a string"),
        ({"map": {"k": pod(labels=5)}}, "spec.map[k].metadata.labels: Invalid value: 5: must be of type object"),
    ],
)
def test_types_of_metadata_are_judged_before_anything_else(spec, why):
    refused = post(spec)
    assert refused.status == 400
    assert refused.json["message"] == f'Thing in version "v1" cannot be handled as a Thing: {why}'


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"one": {"apiVersion": "a/b/c", "kind": "Pod"}}, "spec.one.apiVersion",
         'Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c'),
        ({"one": {"apiVersion": "v1", "kind": "Pod_"}}, "spec.one.kind",
         'Invalid value: "Pod_": may have mixed case, but should otherwise match: a DNS-1035 label must consist'),
        ({"one": pod(name="A/B")}, "spec.one.metadata.name", "Invalid value: \"A/B\": may not contain '/'"),
        ({"map": {"x.y": pod(labels={"k": "-"})}}, "spec.map[x.y].metadata.labels", 'Invalid value: "-": a valid'),
        ({"list": [POD, pod(generation=-1)]}, "spec.list[1].metadata.generation", "Invalid value: -1: must be"),
        ({"one": pod(namespace="X")}, "spec.one.metadata.namespace", 'Invalid value: "X": a lowercase RFC 1123'),
        ({"list": [{"kind": "Pod"}]}, "spec.list[0].apiVersion", "Required value: must not be empty"),
    ],
)  # fmt: skip
def test_an_embedded_resource_is_judged_like_an_object(spec, field, words):
    refused = post(spec)
    (cause,) = refused.json["details"]["causes"]
    assert (refused.status, cause["field"]) == (422, field)
    assert cause["message"].startswith(words)


@pytest.mark.parametrize(
    ("schema", "answer"),
    [({}, False), (EMBEDDED, True), (SPEC, True), ({"items": {"properties": {"a": {"items": EMBEDDED}}}}, True)],
)
def test_where_nothing_is_embedded_nobody_looks_for_it(schema, answer):
    assert embeds(schema) is answer

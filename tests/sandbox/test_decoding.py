"""What cannot be decoded as an object of its kind: 400 where it was sent, 422 where a patch makes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Document
from tests.conformance.crds import OPEN_SCHEMA, definition, version
from tests.conformance.embedded import InProcessApi, sandbox
from tests.conformance.resources import CONFIG_MAPS, CRDS, DEPLOYMENTS, LEASES, Resource

THINGS = Resource("ex.example.com", "v1", "things", "Thing")


def post(resource: Resource, **content: Any) -> tuple[int, str]:
    """Send an object to a fresh sandbox; return the code and the message of its refusal."""
    api = InProcessApi(sandbox())
    api.request("POST", CRDS.path(), definition(THINGS, version("v1", OPEN_SCHEMA)))
    answer = api.request("POST", resource.path("default"), resource.body("a", **content))
    return answer.status, answer.json.get("message", "")


def template(**container: object) -> Document:
    return {"template": {"spec": {"containers": [{"name": "c", **container}]}}}


@pytest.mark.parametrize(
    ("resource", "content", "why"),
    [
        (CONFIG_MAPS, {"data": "text"}, "string into Go struct field ConfigMap.data of type map[string]string"),
        (CONFIG_MAPS, {"data": {"k": 5}}, "number into Go struct field ConfigMap.data of type string"),
        (CONFIG_MAPS, {"immutable": []}, "array into Go struct field ConfigMap.immutable of type bool"),
        (CONFIG_MAPS, {"metadata": {"labels": {"k": 5}}},
         "number into Go struct field ObjectMeta.metadata.labels of type string"),
        (DEPLOYMENTS, {"spec": {"replicas": "3"}},
         "string into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (DEPLOYMENTS, {"spec": {"replicas": 1.5}},
         "number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
        (DEPLOYMENTS, {"spec": {"template": {"spec": {"containers": {}}}}},
         "object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container"),
        (DEPLOYMENTS, {"spec": template(env=[{"name": "A", "value": True}])},
         "bool into Go struct field EnvVar.spec.template.spec.containers.env.value of type string"),
        (DEPLOYMENTS, {"spec": {"strategy": {"rollingUpdate": {"maxSurge": True}}}},
         "bool into Go value of type int32"),
        (LEASES, {"spec": {"renewTime": 5}}, "number into Go value of type string"),
        (THINGS, {"metadata": {"labels": {"k": 5}}}, "number into Go struct field ObjectMeta.labels of type string"),
        (THINGS, {"metadata": {"finalizers": "f"}},
         "string into Go struct field ObjectMeta.finalizers of type []string"),
    ],
)  # fmt: skip
def test_a_value_of_a_wrong_type_is_named_as_go_names_it(resource, content, why):
    kind = resource.kind
    assert post(resource, **content) == (
        400,
        f'{kind} in version "v1" cannot be handled as a {kind}: json: cannot unmarshal {why}',
    )


@pytest.mark.parametrize(
    ("resource", "content", "why"),
    [
        (THINGS, {"metadata": {"creationTimestamp": "x"}}, 'parsing time "x" as "2006-01-02T15:04:05Z07:00"'),
        (CONFIG_MAPS, {"binaryData": {"k": "!"}}, "illegal base64 data"),
        (DEPLOYMENTS, {"spec": template(resources={"limits": {"cpu": "x"}})}, "quantities must match the regular"),
    ],
)
def test_a_text_that_cannot_be_read_is_a_value_of_a_wrong_type(resource, content, why):
    code, message = post(resource, **content)
    assert code == 400
    assert f"cannot be handled as a {resource.kind}: {why}" in message


def test_of_custom_resources_the_schema_is_asked_later():
    words = 'spec: Invalid value: "integer": spec in body must be of type object: "integer"'
    assert post(THINGS, spec=5) == (422, f'Thing.ex.example.com "a" is invalid: {words}')


@pytest.mark.parametrize("content", [{"data": None}, {"metadata": {"labels": None}}, {"immutable": None}])
def test_null_can_stand_for_anything(content):
    assert post(CONFIG_MAPS, **content) == (201, "")


@pytest.mark.parametrize(
    ("kind_of_patch", "patch"),
    [
        (MERGE_PATCH, {"data": "text"}),
        (STRATEGIC_PATCH, {"data": "text"}),
        (JSON_PATCH, [{"op": "add", "path": "/data", "value": "text"}]),
    ],
)
def test_what_a_patch_makes_is_told_whole(kind_of_patch, patch):
    api = InProcessApi(sandbox())
    api.request("POST", CONFIG_MAPS.path("default"), CONFIG_MAPS.body("a"))
    path = CONFIG_MAPS.path("default", "a")
    refused = api.request("PATCH", path, patch, headers={"Content-Type": kind_of_patch}).json
    (cause,) = refused["details"]["causes"]

    assert (refused["code"], cause["reason"], cause["field"]) == (422, "FieldValueInvalid", "patch")
    assert refused["message"].startswith(
        ' "" is invalid: patch: Invalid value: "{\\"apiVersion\\":\\"v1\\",\\"data\\":\\"text\\",\\"kind\\":'
    )
    assert cause["message"].endswith("into Go struct field ConfigMap.data of type map[string]string")


def test_a_strict_patch_tells_unknown_fields_in_the_same_way():
    api = InProcessApi(sandbox())
    api.request("POST", CONFIG_MAPS.path("default"), CONFIG_MAPS.body("a"))
    path = f"{CONFIG_MAPS.path('default', 'a')}?fieldValidation=Strict"
    refused = api.request("PATCH", path, {"x": 1}, headers={"Content-Type": MERGE_PATCH}).json
    assert refused["code"] == 422
    assert refused["message"].endswith(': strict decoding error: unknown field "x"')

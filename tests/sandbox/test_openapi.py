"""OpenAPI v3: what kubectl looks for in it, and that no reference leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from zenctl.core.objects import ResourceType
from zenctl.sandbox.apiserver.kinds import BUILT_IN, Served, SubResource
from zenctl.sandbox.apiserver.openapi import document

GVK = "x-kubernetes-group-version-kind"
STATUS = {"status": SubResource("Observation", frozenset(("get", "patch", "update")))}


def custom(**spec: Any) -> Served:
    verbs = BUILT_IN[1].type.verbs
    schema = {"description": "An observation.", "properties": {"spec": {"type": "object", "properties": spec}}}
    resource = ResourceType(
        "zen.kube-zen.io", "v1alpha1", "Observation", "zenevents", "zenevent", ("ze",), True, verbs
    )
    return Served(resource, schema=schema, subresources=STATUS, builtin=False)


SERVED = [*BUILT_IN, custom(source={"type": "string", "description": "Which tool."})]
APIS = sorted({each.type.api_version for each in SERVED})


def version(api: str) -> dict[str, Any]:
    found = document(SERVED, f"/openapi/v3/{'apis' if '/' in api else 'api'}/{api}")
    assert found is not None
    return found


def schemas(api: str) -> dict[str, Any]:
    found: dict[str, Any] = version(api)["components"]["schemas"]
    return found


def test_the_index_names_every_version_with_its_hash() -> None:
    index = document(SERVED, "/openapi/v3")

    assert index is not None
    assert set(index["paths"]) == {f"{'apis' if '/' in api else 'api'}/{api}" for api in APIS}
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    assert re.fullmatch(r"/openapi/v3/apis/apps/v1\?hash=[0-9A-F]{64}", url)


def test_a_hash_changes_with_its_document_only() -> None:
    def urls(served: list[Served]) -> dict[str, str]:
        index = document(served, "/openapi/v3") or {}
        return {path: entry["serverRelativeURL"] for path, entry in index["paths"].items()}

    before = urls(SERVED)
    after = urls([*BUILT_IN, custom(source={"type": "integer"})])

    assert {path for path in before if before[path] != after[path]} == {"apis/zen.kube-zen.io/v1alpha1"}


@pytest.mark.parametrize(
    "path", ["/openapi/v2", "/openapi/v3/api/v2", "/openapi/v3/apis/nope/v1", "/openapi/v3/apis"]
)
def test_other_paths_are_none(path: str) -> None:
    assert document(SERVED, path) is None


def references(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("api", APIS)
def test_no_reference_leads_nowhere(api: str) -> None:
    found = version(api)
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}

    assert set(references(found)) <= known


@pytest.mark.parametrize("served", SERVED, ids=lambda served: served.type.kind)
def test_a_kind_is_found_by_its_schema_and_by_its_operations(served: Served) -> None:
    of = served.type
    gvk = {"group": of.group, "version": of.version, "kind": of.kind}
    operations = [
        operation
        for path in version(of.api_version)["paths"].values()
        for method, operation in path.items()
        if method != "parameters" and operation[GVK] == gvk
    ]

    assert [s for s in schemas(of.api_version).values() if s.get(GVK) == [gvk]]
    assert operations


OBJECT = "/api/v1/namespaces/{namespace}/configmaps/{name}"
ZENEVENT = "/apis/zen.kube-zen.io/v1alpha1/namespaces/{namespace}/zenevents/{name}"


@pytest.mark.parametrize(
    ("api", "path", "methods"),
    [
        ("v1", OBJECT, {"get": "get", "put": "put", "patch": "patch", "delete": "delete"}),
        ("v1", OBJECT.removesuffix("/{name}"), {"get": "list", "post": "post", "delete": "deletecollection"}),
        ("v1", "/api/v1/configmaps", {"get": "list"}),
        ("v1", "/api/v1/namespaces/{name}/finalize", {"put": "put"}),
        ("v1", "/api/v1/namespaces/{namespace}/pods/{name}/log", {"get": "get"}),
        ("zen.kube-zen.io/v1alpha1", f"{ZENEVENT}/status", {"get": "get", "put": "put", "patch": "patch"}),
        ("metrics.k8s.io/v1beta1", "/apis/metrics.k8s.io/v1beta1/nodes/{name}", {"get": "get"}),
        (
            "authorization.k8s.io/v1",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {"post": "post"},
        ),
    ],
)
def test_a_path_has_the_operations_that_are_served(api: str, path: str, methods: dict[str, str]) -> None:
    operations = version(api)["paths"][path]

    assert {m: op["x-kubernetes-action"] for m, op in operations.items() if m != "parameters"} == methods


@pytest.mark.parametrize(("api", "path"), [("v1", OBJECT), ("zen.kube-zen.io/v1alpha1", ZENEVENT)])
@pytest.mark.parametrize("method", ["patch", "put"])
def test_kubectl_sees_that_the_server_validates_fields(api: str, path: str, method: str) -> None:
    names = {parameter["name"] for parameter in version(api)["paths"][path][method]["parameters"]}

    assert {"fieldValidation", "dryRun", "fieldManager"} <= names


def test_strategic_merge_patch_is_for_built_in_kinds() -> None:
    def patches(api: str, path: str) -> set[str]:
        return set(version(api)["paths"][path]["patch"]["requestBody"]["content"])

    everywhere = {"application/json-patch+json", "application/merge-patch+json"}
    assert patches("v1", OBJECT) == everywhere | {"application/strategic-merge-patch+json"}
    assert patches("zen.kube-zen.io/v1alpha1", ZENEVENT) == everywhere


def test_rules_for_patches_and_defaults_are_published() -> None:
    containers = schemas("v1")["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    strategy = schemas("apps/v1")["io.k8s.api.apps.v1.DeploymentSpec"]["properties"]["strategy"]

    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert strategy == {
        "allOf": [{"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy"}],
        "default": {},
    }


def test_a_custom_resource_keeps_its_words_and_gets_what_every_object_has() -> None:
    found = schemas("zen.kube-zen.io/v1alpha1")["io.kube-zen.zen.v1alpha1.Observation"]

    assert found["description"] == "An observation."
    assert found["properties"]["spec"]["properties"]["source"]["description"] == "Which tool."
    assert set(found["properties"]) == {"apiVersion", "kind", "metadata", "spec"}


def keys(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield key, item if isinstance(item, str) else None
            yield from keys(item)


def test_marks_of_our_own_are_not_published() -> None:
    marks = {("format", "quantity"), ("format", "micro-time"), ("format", "base64"), ("nullable", None)}

    assert not marks & set(keys(schemas("v1")))
    assert not marks & set(keys(schemas("coordination.k8s.io/v1")))

"""Discovery documents: their shapes, what comes first, and that both kinds of discovery tell the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.objects import ResourceType
from zenctl.sandbox.apiserver.discovery import aggregated, groups, legacy, version_order
from zenctl.sandbox.apiserver.kinds import BUILT_IN, Served, SubResource

VERBS = frozenset(("get", "list", "create"))


def custom(version: str, *, group: str = "y.io") -> Served:
    return Served(
        ResourceType(group, version, "Qux", "quxes", "qux", ("qx",), True, VERBS, True),
        categories=("all",),
        subresources={"status": SubResource("Qux", frozenset(("get", "patch", "update")))},
        builtin=False,
    )


SERVED = [*BUILT_IN, *(custom(version) for version in ("v1alpha1", "v1beta1", "v1", "v10", "foo", "v2alpha1"))]


def document(path: str) -> dict[str, Any]:
    found = legacy(SERVED, path)
    assert found is not None
    return found


def test_versions_come_as_kubernetes_prefers_them() -> None:
    assert list(groups(SERVED)["y.io"]) == ["v10", "v1", "v1beta1", "v2alpha1", "v1alpha1", "foo"]


@given(st.permutations(["v10", "v2", "v1", "v12beta1", "v2beta2", "v2beta1", "v3alpha1", "v1alpha10", "a", "v1b"]))
def test_their_order_does_not_depend_on_how_they_are_declared(versions: list[str]) -> None:
    assert sorted(versions, key=version_order) == [
        "v10", "v2", "v1", "v12beta1", "v2beta2", "v2beta1", "v3alpha1", "v1alpha10", "a", "v1b",
    ]  # fmt: skip


def test_core_has_versions_and_the_rest_has_groups() -> None:
    assert document("/api")["versions"] == ["v1"]
    assert [group["name"] for group in document("/apis")["groups"]] == [
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "batch",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "apiextensions.k8s.io",
        "coordination.k8s.io",
        "y.io",
        "metrics.k8s.io",
    ]


def test_a_group_names_its_versions_and_the_preferred_one() -> None:
    found = document("/apis/y.io")

    assert found["kind"] == "APIGroup"
    assert found["preferredVersion"] == {"groupVersion": "y.io/v10", "version": "v10"}
    assert found["versions"][1] == {"groupVersion": "y.io/v1", "version": "v1"}


def test_a_version_lists_resources_and_what_hangs_below_them() -> None:
    assert document("/apis/y.io/v1") == {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "y.io/v1",
        "resources": [
            {
                "name": "quxes",
                "singularName": "qux",
                "namespaced": True,
                "kind": "Qux",
                "verbs": ["create", "get", "list"],
                "shortNames": ["qx"],
                "categories": ["all"],
            },
            {
                "name": "quxes/status",
                "singularName": "",
                "namespaced": True,
                "kind": "Qux",
                "verbs": ["get", "patch", "update"],
            },
        ],
    }


def test_scaling_and_running_commands_are_not_offered() -> None:
    offered = {resource["name"] for path in ("/api/v1", "/apis/apps/v1") for resource in document(path)["resources"]}

    assert {"pods/log", "pods/status", "deployments/status", "namespaces/finalize"} <= offered
    assert not offered & {"pods/exec", "pods/portforward", "deployments/scale", "replicasets/scale"}


@pytest.mark.parametrize("path", ["/api/v2", "/apis/nope", "/apis/y.io/v2", "/apis/y.io/v1/quxes", "/", "/version"])
def test_other_paths_are_none(path: str) -> None:
    assert legacy(SERVED, path) is None


def listed(document: dict[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Every resource and subresource of an aggregated document: group version, name, verbs."""
    found = []
    for group in document["items"]:
        for version in group["versions"]:
            api = "/".join(filter(None, (group["metadata"].get("name"), version["version"])))
            for resource in version["resources"]:
                found.append((api, resource["resource"], resource["verbs"]))
                below = resource.get("subresources", [])
                found += [(api, f"{resource['resource']}/{sub['subresource']}", sub["verbs"]) for sub in below]
    return found


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_aggregated_discovery_tells_what_the_single_documents_tell(version: str) -> None:
    both = [aggregated(SERVED, core=core, version=version) for core in (True, False)]
    apis = ["api/v1", *(f"apis/{v['groupVersion']}" for g in document("/apis")["groups"] for v in g["versions"])]
    single = [
        (found["groupVersion"], resource["name"], resource["verbs"])
        for found in map(document, apis)
        for resource in found["resources"]
    ]

    assert {each["apiVersion"] for each in both} == {f"apidiscovery.k8s.io/{version}"}
    assert [entry for each in both for entry in listed(each)] == single


def test_an_aggregated_resource_carries_kind_and_scope() -> None:
    (core,) = aggregated(SERVED, core=True, version="v2")["items"]
    pods = next(each for each in core["versions"][0]["resources"] if each["resource"] == "pods")

    assert core["metadata"] == {"creationTimestamp": None}
    assert core["versions"][0]["freshness"] == "Current"
    assert pods["scope"] == "Namespaced"
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert pods["shortNames"] == ["po"]
    assert [sub["subresource"] for sub in pods["subresources"]] == ["log", "status"]

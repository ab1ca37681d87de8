"""The built-in kinds: each is discovered, created, read, listed, patched and deleted."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import STRATEGIC_PATCH
from tests.conformance.expect import refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

ENDPOINTS = Resource("", "v1", "endpoints", "Endpoints")
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
NETWORK_POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob")

LABELS = {"app": "a"}
POD_SPEC = {"containers": [{"name": "c", "image": "i"}]}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
JOB_SPEC = {"template": {"spec": {**POD_SPEC, "restartPolicy": "Never"}}}
REFERENCE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}

MINIMAL: dict[Resource, dict[str, Any]] = {
    CONFIG_MAPS: {},
    SECRETS: {},
    SERVICE_ACCOUNTS: {},
    PODS: {"spec": POD_SPEC},
    NODES: {},
    SERVICES: {"spec": {"ports": [{"port": 80}]}},
    ENDPOINTS: {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    CLAIMS: {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}},
    DEPLOYMENTS: {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}},
    REPLICA_SETS: {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}},
    JOBS: {"spec": JOB_SPEC},
    NETWORK_POLICIES: {"spec": {"podSelector": {}}},
    LEASES: {},
    ROLES: {"rules": []},
    ROLE_BINDINGS: {"roleRef": REFERENCE},
    CLUSTER_ROLES: {"rules": []},
    CLUSTER_ROLE_BINDINGS: {"roleRef": REFERENCE},
}

MINIMAL_SINCE_1_21: dict[Resource, dict[str, Any]] = {
    BUDGETS: {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
    CRON_JOBS: {"spec": {"schedule": "* * * * *", "jobTemplate": {"spec": JOB_SPEC}}},
}

SHORT_NAMES = {
    NAMESPACES: ["ns"],
    CONFIG_MAPS: ["cm"],
    SECRETS: None,
    SERVICE_ACCOUNTS: ["sa"],
    EVENTS: ["ev"],
    PODS: ["po"],
    NODES: ["no"],
    SERVICES: ["svc"],
    ENDPOINTS: ["ep"],
    CLAIMS: ["pvc"],
    DEPLOYMENTS: ["deploy"],
    REPLICA_SETS: ["rs"],
    JOBS: None,
    NETWORK_POLICIES: ["netpol"],
    LEASES: None,
    ROLES: None,
    ROLE_BINDINGS: None,
    CLUSTER_ROLES: None,
    CLUSTER_ROLE_BINDINGS: None,
    CRDS: ["crd", "crds"],
}

IN_CATEGORY_ALL = {"pods", "services", "deployments", "replicasets", "jobs"}


def go_through_life(place: Place, resource: Resource, content: dict[str, Any]) -> None:
    name = "a" if resource.namespaced else place.new_name()
    made = place.create(resource, name, **content)
    assert (made["kind"], made["apiVersion"]) == (resource.kind, resource.api_version)
    assert place.get(resource, name) == made
    listed = place.collection(resource, fieldSelector=f"metadata.name={name}")
    assert listed["kind"] == f"{resource.kind}List"
    (item,) = listed["items"]
    assert {"kind": resource.kind, "apiVersion": resource.api_version, **item} == made
    assert "kind" not in item
    patch = {"metadata": {"labels": {"k": "v"}, "finalizers": None}}  # some servers protect volume claims by one
    patched = place.patch(resource, name, patch, content_type=STRATEGIC_PATCH)
    assert patched["metadata"]["labels"]["k"] == "v"
    assert {key: patched[key] for key in patched if key != "metadata"} == {
        key: made[key] for key in made if key != "metadata"
    }
    place.delete(resource, name, gracePeriodSeconds=0, propagationPolicy="Background")
    assert not place.exists(resource, name)


@case()
def built_in_kinds_go_through_life(place: Place) -> None:
    for resource, content in MINIMAL.items():
        go_through_life(place, resource, content)
    go_through_life(place, EVENTS, {"involvedObject": {"namespace": place.namespace}})


@case(since="1.21")
def newer_built_in_kinds_go_through_life(place: Place) -> None:
    for resource, content in MINIMAL_SINCE_1_21.items():
        go_through_life(place, resource, content)


@case()
def built_in_kinds_are_discovered(place: Place) -> None:
    for resource, short_names in SHORT_NAMES.items():
        root = f"/apis/{resource.api_version}" if resource.group else "/api/v1"
        resources = succeeded(place.api.request("GET", root))["resources"]
        (found,) = (each for each in resources if each["name"] == resource.plural)
        assert (found["kind"], found["namespaced"]) == (resource.kind, resource.namespaced)
        assert found.get("shortNames") == short_names, resource
        assert ("all" in found.get("categories", [])) is (resource.plural in IN_CATEGORY_ALL)
        assert {"create", "delete", "get", "list", "patch", "update", "watch"} <= set(found["verbs"])


@case()
def kinds_with_a_status_have_it_as_a_subresource(place: Place) -> None:
    def subresources(root: str) -> set[str]:
        listed = succeeded(place.api.request("GET", root))["resources"]
        return {each["name"] for each in listed if each["name"].endswith("/status")}

    core = {"namespaces", "nodes", "persistentvolumeclaims", "pods", "services"}
    assert {f"{plural}/status" for plural in core} <= subresources("/api/v1")
    assert {"deployments/status", "replicasets/status"} <= subresources("/apis/apps/v1")
    assert "jobs/status" in subresources("/apis/batch/v1")
    assert {"configmaps/status", "secrets/status", "endpoints/status"}.isdisjoint(subresources("/api/v1"))
    assert subresources("/apis/rbac.authorization.k8s.io/v1") == set()


@case()
def unknown_fields_of_built_in_kinds_are_dropped(place: Place) -> None:
    made = place.create(CONFIG_MAPS, "a", data={"k": "v"}, unknown={"x": 1})
    assert "unknown" not in made
    made = place.create(PODS, "a", spec={**POD_SPEC, "stray": 1})
    assert "stray" not in str(made)
    place.delete(PODS, "a", gracePeriodSeconds=0)


@case(since="1.25")
def strict_field_validation_holds_for_built_in_kinds(place: Place) -> None:
    body = CONFIG_MAPS.body("a", data={"k": "v"}, unknown=1)
    answer = place.send("POST", CONFIG_MAPS, body=body, fieldValidation="Strict")
    words = (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "unknown"'
    )
    refused(answer, 400, "BadRequest", words)
    answer = place.send("POST", CONFIG_MAPS, body=body)
    assert 'unknown field \\"unknown\\"' in answer.headers["warning"]


@case()
def binary_data_is_base64(place: Place) -> None:
    made = place.create(CONFIG_MAPS, "a", binaryData={"k": "AAEC/w=="})
    assert made["binaryData"] == {"k": "AAEC/w=="}
    place.create(SECRETS, "a", data={"k": "AAEC/w=="}, stringData={"t": "text", "k2": ""})
    assert place.get(SECRETS, "a")["data"] == {"k": "AAEC/w==", "t": "dGV4dA==", "k2": ""}
    for resource, content in ((CONFIG_MAPS, {"binaryData": {"k": "%"}}), (SECRETS, {"data": {"k": "%"}})):
        answer = place.send("POST", resource, body=resource.body("b", **content))
        assert answer.status == 400, answer
        assert "illegal base64 data" in answer.json["message"]

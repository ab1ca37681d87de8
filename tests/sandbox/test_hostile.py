"""What must not happen, whatever comes in: a lie, a crash, a right that nobody gave, an object left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.api import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, YAML, Answer
from tests.conformance.embedded import InProcessApi, sandbox
from zenctl.access.identity import User
from zenctl.manifests.load import crd_yaml
from zenctl.sandbox.apiserver.messages import Request
from zenctl.sandbox.apiserver.server import ApiServer

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
FOOS = "/apis/example.com/v1/namespaces/default/foos"
HOLD = ["example.com/hold"]
MERGE = {"Content-Type": MERGE_PATCH}


@pytest.fixture
def server() -> ApiServer:
    return sandbox()


@pytest.fixture
def api(server) -> InProcessApi:
    return InProcessApi(server)


def ok(answer: Answer, status: int = 200) -> dict[str, Any]:
    assert answer.status == status, answer
    return answer.json


def crd(**spec: Any) -> dict[str, Any]:
    """Return a CRD of Foos."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "foos.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "foos", "kind": "Foo"},
                 "versions": [version], **spec},
    }  # fmt: skip


def foo(name: str = "a", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "example.com/v1", "kind": "Foo", "metadata": {"name": name, **metadata}}


# -- rights --------------------------------------------------------------------------------------------


def grant(server: ApiServer, api: InProcessApi, user: str, *rules: dict[str, Any]) -> InProcessApi:
    """Return the API as a user who may do this and no more."""
    server.tokens.add(f"token-of-{user}", User(user))
    ok(api.request("POST", f"{RBAC}/clusterroles", {"metadata": {"name": user}, "rules": list(rules)}), 201)
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
    binding = {"metadata": {"name": user}, "roleRef": ref, "subjects": [{"kind": "User", "name": user}]}
    ok(api.request("POST", f"{RBAC}/clusterrolebindings", binding), 201)
    return InProcessApi(server, f"token-of-{user}")


def rule(verbs: str, group: str, resources: str) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split()}


def test_nobody_gathers_rights_by_an_aggregated_role(server, api):
    eve = grant(server, api, "eve", rule("get patch create", "rbac.authorization.k8s.io", "clusterroles"))
    everything = {"clusterRoleSelectors": [{"matchExpressions": [{"key": "zz", "operator": "DoesNotExist"}]}]}
    answer = eve.request("PATCH", f"{RBAC}/clusterroles/eve", {"aggregationRule": everything}, headers=MERGE)
    assert answer.status == 403
    assert "must have cluster-admin privileges to use the aggregationRule" in answer.json["message"]
    body = {"metadata": {"name": "other"}, "aggregationRule": everything}
    assert eve.request("POST", f"{RBAC}/clusterroles", body).status == 403
    assert eve.request("GET", "/api/v1/secrets").status == 403
    ok(api.request("POST", f"{RBAC}/clusterroles", body), 201)


def test_a_put_that_creates_needs_the_right_to_create(server, api):
    joe = grant(server, api, "joe", rule("update", "coordination.k8s.io", "leases"))
    path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l"
    answer = joe.request("PUT", path, {"metadata": {"name": "l"}})
    assert (answer.status, 'cannot create resource "leases"' in answer.json["message"]) == (403, True)
    assert api.request("GET", path).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", CONFIG_MAPS, 405),
        ("OPTIONS", CONFIG_MAPS, 405),
        ("LIST", CONFIG_MAPS, 405),
        ("DELETECOLLECTION", f"{CONFIG_MAPS}/a", 405),
        ("GET", "/api/v1//configmaps", 404),
        ("GET", "//api/v1/configmaps", 404),
        ("GET", f"{CONFIG_MAPS}?limit=1_0", 400),
        ("GET", f"{CONFIG_MAPS}?resourceVersion={'9' * 5000}", 500),
        ("POST", f"{CONFIG_MAPS}?fieldManager={'x' * 200}", 422),
    ],
)
def test_what_no_server_serves_is_refused(api, method, path, status):
    body = {"metadata": {"name": "x"}} if method == "POST" else None
    assert api.request(method, path, body).status == status


def test_a_made_up_method_is_authorized_as_nothing(server, api):
    joe = grant(server, api, "joe", rule("list get", "", "configmaps"))
    for method in ("LIST", "WATCH", "DELETECOLLECTION", "HEAD"):
        assert joe.request(method, f"{CONFIG_MAPS}/a").status == 403


# -- deletions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_a_namespace_goes_after_what_is_in_it(api, policy):
    ok(api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "z"}}), 201)
    held = "/api/v1/namespaces/z/configmaps"
    ok(api.request("POST", held, {"metadata": {"name": "held", "finalizers": HOLD}}), 201)
    ok(api.request("DELETE", f"/api/v1/namespaces/z?propagationPolicy={policy}"))
    assert ok(api.request("GET", "/api/v1/namespaces/z"))["status"]["phase"] == "Terminating"
    ok(api.request("PATCH", f"{held}/held", {"metadata": {"finalizers": None}}, headers=MERGE))
    assert api.request("GET", "/api/v1/namespaces/z").status == 404


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_a_pod_on_a_node_keeps_its_grace(api, policy):
    spec = {"nodeName": "n", "containers": [{"name": "a", "image": "i"}], "terminationGracePeriodSeconds": 10**12}
    ok(api.request("POST", PODS, {"metadata": {"name": "p"}, "spec": spec}), 201)
    ok(api.request("DELETE", f"{PODS}/p?propagationPolicy={policy}"))
    assert "deletionTimestamp" in ok(api.request("GET", f"{PODS}/p"))["metadata"]
    ok(api.request("DELETE", f"{PODS}/p?gracePeriodSeconds=0"))
    assert api.request("GET", f"{PODS}/p").status == 404


def owned(name: str, owner: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    reference = {
        "apiVersion": "v1",
        "kind": owner.get("kind", "ConfigMap"),
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return {"metadata": {"name": name, "ownerReferences": [reference], **metadata}}


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_a_long_chain_of_owners_goes_whole(api, policy):
    last = ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "n0"}}), 201)
    for number in range(1, 400):
        last = ok(api.request("POST", CONFIG_MAPS, owned(f"n{number}", last)), 201)
    ok(api.request("DELETE", f"{CONFIG_MAPS}/n0", {"propagationPolicy": policy}))
    assert ok(api.request("GET", CONFIG_MAPS))["items"] == []


def test_a_circle_of_owners_goes_in_the_foreground(api):
    first = ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "a"}}), 201)
    second = ok(api.request("POST", CONFIG_MAPS, owned("b", first)), 201)
    back = owned("a", second)["metadata"]["ownerReferences"]
    ok(api.request("PATCH", f"{CONFIG_MAPS}/a", {"metadata": {"ownerReferences": back}}, headers=MERGE))
    ok(api.request("DELETE", f"{CONFIG_MAPS}/a", {"propagationPolicy": "Foreground"}))
    assert ok(api.request("GET", CONFIG_MAPS))["items"] == []


def test_a_dependent_that_must_not_go_stops_nobody(server, api):
    owner = ok(api.request("POST", "/api/v1/namespaces", {"metadata": {"name": "owner"}}), 201)
    reference = owned("x", owner)["metadata"]["ownerReferences"]
    patch = {"metadata": {"ownerReferences": reference}}
    ok(api.request("PATCH", "/api/v1/namespaces/default", patch, headers=MERGE))
    ok(api.request("POST", CONFIG_MAPS, owned("follows", owner)), 201)
    ok(api.request("DELETE", "/api/v1/namespaces/owner"))
    ok(api.request("GET", "/api/v1/namespaces/default"))
    assert api.request("GET", f"{CONFIG_MAPS}/follows").status == 404


def test_what_an_owner_took_along_does_not_come_back(api):
    with api.stream(f"{CONFIG_MAPS}?watch=1&resourceVersion=1") as events:
        first = ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "a"}}), 201)
        ok(api.request("POST", CONFIG_MAPS, owned("b", first)), 201)
        ok(api.request("DELETE", CONFIG_MAPS, {"propagationPolicy": "Foreground"}))
        ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "end"}}), 201)
        seen: list[str] = []
        while seen[-1:] != ["ADDED end"]:
            event = next(events)
            seen.append(f"{event['type']} {event['object']['metadata']['name']}")
    assert seen.count("ADDED b") == seen.count("DELETED b") == 1


@pytest.mark.parametrize(
    "options",
    [
        {"dryRun": {}},
        {"dryRun": "All"},
        {"preconditions": {"uid": {}}},
        {"preconditions": [1]},
        {"preconditions": "x"},
        {"propagationPolicy": {}},
        {"orphanDependents": "zzz"},
        {"gracePeriodSeconds": "x"},
        {"kind": "Pod"},
    ],
    ids=str,
)
def test_options_that_cannot_be_read_delete_nothing(api, options):
    ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "a"}}), 201)
    assert api.request("DELETE", f"{CONFIG_MAPS}/a", options).status in (400, 500)
    ok(api.request("GET", f"{CONFIG_MAPS}/a"))


def test_a_definition_without_served_versions_takes_its_objects_along(api):
    ok(api.request("POST", CRDS, crd()), 201)
    ok(api.request("POST", FOOS, foo()), 201)
    unserved = [{**crd()["spec"]["versions"][0], "served": False}]
    ok(api.request("PATCH", f"{CRDS}/foos.example.com", {"spec": {"versions": unserved}}, headers=MERGE))
    assert api.request("GET", FOOS).status == 404
    ok(api.request("DELETE", f"{CRDS}/foos.example.com"))
    ok(api.request("POST", CRDS, crd()), 201)
    assert ok(api.request("GET", FOOS))["items"] == []


def test_loaded_metrics_go_with_their_namespace(server, api):
    metrics = {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
               "metadata": {"name": "p", "namespace": "z"}, "timestamp": "2026-01-01T00:00:00Z", "window": "30s",
               "containers": []}  # fmt: skip
    assert server.load([metrics]) == (1, [])
    ok(api.request("DELETE", "/api/v1/namespaces/z"))
    assert ok(api.request("GET", "/apis/metrics.k8s.io/v1beta1/pods"))["items"] == []


def test_a_namespace_waits_for_finalizers_of_its_spec(api):
    body = {"metadata": {"name": "z"}, "spec": {"finalizers": ["example.com/hold"]}}
    made = ok(api.request("POST", "/api/v1/namespaces", body), 201)
    assert sorted(made["spec"]["finalizers"]) == ["example.com/hold", "kubernetes"]
    put = ok(api.request("PUT", "/api/v1/namespaces/z", {"metadata": {"name": "z"}, "spec": {"finalizers": []}}))
    assert put["spec"] == made["spec"]
    ok(api.request("DELETE", "/api/v1/namespaces/z"))
    assert ok(api.request("GET", "/api/v1/namespaces/z"))["spec"]["finalizers"] == ["example.com/hold"]
    body = {"metadata": {"name": "z"}, "spec": {"finalizers": []}}
    ok(api.request("PUT", "/api/v1/namespaces/z/finalize", body))
    assert api.request("GET", "/api/v1/namespaces/z").status == 404


# -- loading and snapshots -----------------------------------------------------------------------------


def test_loading_keeps_the_rules_of_updates(server, api):
    assert server.load([crd(), foo()]) == (2, [])
    loaded, refused = server.load([crd(scope="Cluster")])
    assert (loaded, len(refused)) == (0, 1)
    ok(api.request("GET", f"{FOOS}/a"))


def test_loading_again_makes_no_other_object(server, api):
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    server.load([config_map])
    before = ok(api.request("GET", f"{CONFIG_MAPS}/a"))
    server.load([config_map])
    assert ok(api.request("GET", f"{CONFIG_MAPS}/a")) == before


def test_no_loaded_document_deletes_the_default_namespace(server, api):
    going = {"name": "default", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    assert len(server.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": going}])[1]) == 1
    assert "deletionTimestamp" not in ok(api.request("GET", "/api/v1/namespaces/default"))["metadata"]


def test_a_snapshot_remembers_owners_definitions_rights_and_logs(server, api):
    joe = grant(server, api, "joe", rule("list", "", "configmaps"))
    ok(api.request("POST", CRDS, crd()), 201)
    owner = ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "a"}}), 201)
    ok(api.request("POST", CONFIG_MAPS, owned("b", owner)), 201)
    waiting = ok(api.request("POST", CONFIG_MAPS, {"metadata": {"name": "waits"}}), 201)
    ok(api.request("POST", CONFIG_MAPS, owned("held", waiting, finalizers=HOLD)), 201)
    ok(api.request("DELETE", f"{CONFIG_MAPS}/waits", {"propagationPolicy": "Foreground"}))
    kept = server.snapshot()
    ok(api.request("DELETE", f"{RBAC}/clusterrolebindings/joe"))
    ok(api.request("DELETE", f"{CRDS}/foos.example.com"))
    ok(api.request("DELETE", f"{CONFIG_MAPS}/a"))
    server.take_back(kept)
    ok(joe.request("GET", CONFIG_MAPS))
    ok(api.request("POST", FOOS, foo()), 201)
    ok(api.request("DELETE", f"{CONFIG_MAPS}/a"))
    ok(api.request("PATCH", f"{CONFIG_MAPS}/held", {"metadata": {"finalizers": None}}, headers=MERGE))
    assert ok(api.request("GET", CONFIG_MAPS))["items"] == []
    server.take_back(sandbox().snapshot())
    assert api.request("GET", FOOS).status == 404
    assert joe.request("GET", CONFIG_MAPS).status == 403


# -- bodies --------------------------------------------------------------------------------------------


def test_null_in_a_list_of_objects_is_an_empty_object(api):
    body = {"metadata": {"name": "s"}, "spec": {"ports": [None]}}
    assert api.request("POST", "/api/v1/namespaces/default/services", body).status == 422
    spec = {"containers": [{"name": "a", "image": "i"}], "initContainers": [None]}
    assert api.request("POST", PODS, {"metadata": {"name": "p"}, "spec": spec}).status == 422
    tables = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    ok(api.request("GET", "/api/v1/services", headers=tables))


def test_null_for_a_label_is_the_empty_text(api):
    ok(api.request("POST", CRDS, crd()), 201)
    for path, body in ((CONFIG_MAPS, {"metadata": {"name": "a", "labels": {"x": None}}}),
                       (FOOS, foo(labels={"x": None}))):  # fmt: skip
        assert ok(api.request("POST", path, body), 201)["metadata"]["labels"] == {"x": ""}


def test_a_number_that_is_none_is_refused(api):
    ok(api.request("POST", CRDS, crd()), 201)
    body = json.dumps(foo())[:-1] + ',"spec":1e400}'
    assert api.request("POST", FOOS, body.encode()).status == 400


def test_nulls_in_a_definition_count_as_absent(api):
    schema = {
        "type": "object",
        "properties": {"d": {"type": "object", "additionalProperties": {"type": "string"}, "properties": None}},
    }
    version = {**crd()["spec"]["versions"][0], "schema": {"openAPIV3Schema": schema}}
    ok(api.request("POST", CRDS, crd(versions=[version])), 201)
    made = ok(api.request("POST", FOOS, {**foo(), "d": {"a": "b"}}), 201)
    assert made["d"] == {"a": "b"}


@pytest.mark.parametrize("query", ["tailLines=-1", "limitBytes=-2"])
def test_negative_lengths_of_logs_are_invalid(api, query):
    spec = {"containers": [{"name": "a", "image": "i"}]}
    ok(api.request("POST", PODS, {"metadata": {"name": "p"}, "spec": spec}), 201)
    put = api.request("POST", "/sandbox/logs?namespace=default&pod=p&container=a", b"one\ntwo\n")
    assert put.status == 200
    assert api.request("GET", f"{PODS}/p/log?{query}").status == 422


@pytest.mark.parametrize(
    "spec",
    [
        {"user": ["a"], "nonResourceAttributes": {"path": "/", "verb": "get"}},
        {"user": "a", "groups": 5, "nonResourceAttributes": {"path": "/", "verb": "get"}},
        {"user": "a", "extra": [1], "nonResourceAttributes": {"path": "/", "verb": "get"}},
        {"user": "a", "extra": {"a": "b"}, "nonResourceAttributes": {"path": "/", "verb": "get"}},
    ],
    ids=str,
)
def test_reviews_that_cannot_be_read_are_refused(api, spec):
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    assert api.request("POST", path, {"spec": spec}).status == 400
    good = {"user": "a", "nonResourceAttributes": {"path": "/", "verb": "get"}}
    assert api.request("POST", path, {"apiVersion": "zzz/v9", "spec": good}).status == 400
    assert api.request("POST", f"{path}?dryRun=bogus", {"spec": good}).status == 422


# -- anything at all -----------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
WORDS = ["name", "labels", "finalizers", "ownerReferences", "uid", "resourceVersion", "generation", "annotations"]
METADATA = st.dictionaries(st.sampled_from(WORDS), VALUES | st.just("a"), max_size=4)
FIELDS = ["metadata", "spec", "data", "status", "kind", "apiVersion", "rules", "roleRef", "subjects", "dryRun",
          "preconditions", "aggregationRule", "op", "path", "$patch"]  # fmt: skip
BODIES = st.dictionaries(st.sampled_from(FIELDS), VALUES | METADATA, max_size=5) | VALUES
PATHS = [
    CONFIG_MAPS, f"{CONFIG_MAPS}/a", PODS, f"{PODS}/p", f"{PODS}/p/status", f"{PODS}/p/log", FOOS, f"{FOOS}/a",
    "/api/v1/namespaces", "/api/v1/namespaces/z", "/api/v1/namespaces/z/finalize", CRDS, f"{CRDS}/foos.example.com",
    f"{RBAC}/clusterroles", f"{RBAC}/clusterroles/view", f"{RBAC}/clusterrolebindings", "/apis", "/openapi/v3",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews", "/apis/apps/v1/namespaces/default/deployments",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", "/sandbox/load", "/sandbox/logs", "/api/v1/services",
]  # fmt: skip
QUERIES = st.dictionaries(
    st.sampled_from(["limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector",
                     "dryRun", "fieldValidation", "propagationPolicy", "gracePeriodSeconds", "pretty", "container",
                     "timeoutSeconds", "watch", "sendInitialEvents"]),
    st.sampled_from(["", "1", "0", "-1", "a=b", "All", "true", "metadata.name=a", "Exact", "Strict"])
    | st.text(max_size=5),
    max_size=3,
)  # fmt: skip
TYPES = ["application/json", YAML, MERGE_PATCH, JSON_PATCH, STRATEGIC_PATCH, "application/vnd.kubernetes.protobuf"]


@pytest.fixture(scope="module")
def busy() -> ApiServer:
    """Give a sandbox with something under most of the paths."""
    made = sandbox()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "default"},
           "spec": {"containers": [{"name": "a", "image": "i"}]}}  # fmt: skip
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "z"}}
    assert made.load([yaml.safe_load(crd_yaml()), crd(), foo(), pod, config_map, namespace]) == (6, [])
    return made


@settings(max_examples=400, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]),
    path=st.sampled_from(PATHS) | st.text(max_size=20).map(lambda text: f"/api/v1/{text}"),
    query=QUERIES,
    media=st.sampled_from(TYPES),
    accept=st.sampled_from(["application/json", YAML, "application/json;as=Table;v=v1;g=meta.k8s.io", "*/*"]),
    body=BODIES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=30),
)
def test_no_request_whatever_is_a_bug(busy, method, path, query, media, accept, body):
    lines = {"authorization": ("Bearer the-administrator's",), "content-type": (media,), "accept": (accept,)}
    response = busy.handle(Request(method, path, query, lines, body))
    if response.stream is not None:
        response.stream.take()
        response.stream.close()
    assert b"a bug of the sandbox" not in response.body
    assert response.status in (200, 201, 304, 400, 403, 404, 405, 406, 409, 410, 413, 415, 422, 500, 501, 504)

"""Fields that follow from others, kind by kind: what is absent is filled in, what was sent stays."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from zenctl.sandbox.apiserver.derived import derive, pull_policy, qos_class
from zenctl.sandbox.apiserver.kinds import BUILT_IN
from zenctl.sandbox.apiserver.registry import Registry


def filled(key: str, document: dict[str, Any], *, creating: bool = False) -> dict[str, Any]:
    derive(key, document, creating=creating)
    return document


def spec_of(key: str, spec: dict[str, Any] | None = None, *, creating: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = filled(key, {"metadata": {}, "spec": spec or {}}, creating=creating)["spec"]
    return found


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("busybox", "Always"),
        ("busybox:latest", "Always"),
        ("busybox:1.36", "IfNotPresent"),
        ("registry:5000/busybox", "Always"),
        ("registry:5000/busybox:1", "IfNotPresent"),
        ("busybox@sha256:00", "IfNotPresent"),
        ("busybox:latest@sha256:00", "Always"),
    ],
)
def test_an_image_is_pulled_by_its_tag(image: str, policy: str) -> None:
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("key", "around"),
    [
        ("/pods", ()),
        ("apps/deployments", ("template", "spec")),
        ("apps/replicasets", ("template", "spec")),
        ("batch/jobs", ("template", "spec")),
        ("batch/cronjobs", ("jobTemplate", "spec", "template", "spec")),
    ],
)
def test_pods_are_filled_in_wherever_they_are_specified(key: str, around: tuple[str, ...]) -> None:
    pods: dict[str, Any] = {
        "containers": [{"image": "a:1"}],
        "initContainers": [{"image": "a", "imagePullPolicy": "Never"}],
        "volumes": [{"name": "v"}, {"name": "w", "secret": {"secretName": "s"}}],
        "serviceAccountName": "me",
    }
    document: Any = pods
    for name in reversed(around):
        document = {name: document}

    spec_of(key, document)

    assert pods["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert pods["initContainers"][0]["imagePullPolicy"] == "Never"
    assert pods["volumes"] == [{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {"secretName": "s"}}]
    assert pods["serviceAccount"] == "me"


def test_limits_are_requested_too() -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    spec = spec_of("/pods", {"containers": [{"image": "a", "resources": resources}]})

    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}


def test_ports_of_the_host_are_those_of_the_container() -> None:
    ports: list[dict[str, Any]] = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 9}]

    assert (
        "hostPort" not in spec_of("/pods", {"containers": [{"ports": deepcopy(ports)}]})["containers"][0]["ports"][0]
    )
    spec = spec_of("/pods", {"containers": [{"ports": ports}], "hostNetwork": True})
    assert [port["hostPort"] for port in spec["containers"][0]["ports"]] == [80, 9]


def test_admission_adds_to_pods_what_they_come_without() -> None:
    new, old = spec_of("/pods", creating=True), spec_of("/pods")

    assert old == new
    assert (new["priority"], new["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert [(t["key"], t["tolerationSeconds"]) for t in new["tolerations"]] == [
        ("node.kubernetes.io/not-ready", 300),
        ("node.kubernetes.io/unreachable", 300),
    ]


def test_a_pod_that_tolerates_everything_tolerates_a_lost_node() -> None:
    everything = [{"operator": "Exists"}]

    assert spec_of("/pods", {"tolerations": everything}, creating=True)["tolerations"] == everything


def container(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> dict[str, Any]:
    return {"resources": {"requests": requests or {}, "limits": limits or {}}}


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("containers", "name"),
    [
        ([container()], "BestEffort"),
        ([container({"example.org/gpu": "1"})], "BestEffort"),
        ([container(BOTH, BOTH)], "Guaranteed"),
        ([container(BOTH, BOTH), container()], "Burstable"),
        ([container({"cpu": "1"}, {"cpu": "1"})], "Burstable"),
        ([container({"cpu": "1", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"})], "Burstable"),
    ],
)
def test_a_pod_has_a_quality_of_service(containers: list[dict[str, Any]], name: str) -> None:
    assert qos_class({"containers": containers}) == name


@pytest.mark.parametrize(
    ("spec", "added"),
    [
        ({"type": "ClusterIP"}, {"internalTrafficPolicy": "Cluster"}),
        ({"type": "ExternalName"}, {}),
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster"}),
        (
            {"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
            {"allocateLoadBalancerNodePorts": True, "internalTrafficPolicy": "Cluster"},
        ),
        (
            {"type": "ExternalName", "sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10800}}},
        ),
        ({"type": "ExternalName", "clusterIP": "None"}, {"clusterIPs": ["None"]}),
    ],
)
def test_a_service_gets_what_its_type_needs(spec: dict[str, Any], added: dict[str, Any]) -> None:
    assert spec_of("/services", deepcopy(spec)) == {**spec, **added}


def test_the_target_of_a_port_is_the_port() -> None:
    spec = spec_of("/services", {"ports": [{"port": 80}, {"port": 81, "targetPort": "http"}]})

    assert [port["targetPort"] for port in spec["ports"]] == [80, "http"]


def test_a_namespace_carries_its_name_and_is_finalized() -> None:
    found = filled("/namespaces", {"metadata": {"name": "n", "labels": {"a": "b"}}, "spec": {}}, creating=True)

    assert found["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": "n"}
    assert found["spec"] == {"finalizers": ["kubernetes"]}
    assert spec_of("/namespaces") == {}


def test_plain_strings_of_a_secret_become_data() -> None:
    found = filled("/secrets", {"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"b": "ü"}})

    assert found == {"data": {"a": "eA==", "b": "w7w="}}


def test_a_node_can_allocate_what_it_has() -> None:
    found = filled("/nodes", {"status": {"capacity": {"cpu": "2"}}})

    assert found["status"]["allocatable"] == {"cpu": "2"}


@pytest.mark.parametrize(
    ("strategy", "kept"),
    [
        (
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "25%"}},
        ),
        ({"type": "Recreate"}, {"type": "Recreate"}),
    ],
)
def test_only_rolling_updates_have_limits(strategy: dict[str, Any], kept: dict[str, Any]) -> None:
    assert spec_of("apps/deployments", {"strategy": strategy})["strategy"] == kept


@pytest.mark.parametrize(
    ("spec", "completions", "parallelism"),
    [({}, 1, 1), ({"completions": 3}, 3, 1), ({"parallelism": 3}, None, 3)],
)
def test_a_job_runs_one_pod_unless_it_says_more(
    spec: dict[str, int], completions: int | None, parallelism: int
) -> None:
    found = spec_of("batch/jobs", dict(spec))

    assert (found.get("completions"), found["parallelism"], found["backoffLimit"]) == (completions, parallelism, 6)


def test_a_new_job_selects_its_own_pods() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {}}
    job = {"metadata": {"name": "j", "uid": "7"}, "spec": {"template": template}}
    marks = {
        "batch.kubernetes.io/controller-uid": "7",
        "batch.kubernetes.io/job-name": "j",
        "controller-uid": "7",
        "job-name": "j",
    }

    found = filled("batch/jobs", job, creating=True)

    assert found["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "7"}}
    assert found["spec"]["template"]["metadata"]["labels"] == found["metadata"]["labels"] == {"a": "b", **marks}


def test_a_job_with_a_selector_of_its_own_keeps_it() -> None:
    spec = {"manualSelector": True, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {}}}
    found = filled("batch/jobs", {"metadata": {"name": "j", "uid": "7"}, "spec": spec}, creating=True)

    assert found["spec"]["selector"] == {"matchLabels": {"a": "b"}}
    assert "labels" not in found["spec"]["template"]["metadata"]


def test_a_network_policy_is_about_ingress_and_what_it_names() -> None:
    assert spec_of("networking.k8s.io/networkpolicies")["policyTypes"] == ["Ingress"]
    assert spec_of("networking.k8s.io/networkpolicies", {"egress": [{}]})["policyTypes"] == ["Ingress", "Egress"]


def test_people_are_subjects_of_rbac_and_service_accounts_are_not() -> None:
    subjects = [{"kind": "User"}, {"kind": "Group"}, {"kind": "ServiceAccount"}]
    found = filled("rbac.authorization.k8s.io/rolebindings", {"subjects": subjects})

    groups = [subject.get("apiGroup") for subject in found["subjects"]]
    assert groups == ["rbac.authorization.k8s.io", "rbac.authorization.k8s.io", None]


def test_a_crd_is_named_after_its_kind() -> None:
    names = {"kind": "ZenEvent", "plural": "zenevents"}
    found = spec_of("apiextensions.k8s.io/customresourcedefinitions", {"names": names})["names"]

    assert (found["singular"], found["listKind"]) == ("zenevent", "ZenEventList")


KEPT = [served for served in BUILT_IN if not served.virtual and not served.loaded]


@pytest.mark.parametrize("served", KEPT, ids=lambda served: served.type.kind)
def test_filling_in_again_changes_nothing(served: Any) -> None:
    document = {"metadata": {"name": "x", "uid": "7"}, "spec": {}}
    document = Registry().shape(served).default(document)
    once = deepcopy(filled(served.storage_key, document, creating=True))

    assert filled(served.storage_key, document, creating=True) == once


@pytest.mark.parametrize("served", KEPT, ids=lambda served: served.type.kind)
@pytest.mark.parametrize("odd", [None, 1, "x", [], [1], {"spec": 1}, {"containers": 1, "volumes": "x", "ports": [1]}])
def test_fields_of_a_wrong_type_are_left_for_validation(served: Any, odd: object) -> None:
    document = {"metadata": {"name": "x"}, "spec": odd, "status": odd, "subjects": odd, "data": odd}

    derive(served.storage_key, document, creating=True)

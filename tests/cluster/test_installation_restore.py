"""A lost installation, its Secrets and Helm releases brought back on a whole API server, and a restore of it refused.

What a create or a replacement fails by is the server's to say: nothing here is faked.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.test_installation import RBAC, apply_at_some_version, manifests
from tests.cluster.test_main_job import Zenctl
from tests.core.helm_samples import revision

LOST = "deployments,services,networkpolicies,poddisruptionbudgets,rolebindings,roles,secrets,serviceaccounts"
ASKED = ("--only", "installation", "--only", "secrets", "--only", "helm")
SELECTOR = {"app": "zen-watcher"}
PORTS = [{"name": "http", "port": 8080}, {"name": "metrics", "port": 9090}]


def more_manifests(namespace: str) -> list[dict[str, Any]]:
    """Return Services of the sorts that a server treats each in its own way."""

    def service(name: str, **spec: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace}
        return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": SELECTOR, **spec}}

    return [
        service("on-nodes", type="NodePort", ports=PORTS),
        service("headless", clusterIP="None", ports=PORTS),
        service("balanced", type="LoadBalancer", externalTrafficPolicy="Local", ports=PORTS),
    ]


def store_revision(kubectl: Kubectl, namespace: str, number: int, status: str = "deployed") -> None:
    stored = revision(number, status, namespace=namespace)
    stored["metadata"]["namespace"] = namespace
    kubectl("create", "-f", "-", stdin=json.dumps(stored))


@pytest.fixture
def installed(kubectl: Kubectl, observation_crd: Any) -> Iterator[str]:
    namespace = f"lost-{secrets.token_hex(4)}"
    kubectl("create", "namespace", namespace)
    kubectl.apply(*manifests(namespace), *more_manifests(namespace))
    metadata = {"name": "zen-watcher", "namespace": namespace}
    budget = {"kind": "PodDisruptionBudget", "metadata": metadata, "spec": {"maxUnavailable": 1}}
    apply_at_some_version(kubectl, "policy", budget)
    store_revision(kubectl, namespace, 1, "superseded")
    store_revision(kubectl, namespace, 2)
    yield namespace
    kubectl("delete", "namespace", namespace, "--wait=false")
    kubectl("delete", "--ignore-not-found", "clusterrole,clusterrolebinding", f"zen-watcher-{namespace}")


@pytest.fixture
def zenctl(installed: str, kubeconfig: Path, tmp_path: Path) -> Zenctl:
    found = Zenctl(kubeconfig, tmp_path / "store", installed)
    found("backup", "--plaintext", "--include-secrets")
    return found


@pytest.fixture
def lose(installed: str, kubectl: Kubectl) -> Callable[[], None]:
    def everything() -> None:
        kubectl("delete", "-n", installed, LOST, "--all")
        kubectl("delete", "clusterrole,clusterrolebinding", f"zen-watcher-{installed}")

    return everything


def done(outcome: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for batch in outcome["data"]["batches"]:
        for what, count in batch["done"].items():
            total[what] = total.get(what, 0) + count
    return total


def test_a_lost_installation_comes_back_and_a_second_run_writes_nothing(zenctl, lose, installed, kubectl):
    lose()
    first = zenctl("restore", "latest", *ASKED, "--yes")
    assert first["data"]["failed"] == []
    assert done(first)["created"] >= 15
    services = {each["metadata"]["name"]: each for each in kubectl.json("get", "-n", installed, "services")["items"]}
    assert services.keys() == {"zen-watcher", "on-nodes", "headless", "balanced"}
    assert services["headless"]["spec"]["clusterIP"] == "None"
    kept = kubectl.json("get", "-n", installed, "secrets")["items"]
    assert {"webhook", "sh.helm.release.v1.zen-watcher.v1"} <= {each["metadata"]["name"] for each in kept}
    assert "token" not in [each["metadata"]["name"] for each in kept]
    second = zenctl("restore", "latest", *ASKED, "--on-conflict", "update", "--yes")
    assert set(done(second)) == {"unchanged"}


def test_an_update_gives_the_content_back_and_leaves_the_server_its_own(zenctl, installed, kubectl):
    before = kubectl.json("get", "-n", installed, "services", "on-nodes")["spec"]
    other = json.dumps({"spec": {"selector": {"app": "other"}}})
    for name in ("on-nodes", "headless", "balanced"):
        kubectl("patch", "-n", installed, "service", name, "-p", other)
    replicas = json.dumps({"spec": {"replicas": 3}})
    kubectl("patch", "-n", installed, "deployment", "zen-watcher", "-p", replicas)
    ran = zenctl("restore", "latest", "--only", "svc", "--only", "deploy", "--on-conflict", "update", "--yes")
    assert done(ran) == {"updated": 4, "unchanged": 1}
    assert kubectl.json("get", "-n", installed, "services", "on-nodes")["spec"] == before


def test_a_role_that_grants_more_than_the_caller_has_is_named_with_the_cause(
    zenctl, lose, installed, restricted_kubeconfig
):
    lose()
    groups = ["", RBAC, "coordination.k8s.io", "apiextensions.k8s.io"]
    resources = ["roles", "clusterroles", "serviceaccounts", "namespaces", "leases", "resourcequotas"]
    rules = [{"apiGroups": groups, "resources": resources, "verbs": ["get", "list", "create", "update"]}]
    who = restricted_kubeconfig(rules)
    asked = ("--only", "role", "--only", "clusterrole", "--only", "sa")
    ran = zenctl("restore", "latest", *asked, "--yes", kubeconfig=who, code=6)
    failed = {row["kind"]: row["error"] for row in ran["data"]["failed"]}
    assert failed.keys() == {"Role", "ClusterRole"}
    assert all("not currently held" in error for error in failed.values())
    assert done(ran).get("created", 0) + done(ran).get("skipped", 0) >= 1


def test_a_release_stays_out_beside_a_newer_revision(zenctl, lose, installed, kubectl):
    lose()
    store_revision(kubectl, installed, 3)
    ran = zenctl("restore", "latest", "--only", "helm", "--on-conflict", "update", "--yes")
    assert done(ran) == {"skipped": 2}
    (why,) = [row["why"] for row in ran["data"]["leftOut"] if "Helm release" in row["what"]]
    assert "revision 3 of it is live" in why

"""An installation that is lost and comes back, on a whole API server, which judges every field that is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kubectl import Kubectl
from tests.cluster.test_installation import Installation, install, remove
from tests.cluster.test_main_job import Zenctl
from tests.core.helm_samples import revision

KINDS = "deployment,cronjob,service,networkpolicy,poddisruptionbudget,rolebinding,role,secret,configmap"
EVERYTHING = ("--only", "installation", "--only", "secrets", "--only", "helm")


@pytest.fixture
def lost(
    kubectl: Kubectl, observation_crd: Any, kubeconfig: Path, tmp_path: Path
) -> Iterator[tuple[Installation, Zenctl]]:
    """Give an installation that was backed up and then deleted, but for its namespace."""
    made = install(kubectl)
    zenctl = Zenctl(kubeconfig, tmp_path / "store", made.namespace)
    zenctl("backup", "--plaintext", "--include-secrets")
    kubectl("-n", made.namespace, "delete", KINDS, "--all")
    kubectl("delete", "clusterrole,clusterrolebinding", f"zen-watcher-{made.namespace}")
    kubectl("-n", made.namespace, "delete", "serviceaccount", "zen-watcher")
    yield made, zenctl
    remove(kubectl, made.namespace)


def counts(outcome: Any) -> dict[str, dict[str, int]]:
    return {f"{row['kind']}/{row['share']}": row["done"] for row in outcome["batches"]}


def test_it_comes_back_whole_once(lost, kubectl):
    made, zenctl = lost
    done = zenctl("restore", "latest", *EVERYTHING, "--yes")["data"]
    assert not done["failed"]
    found = counts(done)
    assert {kind for kind, row in found.items() if row.get("created")} == {
        "Secret/secrets", "ServiceAccount/installation", "ClusterRole/installation", "Role/installation",
        "ClusterRoleBinding/installation", "RoleBinding/installation", "NetworkPolicy/installation",
        "PodDisruptionBudget/installation", "Service/installation", "Deployment/installation",
        "CronJob/installation", "Secret/helm", "ConfigMap/helm",
    }  # fmt: skip
    for each in made.revisions:
        kept = kubectl.json("-n", made.namespace, "get", each["kind"].lower(), each["metadata"]["name"])
        assert (kept["data"], kept["metadata"]["labels"], kept.get("type")) == (
            each["data"], each["metadata"]["labels"], each.get("type"),
        )  # fmt: skip
    assert zenctl("backup", "diff", "latest", "-n", made.namespace)["verdict"] == "good"
    for policy in ("skip", "update"):
        again = zenctl("restore", "latest", *EVERYTHING, "--on-conflict", policy, "--yes")["data"]
        word = {"skip": "skipped", "update": "unchanged"}[policy]
        assert all(row.keys() == {word} for row in counts(again).values())


def test_an_update_is_taken_by_the_server(lost, kubectl):
    made, zenctl = lost
    zenctl("restore", "latest", "--only", "installation", "--yes")
    patches = {
        "service": {"spec": {"selector": {"app": "other"}}},
        "deployment": {"spec": {"replicas": 3}},
        "networkpolicy": {"spec": {"policyTypes": ["Ingress", "Egress"]}},
        "poddisruptionbudget": {"spec": {"maxUnavailable": 3}},
    }
    for kind, patch in patches.items():
        kubectl("-n", made.namespace, "patch", kind, "zen-watcher", "--type=merge", "-p", json.dumps(patch))
    address = kubectl.json("-n", made.namespace, "get", "service", "zen-watcher")["spec"].get("clusterIP")
    done = zenctl("restore", "latest", "--only", "installation", "--on-conflict", "update", "--yes")["data"]
    assert not done["failed"]
    updated = [kind for kind, row in counts(done).items() if row.get("updated")]
    assert sorted(updated) == [f"{kind}/installation" for kind in (
        "Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service")]  # fmt: skip
    service = kubectl.json("-n", made.namespace, "get", "service", "zen-watcher")["spec"]
    assert (service["selector"], service.get("clusterIP")) == ({"app": "zen-watcher"}, address)


def test_it_can_stand_beside_itself(lost, kubectl):
    """The address of a Service that is there cannot be given twice."""
    made, zenctl = lost
    zenctl("restore", "latest", "--only", "service", "--yes")
    other = f"{made.namespace}-other"
    done = zenctl("restore", "latest", "--only", "service", "--map-namespace", f"{made.namespace}={other}", "--yes")
    assert counts(done["data"]) == {"Service/installation": {"created": 1}}
    kubectl("delete", "namespace", other, "--wait=false")


def test_rights_that_the_caller_does_not_have_are_named(lost, restricted_kubeconfig):
    _, zenctl = lost
    rules = [
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["list", "create"]},
        {"apiGroups": [""], "resources": ["namespaces", "resourcequotas"], "verbs": ["get", "list"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
    ]
    who = restricted_kubeconfig(rules)
    done = zenctl("restore", "latest", "--only", "role", "--yes", kubeconfig=who, code=6)["data"]
    (failed,) = done["failed"]
    assert "attempting to grant RBAC permissions not currently held" in failed["error"]


def test_an_older_release_never_comes_beside_a_newer_one(lost, kubectl):
    made, zenctl = lost
    newer = revision(9, namespace=made.namespace)
    newer["metadata"]["namespace"] = made.namespace
    kubectl("create", "-f", "-", stdin=json.dumps(newer))
    plan = zenctl("restore", "latest", "--only", "helm", "--dry-run")["data"]
    assert plan["writes"] == 0
    assert "revision 9 of it is live" in plan["leftOut"][0]["why"]

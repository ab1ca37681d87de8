"""An installation and its Helm releases on a whole API server: backed up with the documented rights, byte for byte.

The tests of this module share one installation, in a namespace of its own, and change nothing of it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import yaml

from tests.cluster.kubectl import Kubectl
from tests.cluster.test_main_job import Zenctl
from tests.core.helm_samples import revision
from zenctl.archive.reader import open_archive
from zenctl.blob.folder import FolderStore
from zenctl.core.helm import Storage

PAGE = Path(__file__).parents[2] / "docs" / "backup.md"
RBAC = "rbac.authorization.k8s.io"
COMPLETE = {
    "serviceaccounts": ["zen-watcher"],
    f"roles.{RBAC}": ["zen-watcher"],
    f"rolebindings.{RBAC}": ["zen-watcher"],
    "services": ["zen-watcher"],
    "deployments.apps": ["zen-watcher"],
    "statefulsets.apps": [],
    "cronjobs.batch": ["zenctl-backup"],
    "networkpolicies.networking.k8s.io": ["zen-watcher"],
    "poddisruptionbudgets.policy": ["zen-watcher"],
}
NOT_EVERYWHERE = {"statefulsets.apps"}
"""What the sandbox does not serve."""


class Installation(NamedTuple):
    """What was installed."""

    namespace: str
    revisions: list[dict[str, Any]]


def a_pod() -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "zen-watcher"}},
        "spec": {"containers": [{"name": "main", "image": "kubezen/zen-watcher:1.2.3"}]},
    }


def manifests(namespace: str) -> list[dict[str, Any]]:
    """Return the installation, but for what servers of different ages serve at different versions."""
    selector = {"matchLabels": {"app": "zen-watcher"}}

    def made(version: str, kind: str, name: str = "zen-watcher", **more: Any) -> dict[str, Any]:
        place = {} if kind.startswith("Cluster") else {"namespace": namespace}
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}, **more}

    account = {"kind": "ServiceAccount", "name": "zen-watcher", "namespace": namespace}
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
    wide = f"zen-watcher-{namespace}"
    token = made("v1", "Secret", "token", type="kubernetes.io/service-account-token")
    token["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "zen-watcher"}
    return [
        made("v1", "ServiceAccount"),
        made(f"{RBAC}/v1", "Role", rules=[rule]),
        made(f"{RBAC}/v1", "RoleBinding", subjects=[account],
             roleRef={"apiGroup": RBAC, "kind": "Role", "name": "zen-watcher"}),
        made(f"{RBAC}/v1", "ClusterRole", wide, rules=[rule]),
        made(f"{RBAC}/v1", "ClusterRoleBinding", wide, subjects=[account],
             roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": wide}),
        made("v1", "Service", spec={"selector": {"app": "zen-watcher"}, "ports": [{"port": 8080}]}),
        made("apps/v1", "Deployment", spec={"selector": selector, "template": a_pod()}),
        made("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}),
        made("v1", "Secret", "webhook", stringData={"token": "hunter2"}),
        token,
    ]  # fmt: skip


def apply_at_some_version(kubectl: Kubectl, group: str, body: dict[str, Any]) -> None:
    """Apply an object at the newest version that the server has of it."""
    found = kubectl("api-versions").split()
    version = next(f"{group}/{each}" for each in ("v1", "v1beta1") if f"{group}/{each}" in found and (
        each == "v1beta1" or body["kind"] in kubectl("get", "--raw", f"/apis/{group}/v1")))  # fmt: skip
    kubectl.apply({"apiVersion": version, **body})


def install(kubectl: Kubectl) -> Installation:
    """Make an installation with Helm's revisions of it, in a namespace of its own."""
    namespace = f"installed-{secrets.token_hex(4)}"
    kubectl("create", "namespace", namespace)
    kubectl.apply(*manifests(namespace))
    metadata = {"name": "zen-watcher", "namespace": namespace}
    selector = {"matchLabels": {"app": "zen-watcher"}}
    budget = {
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"maxUnavailable": 1, "selector": selector},
    }
    apply_at_some_version(kubectl, "policy", budget)
    pod = a_pod()
    pod["spec"]["restartPolicy"] = "Never"
    spec = {"schedule": "0 2 * * *", "jobTemplate": {"spec": {"template": pod}}}
    cron_job = {"kind": "CronJob", "metadata": {**metadata, "name": "zenctl-backup"}, "spec": spec}
    apply_at_some_version(kubectl, "batch", cron_job)
    revisions = [
        revision(1, "superseded", namespace=namespace),
        revision(2, "deployed", namespace=namespace),
        revision(3, "failed", namespace=namespace),
        revision(4, "pending-upgrade", Storage.CONFIG_MAP, namespace=namespace),
    ]
    for each in revisions:
        each["metadata"]["namespace"] = namespace
        kubectl("create", "-f", "-", stdin=json.dumps(each))
    return Installation(namespace, revisions)


@pytest.fixture(scope="module")
def installation(kubectl: Kubectl, observation_crd: Any) -> Iterator[Installation]:
    made = install(kubectl)
    yield made
    remove(kubectl, made.namespace)


def remove(kubectl: Kubectl, namespace: str) -> None:
    kubectl("delete", "namespace", namespace, "--wait=false")
    kubectl("delete", "--ignore-not-found", "clusterrole,clusterrolebinding", f"zen-watcher-{namespace}")


@pytest.fixture
def zenctl(installation: Installation, kubeconfig: Path, tmp_path: Path) -> Zenctl:
    return Zenctl(kubeconfig, tmp_path / "store", installation.namespace)


@pytest.fixture
def reader(restricted_kubeconfig: Any, installation: Installation) -> Callable[..., Path]:
    """Give a factory of accounts with the rights that the page gives, less those to one resource."""

    def make(*, without: str = "", secrets_too: bool = True) -> Path:
        text = re.search(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
        assert text is not None
        wide, role, for_secrets = yaml.safe_load_all(text[1])
        local = [*role["rules"], *(for_secrets["rules"] if secrets_too else ())]
        inside = (installation.namespace, lessened(local, without))
        path: Path = restricted_kubeconfig(lessened(wide["rules"], without), inside=inside)
        return path

    return make


def lessened(rules: list[dict[str, Any]], without: str) -> list[dict[str, Any]]:
    """Return rules without one resource."""
    left = [{**rule, "resources": [each for each in rule["resources"] if each != without]} for rule in rules]
    return [rule for rule in left if rule["resources"]]


def archived(zenctl: Zenctl, made: Any) -> dict[str, dict[str, bytes]]:
    """Return the lines of an archive by resource and name."""
    archive = open_archive(FolderStore(zenctl.store), made["archive"]["name"])
    return {
        c.resource.resource_type.full_name: {key.rpartition("/")[2]: line for key, line in archive.objects(c)}
        for c in archive.manifest.collections
    }


def test_the_installation_goes_in_as_it_runs(zenctl, installation):
    made = zenctl("backup")["data"]
    found = archived(zenctl, made)
    assert made["archive"]["complete"]
    assert made["archive"]["leftOut"] == ["helm"]
    assert COMPLETE.keys() - found.keys() <= NOT_EVERYWHERE
    for resource in COMPLETE.keys() & found.keys():  # a server with all its controllers makes an account of its own
        assert [name for name in found[resource] if name != "default"] == COMPLETE[resource]
    wide = f"zen-watcher-{installation.namespace}"
    assert list(found[f"clusterroles.{RBAC}"]) == list(found[f"clusterrolebindings.{RBAC}"]) == [wide]
    assert not any("helm" in name for name in found["configmaps"])
    assert "secrets" not in found


def test_every_revision_comes_out_byte_for_byte(zenctl, installation):
    made = zenctl("backup", "--plaintext", "--require", "helm")["data"]
    found = archived(zenctl, made)
    for each in installation.revisions:
        kept = msgspec.json.decode(found[f"{each['kind'].lower()}s"][each["metadata"]["name"]])
        assert (kept["data"], kept["metadata"]["labels"]) == (each["data"], each["metadata"]["labels"])
        assert kept.get("type") == each.get("type")
    assert list(found["secrets"]) == [each["metadata"]["name"] for each in installation.revisions[:3]]
    (release,) = made["helmReleases"]
    assert (release["deployed"], release["latest"], len(release["revisions"])) == (2, 4, 4)
    shown = zenctl("backup", "show", "latest", f"{installation.namespace}/zen-watcher.v2", "--kind", "HelmRevision")
    assert yaml.safe_load(shown["data"]["object"]["values"])["image"] == {"tag": "1.2.3"}
    assert zenctl("backup", "verify", "--level", "3")["data"]["problems"] == 0


def test_all_secrets_go_in_where_they_are_asked_for_but_no_token(zenctl):
    found = archived(zenctl, zenctl("backup", "--plaintext", "--include-secrets")["data"])
    assert "webhook" in found["secrets"]
    assert not [name for name in found["secrets"] if "token" in name]
    assert msgspec.json.decode(found["secrets"]["webhook"])["data"] == {"token": "aHVudGVyMg=="}


def test_secrets_are_refused_without_encryption(zenctl):
    assert "encrypted archive only" in zenctl("backup", "--include-secrets", code=4)
    assert not zenctl.store.exists()


def test_the_documented_rights_are_enough(zenctl, reader):
    assert zenctl("backup", "--plaintext", kubeconfig=reader())["data"]["archive"]["complete"]


def test_without_helm_no_right_to_secrets_is_needed(zenctl, reader):
    who = reader(secrets_too=False)
    assert zenctl("backup", kubeconfig=who)["data"]["archive"]["complete"]
    made = zenctl("backup", "--plaintext", kubeconfig=who, code=6)["data"]
    assert [row["what"] for row in made["omissions"]] == ["secrets"]
    assert "cannot list" in zenctl("backup", "--plaintext", "--require", "helm", kubeconfig=who, code=6)


@pytest.mark.parametrize(
    "resource",
    ["configmaps", "serviceaccounts", "services", "deployments", "statefulsets", "cronjobs", "networkpolicies",
     "poddisruptionbudgets", "roles", "rolebindings", "clusterroles", "clusterrolebindings",
     "customresourcedefinitions"],
)  # fmt: skip
def test_each_of_the_documented_rights_is_needed(zenctl, reader, kubectl, resource):
    if resource not in kubectl("api-resources", "--no-headers"):
        pytest.skip(f"this server has no {resource}")
    made = zenctl("backup", kubeconfig=reader(without=resource, secrets_too=False), code=6)["data"]
    assert [re.split("[./]", row["what"])[0] for row in made["omissions"]] == [resource]
    assert not made["archive"]["complete"]


def test_a_restore_plans_nothing_of_it(zenctl, installation, kubectl):
    zenctl("backup", "--plaintext", "--include-secrets")
    kubectl("-n", installation.namespace, "delete", "service", "zen-watcher")
    plan = zenctl("restore", "latest", "--dry-run")["data"]
    assert {batch["kind"] for batch in plan["batches"]} <= {"Observation", "ConfigMap"}
    assert plan["writes"] == 0
    what = [row["what"] for row in plan["leftOut"]]
    assert what[:2] == ["1 Helm revisions in ConfigMaps", "3 Helm revisions in Secrets"]
    assert "objects of the installation" in what[2]
    assert what[3].endswith("Secrets")
    kubectl.apply(*(each for each in manifests(installation.namespace) if each["kind"] == "Service"))

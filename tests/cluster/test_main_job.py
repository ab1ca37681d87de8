"""The main job on a whole API server: back up, lose everything, get everything back, clean up by real age.

The tests of this module share one cluster of Observations and run in the order that they stand in.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.kubectl import Kubectl
from tests.dataset import Sample, samples
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID

COUNT = int(os.environ.get("ZENCTL_ACCEPTANCE_OBJECTS", "1500"))
NAMESPACES = 5
PLURAL = "zenevents.zen.kube-zen.io"
SERVER_OWNED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
WEEK = timedelta(days=7)


class Zenctl:
    """Runs the program against one cluster and one store."""

    def __init__(self, kubeconfig: Path, store: Path, system_namespace: str) -> None:
        self.kubeconfig, self.store, self.system_namespace = kubeconfig, store, system_namespace

    def __call__(self, *arguments: str, code: int = 0, kubeconfig: Path | None = None) -> Any:
        """Run it with -o json and return the document, or what it said on stderr where it must fail."""
        command = [sys.executable, "-W", "error", "-m", "zenctl", *arguments]
        command += ["--kubeconfig", str(kubeconfig or self.kubeconfig), "--store", str(self.store)]
        command += ["--system-namespace", self.system_namespace, "-o", "json", "-q"]
        # Whatever it writes beside itself goes where the store is.
        options: Any = {"cwd": self.store.parent, "stdin": subprocess.DEVNULL}
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        assert done.returncode == code, done.stderr + done.stdout[:2000]
        assert "bug" not in done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr


class Fixture:
    """The Observations of this module, as they were before anything happened to them."""

    def __init__(self, kubectl: Kubectl, prefix: str, now: datetime) -> None:
        self.kubectl, self.prefix = kubectl, prefix
        self.samples: list[Sample] = list(samples(COUNT, NAMESPACES, seed=11, now=now))
        self.now = now
        for sample in self.samples:
            sample.object["metadata"]["namespace"] = self.namespace(sample.truth.namespace)

    def namespace(self, of_dataset: str) -> str:
        return f"{self.prefix}-{of_dataset}"

    @property
    def namespaces(self) -> list[str]:
        return sorted({sample.object["metadata"]["namespace"] for sample in self.samples})

    def live(self) -> dict[str, dict[str, Any]]:
        """Return every Observation of ours by its key."""
        items = self.kubectl.json("get", PLURAL, "--all-namespaces")["items"]
        mine = (item for item in items if item["metadata"]["namespace"].startswith(self.prefix))
        return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": item for item in mine}


def told(found: dict[str, Any]) -> dict[str, Any]:
    """Return what of an object must survive: everything but the server's own fields and our provenance."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in SERVER_OWNED}
    annotations = dict(metadata.pop("annotations", {}))
    for name in (ORIGINAL_CREATION, ORIGINAL_UID):
        annotations.pop(name, None)
    return {**found, "metadata": {**metadata, "annotations": annotations}}


@pytest.fixture(scope="module")
def fixture(kubectl: Kubectl, observation_crd: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fixture]:
    now = datetime.now(UTC).replace(microsecond=0)
    made = Fixture(kubectl, f"main-{secrets.token_hex(3)}", now)
    files = tmp_path_factory.mktemp("objects")
    manifest = files / "objects.ndjson"
    system = f"{made.prefix}-system"
    for name in (*made.namespaces, system):
        kubectl("create", "namespace", name)
    kubectl("-n", system, "create", "configmap", "filters", "--from-literal=filter=a: 1")
    manifest.write_text("\n".join(json.dumps(sample.object) for sample in made.samples))
    # The product's own way in: a file of objects, with their status.
    zenctl = Zenctl(made_kubeconfig(kubectl), files / "unused", system)
    zenctl("restore", str(manifest), "--yes")
    yield made
    for name in (*made.namespaces, system):
        kubectl.run("delete", "--raw", observation_crd.path(name))  # the namespace controller would take its time
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def made_kubeconfig(kubectl: Kubectl) -> Path:
    return Path(next(a for a in kubectl._command if a.startswith("--kubeconfig=")).partition("=")[2])


@pytest.fixture(scope="module")
def zenctl(fixture: Fixture, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Zenctl:
    return Zenctl(kubeconfig, tmp_path_factory.mktemp("store"), f"{fixture.prefix}-system")


@pytest.fixture(scope="module")
def before(fixture: Fixture) -> dict[str, dict[str, Any]]:
    return fixture.live()


def test_files_bring_objects_with_their_status(fixture, before):
    assert len(before) == COUNT
    for sample in fixture.samples:
        metadata = sample.object["metadata"]
        live = before[f"{metadata['namespace']}/{metadata['name']}"]
        assert (live["spec"], live.get("status")) == (sample.object["spec"], sample.object.get("status"))


def test_the_whole_cluster_is_backed_up(zenctl, before):
    made = zenctl("backup")["data"]
    rows = {row["resource"]: row for row in made["collections"]}
    assert rows[PLURAL]["objects"] == COUNT
    assert (rows[PLURAL]["consistency"], rows["configmaps"]["objects"]) == ("snapshot", 1)
    assert made["archive"]["complete"]
    (listed,) = zenctl("backup", "list")["data"]["archives"]
    assert listed["id"] == made["archive"]["id"]
    assert zenctl("backup", "verify", "--level", "3")["data"]["problems"] == 0


def test_after_losing_everything_everything_comes_back(zenctl, fixture, kubectl, before):
    kubectl("delete", "crd", PLURAL)
    kubectl("-n", zenctl.system_namespace, "delete", "configmap", "filters")
    kubectl("delete", "namespace", fixture.namespaces[0])
    answer = zenctl("restore", "latest", "--yes")["data"]
    assert answer["definitionsCreated"] == [PLURAL]
    assert answer["namespacesCreated"] == [fixture.namespaces[0]]
    after = fixture.live()
    assert {key: told(item) for key, item in after.items()} == {key: told(item) for key, item in before.items()}
    row = next(row for row in answer["batches"] if row["resource"] == PLURAL)
    assert row["done"] == {"created": COUNT}
    assert "altered" not in row["status"]
    restored = kubectl.json("-n", zenctl.system_namespace, "get", "configmap", "filters")
    assert restored["data"] == {"filter": "a: 1"}


def test_what_came_back_remembers_where_it_came_from(fixture, before):
    for key, item in fixture.live().items():
        was = before[key]["metadata"]
        annotations, earlier = item["metadata"]["annotations"], was.get("annotations", {})
        assert annotations[ORIGINAL_UID] == earlier.get(ORIGINAL_UID, was["uid"])
        assert annotations[ORIGINAL_CREATION] == earlier.get(ORIGINAL_CREATION, was["creationTimestamp"])
        assert item["metadata"]["uid"] != was["uid"]


@pytest.mark.parametrize("policy", ["skip", "update"])
def test_a_second_restore_writes_nothing(zenctl, fixture, policy):
    before = {key: item["metadata"]["resourceVersion"] for key, item in fixture.live().items()}
    answer = zenctl("restore", "latest", "--yes", "--on-conflict", policy)["data"]
    assert {key: item["metadata"]["resourceVersion"] for key, item in fixture.live().items()} == before
    done = [row["done"] for row in answer["batches"]]
    assert done == [{{"skip": "skipped", "update": "unchanged"}[policy]: count} for count in (COUNT, 1)]


def test_what_exists_is_refused_where_nothing_may_exist(zenctl):
    assert zenctl("restore", "latest", "--yes", "--on-conflict", "fail", code=4)["verdict"] == "refused"


def test_a_cleanup_without_the_permission_to_delete_ends_with_6(zenctl, fixture, restricted_kubeconfig):
    rules = [{"apiGroups": ["zen.kube-zen.io"], "resources": ["*"], "verbs": ["get", "list"]}]
    who = restricted_kubeconfig(rules)
    before = fixture.live()
    said = zenctl("cleanup", "--older-than", "7d", "--yes", code=6, kubeconfig=who)
    assert "cannot delete zenevents.zen.kube-zen.io in " in said
    assert fixture.live().keys() == before.keys()
    assert zenctl("cleanup", "runs")["data"]["runs"] == []


def test_nothing_is_deleted_unconfirmed(zenctl, fixture):
    assert zenctl("cleanup", "--older-than", "7d", code=4)["kind"] == "CleanupPlan"
    assert zenctl("cleanup", "--older-than", "7d", "--dry-run")["kind"] == "CleanupPlan"
    assert len(fixture.live()) == COUNT


def test_cleanup_deletes_exactly_what_is_old_by_its_own_word(zenctl, fixture, before):
    def old(answer) -> set[str]:
        judged_at = datetime.fromisoformat(answer["scope"]["now"])
        return {
            f"{fixture.namespace(sample.truth.namespace)}/{sample.truth.name}"
            for sample in fixture.samples
            if sample.truth.deleted_by(WEEK, now=judged_at)
        }

    answer = zenctl("cleanup", "--older-than", "7d", "--yes")["data"]
    assert old(answer)
    assert before.keys() - fixture.live().keys() == old(answer)
    assert answer["deleted"] == len(old(answer))
    # Some of them lie so near the cutoff that a few more have become old by now.
    again = zenctl("cleanup", "--older-than", "7d", "--yes")["data"]
    assert again["deleted"] == len(old(again) - old(answer))
    assert before.keys() - fixture.live().keys() == old(again)


def test_undo_brings_back_what_cleanups_deleted(zenctl, fixture, before):
    runs = zenctl("cleanup", "runs")["data"]["runs"]
    assert [run["exitCode"] for run in runs] == [0] * len(runs)
    for run in runs:
        answer = zenctl("cleanup", "undo", run["run"][:8], "--yes")["data"]
        assert answer["batches"][0]["done"] == {"created": run["deleted"]}
    after = fixture.live()
    assert after.keys() == before.keys()
    assert {key: told(item) for key, item in after.items()} == {key: told(item) for key, item in before.items()}


def test_kubectls_own_yaml_is_restored_with_status(zenctl, fixture, kubectl, observation_crd, tmp_path):
    namespace = fixture.namespaces[1]
    file = tmp_path / "backup-events.yaml"
    file.write_text(kubectl("-n", namespace, "get", PLURAL, "-o", "yaml"))
    before = {key: item for key, item in fixture.live().items() if key.startswith(f"{namespace}/")}
    assert any(item.get("status", {}).get("phase") == "Acknowledged" for item in before.values())
    kubectl("delete", "--raw", observation_crd.path(namespace))
    zenctl("restore", str(file), "--yes")
    after = {key: item for key, item in fixture.live().items() if key.startswith(f"{namespace}/")}
    assert {key: told(item) for key, item in after.items()} == {key: told(item) for key, item in before.items()}


def test_a_backup_that_may_not_list_ends_with_6_and_leaves_nothing(zenctl, restricted_kubeconfig):
    rules = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
        {"apiGroups": ["apiextensions.k8s.io"], "resources": ["customresourcedefinitions"], "verbs": ["get"]},
    ]
    before = sorted(zenctl.store.iterdir())
    assert "cannot list" in zenctl("backup", code=6, kubeconfig=restricted_kubeconfig(rules))
    assert sorted(zenctl.store.iterdir()) == before


def test_a_restore_that_may_not_write_status_stops_before_the_first_write(
    zenctl, fixture, kubectl, restricted_kubeconfig
):
    rules = [
        {"apiGroups": ["zen.kube-zen.io"], "resources": ["zenevents"], "verbs": ["*"]},
        {"apiGroups": ["", "apiextensions.k8s.io"], "resources": ["*"], "verbs": ["*"]},
    ]
    victim = next(iter(fixture.live()))
    namespace, name = victim.split("/")
    kubectl("-n", namespace, "delete", PLURAL, name)
    said = zenctl("restore", "latest", "--yes", code=6, kubeconfig=restricted_kubeconfig(rules))
    missing = said["data"]["missingPermissions"]
    assert {(need["verb"], need["resource"]) for need in missing} == {("update", "zenevents/status")}
    assert victim not in fixture.live()


def test_without_the_crd_nothing_is_done_and_it_says_what_to_do(zenctl, fixture, kubectl):
    kubectl("delete", "crd", PLURAL)
    try:
        for arguments in (("backup",), ("cleanup", "--older-than", "7d", "--yes")):
            assert "zenctl manifests crd" in zenctl(*arguments, code=4)
    finally:
        zenctl("restore", "latest", "--yes")
    assert len(fixture.live()) == COUNT

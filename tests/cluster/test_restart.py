"""A real API server that is stopped and started again in the middle of a backup, a restore and a cleanup."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubectl import Kubectl
from tests.cluster.test_main_job import PLURAL, Zenctl, told
from tests.dataset import samples
from zenctl.archive.verify import How, Level, verify
from zenctl.blob.folder import FolderStore

COUNT = 3_000
PREFIX = "restart"


class Place:
    """A cluster with Observations and a store with a backup of them."""

    def __init__(self, control_plane: ControlPlane, kubectl: Kubectl, store: Path) -> None:
        self.control_plane, self.kubectl = control_plane, kubectl
        self.zenctl = Zenctl(control_plane.kubeconfig(), store, f"{PREFIX}-system")

    def live(self) -> dict[str, Any]:
        """Return what counts of every Observation of ours."""
        items = self.kubectl.json("get", PLURAL, "--all-namespaces")["items"]
        mine = [item for item in items if item["metadata"]["namespace"].startswith(PREFIX)]
        return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": told(item) for item in mine}

    def interrupted(self, *arguments: str, when: Callable[[float], bool], away_seconds: float = 0.0) -> int:
        """Run a command, restart the server as soon as ``when`` (told the seconds since) is true, return its code.

        It stays away for so long.
        """
        zenctl = self.zenctl
        command = [sys.executable, "-m", "zenctl", *arguments, "--kubeconfig", str(zenctl.kubeconfig)]
        command += ["--store", str(zenctl.store), "--system-namespace", zenctl.system_namespace, "-o", "json", "-q"]
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        while process.poll() is None and not when(time.monotonic() - began):
            time.sleep(0.02)
        running = process.poll() is None
        self.control_plane.stop_apiserver()
        time.sleep(away_seconds)
        self.control_plane.start_apiserver()
        _, said = process.communicate(timeout=120)
        assert running, "it had ended before the server was stopped"
        assert "bug" not in said, said
        return process.returncode


@pytest.fixture(scope="module")
def place(
    control_plane: ControlPlane, observation_crd: Any, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    made = Place(control_plane, kubectl, tmp_path_factory.mktemp("store"))
    objects = []
    for sample in samples(COUNT, 3, seed=5, now=datetime.now(UTC).replace(microsecond=0)):
        sample.object["metadata"]["namespace"] = f"{PREFIX}-{sample.truth.namespace}"
        objects.append(sample.object)
    file = tmp_path_factory.mktemp("objects") / "objects.ndjson"
    file.write_text("\n".join(map(json.dumps, objects)))
    kubectl("create", "namespace", f"{PREFIX}-system")
    made.zenctl("restore", str(file), "--yes")
    made.zenctl("backup")
    yield made
    for name in {f"{PREFIX}-system", *(item["metadata"]["namespace"] for item in objects)}:
        kubectl("delete", "--raw", observation_crd.path(name))  # the namespace controller would take its time
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def sound(store: Path) -> set[str]:
    folder = FolderStore(store)
    names = {info.name for info in folder.list()}
    for name in names:
        assert verify(folder, name, How(Level.OBJECTS)).sound
    return names


def test_a_backup_through_a_restart_is_whole_or_not_there(place):
    store = place.zenctl.store
    before = sound(store)

    def reading(_seconds: float) -> bool:
        return any(path.name.endswith(".partial") and path.stat().st_size > 0 for path in store.iterdir())

    code = place.interrupted("backup", when=reading)
    assert code in (0, 5)
    after = sound(store)
    assert before <= after
    assert len(after) == len(before) + (code == 0)
    place.zenctl("backup")


def test_a_restore_through_a_restart_is_ended_by_the_next_run(place):
    expected = place.live()
    assert len(expected) == COUNT
    for namespace in {key.partition("/")[0] for key in expected}:
        place.kubectl("delete", "--raw", f"/apis/zen.kube-zen.io/v1alpha1/namespaces/{namespace}/zenevents")
    assert place.live() == {}
    code = place.interrupted("restore", "latest", "--yes", when=lambda seconds: seconds > 2.0)
    assert code in (0, 3, 5)
    place.zenctl("restore", "latest", "--yes")
    assert place.live() == expected
    done = place.zenctl("restore", "latest", "--yes")
    assert done["kind"] == "RestoreOutcome"
    assert {key for batch in done["data"]["batches"] for key in batch["done"]} == {"skipped"}


@pytest.mark.timeout(300)
def test_a_restart_costs_a_cleanup_nothing_but_time(place):
    """Away for longer than any request is repeated."""
    expected = place.live()
    log: Path = place.zenctl.store / "cleanup-audit.ndjson"
    more = ("--max-percent", "100", "--qps", "150", "--yes")

    def deleting(_seconds: float) -> bool:
        return log.exists() and log.stat().st_size > 0

    assert place.interrupted("cleanup", "--older-than", "7d", *more, when=deleting, away_seconds=20) == 0
    (run,) = place.zenctl("cleanup", "runs")["data"]["runs"]
    assert (run["exitCode"], run["failed"], run["notTried"], run["changed"]) == (0, 0, 0, 0)
    assert run["deleted"] + run["gone"] == run["archived"] == COUNT - len(place.live()) > 300
    place.zenctl("cleanup", "undo", run["run"], "--yes")
    assert place.live() == expected

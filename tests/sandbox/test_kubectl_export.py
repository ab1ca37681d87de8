"""An exported folder in the hands of the real kubectl, and in those of zenctl: what arrives, and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.archive.fakes import MemoryStore
from tests.backup.samples import OBSERVATION_FOLDER, config_map, observation, request
from tests.backup.test_diff import diff
from tests.backup.test_export import AWKWARD
from tests.cli.runner import run
from tests.cluster.kubectl import Kubectl, find_kubectl
from tests.conformance.embedded import sandbox
from tests.dataset import samples
from tests.fakes import FixedClock, SilentProgress
from tests.sandbox.world import in_process, kubeconfig_of, with_observations
from zenctl.archive.reader import Archive, open_archive
from zenctl.backup.create import BackupPorts, create_backup
from zenctl.backup.diff import Differences
from zenctl.backup.export import export
from zenctl.blob.folder import FolderStore
from zenctl.core.provenance import ORIGINAL_UID
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.sandbox.apiserver.server import ApiServer

FILES = ("namespaces.yaml", "crd.yaml", "events.yaml", "configmaps.yaml")


def backed_up(server: ApiServer) -> Archive:
    """Back a sandbox up."""
    client = in_process(server)
    gateway, store = Gateway(client), MemoryStore()
    ports = BackupPorts(Discovery(client), gateway, gateway, store, SilentProgress(), FixedClock())
    return open_archive(store, create_backup(ports, request()).name)


@pytest.fixture(scope="module")
def archive() -> Archive:
    """Give the backup of a cluster whose objects hold what YAML is bad at."""
    server = with_observations()
    awkward = {f"k{place}": text for place, text in enumerate(AWKWARD)}
    found = [sample.object for sample in samples(40, 3, seed=2, now=datetime.now(UTC))]
    found += [
        observation("awkward", details=awkward, tags=list(AWKWARD), fingerprint="58e90123"),
        config_map("filters", **awkward),
    ]
    assert server.load(found) == (len(found), [])
    return backed_up(server)


@pytest.fixture(scope="module")
def folder(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "out"
    export(archive, FolderStore(path), SilentProgress())
    return path


@contextmanager
def an_empty_cluster(folder: Path) -> Iterator[tuple[ApiServer, Path]]:
    server = sandbox()
    with kubeconfig_of(server, folder) as kubeconfig:
        yield server, kubeconfig


def fields(found: Differences) -> set[str]:
    """Return the beginnings of the paths that differ."""
    return {field.path.partition(".")[0] for each in found.tally.named for field in each.fields}


@pytest.mark.skipif(find_kubectl() is None, reason="needs the program kubectl")
def test_kubectl_applies_every_file_and_drops_the_status(archive, folder, tmp_path):
    with an_empty_cluster(tmp_path / "sandbox") as (server, kubeconfig):
        kubectl = Kubectl(kubeconfig, tmp_path / "cache")
        for name in FILES:
            kubectl("apply", "-f", str(folder / name))
        again = backed_up(server)
        names = kubectl("get", "ze", "-A", "-o", "name").split()
    assert len(names) == 41
    found = diff(archive, again)
    # kubectl notes what it applied in an annotation, and status is gone; everything else is there.
    assert fields(found) == {"metadata", "status"}
    noted = "kubectl.kubernetes.io/last-applied-configuration"
    changed = [field for each in found.tally.named for field in each.fields if field.path.startswith("metadata")]
    assert all(noted in f"{field.path} {field.right}" for field in changed)
    lost = [each for each in found.tally.named if any(field.path.startswith("status") for field in each.fields)]
    assert len(lost) > 20


@pytest.mark.skipif(find_kubectl() is None, reason="needs the program kubectl")
def test_kubectl_applies_it_a_second_time_and_nothing_changes(folder, tmp_path):
    with an_empty_cluster(tmp_path / "sandbox") as (server, kubeconfig):
        kubectl = Kubectl(kubeconfig, tmp_path / "cache")
        states = []
        for _ in range(2):
            for name in FILES:
                kubectl("apply", "-f", str(folder / name))
            states.append(backed_up(server))
    assert diff(states[0], states[1]).tally.differing == 0


def test_zenctl_restores_the_folder_with_every_status(archive, folder, tmp_path):
    with an_empty_cluster(tmp_path / "sandbox") as (server, kubeconfig):
        ran = run("restore", folder, "--yes", "--kubeconfig", kubeconfig, "-q")
        assert ran.code == 0, ran.stderr
        again = backed_up(server)
    found = diff(archive, again)
    assert (found.tally.differing, found.tally.unchanged) == (0, 43)
    collection = again.collection(OBSERVATION_FOLDER)
    assert collection is not None
    assert all(ORIGINAL_UID.encode() in line for _, line in again.objects(collection))

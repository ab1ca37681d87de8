"""Sandboxes with stores beside them, driven by the command line, and what must hold of both. No test is here."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.cli.runner import environment, run, start_program
from tests.conformance.embedded import TOKEN
from tests.sandbox.world import kubeconfig_of, with_observations
from zenctl.archive.format import Footer
from zenctl.archive.reader import list_archives
from zenctl.archive.verify import How, Level, verify
from zenctl.blob.folder import FolderStore
from zenctl.sandbox.apiserver.server import ApiServer

SYSTEM_NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zen-system"}}
Json = dict[str, Any]


class Place:
    """A sandbox with its kubeconfig, and a store beside it."""

    def __init__(self, server: ApiServer, kubeconfig: Path, store: Path) -> None:
        self.server, self.kubeconfig, self.store = server, kubeconfig, store

    def at(self, *words: str) -> list[str]:
        return [*words, "--kubeconfig", str(self.kubeconfig), "--store", str(self.store), "--cluster-name", "test"]

    def do(self, *words: str) -> None:
        """Run a command to its end, in this process."""
        ran = run(*self.at(*words))
        assert ran.code == 0, f"{words}: {ran.stderr}{ran.stdout}"

    def duration_seconds(self, *words: str) -> float:
        """Return how long the program takes when nothing disturbs it."""
        began = time.perf_counter()
        process = start_program(*self.at(*words), environ=environment())
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return time.perf_counter() - began

    def killed(self, after_seconds: float, *words: str) -> bool:
        """Start the program and kill it after a while; say whether it had ended by itself."""
        process = start_program(*self.at(*words), environ=environment())
        try:
            process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate(timeout=60)
        return process.returncode == 0


@contextlib.contextmanager
def a_place(folder: Path, content: Sequence[Json] = ()) -> Iterator[Place]:
    server = with_observations()
    _, refused = server.load(
        [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zen-system"}}, *content]
    )
    assert refused == []
    folder.mkdir(parents=True, exist_ok=True)
    with kubeconfig_of(server, folder / "home") as kubeconfig:
        yield Place(server, kubeconfig, folder / "store")


def sound_archives(store: Path) -> list[str]:
    """Return the archives that a listing shows; each of them is whole."""
    folder = FolderStore(store)
    names = []
    for listed in list_archives(folder):
        assert isinstance(listed.footer, Footer), f"half a backup is listed: {listed}"
        result = verify(folder, listed.name, How(Level.OBJECTS))
        assert result.sound, result.problems
        names.append(listed.name)
    return names


def state(server: ApiServer) -> dict[str, Json]:
    """Return what counts of every Observation and ConfigMap: content and status, not what the server owns."""
    found: dict[str, Json] = {}
    for path in ("/apis/zen.kube-zen.io/v1alpha1/zenevents", "/api/v1/configmaps"):
        answer = server.call("GET", path, [("Authorization", "Bearer " + TOKEN)], b"")
        assert answer.status == 200, answer.body
        for item in msgspec.json.decode(answer.body)["items"]:
            metadata = item["metadata"]
            key = f"{path} {metadata['namespace']}/{metadata['name']}"
            assert key not in found, "an object is there twice"
            found[key] = {k: item.get(k) for k in ("spec", "status", "data")} | {"labels": metadata.get("labels")}
    return found


def revision_of(server: ApiServer) -> str:
    path = "/apis/zen.kube-zen.io/v1alpha1/zenevents?limit=1"
    answer = server.call("GET", path, [("Authorization", "Bearer " + TOKEN)], b"")
    return str(msgspec.json.decode(answer.body)["metadata"]["resourceVersion"])

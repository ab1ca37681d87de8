"""What a real API server posts to its audit webhook, to the parser and the pipeline."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster.controlplane import ASSETS_VARIABLE, ControlPlane
from tests.cluster.kubectl import Kubectl, find_kubectl
from watcher.pipeline.pipeline import Batch, Pipeline, bounds_of
from watcher.pipeline.plan import Create
from watcher.sources.registry import PARSERS
from watcher.sources.reports import load
from zenctl.product.configuration import Configuration
from zenctl.product.filters import Filter, own

CRD = Path(__file__).parents[2] / "zenctl" / "manifests" / "crd.yaml"
POLICY = '{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "RequestResponse"}]}'
HIDDEN = ("hunter2", "aHVudGVyMg")


class Receiver(ThreadingHTTPServer):
    """Takes what is posted."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiver():
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen in half a minute")


def flags(folder: Path, port: int) -> list[str]:
    (folder / "policy.json").write_text(POLICY)
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}/audit/webhook"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ""}}],
    }  # fmt: skip
    (folder / "webhook.json").write_text(json.dumps(config))
    return [
        f"--audit-policy-file={folder / 'policy.json'}", f"--audit-webhook-config-file={folder / 'webhook.json'}",
        "--audit-webhook-batch-max-wait=1s",
    ]  # fmt: skip


@pytest.mark.cluster
def test_a_real_server_tells_of_secrets_and_not_what_is_in_them(tmp_path):
    if find_kubectl() is None or not os.environ.get(ASSETS_VARIABLE):
        pytest.skip("it starts a server of its own")
    with receiver() as server:
        plane = ControlPlane.from_environment(apiserver_flags=flags(tmp_path, server.server_address[1])).start()
        try:
            kubectl = Kubectl(plane.kubeconfig(), tmp_path / "cache")
            kubectl("create", "secret", "generic", "s", "--from-literal=password=hunter2")
            kubectl("delete", "secret", "s")
            kubectl("apply", "-f", str(CRD))
            kubectl("wait", "--for=condition=Established", "crd/zenevents.zen.kube-zen.io")
            kubectl("create", "-f", "-", stdin=json.dumps(OBSERVATION))
            kubectl("delete", "zenevent", "trivy-x")
            until(lambda: ("delete", "zenevents", "ResponseComplete") in requests(server.bodies))
        finally:
            plane.stop()
    _check(server.bodies)


def requests(bodies: list[bytes]) -> set[tuple[str, str, str]]:
    items = [item for body in list(bodies) for item in load(body)]
    return {(item["verb"], item.get("objectRef", {}).get("resource", ""), item["stage"]) for item in items}


OBSERVATION = {
    "apiVersion": "zen.kube-zen.io/v1alpha1",
    "kind": "Observation",
    "metadata": {"name": "trivy-x", "namespace": "default"},
    "spec": {"source": "trivy", "category": "security", "severity": "HIGH", "eventType": "vulnerability"},
}


def _check(bodies: list[bytes]) -> None:
    assert b"aHVudGVyMg" in b"".join(bodies)  # the server does post what is in a Secret
    line = Pipeline(
        Filter(own=own("zen.kube-zen.io", "zen-system")), bounds_of(Configuration()), default_namespace="zen-system"
    )
    created: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for item in (item for body in bodies for item in load(body)):
        plan = line.take(Batch("audit", PARSERS["audit"](item), listed=False), datetime.now(UTC))
        dropped += plan.dropped
        for write in plan.writes:
            text = json.dumps(write.object if isinstance(write, Create) else "")
            assert not any(secret in text for secret in HIDDEN)
            if isinstance(write, Create) and write.object["spec"]["resource"].get("name") == "s":
                created[write.object["spec"]["details"]["verb"]] += 1
    assert created == {"create": 1, "delete": 1}
    assert dropped["self"] >= 1
    # The same batches again, as after an answer that was lost.
    items = [item for body in bodies for item in load(body)]
    again = [line.take(Batch("audit", PARSERS["audit"](item), listed=False), datetime.now(UTC)) for item in items]
    assert [plan.writes for plan in again if plan.writes] == []

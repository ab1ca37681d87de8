"""What surrounds a run at night, on a whole API server: Leases, Events, and the documented roles."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes import FixedClock
from zenctl.core.objects import LEASE, KeyFields, ObjectKey
from zenctl.errors import Refused
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.unattended.event import Failure, tell
from zenctl.unattended.lease import HeldLease, LeasePorts

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def gateway(kubeconfig: Path) -> Iterator[Gateway]:
    """Give the administrator's gateway."""
    client = Client(Connection(ConnectOptions(kubeconfig=str(kubeconfig)), {}), timeout_seconds=30, user_agent="test")
    yield Gateway(client)
    client.close()


def _lease(gateway: Gateway, namespace: str, holder: str, clock: FixedClock | None = None) -> HeldLease:
    ports = LeasePorts(gateway, gateway, gateway, clock or FixedClock(), lambda _said: None)
    return HeldLease(ports, ObjectKey(namespace, "zenctl-test"), holder, "backup")


def test_a_lease_is_taken_kept_and_given_back(gateway, namespace):
    clock = FixedClock()
    mine = _lease(gateway, namespace, "pod-a", clock)
    assert mine.acquire() == ""
    clock.advance(timedelta(seconds=2))
    mine.renew()
    mine.check()
    waiting = FixedClock()

    def sleep(seconds: float) -> None:
        for each in (waiting, clock):
            each.advance(timedelta(seconds=seconds))
        mine.renew()

    waiting.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(Refused, match="held by pod-a, since 20"):
        _lease(gateway, namespace, "pod-b", waiting).acquire()
    mine.release()
    other = _lease(gateway, namespace, "pod-b")
    assert other.acquire() == ""
    mine.renew()
    with pytest.raises(Refused):
        mine.check()
    other.check()
    other.release()


def test_a_lease_that_has_run_out_is_taken_over(gateway, namespace, kubectl):
    gone = _lease(gateway, namespace, "pod-a")
    gone.acquire()
    gone._ended.set()
    past = (datetime.now(UTC) - timedelta(seconds=90)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    kubectl("-n", namespace, "patch", "lease", "zenctl-test", "--type=merge", "-p",
            json.dumps({"spec": {"renewTime": past}}))  # fmt: skip
    mine = _lease(gateway, namespace, "pod-b")
    assert mine.acquire() == ""
    found = kubectl.json("-n", namespace, "get", "lease", "zenctl-test")["spec"]
    assert (found["holderIdentity"], found["leaseTransitions"]) == ("pod-b", 1)
    gone.renew()
    with pytest.raises(Refused, match="held by pod-b"):
        gone.check()
    mine.release()


def test_a_lease_in_a_namespace_that_is_not_there_is_none(gateway):
    assert "not found" in _lease(gateway, "no-such-namespace", "pod-a").acquire()


@pytest.mark.parametrize("deployed", [False, True])
def test_an_event_is_taken_and_shown(gateway, namespace, kubectl, deployed):
    if deployed:
        kubectl.apply(_deployment(namespace))
    at = datetime.now(UTC)
    tell(gateway, namespace, Failure("BackupFailed", "exit code 5: no answer", at, "ab12"))
    (event,) = kubectl.json("-n", namespace, "get", "events")["items"]
    kind, name = ("Deployment", "zen-watcher") if deployed else ("Namespace", namespace)
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (kind, name)
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "BackupFailed", "exit code 5: no answer")
    assert event["lastTimestamp"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _deployment(namespace: str) -> dict[str, Any]:
    labels = {"app": "zen-watcher"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "watcher", "image": "none"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "zen-watcher", "namespace": namespace, "labels": labels},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def test_the_documented_roles_suffice_for_a_backup_and_for_telling_of_a_failure(
    namespace, kubectl, observation_crd, gateway, target, tmp_path
):
    user = f"nightly-{namespace}"
    bindings = list(_bound(user, namespace))
    kubectl.apply(*bindings)
    kubeconfig = target.kubeconfig_of(user, tmp_path / "kubeconfig")
    kubectl.apply(_deployment(namespace))
    try:
        done = _zenctl(kubeconfig, namespace, tmp_path / "store")
        assert (done.returncode, "lease" in done.stderr) == (0, False), done.stderr
        lease = gateway.get(LEASE, ObjectKey(namespace, "zenctl-backup"), KeyFields)
        assert not json.loads(bytes(lease.body))["spec"].get("holderIdentity")
        done = _zenctl(kubeconfig, namespace, "ftp://nowhere")
        assert (done.returncode, "could not" in done.stderr) == (2, False)
        (event,) = kubectl.json("-n", namespace, "get", "events")["items"]
        assert (event["involvedObject"]["name"], event["reason"]) == ("zen-watcher", "BackupFailed")
    finally:
        for thing in bindings:
            scope = ("-n", namespace) if "namespace" in thing["metadata"] else ()
            kubectl("delete", thing["kind"], thing["metadata"]["name"], *scope)


def _bound(user: str, namespace: str) -> Iterator[dict[str, Any]]:
    """Yield the roles of both pages under the names of this user, each with its binding."""
    text = "\n---\n".join((DOCS / page).read_text() for page in ("backup.md", "unattended.md"))
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    api = "rbac.authorization.k8s.io"
    roles = [role for block in blocks for role in yaml.safe_load_all(block) if "rules" in role]
    for number, role in enumerate(roles):
        name = f"{user}-{number}"
        metadata = {"name": name, **({"namespace": namespace} if "namespace" in role["metadata"] else {})}
        yield {**role, "metadata": metadata}
        yield {
            "apiVersion": f"{api}/v1",
            "kind": f"{role['kind']}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": api, "kind": role["kind"], "name": name},
            "subjects": [{"apiGroup": api, "kind": "User", "name": user}],
        }


def _zenctl(kubeconfig: Path, namespace: str, store: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "zenctl", "backup", "--event"]
    command += ["--kubeconfig", str(kubeconfig), "--system-namespace", namespace, "--store", str(store)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)

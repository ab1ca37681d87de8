"""The control plane of the tests is itself a real one: it answers, authorizes, keeps its data and goes away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane, ControlPlaneError
from tests.cluster.kubectl import Kubectl

READ_CONFIGMAPS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]


def test_it_answers_its_version(control_plane):
    status, version = control_plane.request("GET", "/version")
    assert status == 200
    assert version["gitVersion"].startswith("v1.")


def test_an_unknown_token_is_refused(control_plane):
    status, answer = control_plane.request("GET", "/api/v1/namespaces", token="unknown")
    assert status == 401
    assert answer["reason"] == "Unauthorized"


def test_a_restart_keeps_data_and_address(control_plane):
    before = control_plane.url
    body = {"metadata": {"name": "kept"}, "data": {"a": "1"}}
    assert control_plane.request("POST", "/api/v1/namespaces/default/configmaps", body)[0] == 201
    control_plane.restart_apiserver()
    assert control_plane.url == before
    status, found = control_plane.request("GET", "/api/v1/namespaces/default/configmaps/kept")
    assert (status, found["data"]) == (200, {"a": "1"})


def test_a_stopped_api_server_refuses_connections(control_plane):
    control_plane.stop_apiserver()
    try:
        with pytest.raises(ConnectionRefusedError):
            control_plane.request("GET", "/version")
    finally:
        control_plane.start_apiserver()


def test_compaction_expires_continue_tokens(control_plane):
    path = "/api/v1/namespaces?limit=1"
    token = control_plane.request("GET", path)[1]["metadata"]["continue"]
    assert control_plane.request("GET", f"{path}&continue={token}")[0] == 200
    # Any write moves the revision on; the token's own is then compacted away.
    assert control_plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": "moves-on"}})[0] == 201
    control_plane.compact()
    status, answer = control_plane.request("GET", f"{path}&continue={token}")
    assert (status, answer["reason"]) == (410, "Expired")


def test_a_declared_user_has_a_token_and_an_undeclared_one_a_certificate(control_plane, tmp_path):
    kubectl = Kubectl(control_plane.kubeconfig("jane", groups=["system:masters"]), tmp_path)
    assert kubectl("auth", "can-i", "delete", "nodes").strip() == "yes"
    nobody = Kubectl(control_plane.kubeconfig("nobody"), tmp_path)
    assert 'User "nobody" cannot list' in nobody.run("get", "nodes").stderr


def test_kubectl_creates_a_config_map(kubectl, namespace):
    kubectl("-n", namespace, "create", "configmap", "made", "--from-literal=a=1")
    assert kubectl.json("-n", namespace, "get", "configmap", "made")["data"] == {"a": "1"}


def test_a_restricted_user_may_do_what_the_rules_say(restricted_kubeconfig, namespace, tmp_path):
    allowed = _may_list_configmaps(restricted_kubeconfig, tmp_path)
    assert allowed(namespace, None)
    assert allowed(namespace, namespace)
    assert not allowed("default", namespace)


def test_the_crd_is_served(kubectl, observation_crd, namespace):
    listed = json.loads(kubectl("get", "--raw", observation_crd.path(namespace)))
    assert (listed["kind"], listed["items"]) == ("ObservationList", [])


def test_missing_binaries_are_named(tmp_path):
    with pytest.raises(ControlPlaneError, match="has no etcd, kube-apiserver"):
        ControlPlane(tmp_path).start()


def test_a_server_that_fails_shows_its_log_and_leaves_nothing(control_plane):
    broken = ControlPlane.from_environment(apiserver_flags=["--no-such-flag"])
    with pytest.raises(ControlPlaneError, match="unknown flag: --no-such-flag"):
        broken.start()
    assert not broken.directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with a killed parent")
def test_a_killed_owner_takes_its_servers_along(control_plane):
    command = [sys.executable, "-m", "tests.cluster.controlplane"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as owner:
        assert owner.stdout is not None
        printed = owner.stdout.readline()
        assert printed.startswith("export KUBECONFIG=")
        directory = Path(printed.strip().removeprefix("export KUBECONFIG=")).parent
        assert _processes_naming(directory)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _processes_naming(directory):
        assert time.monotonic() < deadline, "the servers outlived their owner"
        time.sleep(0.1)
    shutil.rmtree(directory)


def _may_list_configmaps(factory: Callable[..., Path], cache: Path) -> Callable[[str, str | None], bool]:
    def allowed(where: str, scope: str | None) -> bool:
        user = Kubectl(factory(READ_CONFIGMAPS, namespace=scope), cache)
        assert user.run("-n", where, "get", "secrets").returncode != 0
        return user.run("-n", where, "get", "configmaps").returncode == 0

    return allowed


def _processes_naming(directory: Path) -> list[str]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text())
        except OSError:
            continue  # it ended meanwhile
    return [line for line in lines if str(directory) in line]

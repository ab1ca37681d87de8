"""A tour with the real kubectl: what a person does on a cluster, done on the sandbox.

The tests share one sandbox and run in the order that they stand in.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.kubectl import Kubectl, find_kubectl
from tests.sandbox.world import kubeconfig_of, with_observations
from zenctl.sandbox.apiserver.pod_logs import LogKey
from zenctl.sandbox.apiserver.server import ApiServer

pytestmark = pytest.mark.skipif(find_kubectl() is None, reason="needs the program kubectl")

ZE = "zenevents.zen.kube-zen.io"
POD_UID = "6d8bd0a1-0a0c-4c5e-9b5a-3a8f3c1d2e4f"
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "uid": POD_UID},
    "spec": {"nodeName": "node-1", "containers": [{"name": "app", "image": "example.com/app:1"}]},
    "status": {
        "phase": "Running",
        "podIP": "10.0.0.7",
        "containerStatuses": [
            {"name": "app", "ready": True, "restartCount": 3, "image": "example.com/app:1", "imageID": "",
             "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {}}
        ],
    },
}  # fmt: skip
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "node-1"},
    "status": {
        "capacity": {"cpu": "4", "memory": "8Gi"},
        "allocatable": {"cpu": "4", "memory": "8Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
EVENT = {
    "apiVersion": "v1",
    "kind": "Event",
    "metadata": {"name": "web.1", "namespace": "shop"},
    "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web", "apiVersion": "v1", "uid": POD_UID},
    "reason": "BackOff",
    "message": "Back-off restarting failed container",
    "type": "Warning",
    "count": 4,
    "firstTimestamp": "2026-01-01T00:00:00Z",
    "lastTimestamp": "2026-01-01T01:00:00Z",
}
WINDOW = {"timestamp": "2026-01-01T00:00:00Z", "window": "30s"}
METRICS: list[dict[str, Any]] = [
    {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
     "metadata": {"name": "web", "namespace": "shop"}, **WINDOW,
     "containers": [{"name": "app", "usage": {"cpu": "125m", "memory": "64Mi"}}]},
    {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics",
     "metadata": {"name": "node-1"}, **WINDOW, "usage": {"cpu": "1", "memory": "2Gi"}},
]  # fmt: skip


def finding(name: str, severity: str = "HIGH", **metadata: Any) -> dict[str, Any]:
    """Return an Observation."""
    return {
        "apiVersion": "zen.kube-zen.io/v1alpha1",
        "kind": "Observation",
        "metadata": {"name": name, "namespace": "shop", "labels": {"severity": severity.lower()}, **metadata},
        "spec": {"source": "trivy", "category": "security", "severity": severity, "eventType": "vulnerability"},
    }


@pytest.fixture(scope="module")
def server() -> ApiServer:
    made = with_observations()
    loaded = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, POD, NODE, EVENT, *METRICS]
    assert made.load(loaded) == (len(loaded), [])
    made.put_log(LogKey("shop", "web", "app"), b"one\ntwo\nthree\n")
    made.put_log(LogKey("shop", "web", "app", previous=True), b"panic\n")
    return made


@pytest.fixture(scope="module")
def kubectl(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    folder = tmp_path_factory.mktemp("tour")
    with kubeconfig_of(server, folder) as path:
        yield Kubectl(path, folder / "cache")


def manifest(folder: Path, *documents: object) -> str:
    """Write a file of YAML documents and return its path."""
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def test_create_and_get_as_table_wide_and_yaml(kubectl, tmp_path):
    said = kubectl("create", "-f", manifest(tmp_path, finding("a"), finding("b", "LOW")))
    assert said.splitlines() == ["observation.zen.kube-zen.io/a created", "observation.zen.kube-zen.io/b created"]
    table = kubectl("-n", "shop", "get", "ze").splitlines()
    assert table[0].split() == ["NAME", "SEVERITY", "SOURCE", "TYPE", "KIND", "RESOURCE", "PHASE", "AGE"]
    assert table[1].split()[:4] == ["a", "HIGH", "trivy", "vulnerability"]
    assert kubectl("get", "zevt", "-A", "-o", "wide").splitlines()[0].split()[0] == "NAMESPACE"
    assert yaml.safe_load(kubectl("-n", "shop", "get", "ze", "a", "-o", "yaml"))["spec"]["severity"] == "HIGH"
    wide = kubectl("-n", "shop", "get", "pods", "-o", "wide").splitlines()
    assert wide[0].split()[:8] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED"]
    assert wide[1].split()[:4] == ["web", "1/1", "Running", "3"]


def test_a_second_create_says_that_it_exists(kubectl, tmp_path):
    done = kubectl.run("create", "-f", manifest(tmp_path, finding("a")))
    assert (done.returncode, done.stderr.strip()[-17:]) == (1, '"a" already exists'[-17:])


def test_selectors(kubectl):
    assert kubectl("-n", "shop", "get", "ze", "-l", "severity=low", "-o", "name").split() == [
        "observation.zen.kube-zen.io/b"
    ]
    assert kubectl("get", "pods", "-A", "--field-selector", "status.phase=Running", "-o", "name").split() == [
        "pod/web"
    ]
    assert kubectl("get", "pods", "-A", "--field-selector", "status.phase!=Running", "-o", "name").split() == []
    done = kubectl.run("get", "ze", "-A", "--field-selector", "spec.severity=LOW")
    assert (done.returncode, "field label not supported: spec.severity" in done.stderr) == (1, True)


def test_watch_shows_what_happens(kubectl, tmp_path):
    watching = subprocess.Popen(
        [*kubectl._command, "-n", "shop", "get", "ze", "-w", "--no-headers"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    lines: list[str] = []
    seen = threading.Event()

    def read(stream: Any) -> None:
        for line in stream:
            lines.append(line.split()[0])
            if lines[-1] == "watched":
                seen.set()

    reader = threading.Thread(target=read, args=(watching.stdout,))
    reader.start()
    try:
        while len(lines) < 2:
            assert watching.poll() is None
            seen.wait(0.05)
        kubectl("create", "-f", manifest(tmp_path, finding("watched")))
        assert seen.wait(20)
    finally:
        watching.terminate()
        watching.communicate()
        reader.join()
    assert lines == ["a", "b", "watched"]


@pytest.mark.parametrize("kind", ["custom", "built-in", "list"])
def test_apply_twice_with_a_change(kubectl, tmp_path, kind):
    def documents(value: str) -> list[dict[str, Any]]:
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "shop"},
                      "data": {"kept": "1", "changed": value}}  # fmt: skip
        custom = finding("applied")
        custom["spec"]["message"] = value
        chosen = {"custom": [custom], "built-in": [config_map], "list": [custom, config_map]}[kind]
        return [{"apiVersion": "v1", "kind": "List", "items": chosen}] if kind == "list" else chosen

    for value, word in (("first", "created"), ("first", "unchanged"), ("second", "configured")):
        said = kubectl("apply", "-f", manifest(tmp_path, *documents(value)))
        assert {line.split()[-1] for line in said.splitlines()} == {word}
    if kind != "built-in":
        assert kubectl("-n", "shop", "get", "ze", "applied", "-o", "jsonpath={.spec.message}") == "second"
        kubectl("-n", "shop", "delete", "ze", "applied")
    if kind != "custom":
        assert kubectl.json("-n", "shop", "get", "cm", "cm")["data"] == {"kept": "1", "changed": "second"}
        kubectl("-n", "shop", "delete", "cm", "cm")


def test_apply_takes_away_what_is_no_longer_wanted(kubectl, tmp_path):
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "shop"},
        "spec": {
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "one", "image": "i:1"}, {"name": "two", "image": "i:1"}]},
            },
        },
    }  # fmt: skip
    kubectl("apply", "-f", manifest(tmp_path, deployment))
    deployment["spec"]["template"]["spec"]["containers"] = [{"name": "two", "image": "i:2"}]
    kubectl("apply", "-f", manifest(tmp_path, deployment))
    live = kubectl.json("-n", "shop", "get", "deploy", "d")
    assert [(each["name"], each["image"]) for each in live["spec"]["template"]["spec"]["containers"]] == [
        ("two", "i:2")
    ]
    assert live["spec"]["replicas"] == 1
    assert live["metadata"]["generation"] == 2


def test_a_misspelt_field_is_refused(kubectl, tmp_path):
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "shop"}, "dat": {}}
    done = kubectl.run("apply", "-f", manifest(tmp_path, config_map))
    assert (done.returncode, 'unknown field "dat"' in done.stderr) == (1, True)


def test_label_and_annotate(kubectl):
    kubectl("-n", "shop", "label", "ze", "a", "team=blue")
    kubectl("-n", "shop", "annotate", "ze", "a", "note=hello")
    kubectl("-n", "shop", "label", "ze", "a", "team-")
    metadata = kubectl.json("-n", "shop", "get", "ze", "a")["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"severity": "high"}, {"note": "hello"})
    kubectl("label", "pods", "-n", "shop", "web", "tier=front")
    assert kubectl("get", "pods", "-A", "-l", "tier=front", "-o", "name").strip() == "pod/web"


def test_patches_of_every_kind(kubectl):
    kubectl("-n", "shop", "patch", "ze", "a", "--type=merge", "-p", '{"spec":{"message":"merged"}}')
    kubectl("-n", "shop", "patch", "ze", "a", "--type=json", "-p", '[{"op":"add","path":"/spec/tags","value":["x"]}]')
    spec = kubectl.json("-n", "shop", "get", "ze", "a")["spec"]
    assert (spec["message"], spec["tags"]) == ("merged", ["x"])
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"three","image":"i:3"}]}}}}'
    kubectl("-n", "shop", "patch", "deploy", "d", "--type=strategic", "-p", patch)
    containers = kubectl.json("-n", "shop", "get", "deploy", "d")["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["three", "two"]
    done = kubectl.run("-n", "shop", "patch", "ze", "a", "--type=strategic", "-p", "{}")
    assert done.returncode == 1


def test_the_status_subresource(kubectl):
    patch = '{"status":{"phase":"Resolved"},"spec":{"severity":"LOW"}}'
    kubectl("-n", "shop", "patch", "ze", "a", "--subresource=status", "--type=merge", "-p", patch)
    found = kubectl.json("-n", "shop", "get", "ze", "a")
    assert (found["status"]["phase"], found["spec"]["severity"]) == ("Resolved", "HIGH")
    kubectl("-n", "shop", "patch", "ze", "a", "--type=merge", "-p", '{"status":{"phase":"Archived"}}')
    assert kubectl.json("-n", "shop", "get", "ze", "a")["status"]["phase"] == "Resolved"


def test_scaling_is_refused(kubectl):
    done = kubectl.run("-n", "shop", "scale", "deploy", "d", "--replicas=3")
    assert done.returncode == 1
    assert "the server could not find the requested resource" in done.stderr
    assert kubectl.json("-n", "shop", "get", "deploy", "d")["spec"]["replicas"] == 1


def test_delete_and_wait(kubectl, tmp_path):
    kubectl("create", "-f", manifest(tmp_path, finding("held", finalizers=["example.com/hold"])))
    kubectl("-n", "shop", "delete", "ze", "held", "--wait=false")
    with_wait = subprocess.Popen(
        [*kubectl._command, "-n", "shop", "wait", "--for=delete", "ze/held", "--timeout=20s"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    kubectl("-n", "shop", "patch", "ze", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert (with_wait.communicate()[1], with_wait.returncode) == ("", 0)
    assert kubectl("wait", "--for=condition=Established", f"crd/{ZE}").endswith("condition met\n")
    assert kubectl("-n", "shop", "delete", "ze", "watched").startswith("observation.zen.kube-zen.io")


def test_explain(kubectl):
    text = kubectl("explain", "ze.spec.severity")
    assert "KIND:       Observation" in text
    assert "FIELD: severity <string>" in text
    assert "replicas" in kubectl("explain", "deployment.spec")


def test_api_resources_and_versions(kubectl):
    found = {line.split()[0]: line for line in kubectl("api-resources", "--no-headers").splitlines()}
    assert "ze,zevt" in found["zenevents"]
    assert "Observation" in found["zenevents"]
    assert {"pods", "deployments", "clusterroles", "leases"} <= found.keys()
    assert "zen.kube-zen.io/v1alpha1" in kubectl("api-versions").split()


def test_what_another_user_may_do(kubectl):
    assert kubectl.run("auth", "can-i", "list", "ze", "-n", "shop", "--as", "jane").stdout.strip() == "no"
    kubectl("create", "role", "reader", "-n", "shop", "--verb=get,list", "--resource=zenevents.zen.kube-zen.io")
    kubectl("create", "rolebinding", "reader", "-n", "shop", "--role=reader", "--user=jane")
    assert kubectl("auth", "can-i", "list", "ze", "-n", "shop", "--as", "jane").strip() == "yes"
    listed = kubectl("auth", "can-i", "--list", "-n", "shop", "--as", "jane")
    assert ["zenevents.zen.kube-zen.io", "[]", "[]", "[get", "list]"] in [
        line.split() for line in listed.splitlines()
    ]
    done = kubectl.run("-n", "shop", "delete", "ze", "a", "--as", "jane")
    assert 'User "jane" cannot delete resource "zenevents" in API group "zen.kube-zen.io"' in done.stderr
    assert "jane" in kubectl("auth", "whoami", "--as", "jane")


def test_many_objects_come_in_chunks(kubectl, server):
    many = [finding(f"n{number:04}") for number in range(1_200)]
    assert server.load(many) == (1_200, [])
    logged = kubectl.run("-n", "shop", "get", "ze", "--chunk-size=500", "--no-headers", "-v=6")
    assert len(logged.stdout.splitlines()) == 1_202
    pages = [line for line in logged.stderr.splitlines() if "limit=500" in line]
    assert len(pages) == 3


def test_delete_raw_with_preconditions(kubectl, tmp_path):
    path = "/apis/zen.kube-zen.io/v1alpha1/namespaces/shop/zenevents/n0001"
    metadata = kubectl.json("get", "-n", "shop", "ze", "n0001")["metadata"]
    options = tmp_path / "options.json"

    def delete(uid: str) -> subprocess.CompletedProcess[str]:
        options.write_text(json.dumps({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}))
        done: subprocess.CompletedProcess[str] = kubectl.run("delete", "--raw", path, "-f", str(options))
        return done

    refused = delete("00000000-0000-0000-0000-000000000000")
    assert (refused.returncode, "the UID in the precondition" in refused.stderr) == (1, True)
    assert delete(metadata["uid"]).returncode == 0
    assert kubectl.run("get", "--raw", path).returncode == 1


def test_events(kubectl):
    assert "BackOff" in kubectl("-n", "shop", "events")
    assert kubectl("-n", "shop", "get", "events", "--no-headers").split()[1:4] == ["Warning", "BackOff", "pod/web"]


def test_logs(kubectl):
    assert kubectl("-n", "shop", "logs", "web") == "one\ntwo\nthree\n"
    assert kubectl("-n", "shop", "logs", "web", "--tail=1") == "three\n"
    assert kubectl("-n", "shop", "logs", "web", "-c", "app", "--previous") == "panic\n"
    done = kubectl.run("-n", "shop", "logs", "-f", "web")
    assert (done.returncode, "following is not served" in done.stderr) == (1, True)
    assert kubectl.run("-n", "shop", "logs", "web", "-c", "other").returncode == 1


def test_top(kubectl):
    assert kubectl("-n", "shop", "top", "pod", "--no-headers").split() == ["web", "125m", "64Mi"]
    assert kubectl("top", "node", "--no-headers").split() == ["node-1", "1000m", "25%", "2048Mi", "25%"]


def test_describe(kubectl):
    assert "Severity:" in kubectl("-n", "shop", "describe", "ze", "a")
    text = kubectl("-n", "shop", "describe", "pod", "web")
    assert ["Node:", "node-1/"] in [line.split() for line in text.splitlines()]
    assert "Back-off restarting failed container" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "shop", "exec", "web", "--", "ls"),
        ("-n", "shop", "port-forward", "pod/web", "8080:80"),
        ("apply", "--server-side", "-f", "-"),
        ("create", "token", "default"),
        ("-n", "shop", "autoscale", "deploy", "d", "--max=3"),
    ],
    ids=lambda arguments: " ".join(arguments[:4]),
)
def test_what_is_not_implemented_is_refused(kubectl, arguments):
    stdin = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ssa", "namespace": "shop"}})
    assert kubectl.run(*arguments, stdin=stdin).returncode == 1
    assert kubectl.run("-n", "shop", "get", "cm", "ssa").returncode == 1


def test_deleting_a_namespace_takes_everything_along(kubectl):
    kubectl("create", "namespace", "gone")
    kubectl("-n", "gone", "create", "cm", "a", "--from-literal=a=b")
    kubectl("delete", "namespace", "gone")
    assert kubectl.run("-n", "gone", "get", "cm", "a").returncode == 1

"""``zenctl sandbox`` as a program: up, status, load, down, and every way in which that can go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.core.helm_samples import revision
from tests.dataset import samples


class Program:
    """Runs zenctl with one sandbox folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ZENCTL_", "KUBE"))}
        self.environ = {**kept, "HOME": str(folder), "ZENCTL_SANDBOX_DIR": str(folder / "box")}
        self.environ["KUBECONFIG"] = str(folder / "box" / "kubeconfig")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it and return code and output."""
        command = [sys.executable, "-W", "error", "-m", "zenctl", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, timeout=60)

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        """Run it with -o json and return the document; what it said on stderr where there is none."""
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == code, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture
def program(tmp_path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    made.run("sandbox", "down")


@pytest.fixture
def up(program: Program) -> Program:
    program("sandbox", "up", "--detach")
    return program


def _load_crd(program: Program) -> None:
    (program.folder / "crd.yaml").write_text(program.run("manifests", "crd").stdout)
    program("sandbox", "load", str(program.folder / "crd.yaml"))


def _load_findings(program: Program, count: int) -> None:
    lines = "\n".join(json.dumps(sample.object) for sample in samples(count, 2, seed=3))
    (program.folder / "findings.ndjson").write_text(lines)
    program("sandbox", "load", str(program.folder / "findings.ndjson"))


def _findings(program: Program) -> list[dict[str, Any]]:
    """Return what the program lists, but for ages, which go on."""
    items = program("events", "list")["items"]
    return [{key: value for key, value in item.items() if "age" not in key.lower()} for item in items]


def test_from_up_to_down(program):
    shown = program("sandbox", "up", "--detach")
    assert shown["kind"] == "SandboxUp"
    kubeconfig = Path(shown["data"]["kubeconfig"])
    assert kubeconfig.stat().st_mode & 0o777 == 0o600
    status = program("sandbox", "status")["data"]
    assert (status["pid"], status["url"]) == (shown["data"]["pid"], shown["data"]["url"])
    assert status["objects"]["namespaces"] == 4
    assert program("sandbox", "down")["data"]["pid"] == shown["data"]["pid"]
    assert not kubeconfig.exists()
    for command in (("status",), ("down",), ("load", "x.yaml")):
        assert "no sandbox runs" in program("sandbox", *command, code=4)


def test_the_output_tells_how_to_go_on(program):
    text = program.run("sandbox", "up", "--detach").stdout
    assert f"export KUBECONFIG={program.folder}/box/kubeconfig" in text
    assert "zenctl sandbox down ends it" in text


def test_two_do_not_share_a_folder(up):
    assert "runs already" in up("sandbox", "up", "--detach", code=4)
    assert "runs already" in up("sandbox", "up", code=4)


def test_a_taken_port_is_said(up):
    port = up("sandbox", "status")["data"]["url"].rpartition(":")[2]
    said = up("sandbox", "up", "--detach", "--port", port, "--dir", str(up.folder / "other"), code=5)
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert not (up.folder / "other" / "kubeconfig").exists()


def test_a_killed_one_can_be_started_again(up):
    pid = up("sandbox", "status")["data"]["pid"]
    os.kill(pid, signal.SIGKILL)
    while up.run("sandbox", "status").returncode != 4:
        time.sleep(0.01)
    again = up("sandbox", "up", "--detach")["data"]
    assert again["pid"] != pid
    assert up("sandbox", "status")["data"]["pid"] == again["pid"]


def test_a_record_without_its_process_is_not_believed(program):
    """A record outlives a process that was killed, and its number may be somebody else's by now: ours."""
    folder = program.folder / "box"
    folder.mkdir()
    (folder / "lock").touch()
    record = {"pid": os.getpid(), "url": "http://127.0.0.1:1", "startedAt": "2026-01-01T00:00:00Z", "seed": 1}
    (folder / "sandbox.json").write_text(json.dumps(record))
    for command in ("down", "status"):
        assert "no sandbox runs" in program("sandbox", command, code=4)
    program("sandbox", "up", "--detach")


def test_objects_and_logs_are_loaded_as_they_are(up, tmp_path):
    dump = tmp_path / "dump"
    (dump / "logs" / "shop" / "web").mkdir(parents=True)
    (dump / "logs" / "shop" / "web" / "app.log").write_text("ready\n")
    (dump / "logs" / "shop" / "web" / "app.previous.log").write_text("panic\n")
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2024-01-02T03:04:05Z",
                     "uid": "11111111-2222-3333-4444-555555555555"},
        "spec": {"containers": [{"name": "app", "image": "a"}]},
        "status": {"phase": "Running"},
    }  # fmt: skip
    (dump / "pods.json").write_text(json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [pod]}))
    loaded = up("sandbox", "load", str(dump))["data"]
    assert (loaded["objects"], loaded["logs"], loaded["refused"]) == (1, 2, [])
    assert up("sandbox", "status")["data"]["objects"]["namespaces"] == 5


def test_what_cannot_be_loaded_is_named(up, tmp_path):
    (tmp_path / "some.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n---\n"
        "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n---\n"
        "replicas: 3\n"
    )
    loaded = up("sandbox", "load", str(tmp_path / "some.yaml"), code=3)
    assert (loaded["data"]["objects"], loaded["data"]["kinds"]) == (1, {"ConfigMap": 1})
    refused = {each["object"]: each["why"] for each in loaded["data"]["refused"]}
    assert "not served here" in refused["Widget w"]
    assert "metadata.name" in refused["ConfigMap Bad_Name"]
    assert "no apiVersion and kind" in refused[f"a document in {tmp_path / 'some.yaml'}"]


@pytest.mark.parametrize("name", ["nothing.yaml", "nothing", "nothing.tar"])
def test_a_path_where_nothing_is_is_named(up, tmp_path, name):
    assert f"no file or folder {tmp_path / name}" in up("sandbox", "load", str(tmp_path / name), code=2)


def test_an_archive_is_loaded_with_everything_in_it(up):
    _load_crd(up)
    _load_findings(up, 40)
    store = str(up.folder / "store")
    name = up("backup", "--store", store)["data"]["archive"]["name"]
    before = _findings(up)
    up("sandbox", "down")
    up("sandbox", "up", "--detach")
    loaded = up("sandbox", "load", str(up.folder / "store" / name))["data"]
    assert loaded["kinds"] == {"CustomResourceDefinition": 1, "Observation": 40}
    assert _findings(up) == before


def test_an_archive_of_an_installation_is_loaded_without_the_documents_made_for_people(up):
    _load_crd(up)
    file = up.folder / "installation.json"
    objects = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "zen-system"}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "zen-watcher", "namespace": "zen-system"},
        },
        revision(1, "superseded"),
        revision(2),
    ]
    file.write_text("\n".join(map(json.dumps, objects)))
    up("sandbox", "load", str(file))
    store = str(up.folder / "store")
    made = up("backup", "--store", store, "--plaintext", "--require", "helm")["data"]
    assert [release["deployed"] for release in made["helmReleases"]] == [2]
    up("sandbox", "down")
    up("sandbox", "up", "--detach")
    loaded = up("sandbox", "load", str(up.folder / "store" / made["archive"]["name"]))["data"]
    assert loaded["kinds"] == {"CustomResourceDefinition": 1, "Secret": 2, "ServiceAccount": 1}
    assert loaded["refused"] == []


def test_a_snapshot_carries_on(program):
    kept = str(program.folder / "kept.zst")
    program("sandbox", "up", "--detach", "--snapshot", kept)
    _load_crd(program)
    _load_findings(program, 30)
    before, status = _findings(program), program("sandbox", "status")["data"]
    program("sandbox", "down")
    assert Path(kept).stat().st_mode & 0o777 == 0o600
    program("sandbox", "up", "--detach", "--snapshot", kept)
    after = program("sandbox", "status")["data"]
    assert (after["objects"], after["resourceVersion"]) == (status["objects"], status["resourceVersion"])
    assert _findings(program) == before


def test_a_broken_snapshot_is_refused_and_kept(program):
    kept = program.folder / "kept.zst"
    kept.write_bytes(b"no snapshot")
    assert "the snapshot cannot be read" in program("sandbox", "up", "--snapshot", str(kept), code=8)
    assert kept.read_bytes() == b"no snapshot"


def test_faults_strike_and_are_counted(program):
    program("sandbox", "up", "--detach", "--seed", "7", "--fault", "403:verb=list,resource=zenevents")
    _load_crd(program)
    assert "this fault was asked for" in program("events", "list", code=6)
    assert program("sandbox", "status")["data"]["faults"] == {"403:verb=list,resource=zenevents": 1}


def test_a_further_user_has_a_context_and_no_rights(program):
    program("sandbox", "up", "--detach", "--user", "jane=team-a,team-b")
    _load_crd(program)
    assert 'User "jane" cannot list' in program("events", "list", "--context", "zenctl-sandbox-jane", code=6)
    assert program("events", "list") == program("events", "list", "--context", "zenctl-sandbox")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("up", "--fault", "999"), "is no kind of fault"),
        (("up", "--fault", "429:colour=red"), "no key=value of a fault"),
        (("up", "--user", "=a"), "is no user"),
        (("up", "--port", "70000"), "70000"),
        (("up", "--seed", "x"), "x"),
    ],
)
def test_what_cannot_be_understood_is_refused_before_anything_starts(program, arguments, words):
    assert words in program("sandbox", *arguments, code=2)
    assert not (program.folder / "box").exists()


def test_ctrl_c_ends_it_in_order(program):
    command = [sys.executable, "-m", "zenctl", "sandbox", "up"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process: subprocess.Popen[str] = subprocess.Popen(command, env=program.environ, **streams)  # type: ignore[call-overload]
    assert process.stdout is not None
    assert process.stdout.readline().startswith("sandbox")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "")
    assert not (program.folder / "box" / "kubeconfig").exists()


def test_two_sandboxes_are_two_clusters_unless_the_seed_says_otherwise(program):
    """Backups are kept apart by the uid of kube-system."""

    def uid(*arguments: str) -> str:
        program("sandbox", "up", "--detach", *arguments)
        _load_crd(program)
        found = program("backup", "--store", str(program.folder / "store"))["data"]["archive"]["cluster"]
        program("sandbox", "down")
        return str(found)

    assert uid() != uid()
    assert uid("--seed", "7") == uid("--seed", "7")

"""The commands on object stores: the way there and back, how little is read, what is said, and interruptions."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest

from tests.apiserver import Answer, Request
from tests.backup.samples import observation
from tests.blob.gateway import Do, Gateway, refusal
from tests.blob.servers import NO_METADATA, SECRET, Server
from tests.cli.runner import environment, modules_after, run, start_program
from tests.cli.world import CONFIG_MAPS, EVENTS, OLD, World, a_world
from tests.dataset import samples
from tests.sandbox.world import kubeconfig_of, with_observations
from zenctl.blob.clouds import connect
from zenctl.blob.object import PART_BYTES, ObjectStore
from zenctl.blob.urls import parse_store_url

FEW, COUNT = 500, 2_500
PLURAL = "zenevents.zen.kube-zen.io"
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@contextlib.contextmanager
def a_sandbox(folder: Path, *documents: dict[str, Any]) -> Iterator[Path]:
    """Serve a sandbox with these objects; give its kubeconfig."""
    server = with_observations()
    assert server.load(list(documents)) == (len(documents), [])
    with kubeconfig_of(server, folder) as kubeconfig:
        yield kubeconfig


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


def stored_at(server: Server, url: str) -> dict[str, str]:
    """Return an environment with this store and its credentials."""
    return environment(**server.environ, ZENCTL_STORE=url, ZENCTL_CLUSTER="eu")


def data_of(stdout: str) -> Any:
    """Return what a report says as JSON."""
    return json.loads(stdout)["data"]


@pytest.mark.parametrize("kind", ["s3", "az"])
def test_a_cleanup_and_its_undo_with_the_archive_encrypted(kind, request, tmp_path, monkeypatch):
    server: Server = request.getfixturevalue(kind)
    environ = stored_at(server, server.at(server.new_bucket(), "clusters/eu"))
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"{identity}\n")
    documents = [sample.object for sample in samples(FEW, 3, seed=5, now=NOW)]

    def zenctl(*arguments: str | Path, code: int = 0) -> Any:
        done = run(*arguments, "--kubeconfig", kubeconfig, "-o", "json", "-q", environ=environ)
        assert done.code == code, done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    with a_sandbox(tmp_path / "one", *documents) as kubeconfig:
        more = ("--max-percent", "100", "--yes", "--encrypt-to", str(identity.to_public()))
        cleaned = zenctl("cleanup", "--older-than", "7d", *more)["data"]
        assert 0 < cleaned["deleted"] == cleaned["undo"]["objects"]
        assert (cleaned["undo"]["encrypted"], cleaned["auditLog"]) == (
            True, f"zen-cleanup_{cleaned['undo']['run']}.audit.ndjson",
        )  # fmt: skip
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        store = session_store(environ)
        (audit,) = [info for info in store.list(suffix=".audit.ndjson") if info.name == cleaned["auditLog"]]
        assert store.get(audit.name, 0, audit.size_bytes).count(b'"answer":"deleted"') == cleaned["deleted"]
        (listed,) = zenctl("cleanup", "runs")["data"]["runs"]
        assert (listed["deleted"], listed["exitCode"]) == (cleaned["deleted"], 0)
        assert "is encrypted" in zenctl("cleanup", "undo", "latest", "--yes", code=4)
        undone = zenctl("cleanup", "undo", "latest", "--yes", "--identity", tmp_path / "key.txt")["data"]
        assert undone["batches"][0]["done"] == {"created": cleaned["deleted"]}


def session_store(environ: dict[str, str]) -> ObjectStore:
    """Return the store that the environment names."""
    url = parse_store_url(environ["ZENCTL_STORE"])
    return ObjectStore(url, connect(url, environ, timeout_seconds=10))


@pytest.mark.parametrize("kind", ["s3", "az"])
def test_there_and_back(kind, request, tmp_path):
    server: Server = request.getfixturevalue(kind)
    url = server.at(server.new_bucket(), "clusters/eu")
    environ = stored_at(server, url)
    documents = [sample.object for sample in samples(FEW, 3, seed=5, now=NOW)]

    def zenctl(*arguments: str, kubeconfig: Path) -> Any:
        done = run(*arguments, "--kubeconfig", kubeconfig, "-o", "json", "-q", environ=environ)
        assert done.code == 0, done.stderr
        return json.loads(done.stdout)

    def observations(kubeconfig: Path) -> dict[tuple[str, str], Any]:
        listed = zenctl("events", "list", kubeconfig=kubeconfig)["items"]
        return {(row["namespace"], row["name"]): (row["phase"], row["severity"], row["source"]) for row in listed}

    with a_sandbox(tmp_path / "one", *documents) as kubeconfig:
        created = zenctl("backup", kubeconfig=kubeconfig)["data"]["archive"]
        (listed,) = zenctl("backup", "list", kubeconfig=kubeconfig)["data"]["archives"]
        assert (listed["name"], listed["objects"]) == (created["name"], FEW + 1)
        assert zenctl("backup", "verify", "--level", "3", kubeconfig=kubeconfig)["data"]["problems"] == 0
        before = observations(kubeconfig)
    archive = f"{url.partition('?')[0]}/{created['name']}"
    with a_sandbox(tmp_path / "two") as kubeconfig:
        zenctl("restore", archive, "--yes", kubeconfig=kubeconfig)
        assert observations(kubeconfig) == before
    assert len(before) == FEW


def test_one_object_is_found_in_few_bytes(s3, gateway, tmp_path):
    bucket = s3.new_bucket()
    documents = [sample.object for sample in samples(COUNT, 3, seed=5, now=NOW)]
    with a_sandbox(tmp_path / "one", *documents) as kubeconfig:
        made = run("backup", "--kubeconfig", kubeconfig, "-o", "json", environ=stored_at(s3, s3.at(bucket, "p")))
    size_bytes = data_of(made.stdout)["archive"]["sizeBytes"]
    wanted = documents[COUNT // 2]["metadata"]
    key = f"{wanted['namespace']}/{wanted['name']}"
    environ = stored_at(s3, s3.at(bucket, "p", gateway.url))
    shown = run("backup", "show", "latest", key, "-o", "json", environ=environ)
    assert data_of(shown.stdout)["object"]["metadata"]["name"] == wanted["name"]
    read_bytes = sum(asked.sent_bytes for asked in gateway.asked if asked.what == "get")
    assert read_bytes < size_bytes / 2
    # The listing, each archive's tail, then the size, tail, manifest and member of the one that is meant.
    assert [asked.what for asked in gateway.asked] == ["list", "get", "head", "get", "get", "get"]
    gateway.asked.clear()
    listed = run("backup", "list", "-o", "json", environ=environ)
    assert len(data_of(listed.stdout)["archives"]) == 1
    # The archives, the notes beside them, and one footer.
    assert [asked.what for asked in gateway.asked] == ["list", "get", "list"]
    assert sum(asked.sent_bytes for asked in gateway.asked if asked.what == "get") < 8192


def test_no_secret_is_shown_where_every_request_is(s3, world):
    environ = stored_at(s3, s3.at(s3.new_bucket(), "p"))
    for arguments in (("backup",), ("backup", "list"), ("backup", "verify"), ("backup", "show", "latest")):
        done = run(*arguments, "-v", "--kubeconfig", world.kubeconfig, environ=environ)
        assert done.code == 0, done.stderr
        assert "s3://bucket" in done.stderr
        for text in (SECRET, "endpoint=", "Signature", "Credential"):
            assert text not in done.stdout + done.stderr


def test_in_a_pod_an_object_store_is_as_good_as_a_volume(s3, world):
    environ = stored_at(s3, s3.at(s3.new_bucket(), "p"))
    environ["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
    assert run("backup", "--kubeconfig", world.kubeconfig, environ=environ).code == 0
    del environ["ZENCTL_STORE"]
    refused = run("backup", "--kubeconfig", world.kubeconfig, environ=environ)
    assert (refused.code, "s3://" in refused.hint) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("backup", "list", "--store", "ftp://h/p"), 2, "no store of the kind ftp://"),
        (("backup", "list", "--store", f"s3://k:{SECRET}@bucket/p"), 2, "names no user, secret or port"),
        (("backup", "show", "s3://bucket"), 2, "names a bucket and no archive"),
        (("backup", "list", "--store", "s3://bucket/p"), 6, "no credentials for s3://bucket/p"),
        (("backup", "list", "--store", "az://bucket/p"), 2, "in which storage account"),
        (("restore", "s3://bucket/p/x.tar", "--yes"), 6, "no credentials for s3://bucket/p"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_line(arguments, code, words):
    done = run(*arguments, environ=environment(**NO_METADATA))
    assert (done.code, done.stdout) == (code, "")
    assert words in done.complaint
    assert SECRET not in done.stderr
    assert done.hint


@pytest.mark.parametrize(
    ("do", "code", "words"),
    [
        (refusal(403, "AccessDenied"), 6, "access denied"),
        (refusal(403, "RequestTimeTooSkewed"), 6, "clock"),
        (refusal(404, "NoSuchBucket"), 4, "there is no bucket"),
        (refusal(400, "Strange"), 4, "the store refuses the request (400 Strange)"),
    ],
)
def test_what_a_store_refuses_has_an_exit_code_and_a_hint(s3, gateway, do, code, words):
    gateway.fail("any", do)
    done = run("backup", "list", environ=stored_at(s3, s3.at(s3.new_bucket(), "p", gateway.url)))
    assert (done.code, done.stdout) == (code, "")
    assert words in done.complaint
    assert done.hint


def test_the_client_is_loaded_where_an_object_store_is_used_and_only_there(s3, tmp_path):
    environ = stored_at(s3, s3.at(s3.new_bucket(), "p"))
    loaded = modules_after("backup", "list", environ=environ)
    assert "obstore" in loaded
    assert not {"kubernetes", "urllib3", "requests", "boto3", "aiohttp", "asyncio"} & loaded
    for arguments in (("version",), ("backup", "--help"), ("backup", "list", "--store", str(tmp_path))):
        assert "obstore" not in modules_after(*arguments)


def bulky(world: World, count: int = 30) -> None:
    """Give the cluster Observations that fill several parts even when compressed."""
    generator = random.Random(1)
    for number in range(count):
        document = observation(f"z-{number:03d}", timestamp=OLD, message=generator.randbytes(400_000).hex())
        document["metadata"] |= {"uid": f"z-{number}", "resourceVersion": str(100 + number), "creationTimestamp": OLD}
        world.events.append(document)


def test_a_large_backup_goes_in_parts(s3, gateway, world):
    bulky(world)
    bucket = s3.new_bucket()
    environ = stored_at(s3, s3.at(bucket, "p", gateway.url))
    made = run("backup", "--kubeconfig", world.kubeconfig, "-o", "json", environ=environ)
    assert made.code == 0, made.stderr
    size_bytes = data_of(made.stdout)["archive"]["sizeBytes"]
    assert size_bytes > PART_BYTES
    assert gateway.count("part") == -(-size_bytes // PART_BYTES)
    assert run("backup", "verify", "--level", "3", environ=environ).code == 0
    assert s3.unfinished(bucket) == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_upload_is_aborted_at_the_store(s3, gateway: Gateway, world, sent):
    bucket = s3.new_bucket()
    environ = stored_at(s3, s3.at(bucket, "p", gateway.url))
    assert run("backup", "--kubeconfig", world.kubeconfig, environ=environ).code == 0
    bulky(world)
    reached, never = threading.Event(), threading.Event()

    def stall(_request: object) -> Answer:
        reached.set()
        return Answer(wait=never)

    world.special[CONFIG_MAPS] = stall
    process = start_program("backup", "--kubeconfig", world.kubeconfig, environ=environ)
    try:
        assert reached.wait(30)
        assert s3.unfinished(bucket) != []
        process.send_signal(sent)
        never.set()
        stdout, stderr = process.communicate(timeout=30)
    finally:
        never.set()
        process.kill()
        process.wait()
    assert (process.returncode, stdout) == (130, ""), stderr
    assert "Traceback" not in stderr
    assert s3.unfinished(bucket) == []
    listed = run("backup", "list", "-o", "json", environ=environ)
    assert len(data_of(listed.stdout)["archives"]) == 1
    assert run("backup", "verify", "latest", environ=environ).code == 0


def test_ctrl_c_does_not_wait_for_a_store_that_is_silent(s3, gateway):
    release, reached = threading.Event(), threading.Event()

    def hook(_asked: object) -> Do:
        reached.set()
        return Do(wait=release)

    gateway.hook = hook
    process = start_program("backup", "list", environ=stored_at(s3, s3.at("bucket", "p", gateway.url)))
    try:
        assert reached.wait(30)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        assert time.monotonic() - began < 20  # and not the minute of --request-timeout, several times
    finally:
        release.set()
        process.kill()
        process.wait()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr


def test_a_backup_whose_listing_expires_after_a_part_was_sent_is_made_once_more(s3, gateway, world):
    bulky(world, 40)
    bucket = s3.new_bucket()
    environ = stored_at(s3, s3.at(bucket, "p", gateway.url))
    world.special[EVENTS] = paged(world)
    made = run("backup", "--kubeconfig", world.kubeconfig, "-o", "json", environ=environ)
    assert made.code == 0, made.stderr
    assert run("backup", "verify", "--level", "3", environ=environ).code == 0
    (collection,) = [c for c in data_of(made.stdout)["collections"] if c["resource"] == PLURAL]
    assert (collection["consistency"], collection["objects"]) == ("restarted", 43)
    assert gateway.count("abort") == 1
    assert s3.unfinished(bucket) == []


def paged(world: World) -> Callable[[Request], Answer]:
    """Return a script that lists in pages of ten, whose continue token expires once behind the last page but one."""
    expired = iter([True])

    def answers(request: Request) -> Answer:
        start = int(request.query.get("continue") or 0)
        if start == 40 and next(expired, False):
            return Answer(410, json.dumps({"kind": "Status", "code": 410, "reason": "Expired"}).encode())
        metadata: dict[str, Any] = {"resourceVersion": "9"}
        if start + 10 < len(world.events):
            metadata |= {"continue": str(start + 10)}
        body = {"kind": "ObservationList", "metadata": metadata, "items": world.events[start : start + 10]}
        return Answer(200, json.dumps(body).encode())

    return answers

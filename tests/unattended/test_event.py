"""The Event of a failed run: what it is about, what it says, and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes import FakeCluster
from zenctl.core.objects import DEPLOYMENT, EVENT, NAMESPACE, ObjectKey
from zenctl.errors import Denied
from zenctl.unattended.event import Failure, one_line, tell

SYSTEM = "zen-system"
FAILURE = Failure("BackupFailed", "exit code 5: no answer", datetime(2026, 11, 23, 2, 0, 5, 123, UTC), "ab12")


def _cluster() -> FakeCluster:
    cluster = FakeCluster(EVENT, DEPLOYMENT, NAMESPACE)
    cluster.put(NAMESPACE, {"metadata": {"name": SYSTEM}})
    return cluster


def _told(cluster: FakeCluster, failure: Failure = FAILURE) -> dict[str, Any]:
    tell(cluster, SYSTEM, failure)
    (key,) = cluster.keys(EVENT)
    return cluster.stored(EVENT, key)


def _deploy(cluster: FakeCluster, name: str, **labels: str) -> None:
    cluster.put(DEPLOYMENT, {"metadata": {"name": name, "namespace": SYSTEM, "labels": labels}})


@pytest.mark.parametrize("labels", [{"app": "zen-watcher"}, {"app.kubernetes.io/name": "zen-watcher"}])
def test_it_is_about_the_watchers_deployment(labels):
    cluster = _cluster()
    _deploy(cluster, "other", app="other")
    _deploy(cluster, "my-watcher", **labels)
    event = _told(cluster)
    uid = cluster.stored(DEPLOYMENT, ObjectKey(SYSTEM, "my-watcher"))["metadata"]["uid"]
    assert event["involvedObject"] == {
        "apiVersion": "apps/v1", "kind": "Deployment", "namespace": SYSTEM, "name": "my-watcher", "uid": uid,
    }  # fmt: skip
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "BackupFailed", "exit code 5: no answer")
    assert event["metadata"]["name"] == "my-watcher.ab12"
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-11-23T02:00:05Z"


def test_without_one_it_is_about_the_namespace():
    event = _told(_cluster())
    assert (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == ("Namespace", SYSTEM)
    assert event["involvedObject"]["uid"]


def test_who_may_not_look_writes_it_about_the_namespace():
    cluster = _cluster()
    cluster.forbidden |= {f"list {DEPLOYMENT.full_name}", f"get {NAMESPACE.full_name}"}
    event = _told(cluster)
    assert (event["involvedObject"]["kind"], event["involvedObject"].get("uid")) == ("Namespace", None)


def test_who_may_not_write_it_is_told():
    cluster = _cluster()
    cluster.forbidden.add(f"create {EVENT.full_name}")
    with pytest.raises(Denied):
        tell(cluster, SYSTEM, FAILURE)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("two\nlines\tand \x1b[2J", r"two\nlines\tand \x1b[2J"),
        ("cannot push to https://user:pa55word@push.example/x", "cannot push to https://push.example/x"),
        ("s3://AKIA:secret@bucket/a and https://u:p@h", "s3://bucket/a and https://h"),
        ("mail me@example.org about http://host/@x:y@z", "mail me@example.org about http://host/@x:y@z"),
    ],
)
def test_a_message_is_one_line_without_passwords(said, written):
    assert one_line(said) == written


def test_a_message_has_a_length():
    assert len(one_line("x" * 5_000)) == 1_000

"""The fakes do what the ports say, and what a real server does where slices could tell the difference."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.events.samples import observation
from tests.fakes import NOW, FakeCluster, FixedClock, SequentialWorkers, SilentProgress
from zenctl.core.objects import CONFIG_MAP, NAMESPACE, KeyFields, ObjectKey
from zenctl.errors import Conflict, Denied, Expired, Invalid, NotFound, Unreachable, UsageError
from zenctl.ports import (
    AccessReviewer,
    Clock,
    ClusterInfo,
    Discovery,
    ListQuery,
    ObjectReader,
    ObjectWriter,
    Progress,
    Workers,
)
from zenctl.product.crd import OBSERVATIONS

KEY = ObjectKey("team-a", "one")


def body(document: dict[str, Any], version: str | None = None) -> bytes:
    if version is not None:
        document = {**document, "metadata": {**document["metadata"], "resourceVersion": version}}
    return msgspec.json.encode(document)


def cluster_with(*names: str) -> FakeCluster:
    cluster = FakeCluster(OBSERVATIONS)
    for name in names:
        cluster.put(OBSERVATIONS, observation(name))
    return cluster


def test_the_fakes_satisfy_the_ports():
    cluster = FakeCluster()
    discovery: Discovery = cluster
    reader: ObjectReader = cluster
    writer: ObjectWriter = cluster
    info: ClusterInfo = cluster
    access: AccessReviewer = cluster
    workers: Workers = SequentialWorkers()
    progress: Progress = SilentProgress()
    clock: Clock = FixedClock()
    assert all((discovery, reader, writer, info, access, workers, progress, clock))


def test_creating_drops_the_status_and_gives_an_identity():
    cluster = FakeCluster(OBSERVATIONS)
    answer = cluster.create(OBSERVATIONS, "team-a", body(observation("one", status={"phase": "Resolved"})))
    stored = cluster.stored(OBSERVATIONS, KEY)
    assert "status" not in stored
    assert stored["metadata"]["creationTimestamp"] == "2026-11-23T02:00:00Z"
    assert answer.fields.metadata.uid == stored["metadata"]["uid"]
    assert answer.fields.metadata.resource_version == stored["metadata"]["resourceVersion"]
    with pytest.raises(Conflict):
        cluster.create(OBSERVATIONS, "team-a", body(observation("one")))


def test_a_create_into_a_namespace_that_is_not_there_finds_nothing():
    cluster = FakeCluster(OBSERVATIONS, NAMESPACE)
    with pytest.raises(NotFound):
        cluster.create(OBSERVATIONS, "team-a", body(observation("one")))
    cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})
    assert cluster.create(OBSERVATIONS, "team-a", body(observation("one"))).key == KEY


def test_a_generated_name_is_a_new_one():
    cluster = FakeCluster(OBSERVATIONS)
    document = observation("x")
    document["metadata"] = {"generateName": "backup-"}
    keys = {cluster.create(OBSERVATIONS, "team-a", body(document)).key for _ in range(3)}
    assert len(keys) == 3
    assert all(key.name.startswith("backup-") for key in keys)


@pytest.mark.parametrize(
    "change",
    [{"apiVersion": "v1"}, {"kind": "Pod"}, {"metadata": {"name": "other", "namespace": "team-a"}},
     {"metadata": {"name": "one", "namespace": "other"}}, {"metadata": None}],
)  # fmt: skip
def test_a_body_that_is_something_else_is_invalid(change):
    cluster = cluster_with("one")
    with pytest.raises(Invalid):
        cluster.replace(OBSERVATIONS, KEY, body({**observation("one"), **change}))


def test_replacing_keeps_the_status_and_replacing_the_status_keeps_the_rest():
    cluster = FakeCluster(OBSERVATIONS)
    cluster.put(OBSERVATIONS, observation("one", status={"phase": "Active"}))
    changed = observation("one", status={"phase": "Resolved"}, message="new")

    answer = cluster.replace(OBSERVATIONS, KEY, body(changed, "1"))
    stored = cluster.stored(OBSERVATIONS, KEY)
    assert (stored["spec"]["message"], stored["status"]) == ("new", {"phase": "Active"})
    assert stored["metadata"]["generation"] == 2

    other = observation("one", status={"phase": "Resolved"}, message="newest")
    cluster.replace_status(OBSERVATIONS, KEY, body(other, answer.fields.metadata.resource_version))
    stored = cluster.stored(OBSERVATIONS, KEY)
    assert (stored["spec"]["message"], stored["status"]) == ("new", {"phase": "Resolved"})
    assert stored["metadata"]["generation"] == 2


def test_writing_what_is_there_already_changes_no_version():
    cluster = cluster_with("one")
    stored = cluster.stored(OBSERVATIONS, KEY)
    assert cluster.replace(OBSERVATIONS, KEY, body(stored)).fields.metadata.resource_version == "1"


def test_writes_hold_to_their_preconditions():
    cluster = cluster_with("one")
    with pytest.raises(Invalid):
        cluster.replace(OBSERVATIONS, KEY, body(observation("one")))
    with pytest.raises(Conflict):
        cluster.replace(OBSERVATIONS, KEY, body(observation("one"), "77"))
    with pytest.raises(NotFound):
        cluster.replace_status(OBSERVATIONS, ObjectKey("team-a", "two"), body(observation("two"), "1"))
    stranger = observation("one")
    stranger["metadata"]["uid"] = "other"
    with pytest.raises(Conflict):
        cluster.replace_status(OBSERVATIONS, KEY, body(stranger, "1"))


def test_a_deletion_holds_to_uid_and_version():
    cluster = cluster_with("one")
    uid = cluster.stored(OBSERVATIONS, KEY)["metadata"]["uid"]
    for wrong in ({"uid": "x", "resource_version": "1"}, {"uid": uid, "resource_version": "2"}):
        with pytest.raises(Conflict):
            cluster.delete(OBSERVATIONS, KEY, **wrong)
    cluster.delete(OBSERVATIONS, KEY, uid=uid, resource_version="1")
    with pytest.raises(NotFound):
        cluster.delete(OBSERVATIONS, KEY, uid=uid, resource_version="1")


def test_a_finalizer_keeps_a_deleted_object_until_it_is_taken_off():
    cluster = FakeCluster(OBSERVATIONS)
    held = observation("one")
    held["metadata"] |= {"finalizers": ["x/y"], "uid": "u"}
    cluster.put(OBSERVATIONS, held)
    cluster.delete(OBSERVATIONS, KEY, uid="u", resource_version="1")
    going = cluster.stored(OBSERVATIONS, KEY)
    assert going["metadata"]["deletionTimestamp"]
    del going["metadata"]["finalizers"]
    cluster.replace(OBSERVATIONS, KEY, body(going))
    assert cluster.keys(OBSERVATIONS) == []


def test_pages_are_a_snapshot_in_key_order():
    cluster = cluster_with("c", "a", "b")
    pages = cluster.pages(OBSERVATIONS, KeyFields)
    first = next(pages)
    cluster.put(OBSERVATIONS, observation("d"))
    rest = list(pages)
    assert [item.key.name for page in (first, *rest) for item in page.objects] == ["a", "b", "c"]
    assert [page.remaining for page in (first, *rest)] == [1, None]
    assert {page.resource_version for page in (first, *rest)} == {"3"}


def test_an_empty_collection_is_one_empty_page():
    (page,) = FakeCluster(OBSERVATIONS).pages(OBSERVATIONS, KeyFields)
    assert (list(page.objects), page.remaining, page.restarted) == ([], None, False)


@pytest.mark.parametrize(("restarts", "flags"), [(1, (True, False)), (0, (False, True))])
def test_an_expired_listing_restarts_or_mixes(restarts, flags):
    cluster = cluster_with("a", "b", "c")
    expired = Expired("too old", status=410)
    expired.continue_token = "x"
    pages = cluster.pages(OBSERVATIONS, KeyFields, restarts=restarts)
    next(pages)
    cluster.fail("list", expired, times=1)
    cluster.put(OBSERVATIONS, observation("a0"))
    second = next(pages)
    assert (second.restarted, second.mixed) == flags
    assert [item.key.name for item in second.objects] == (["a", "a0"] if restarts else ["c"])


def test_items_of_built_in_lists_carry_no_type_and_those_of_crds_do():
    cluster = FakeCluster(OBSERVATIONS, CONFIG_MAP)
    cluster.put(CONFIG_MAP, {"metadata": {"name": "one", "namespace": "team-a"}})
    cluster.put(OBSERVATIONS, observation("one"))
    for resource, present in ((CONFIG_MAP, False), (OBSERVATIONS, True)):
        (page,) = cluster.pages(resource, KeyFields)
        assert ("kind" in msgspec.json.decode(page.objects[0].body)) is present
        assert "kind" in msgspec.json.decode(cluster.get(resource, KEY, KeyFields).body)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("severity=high", ["a"]),
        ("severity==low", ["b"]),
        ("severity!=high", ["b", "c"]),
        ("severity in (high, low),tier", ["b"]),
        ("severity notin (high)", ["b", "c"]),
        ("!severity", ["c"]),
        ("", ["a", "b", "c"]),
    ],
)
def test_labels_select_as_kubectl_says(selector, names):
    cluster = FakeCluster(OBSERVATIONS)
    for name, labels in (("a", {"severity": "high"}), ("b", {"severity": "low", "tier": "1"}), ("c", {})):
        document = observation(name)
        document["metadata"]["labels"] = labels
        cluster.put(OBSERVATIONS, document)
    found = [
        item for page in cluster.pages(OBSERVATIONS, KeyFields, ListQuery(None, selector)) for item in page.objects
    ]
    assert [item.key.name for item in found] == names


@pytest.mark.parametrize("query", [ListQuery(field_selector="spec.x=1"), ListQuery(label_selector="a=(")])
def test_what_cannot_be_selected_is_refused(query):
    with pytest.raises(Invalid):
        list(cluster_with("a").pages(OBSERVATIONS, KeyFields, query))


def test_watching_tells_what_happened_and_ends_where_a_server_would_wait():
    cluster = cluster_with("one")
    cluster.put(OBSERVATIONS, observation("one", message="new"))
    cluster.remove(OBSERVATIONS, KEY)
    events = list(cluster.watch(OBSERVATIONS, KeyFields, ListQuery(), "0"))
    assert [(event.type, event.object.fields.metadata.resource_version) for event in events] == [
        ("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "3"),
    ]  # fmt: skip
    assert [event.type for event in cluster.watch(OBSERVATIONS, KeyFields, ListQuery(), "2")] == ["DELETED"]
    cluster.forget_history()
    with pytest.raises(Expired):
        list(cluster.watch(OBSERVATIONS, KeyFields, ListQuery(), "2"))


def test_failures_come_for_the_verb_the_key_and_the_times_that_were_asked_for():
    cluster = cluster_with("one", "two")
    cluster.fail("get", Unreachable("gone"), KEY, times=1)
    assert cluster.get(OBSERVATIONS, ObjectKey("team-a", "two"), KeyFields)
    with pytest.raises(Unreachable):
        cluster.get(OBSERVATIONS, KEY, KeyFields)
    assert cluster.get(OBSERVATIONS, KEY, KeyFields).key == KEY


def test_what_is_forbidden_is_denied_and_reviewed_as_denied():
    cluster = cluster_with("one")
    cluster.forbidden.add("get zenevents.zen.kube-zen.io")
    with pytest.raises(Denied):
        cluster.get(OBSERVATIONS, KEY, KeyFields)
    assert not cluster.allowed(OBSERVATIONS, "get")
    assert cluster.allowed(OBSERVATIONS, "update", subresource="status")


def test_discovery_knows_the_names_that_kubectl_knows():
    cluster = FakeCluster(OBSERVATIONS, CONFIG_MAP)
    for name in ("zenevents", "ze", "zenevent", "zenevents.zen.kube-zen.io", "observation"):
        assert cluster.resolve(name) is OBSERVATIONS
    assert cluster.group("") == (CONFIG_MAP,)
    with pytest.raises(UsageError):
        cluster.resolve("pods")


def test_workers_hand_errors_back_and_stop_when_nobody_listens():
    started: list[int] = []

    def do(job: int) -> int:
        started.append(job)
        if job == 2:
            raise Unreachable("gone")
        return job * 10

    answers = SequentialWorkers().run([1, 2, 3, 4], do)
    assert next(answers) == (1, 10)
    assert isinstance(next(answers)[1], Unreachable)
    answers.close()
    assert started == [1, 2]


def test_the_clock_moves_when_it_is_told_to():
    clock = FixedClock()
    clock.advance(timedelta(seconds=5))
    clock.sleep(0.5)
    assert (clock.now() - NOW, clock.monotonic()) == (timedelta(seconds=5.5), 5.5)

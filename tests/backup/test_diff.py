"""Comparing archives with each other and with the cluster: what is found, and what is not claimed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.archive.fakes import HEADING, MemoryStore, an_object
from tests.backup.samples import a_cluster, back_up, config_map, definition, observation
from tests.fakes import Call, FakeCluster, SilentProgress
from tests.restore.samples import empty_cluster, restore
from zenctl.archive.format import Omission, Scope
from zenctl.archive.reader import Archive, open_archive
from zenctl.archive.writer import ArchiveWriter
from zenctl.backup.compare import Change
from zenctl.backup.diff import EVERYTHING, Differences, Wanted, compare
from zenctl.backup.helm import HELM_REVISION
from zenctl.backup.sides import ArchiveSide, LivePorts, LiveSide, Side, in_key_order
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, ObjectKey, ResourceType
from zenctl.core.observation import GROUP
from zenctl.core.selectors import parse_label_selector
from zenctl.errors import Denied, ExitCode, Expired, Refused, UsageError
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.source import ArchiveSource

SECRET = ResourceType("", "v1", "Secret", "secrets", "secret")


def archive_of(cluster: FakeCluster, **changes: Any) -> Archive:
    return back_up(cluster, MemoryStore(), **changes)[1]


def live(cluster: FakeCluster, archive: Archive) -> LiveSide:
    return LiveSide(LivePorts(cluster, cluster), GROUP, "zen-system", archive)


def diff(left: Side | Archive, right: Side | Archive, wanted: Wanted = EVERYTHING) -> Differences:
    one, other = (ArchiveSide(side) if isinstance(side, Archive) else side for side in (left, right))
    return compare(one, other, wanted, SilentProgress())


def since(archive: Archive, cluster: FakeCluster, wanted: Wanted = EVERYTHING) -> Differences:
    """Return what has changed since a backup."""
    return diff(archive, live(cluster, archive), wanted)


def named(found: Differences) -> list[tuple[str, str]]:
    return [(each.change.value, f"{each.kind} {each.key}") for each in found.tally.named]


def written(*collections: tuple[ResourceType, list[Any]], name: str = "x.tar", **finish: Any) -> Archive:
    """Write an archive of objects in the order in which they are given."""
    store = MemoryStore()
    heading = msgspec.structs.replace(HEADING, scope=finish.pop("scope", Scope()))
    with ArchiveWriter(store.put(name), heading) as writer:
        for resource, objects in collections:
            writer.begin(resource, derived=resource == HELM_REVISION)
            writer.add([an_object(ObjectKey(*key.split("/")), **fields) for key, fields in objects])
            writer.end(consistency="snapshot", resource_versions=())
        writer.finish(**{"complete": True, **finish})
    return open_archive(store, name)


# -- an archive and the cluster ---------------------------------------------------------------------------------


def test_a_cluster_equals_its_backup():
    cluster = a_cluster()
    found = since(archive_of(cluster), cluster)
    assert (found.verdict, found.tally.differing, found.tally.unchanged) == (ExitCode.GOOD, 0, 7)


def test_a_cluster_equals_the_archive_that_was_restored_into_it():
    archive = archive_of(a_cluster())
    restored = restore(empty_cluster(crd=False), ArchiveSource(archive)).cluster
    assert since(archive, restored).tally.differing == 0
    assert diff(archive, archive_of(restored)).tally.differing == 0


def test_everything_that_happened_since_is_found():
    cluster = a_cluster()
    archive = archive_of(cluster)
    cluster.put(OBSERVATIONS, observation("o-00000", phase="Active"))
    cluster.remove(OBSERVATIONS, ObjectKey("team-a", "o-00002"))
    cluster.put(OBSERVATIONS, observation("new", "team-c"))
    cluster.put(CONFIG_MAP, config_map("filters", a="2"))
    cluster.put(CONFIG_MAP, config_map("more"))
    found = since(archive, cluster)
    assert named(found) == [
        ("changed", "Observation team-a/o-00000"),
        ("removed", "Observation team-a/o-00002"),
        ("added", "Observation team-c/new"),
        ("changed", "ConfigMap zen-system/filters"),
        ("added", "ConfigMap zen-system/more"),
    ]
    assert found.verdict is ExitCode.FINDINGS
    turned = diff(live(cluster, archive), archive)
    assert {change: turned.tally.of(change) for change in Change} == {
        Change.ADDED: 1, Change.REMOVED: 2, Change.CHANGED: 2,
    }  # fmt: skip


def test_a_cluster_without_the_crd_lacks_every_object():
    cluster = empty_cluster(crd=False)
    found = since(archive_of(a_cluster()), cluster)
    assert (found.tally.of(Change.REMOVED), found.tally.unchanged) == (7, 0)


def test_a_crd_is_compared_without_its_status_and_others_are_not_looked_for():
    cluster = a_cluster()
    archive = archive_of(cluster)
    crd = definition()
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = []
    cluster.put(CUSTOM_RESOURCE_DEFINITION, crd)
    cluster.put(CUSTOM_RESOURCE_DEFINITION, {**definition(), "metadata": {"name": "others.example.com"}})
    (one,) = since(archive, cluster).tally.named
    assert (one.kind, one.change) == ("CustomResourceDefinition", Change.CHANGED)
    assert one.fields[0].path == "spec.versions[0].additionalPrinterColumns[0]"


def test_a_new_kind_of_the_group_is_found():
    ingesters = msgspec.structs.replace(OBSERVATIONS, plural="ingesters", singular="ingester", kind="Ingester")
    archive = archive_of(a_cluster())
    cluster = a_cluster(ingesters)
    cluster.put(ingesters, {**observation("i"), "kind": "Ingester"})
    assert named(since(archive, cluster)) == [("added", "Ingester team-a/i")]


def test_only_what_a_backup_takes_is_compared():
    cluster = a_cluster()
    archive = archive_of(cluster)
    cluster.put(CONFIG_MAP, config_map("unrelated", "team-a"))
    cluster.put(CONFIG_MAP, config_map("kube-root-ca.crt", a="another"))
    assert since(archive, cluster).tally.differing == 0


def test_of_other_kinds_only_what_the_archive_has_is_asked_for():
    cluster = FakeCluster(SECRET, OBSERVATIONS)
    for name, value in (("a", "1"), ("b", "2"), ("unrelated", "3")):
        cluster.put(SECRET, {"metadata": {"name": name, "namespace": "n"}, "data": {"k": value}})
    archive = written((SECRET, [("n/a", {"data": {"k": "1"}}), ("n/b", {"data": {"k": "0"}}), ("n/c", {})]))
    found = since(archive, cluster)
    assert named(found) == [("changed", "Secret n/b"), ("removed", "Secret n/c")]
    assert not [call for call in cluster.calls if call.verb == "list" and call.resource == SECRET]


def test_a_listing_that_outlives_its_snapshot_says_so():
    cluster = a_cluster(observations=9)
    archive = archive_of(cluster)
    expired, asked = Expired("expired", status=410), 0
    expired.continue_token = "go on"

    def expire(call: Call) -> None:
        nonlocal asked
        if call.rule == f"list {OBSERVATIONS.full_name}":
            asked += 1
            if asked == 3:
                raise expired

    cluster.hooks.append(expire)
    found = since(archive, cluster)
    assert (found.mixed, found.tally.differing) == (True, 0)


def test_what_may_not_be_read_is_denied():
    cluster = a_cluster()
    archive = archive_of(cluster)
    cluster.forbidden.add(f"list {OBSERVATIONS.full_name}")
    with pytest.raises(Denied):
        since(archive, cluster)


# -- filters ----------------------------------------------------------------------------------------------------


def changed_cluster() -> tuple[Archive, FakeCluster]:
    cluster = a_cluster()
    archive = archive_of(cluster)
    for name, namespace in (("o-00000", "team-a"), ("o-00001", "team-b")):
        cluster.put(OBSERVATIONS, observation(name, namespace, phase="Active"))
    cluster.put(CONFIG_MAP, config_map("filters", a="2"))
    return archive, cluster


@pytest.mark.parametrize("word", ["observation", "Observation", "zenevents", "zenevent", "zenevents.zen.kube-zen.io"])
def test_kinds_are_chosen_by_any_of_their_names(word):
    archive, cluster = changed_cluster()
    found = since(archive, cluster, Wanted(kinds=frozenset({word})))
    assert [kind.resource.kind for kind in found.tally.kinds] == ["Observation"]


def test_a_kind_that_neither_side_has_is_a_usage_error():
    archive, cluster = changed_cluster()
    with pytest.raises(UsageError, match="pods"):
        since(archive, cluster, Wanted(kinds=frozenset({"pods", "configmap"})))


def test_one_namespace():
    archive, cluster = changed_cluster()
    found = since(archive, cluster, Wanted(namespace="team-b"))
    assert named(found) == [("changed", "Observation team-b/o-00001")]
    assert found.tally.unchanged == 2  # the other of the namespace, and the CRD
    listed = [call.key.namespace for call in cluster.calls if call.rule == f"list {OBSERVATIONS.full_name}"]
    assert set(listed[-1:]) == {"team-b"}


def test_an_object_counts_where_either_side_matches():
    cluster = a_cluster(observations=2)
    archive = archive_of(cluster)
    relabelled = observation("o-00000")
    relabelled["metadata"]["labels"] = {"severity": "low"}
    cluster.put(OBSERVATIONS, relabelled)
    for text, count in (("severity=high", 2), ("severity=low", 1), ("severity=none", 0)):
        found = since(archive, cluster, Wanted(selector=parse_label_selector(text)))
        assert found.tally.differing + found.tally.unchanged == count
        assert found.tally.differing == (count > 0)


# -- what is not known ------------------------------------------------------------------------------------------


def test_what_a_side_left_out_is_not_claimed_to_be_gone():
    denied = a_cluster()
    denied.forbidden.add("list configmaps")
    found = diff(archive_of(a_cluster()), archive_of(denied))
    assert found.tally.differing == 0
    assert [each.what for each in found.not_compared] == ["configmaps"]
    assert found.verdict is ExitCode.NO_DATA


def test_a_definition_that_could_not_be_read_is_not_claimed_to_be_gone():
    partial = archive_of(a_cluster())
    other = a_cluster()
    other.forbidden.add(f"get {CUSTOM_RESOURCE_DEFINITION.full_name}")
    found = diff(partial, archive_of(other))
    assert found.tally.differing == 0
    assert [each.what for each in found.not_compared] == [CUSTOM_RESOURCE_DEFINITION.full_name]


def test_differences_win_over_what_is_not_known():
    one = written((OBSERVATIONS, [("n/a", {})]))
    other = written((OBSERVATIONS, []), complete=False, omissions=[Omission(what="configmaps", why="forbidden")])
    assert diff(one, other).verdict is ExitCode.FINDINGS


def test_archives_of_some_namespaces_are_compared_where_both_looked():
    whole = a_cluster()
    part = archive_of(whole, namespace="team-b")
    found = diff(archive_of(whole), part)
    assert (found.namespaces, found.tally.differing) == (frozenset({"team-b"}), 0)
    assert since(part, whole).tally.differing == 0
    with pytest.raises(Refused, match="no namespace that both sides hold"):
        since(part, whole, Wanted(namespace="team-a"))


def with_secrets(*names: str, **more: Any) -> Archive:
    return written((SECRET, [(f"n/{name}", {"data": {}}) for name in names]), name=f"{len(names)}.tar", **more)


def test_secrets_that_were_not_asked_for_are_not_claimed_to_be_gone():
    every = with_secrets("a", "sh.helm.release.v1.zen.v1", scope=Scope(secrets=True))
    helm_only = with_secrets()
    found = diff(every, helm_only)
    assert named(found) == [("removed", "Secret n/sh.helm.release.v1.zen.v1")]
    assert [(each.what, each.why) for each in found.not_compared] == [
        ("secrets", "only the Secrets of Helm were asked for"),
    ]  # fmt: skip


def test_helm_data_that_went_into_one_archive_only_is_not_compared():
    bare = written((CONFIG_MAP, []), left_out=["helm"])
    rich = written((CONFIG_MAP, [("n/sh.helm.release.v1.zen.v1", {})]), (SECRET, [("n/a", {})]), (HELM_REVISION, []))
    for found in (diff(bare, rich), diff(rich, bare)):
        assert (found.tally.differing, found.verdict) == (0, ExitCode.NO_DATA)
        assert {each.what for each in found.not_compared} == {"configmaps", "secrets"}


def test_helm_data_in_the_cluster_is_no_difference_to_a_backup_without_it():
    cluster = a_cluster()
    archive = archive_of(cluster)
    assert archive.manifest.left_out == ("helm",)
    cluster.put(CONFIG_MAP, config_map("sh.helm.release.v1.zen.v1"))
    assert since(archive, cluster).verdict is ExitCode.GOOD


def test_what_surrounds_the_watcher_may_be_forbidden_without_hiding_the_rest():
    cluster = a_cluster(SECRET)
    cluster.forbidden.add("get secrets")
    archive = written((OBSERVATIONS, []), (SECRET, [("n/a", {}), ("n/b", {})]))
    found = since(archive, cluster)
    assert found.tally.of(Change.ADDED) == 5
    assert [each.what for each in found.not_compared] == ["secrets"]


def test_documents_that_were_derived_are_not_compared():
    cluster = FakeCluster(OBSERVATIONS, CONFIG_MAP)
    archive = written((OBSERVATIONS, []), (HELM_REVISION, [("n/zen.v1", {})]))
    for found in (since(archive, cluster), diff(archive, written((OBSERVATIONS, [])))):
        assert (found.tally.differing, found.verdict) == (0, ExitCode.GOOD)


# -- archives that are not sorted -------------------------------------------------------------------------------


def test_an_unsorted_archive_is_put_in_order_and_its_later_doubles_count():
    keys = [f"n/{number:04d}" for number in (*range(2_500, 0, -1), 7)]
    objects = [(key, {"spec": {"place": place}}) for place, key in enumerate(keys)]
    unsorted = written((OBSERVATIONS, objects))
    (collection,) = unsorted.manifest.collections
    assert not collection.sorted
    assert len(collection.members) > 2
    found = list(in_key_order(unsorted, collection))
    assert [key for key, _ in found] == sorted(set(keys))
    assert msgspec.json.decode(dict(found)["n/0007"])["spec"] == {"place": 2_500}
    latest = dict(objects)
    ordered = written((OBSERVATIONS, sorted(latest.items())))
    assert diff(unsorted, ordered).tally.differing == diff(ordered, unsorted).tally.differing == 0


def test_a_cluster_that_lists_out_of_order_is_refused():
    class Disorderly(FakeCluster):
        def pages(self, *args: Any, **options: Any) -> Any:
            for page in super().pages(*args, **options):
                yield page._replace(objects=list(reversed(page.objects)))

    cluster = Disorderly(OBSERVATIONS, CONFIG_MAP, page_size=5)
    for name in "ab":
        cluster.put(OBSERVATIONS, observation(name))
    archive = written((OBSERVATIONS, [("team-a/a", {})]))
    with pytest.raises(Refused, match="order of their keys"):
        since(archive, cluster)


@pytest.mark.parametrize("name", ["a-b", "a", "ab"])
def test_namespaces_that_begin_alike_keep_their_order(name):
    """Keys are ordered as whole strings, so that a-b/x comes before a/x."""
    cluster = FakeCluster(OBSERVATIONS, CONFIG_MAP)
    for namespace in ("a", "a-b", "ab"):
        cluster.put(OBSERVATIONS, observation("x", namespace))
    archive = written(
        (OBSERVATIONS, sorted((f"{n}/x", {"spec": {}}) for n in ("a", "a-b", "ab"))),
        scope=Scope(namespaces=("ab", "a", "a-b")),
    )
    assert since(archive, cluster).tally.of(Change.CHANGED) == 3
    assert since(archive, cluster, Wanted(namespace=name)).tally.of(Change.CHANGED) == 1


def test_an_archive_is_read_where_it_is_asked_for():
    store = MemoryStore()
    _, archive = back_up(a_cluster(observations=6_000, page_size=500), store)
    store.reads.clear()
    side = ArchiveSide(archive)
    assert len(list(side.objects(OBSERVATIONS, frozenset({"team-b"})))) == 3_000
    assert len(store.reads) == 3  # of six members

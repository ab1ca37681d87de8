"""An archive in the place of the cluster: the same answers, at the price of the members that are needed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.archive.fakes import HEADING, MemoryStore
from tests.backup.samples import a_cluster, back_up, observation
from tests.backup.test_diff import SECRET, written
from tests.fakes import FakeCluster, SilentProgress
from zenctl.archive.format import Scope
from zenctl.archive.reader import Archive
from zenctl.backup.offline import PAGE_OBJECTS, ArchivedCluster
from zenctl.core.objects import CONFIG_MAP, KeyFields, ObjectKey
from zenctl.core.observation import GROUP, ObservationFields
from zenctl.errors import Damaged, Invalid, NotFound, Refused, UsageError
from zenctl.events.names import parse_names
from zenctl.events.run import Listing, ListRequest, list_events, read_named
from zenctl.events.scan import ReadPorts
from zenctl.events.select import Filter, SortBy, ordering
from zenctl.ports import ALL, ListQuery
from zenctl.product.crd import OBSERVATIONS


def large() -> tuple[MemoryStore, Archive]:
    """Return an archive of many members, each of which says little of itself."""
    store = MemoryStore()
    cluster = a_cluster(observations=0, page_size=500)
    for number in range(6_000):
        cluster.put(
            OBSERVATIONS, observation(f"o-{number:05d}", details={"noise": f"{number * 7919 % 10_007:x}" * 40})
        )
    return store, back_up(cluster, store)[1]


def listing(cluster: Any, query: ListQuery = ALL) -> Listing:
    ports = ReadPorts(cluster, cluster, SilentProgress())
    return list_events(ports, GROUP, ListRequest(query, Filter(), ordering(SortBy.NAME)), cluster.now())


def keys(archive: Archive, query: ListQuery = ALL) -> list[str]:
    found = ArchivedCluster(archive).pages(OBSERVATIONS, KeyFields, query)
    return [str(item.key) for page in found for item in page.objects]


def test_events_are_listed_and_shown_as_from_the_cluster():
    cluster = a_cluster(observations=9)
    archived = ArchivedCluster(back_up(cluster)[1])
    for query in (ListQuery(), ListQuery("team-b"), ListQuery("team-a", "severity=high")):
        assert listing(archived, query) == listing(cluster, query)
    for word in ("team-a/o-00002", "o-00001"):
        ports = (ReadPorts(each, each, SilentProgress()) for each in (archived, cluster))
        mine, theirs = (read_named(each, GROUP, parse_names([word], ""))[0] for each in ports)
        assert mine.document == theirs.document


def test_discovery_tells_of_what_the_archive_has():
    archived = ArchivedCluster(back_up(a_cluster())[1])
    (found,) = archived.group(GROUP)
    assert (found.plural, found.verbs, found.status_subresource) == ("zenevents", frozenset({"get", "list"}), True)
    for word in ("zenevents", "zenevent", "Observation", "zenevents.zen.kube-zen.io"):
        assert archived.resolve(word) == found
    assert archived.resolve("configmaps").group == ""
    archived.refresh()
    assert archived.group("other.io") == ()
    with pytest.raises(UsageError, match="nothing called 'pods'"):
        archived.resolve("pods")
    with pytest.raises(UsageError):
        archived.resolve("configmaps.zen.kube-zen.io")


def test_time_and_facts_are_those_of_the_backup():
    cluster = a_cluster()
    archived = ArchivedCluster(back_up(cluster)[1])
    assert (archived.now(), archived.uid(), archived.server_version()) == (cluster.now(), cluster.uid(), "v1.32.4")


# -- what it costs ----------------------------------------------------------------------------------------------


def test_one_object_costs_the_member_that_it_lies_in():
    store, archive = large()
    store.reads.clear()
    found = ArchivedCluster(archive).get(OBSERVATIONS, ObjectKey("team-a", "o-04321"), KeyFields)
    assert found.key.name == "o-04321"
    (read,) = store.reads
    assert read.length < len(store.blobs[archive.name]) / 5
    store.reads.clear()
    with pytest.raises(NotFound):
        ArchivedCluster(archive).get(OBSERVATIONS, ObjectKey("zzz", "o"), KeyFields)
    assert store.reads == []


def test_one_namespace_costs_the_members_that_it_lies_in():
    store = MemoryStore()
    _, archive = back_up(a_cluster(observations=6_000, page_size=500), store)
    store.reads.clear()
    assert len(keys(archive, ListQuery("team-b"))) == 3_000
    assert len(store.reads) == 3  # of six
    store.reads.clear()
    assert (keys(archive, ListQuery("team-zzz")), store.reads) == ([], [])


def test_pages_are_bounded_and_come_while_the_archive_is_read():
    store, archive = large()
    store.reads.clear()
    pages = ArchivedCluster(archive).pages(OBSERVATIONS, KeyFields)
    first = next(pages)
    assert (len(first.objects), len(store.reads)) == (PAGE_OBJECTS, 1)
    assert len(first.objects) + sum(len(page.objects) for page in pages) == 6_000


# -- selectors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (ListQuery(label_selector="severity=high"), 5),
        (ListQuery(label_selector="severity!=high"), 0),
        (ListQuery(label_selector="severity in (high,low),!other"), 5),
        (ListQuery(field_selector="metadata.name=o-00001"), 1),
        (ListQuery(field_selector="metadata.namespace!=team-a"), 2),
        (ListQuery("team-a", field_selector="metadata.name=o-00001"), 0),
    ],
)
def test_selectors_select_what_a_server_would(query, count):
    cluster = a_cluster()
    archive = back_up(cluster)[1]
    listed = [str(item.key) for page in cluster.pages(OBSERVATIONS, KeyFields, query) for item in page.objects]
    assert keys(archive, query) == listed
    assert len(listed) == count


@pytest.mark.parametrize(
    "query",
    [
        ListQuery(label_selector="a in ("),
        ListQuery(field_selector="nonsense"),
        ListQuery(field_selector="spec.severity=HIGH"),
    ],
)
def test_a_selector_that_no_server_takes_is_invalid(query):
    with pytest.raises(Invalid):
        keys(back_up(a_cluster())[1], query)


# -- what it does not know --------------------------------------------------------------------------------------


def test_nothing_is_said_of_namespaces_that_the_archive_was_not_made_of():
    archive = back_up(a_cluster(), namespace="team-b")[1]
    assert len(keys(archive, ListQuery("team-b"))) == 2
    with pytest.raises(Refused, match="was not made of namespace team-a"):
        keys(archive, ListQuery("team-a"))
    with pytest.raises(Refused, match="was not made of namespace team-a"):
        ArchivedCluster(archive).get(OBSERVATIONS, ObjectKey("team-a", "o-00000"), KeyFields)


def test_a_kind_that_is_not_in_it_is_not_found():
    archived = ArchivedCluster(back_up(a_cluster())[1])
    with pytest.raises(NotFound):
        archived.get(SECRET, ObjectKey("n", "a"), KeyFields)
    with pytest.raises(NotFound):
        list(archived.pages(SECRET, KeyFields))


def test_a_mixed_collection_says_so():
    archive = written((OBSERVATIONS, [("n/a", {})]))
    (collection,) = archive.manifest.collections
    mixed = msgspec.structs.replace(collection, consistency="mixed")
    archive.manifest = msgspec.structs.replace(archive.manifest, collections=(mixed,))
    assert [page.mixed for page in ArchivedCluster(archive).pages(OBSERVATIONS, KeyFields)] == [True]


def test_an_object_that_does_not_fit_is_named_and_damage_stays_damage():
    archive = written((CONFIG_MAP, [("n/a", {})]), (OBSERVATIONS, [("n/b", {"spec": {}})]))

    class Strict(msgspec.Struct, frozen=True):
        metadata: Any
        spec: int

    with pytest.raises(Damaged, match="object n/b is not readable"):
        list(ArchivedCluster(archive).pages(OBSERVATIONS, Strict))


def test_there_is_nothing_to_watch_and_nothing_to_write():
    archived = ArchivedCluster(back_up(a_cluster())[1])
    with pytest.raises(UsageError, match="does not change"):
        archived.watch(OBSERVATIONS, KeyFields, ListQuery(), "1")
    assert not any(hasattr(archived, verb) for verb in ("create", "replace", "replace_status", "delete"))


def test_an_unsorted_archive_is_served_too():
    archive = written((OBSERVATIONS, [("b/2", {}), ("a/1", {}), ("b/1", {})]), scope=Scope())
    assert keys(archive, ListQuery("b")) == ["b/2", "b/1"]
    found = ArchivedCluster(archive).get(OBSERVATIONS, ObjectKey("a", "1"), ObservationFields)
    assert found.fields.metadata.name == "1"
    assert ArchivedCluster(archive).now() == HEADING.created_at


def test_the_fake_and_the_archive_satisfy_the_same_ports():
    cluster: FakeCluster = a_cluster()
    for each in (cluster, ArchivedCluster(back_up(cluster)[1])):
        assert ReadPorts(discovery=each, reader=each, progress=SilentProgress()).reader is each

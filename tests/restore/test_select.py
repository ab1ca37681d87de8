"""Choosing a part of a source: by kind, name, labels, namespace and time; and moving it to other namespaces."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.fakes import MemoryStore
from tests.backup.samples import a_cluster, back_up, config_map, observation
from tests.restore.samples import archive_of, empty_cluster, file_of, plan_of, restore
from zenctl.core.objects import ObjectKey
from zenctl.core.selectors import parse_label_selector
from zenctl.errors import Refused, UsageError
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.apply import Done
from zenctl.restore.batch import LeftOut, Source
from zenctl.restore.select import Chosen, Selection, parse_mapping
from zenctl.restore.source import ArchiveSource


def chosen(source: Source, selection: Selection | None = None, **mapping: str) -> Chosen:
    names = {key.replace("_", "-"): value.replace("_", "-") for key, value in mapping.items()}
    return Chosen(source, selection or Selection(), names)


def keys(source: Source) -> list[str]:
    """Return what a source gives, CRDs aside."""
    found = []
    for batch in source.batches():
        for line in source.objects(batch) if not batch.is_definitions else ():
            metadata = msgspec.json.decode(line)["metadata"]
            found.append(f"{batch.kind} {metadata['namespace']}/{metadata['name']}")
    return found


A_LOT = file_of(
    observation("a", timestamp="2026-11-01T00:00:00Z"),
    observation("b", timestamp="2026-11-02T01:00:00+01:00"),
    observation("c", "team-b", detectedAt="2026-11-03T00:00:00Z"),
    observation("d", "team-b", timestamp="yesterday"),
    config_map("filters"),
)
ALL = ["Observation team-a/a", "Observation team-a/b", "Observation team-b/c", "Observation team-b/d",
       "ConfigMap zen-system/filters"]  # fmt: skip
DAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), ALL),
        (Selection(kinds=frozenset({"configmap"})), ALL[4:]),
        (Selection(kinds=frozenset({"observations", "configmaps"})), ALL),
        (Selection(kinds=frozenset({"observation.zen.kube-zen.io"})), ALL[:4]),
        (Selection(names=frozenset({"team-a/a"})), ALL[:1]),
        (Selection(names=frozenset({"team-a/a", "team-b/a", "filters"})), [ALL[0], ALL[4]]),
        (Selection(names=frozenset({"a", "d"})), [ALL[0], ALL[3]]),
        (Selection(namespace="team-b"), ALL[2:4]),
        (Selection(namespace="team-b", names=frozenset({"c"})), ALL[2:3]),
        (Selection(labels=parse_label_selector("severity=high")), ALL[:4]),
        (Selection(labels=parse_label_selector("severity!=high")), ALL[4:]),
        (Selection(since=DAY), ALL[1:3]),
        (Selection(until=DAY), ALL[:1]),
        (Selection(since=DAY, until=datetime(2026, 11, 3, tzinfo=UTC)), ALL[1:2]),
    ],
)
def test_what_is_chosen(selection, expected):
    source = chosen(A_LOT, selection)
    assert keys(source) == expected == keys(source), "the same each time"
    source.require_found()


def test_what_has_no_time_is_named_when_a_time_was_asked_for():
    source = chosen(A_LOT, Selection(since=DAY))
    assert "Observation team-b/d" not in [item.what for item in source.left_out]
    keys(source)
    assert list(source.left_out) == [
        LeftOut("ConfigMap zen-system/filters", "its time is not known"),
        LeftOut("Observation team-b/d", "its time is not known"),
    ]


@pytest.mark.parametrize(
    "selection",
    [
        Selection(names=frozenset({"team-a/nobody"})),
        Selection(namespace="elsewhere"),
        Selection(labels=parse_label_selector("a=b")),
        Selection(since=datetime(2030, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_choice_that_finds_nothing_is_an_error(selection):
    source = chosen(A_LOT, selection)
    assert keys(source) == []
    with pytest.raises(Refused, match="nothing in files matches the selection"):
        source.require_found()


def test_a_kind_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match="--only: files holds nothing to restore of kind secret") as caught:
        chosen(A_LOT, Selection(kinds=frozenset({"secret"})))
    assert caught.value.hint == "it has ConfigMap, Observation to restore"


def test_crds_go_along_where_their_kind_may_need_them():
    source = archive_of()
    one = chosen(source, Selection(names=frozenset({"team-a/o-00000"})))
    assert [batch.kind for batch in one.batches()] == ["CustomResourceDefinition", "Observation", "ConfigMap"]
    maps = chosen(source, Selection(kinds=frozenset({"configmap"})))
    assert [batch.kind for batch in maps.batches()] == ["ConfigMap"]
    run = restore(empty_cluster(crd=False), one)
    assert run.done == {Done.CREATED: 1}
    assert run.outcome.definitions_created == (OBSERVATIONS.full_name,)


def test_one_object_is_found_by_the_index():
    store = MemoryStore()
    _, archive = back_up(a_cluster(observations=5_000, page_size=500), store)
    store.reads.clear()
    one = chosen(ArchiveSource(archive), Selection(names=frozenset({"team-a/o-04242"})))
    plan = plan_of(empty_cluster(), one)
    assert plan.writes == 2  # the object and its namespace
    assert len([read for read in store.reads if read.length > 10_000]) <= 2, "one member, and the CRDs"


@given(st.sets(st.sampled_from(["a", "b", "c", "d", "filters", "x"])), st.sampled_from(["", "team-a", "team-b"]))
def test_a_choice_is_a_filter(names, namespace):
    found = keys(chosen(A_LOT, Selection(names=frozenset(names), namespace=namespace)))
    for key in ALL:
        place, _, name = key.partition(" ")[2].partition("/")
        wanted = (not names or name in names) and (not namespace or place == namespace)
        assert (key in found) == wanted


# -- namespaces ------------------------------------------------------------------------------------------------


def test_objects_go_to_another_namespace_and_stay_what_they_are():
    about = {"kind": "Pod", "name": "p", "namespace": "team-a"}
    source = chosen(file_of(observation("a", resource=about), observation("b", "team-b")), team_a="new")
    cluster = empty_cluster()
    run = restore(cluster, source)
    source.require_found()
    assert run.outcome.namespaces_created == ("new", "team-b")
    stored = cluster.stored(OBSERVATIONS, ObjectKey("new", "a"))
    assert stored["spec"]["resource"] == about, "what it is about is a fact, not a place"
    assert stored["status"]["phase"] == "Resolved"
    assert cluster.keys(OBSERVATIONS) == [ObjectKey("new", "a"), ObjectKey("team-b", "b")]
    again = restore(cluster, source)
    assert again.done == {Done.SKIPPED: 2}


def test_namespaces_can_change_places():
    source = chosen(file_of(observation("x", "a"), observation("y", "b")), a="b", b="a")
    assert keys(source) == ["Observation b/x", "Observation a/y"]


def test_two_objects_that_would_become_one_are_refused():
    source = chosen(file_of(observation("x", "a"), observation("x", "b")), a="b")
    with pytest.raises(Refused, match=r"two objects of the source would both become b/x"):
        keys(source)


def test_a_mapping_that_meets_nothing_is_an_error():
    source = chosen(A_LOT, team_a="new", team_x="newer")
    keys(source)
    with pytest.raises(UsageError, match="nothing in the selection is in namespace team-x"):
        source.require_found()


@pytest.mark.parametrize("texts", [["a"], ["=b"], ["a="], ["a=b=c"], ["a=b", "a=c"], ["a=B"], ["a=" + "b" * 64]])
def test_a_mapping_that_is_none_is_said(texts):
    with pytest.raises(UsageError, match="--map-namespace"):
        parse_mapping(texts)
    assert parse_mapping(["a=b", "b=a"]) == {"a": "b", "b": "a"}


def test_objects_that_cannot_be_read_are_left_to_the_plan_to_name():
    source = chosen(file_of(observation("a"), observation("")))
    plan = plan_of(empty_cluster(), source)
    assert len(plan.unreadable) == 1

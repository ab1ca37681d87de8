"""Level 3: every object is of its kind and fits the CRD in the same archive. One object costs little to find."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.archive.fakes import MemoryStore
from tests.backup.samples import OBSERVATION_FOLDER, a_cluster, back_up, definition, observation
from tests.fakes import FakeCluster
from zenctl.archive.verify import How, Level, verify
from zenctl.backup.check import object_check
from zenctl.backup.proof import verified_report
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION, ObjectKey
from zenctl.errors import ExitCode
from zenctl.product.crd import OBSERVATIONS


def problems_of(cluster: FakeCluster) -> list[str]:
    store = MemoryStore()
    created, _ = back_up(cluster, store)
    result = verify(store, created.name, How(Level.OBJECTS, checks=object_check))
    report = verified_report(result)
    assert report.verdict is (ExitCode.DAMAGED if result.problems else ExitCode.GOOD)
    assert len(report.findings) == len(result.problems)
    return [f"{problem.where}: {problem.what}" for problem in result.problems]


def stricter(**properties: Any) -> FakeCluster:
    """Return a cluster whose CRD asks more of spec than the objects there keep to."""
    cluster, crd = a_cluster(observations=3), definition()
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] = {
        "type": "object",
        "properties": properties,
        "x-kubernetes-preserve-unknown-fields": True,
    }
    cluster.put(CUSTOM_RESOURCE_DEFINITION, crd)
    return cluster


def test_objects_that_fit_their_crd_are_sound():
    assert problems_of(a_cluster()) == []


def test_an_object_that_does_not_fit_is_named_with_the_place():
    problems = problems_of(stricter(severity={"type": "string", "enum": ["LOW"]}))
    assert len(problems) == 3
    assert problems[0].startswith(f"{OBSERVATION_FOLDER} team-a/o-00000: ")
    assert "spec.severity" in problems[0]


def test_an_object_of_another_kind_is_named():
    cluster = a_cluster(observations=1)
    cluster.put(OBSERVATIONS, {**observation("stray"), "kind": "Ingester"})
    (problem,) = problems_of(cluster)
    assert "it is a Ingester" in problem


def test_items_without_a_type_of_their_own_are_sound():
    assert problems_of(a_cluster(observations=0)) == []  # its ConfigMaps carry none


def test_without_a_crd_only_the_kind_is_asked():
    cluster = stricter(severity={"type": "integer"})
    cluster.remove(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", OBSERVATIONS.full_name))
    assert problems_of(cluster) == []


@pytest.mark.parametrize("spec", [None, [], {"group": 1}, {"group": "g", "names": {}, "versions": []}])
def test_an_odd_crd_asks_nothing(spec):
    cluster = a_cluster(observations=1)
    cluster.put(CUSTOM_RESOURCE_DEFINITION, {**definition(), "spec": spec})
    assert problems_of(cluster) == []


def test_a_damaged_crd_is_for_verify_to_report():
    store = MemoryStore()
    created, archive = back_up(a_cluster(), store)
    collection = archive.collection(CUSTOM_RESOURCE_DEFINITION.kind_and_group)
    assert collection is not None
    data = bytearray(store.blobs[created.name])
    data[collection.members[0].offset + 600] ^= 0xFF
    store.blobs[created.name] = bytes(data)
    result = verify(store, created.name, How(Level.OBJECTS, checks=object_check))
    assert result.problems


def test_one_object_of_twenty_thousand_reads_less_than_a_tenth():
    store = MemoryStore()
    created, archive = back_up(a_cluster(observations=20_000, page_size=500), store)
    collection = archive.collection(OBSERVATION_FOLDER)
    assert collection is not None
    store.reads.clear()
    line = archive.find(collection, "team-b/o-12345")
    assert line is not None
    assert msgspec.json.decode(line)["metadata"]["name"] == "o-12345"
    assert sum(read.length for read in store.reads) < created.written.size_bytes / 10

"""A drill says equal only where everything came back, and says what did not, why, and in which fields."""

from __future__ import annotations

from typing import Any

import pytest

from tests import golden
from tests.archive.fakes import MemoryStore, Mirror
from tests.backup.samples import OBSERVATION_FOLDER, a_cluster, back_up
from tests.backup.test_diff import SECRET, written
from tests.drill.samples import altered, an_archive, connect, drilled, ports_of
from zenctl.archive.reader import open_archive
from zenctl.backup.compare import Change
from zenctl.backup.notes import DrillRecord
from zenctl.core.objects import CONFIG_MAP, KeyFields
from zenctl.core.report import Report
from zenctl.drill.report import drill_report
from zenctl.drill.run import Call, Drilled, DrillOptions, EmbeddedCluster, drill
from zenctl.errors import Damaged, ExitCode, Unreachable
from zenctl.product.installation import SERVICE
from zenctl.render import View, render

CRDS = "CustomResourceDefinition.apiextensions.k8s.io"


def named(found: Drilled) -> list[tuple[Change, str]]:
    return [(each.change, each.key) for each in found.tally.named]


def verdict(found: Drilled) -> ExitCode:
    return drill_report(found).verdict


def test_a_sound_archive_comes_back_equal():
    found = drilled(an_archive(25))
    assert (found.equal, found.tally.differing, found.tally.unchanged, found.sampled) == (True, 0, 27, False)
    assert (found.not_restored, found.failures, found.stopped) == ((), (), "")
    assert verdict(found) is ExitCode.GOOD


def test_an_encrypted_archive_is_drilled_with_its_keys():
    assert drilled(an_archive(seal=Mirror())).equal


def test_a_backup_of_some_namespaces_and_an_empty_one_are_equal_too():
    assert drilled(an_archive(namespace="team-b")).equal
    assert drilled(an_archive(0)).equal


def test_an_archive_of_a_restored_cluster_is_equal():
    """What the first restore left on the objects is content now, and is not noted a second time."""

    def restored_before(folder: str, value: dict[str, Any]) -> dict[str, Any]:
        annotations = {"zenctl.kube-zen.io/original-uid": "first", "a": "b"}
        return {**value, "metadata": {**value["metadata"], "annotations": annotations}}

    assert drilled(altered(an_archive(), restored_before)).equal


def test_owners_finalizers_and_objects_that_were_going_away_come_back():
    def change(folder: str, value: dict[str, Any]) -> dict[str, Any]:
        if folder == OBSERVATION_FOLDER:
            value["metadata"] |= {
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
                "finalizers": ["example.com/hold"],
                "deletionTimestamp": "2026-01-01T00:00:00Z",
                "generateName": "o-",
            }
        return value

    assert drilled(altered(an_archive(), change)).equal


# -- what goes wrong ---------------------------------------------------------------------------------------------


def refused_object() -> Drilled:
    """Drill an archive with an object that its own CRD refuses."""

    def change(folder: str, value: dict[str, Any]) -> dict[str, Any]:
        if value["metadata"]["name"] == "o-00001":
            value["spec"]["tags"] = "not a list"
        return value

    return drilled(altered(an_archive(), change))


def test_an_object_that_its_crd_refuses_is_missing_with_the_reason():
    found = refused_object()
    assert (found.equal, named(found)) == (False, [(Change.REMOVED, "team-b/o-00001")])
    assert [failure.key for failure in found.failures] == ["team-b/o-00001"]
    assert "tags" in found.failures[0].why
    assert verdict(found) is ExitCode.FINDINGS


def lost_status() -> Drilled:
    """Drill with a CRD whose schema has no place for what the status holds."""

    def change(folder: str, value: dict[str, Any]) -> dict[str, Any]:
        if folder == CRDS:
            schema = value["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
            schema["properties"]["status"] = {"type": "object", "properties": {"count": {"type": "integer"}}}
        return value

    return drilled(altered(an_archive(), change))


def test_a_status_that_the_schema_drops_is_found():
    found = lost_status()
    assert (found.tally.of(Change.CHANGED), found.failures) == (5, ())
    assert found.tally.named[0].fields[0].path == "status.phase"
    assert found.tally.named[0].fields[0].right is None
    assert verdict(found) is ExitCode.FINDINGS


def test_a_status_that_is_never_written_is_found():
    class Forgetful:
        def __init__(self, writer: Any) -> None:
            self._writer = writer

        def __getattr__(self, name: str) -> Any:
            return getattr(self._writer, name)

        def replace_status(self, resource: Any, key: Any, body: bytes) -> Any:
            return self._writer.get(resource, key, KeyFields)

    def forgetting(call: Call, token: str) -> EmbeddedCluster:
        joined = connect(call, token)
        return joined._replace(writer=Forgetful(joined.writer))

    found = drilled(an_archive(), forgetting)
    assert found.tally.of(Change.CHANGED) == 5
    assert {field.path.partition(".")[0] for each in found.tally.named for field in each.fields} == {"status"}


def test_objects_that_nobody_archived_are_unexpected():
    def busy(call: Call, token: str) -> EmbeddedCluster:
        joined = connect(call, token)

        class Meddling:
            def __getattr__(self, name: str) -> Any:
                return getattr(joined.writer, name)

            def create(self, resource: Any, namespace: str, body: bytes) -> Any:
                if resource.kind == "Observation" and b"o-00004" in body:
                    joined.writer.create(resource, namespace, body.replace(b"o-00004", b"o-99999"))
                return joined.writer.create(resource, namespace, body)

        return joined._replace(writer=Meddling())

    assert named(drilled(an_archive(), busy)) == [(Change.ADDED, "team-a/o-99999")]


def without_crd() -> Drilled:
    return drilled(altered(an_archive(), lambda folder, value: None if folder == CRDS else value))


def test_an_archive_that_alone_brings_nothing_back_says_why():
    found = without_crd()
    assert "brings no CRD for it" in found.stopped
    assert (found.equal, found.tally.of(Change.REMOVED)) == (False, 6)
    assert verdict(found) is ExitCode.FINDINGS


def test_unreadable_objects_are_no_equality():
    def change(folder: str, value: dict[str, Any]) -> dict[str, Any]:
        if value["metadata"]["name"] == "o-00000":
            del value["metadata"]["namespace"]
        return value

    found = drilled(altered(an_archive(), change))
    assert (len(found.unreadable), found.equal) == (1, False)


def test_damage_is_raised_and_nothing_recorded():
    store = MemoryStore()
    made, archive = back_up(a_cluster(), store)
    data = bytearray(store.blobs[made.name])
    data[archive.manifest.collections[1].members[0].offset + 530] ^= 1
    store.blobs[made.name] = bytes(data)
    recorded: list[DrillRecord] = []
    with pytest.raises(Damaged, match=made.name):
        drill(ports_of(), archive, DrillOptions(), recorded.append)
    assert recorded == []


def test_a_store_that_goes_away_is_no_fault_of_the_archive():
    class Leaving(MemoryStore):
        def get(self, name: str, offset: int, length: int) -> bytes:
            if len(self.reads) > 3:
                raise Unreachable("the volume is gone")
            return super().get(name, offset, length)

    store = Leaving()
    made, _ = back_up(a_cluster(), store)
    store.reads.clear()
    with pytest.raises(Unreachable, match="the volume is gone"):
        drilled(open_archive(store, made.name))


# -- samples, records and reports ------------------------------------------------------------------------------


def test_beyond_the_limit_a_sample_is_drilled_and_called_so():
    archive = an_archive(200)
    found = drilled(archive, max_objects=51, seed=7)
    assert (found.sampled, found.drilled, found.equal) == (True, 52, True)
    data = drill_report(found).data
    assert (data.sampled, data.drilled, data.objects, data.seed) == (True, 52, 202, 7)  # type: ignore[attr-defined]


def test_the_record_is_told_once_whatever_was_found():
    for archive, equal in ((an_archive(), True), (altered(an_archive(), _without_phase), True)):
        recorded: list[DrillRecord] = []
        found = drill(ports_of(), archive, DrillOptions(), recorded.append)
        assert recorded == [DrillRecord(at=found.at, equal=equal, sampled=False, seconds=found.seconds)]
    recorded = []
    archive = altered(an_archive(), lambda folder, value: None if folder == CRDS else value)
    drill(ports_of(), archive, DrillOptions(), recorded.append)
    assert [each.equal for each in recorded] == [False]


def _without_phase(folder: str, value: dict[str, Any]) -> dict[str, Any]:
    value.pop("status", None)
    return value


def passed_over() -> Drilled:
    release = "zen-system/sh.helm.release.v1.zen.v1"
    return drilled(
        written(
            (CONFIG_MAP, [("zen-system/filters", {"data": {"a": "b"}}), (release, {"data": {"release": "x"}})]),
            (SERVICE, [("zen-system/zen-watcher", {"spec": {}})]),
            (SECRET, [(release, {})]),
        )
    )


def test_what_a_restore_passes_over_is_named_and_no_difference():
    found = passed_over()
    assert (found.equal, found.drilled, found.restorable) == (True, 1, 1)
    assert len(found.not_restored) == 3


def equal() -> Report:
    return drill_report(drilled(an_archive(25)))


def sampled() -> Report:
    return drill_report(drilled(an_archive(200), max_objects=51, seed=7))


def refused() -> Report:
    return drill_report(refused_object())


def lost() -> Report:
    return drill_report(lost_status())


def stopped() -> Report:
    return drill_report(without_crd())


def with_installation() -> Report:
    return drill_report(passed_over())


REPORTS = (equal, sampled, refused, lost, stopped, with_installation)


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
@pytest.mark.parametrize(
    "report", [equal, sampled, refused, lost, stopped, with_installation], ids=lambda make: make.__name__
)
def test_it_is_told_in_every_format(report, fmt):
    golden.check(f"drill/{report.__name__}.{fmt}", "".join(render(report(), fmt, View(width=None, colour=False))))

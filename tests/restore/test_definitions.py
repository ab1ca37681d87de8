"""CRDs of an archive beside those of the cluster: nothing is lost, and what is needed is added."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from tests.backup.samples import a_cluster, back_up, definition
from tests.fakes import FakeCluster
from tests.restore.samples import empty_cluster, restore, writes
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION, ObjectKey
from zenctl.errors import Denied, Refused
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.apply import Done
from zenctl.restore.definitions import extended_body, read_definition, versions_to_add
from zenctl.restore.report import plan_report
from zenctl.restore.source import ArchiveSource

KEY = ObjectKey("", OBSERVATIONS.full_name)


def with_versions(*names: str, served: tuple[str, ...] | None = None, **spec: Any) -> dict[str, Any]:
    """Return our CRD with these versions, the last of them stored."""
    crd = definition()
    (only,) = crd["spec"]["versions"]
    crd["spec"]["versions"] = [
        {
            **copy.deepcopy(only),
            "name": name,
            "storage": name == names[-1],
            "served": served is None or name in served,
        }
        for name in names
    ]
    crd["spec"] |= spec
    crd["status"]["storedVersions"] = list(names)
    return crd


def adds(archived: dict[str, Any], live: dict[str, Any], *needed: str) -> tuple[str, ...]:
    one, other = (read_definition(msgspec.json.encode(crd)) for crd in (archived, live))
    assert one is not None
    assert other is not None
    return versions_to_add("zenevents", one, other, needed or ("v1alpha1",))


@pytest.mark.parametrize(
    ("live", "needed", "expected"),
    [
        (with_versions("v1alpha1"), (), ()),
        (with_versions("v1beta1"), (), ("v1alpha1",)),
        (with_versions("v1beta1", "v1"), ("v1alpha1", "v1alpha2"), ("v1alpha1",)),
        (with_versions("v1beta1"), ("v2",), ()),
    ],
)
def test_versions_that_objects_need_are_added(live, needed, expected):
    assert adds(with_versions("v1alpha1"), live, *needed) == expected


def test_a_version_that_is_hidden_is_refused():
    with pytest.raises(Refused, match="no longer serves version v1alpha1"):
        adds(with_versions("v1alpha1"), with_versions("v1alpha1", "v1", served=("v1",)))


def test_a_webhook_that_cannot_know_the_version_is_refused():
    live = with_versions("v1", conversion={"strategy": "Webhook", "webhook": {}})
    with pytest.raises(Refused, match="converts by webhook"):
        adds(with_versions("v1alpha1"), live)
    assert adds(with_versions("v1alpha1"), with_versions("v1", conversion={"strategy": "None"})) == ("v1alpha1",)


def test_nothing_of_the_live_one_is_lost():
    live, archived = with_versions("v1beta1", "v1"), with_versions("v1alpha1")
    body = extended_body(live, archived, ("v1alpha1",))
    assert body["spec"]["versions"][:2] == live["spec"]["versions"]
    (added,) = body["spec"]["versions"][2:]
    assert (added["name"], added["served"], added["storage"]) == ("v1alpha1", True, False)
    assert body["status"] == live["status"]
    assert len(live["spec"]["versions"]) == 2, "what was given is left alone"


class Grown(FakeCluster):
    """A cluster whose CRD has moved on to v1, and serves v1alpha1 as soon as it is in the CRD again."""

    def group(self, group: str) -> Any:
        found = super().group(group)
        return tuple(msgspec.structs.replace(resource, version="v1") for resource in found)


def grown() -> Grown:
    cluster = Grown(*empty_cluster().resources)
    for name in ("team-a", "team-b", "zen-system"):
        cluster.put(next(r for r in cluster.resources if r.kind == "Namespace"), {"metadata": {"name": name}})
    cluster.put(CUSTOM_RESOURCE_DEFINITION, with_versions("v1"))
    return cluster


def test_objects_of_an_older_version_come_back_beside_a_newer_crd():
    source = ArchiveSource(back_up(a_cluster())[1])
    cluster = grown()
    run = restore(cluster, source)
    (planned,) = run.plan.definitions
    assert (planned.exists, planned.adds) == (True, ("v1alpha1",))
    stored = cluster.stored(CUSTOM_RESOURCE_DEFINITION, KEY)
    assert [v["name"] for v in stored["spec"]["versions"]] == ["v1", "v1alpha1"]
    assert run.done == {Done.CREATED: 6}
    text = "".join(str(block) for block in plan_report(run.plan).blocks)
    assert "add version v1alpha1, and keep the others" in text


def test_adding_a_version_takes_a_permission():
    cluster = grown()
    cluster.forbidden.add(f"update {CUSTOM_RESOURCE_DEFINITION.full_name}")
    with pytest.raises(Denied, match="may not update customresourcedefinitions"):
        restore(cluster, ArchiveSource(back_up(a_cluster())[1]))
    assert writes(cluster) == []

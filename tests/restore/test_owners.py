"""Owners after a restore: the reference gets the uid that the owner has now, or goes with a reason."""

from __future__ import annotations

from typing import Any

from tests.backup.samples import config_map, observation
from tests.restore.samples import empty_cluster, file_of, restore
from zenctl.core.objects import CONFIG_MAP, NAMESPACE, ObjectKey
from zenctl.errors import Denied, ExitCode
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.owners import Owners
from zenctl.restore.report import outcome_report

KEY = ObjectKey("team-a", "a")


def owner(kind: str, name: str, api_version: str = "v1", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": "long-gone", **more}


def owned(*references: Any) -> dict[str, Any]:
    value = observation("a")
    value["metadata"]["ownerReferences"] = list(references)
    return value


def test_a_reference_gets_the_uid_that_its_owner_has_now():
    cluster = empty_cluster()
    cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})
    cluster.put(CONFIG_MAP, config_map("settings", "team-a"))
    here = cluster.stored(CONFIG_MAP, ObjectKey("team-a", "settings"))["metadata"]["uid"]
    space = cluster.stored(NAMESPACE, ObjectKey("", "team-a"))["metadata"]["uid"]
    run = restore(
        cluster, file_of(owned(owner("ConfigMap", "settings", controller=True), owner("Namespace", "team-a")))
    )
    assert cluster.stored(OBSERVATIONS, KEY)["metadata"]["ownerReferences"] == [
        owner("ConfigMap", "settings", controller=True, uid=here) | {"uid": here},
        owner("Namespace", "team-a") | {"uid": space},
    ]
    assert run.outcome.batches[0].owners_dropped == {}


def test_a_reference_to_nobody_is_dropped_and_said():
    cluster = empty_cluster()
    run = restore(
        cluster,
        file_of(
            owned(owner("ConfigMap", "gone"), owner("Deployment", "d", "apps/v1"), owner("ConfigMap", ""), "odd")
        ),
    )
    assert "ownerReferences" not in cluster.stored(OBSERVATIONS, KEY)["metadata"]
    assert run.outcome.batches[0].owners_dropped == {
        "ConfigMap gone": 1, "Deployment d": 1, "ConfigMap ": 1, "an owner that is none": 1,
    }  # fmt: skip
    assert run.outcome.verdict is ExitCode.GOOD
    text = str(outcome_report(run.outcome, None).blocks)
    assert "owner that is not in the cluster" in text


def test_an_owner_of_another_namespace_is_none():
    cluster = empty_cluster()
    cluster.put(CONFIG_MAP, config_map("settings", "team-b"))
    assert Owners(cluster, cluster).remap([owner("ConfigMap", "settings")], "team-a").dropped == (
        "ConfigMap settings",
    )


def test_an_owner_is_asked_for_once():
    cluster = empty_cluster()
    cluster.put(CONFIG_MAP, config_map("settings", "team-a"))
    owners = Owners(cluster, cluster)
    for _ in range(5):
        assert (
            len(owners.remap([owner("ConfigMap", "settings"), owner("ConfigMap", "gone")], "team-a").references) == 1
        )
    assert len([call for call in cluster.calls if call.verb == "get"]) == 2


def test_an_owner_that_may_not_be_looked_for_is_dropped():
    cluster = empty_cluster()
    cluster.put(CONFIG_MAP, config_map("settings", "team-a"))
    cluster.fail("get", Denied("cannot get"))
    assert Owners(cluster, cluster).remap([owner("ConfigMap", "settings")], "team-a").references == []


def test_what_is_no_list_of_references_is_none():
    cluster = empty_cluster()
    assert Owners(cluster, cluster).remap({"kind": "X"}, "team-a") == ([], ())

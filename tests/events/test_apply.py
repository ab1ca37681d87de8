"""Carrying out a plan: what changed since is left alone and named, a second run writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests import golden
from tests.events.samples import DECISION, GROUP, WITHOUT_STATUS, observation, ports_of
from tests.fakes import Call, FakeCluster
from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.core.patience import LIMIT
from zenctl.core.report import document
from zenctl.errors import Conflict, Denied, ExitCode, NotFound, Unreachable
from zenctl.events.apply import Applied, settle_planned
from zenctl.events.plan import Plan, Planner, plan_of
from zenctl.events.plan_report import applied_report, plan_report
from zenctl.events.scan import scan
from zenctl.events.select import Filter
from zenctl.ports import ALL
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import FORMATS, View, render

BOTH = pytest.mark.parametrize("resource", [OBSERVATIONS, WITHOUT_STATUS], ids=["status", "whole"])


def cluster_of(count: int, resource: ResourceType = OBSERVATIONS) -> FakeCluster:
    cluster = FakeCluster(resource)
    for number in range(count):
        cluster.put(resource, observation(f"e{number:03}", status={"count": number}))
    return cluster


def plan_for(cluster: FakeCluster) -> Plan:
    found = scan(ports_of(cluster), GROUP, ALL, lambda: Planner(DECISION, Filter()))
    return plan_of(DECISION, found.tallies, mixed=found.mixed)


def apply(cluster: FakeCluster, plan: Plan | None = None) -> Applied:
    return settle_planned(ports_of(cluster), plan or plan_for(cluster))


def phases(cluster: FakeCluster, resource: ResourceType = OBSERVATIONS) -> list[Any]:
    return [cluster.stored(resource, key)["status"].get("phase") for key in cluster.keys(resource)]


def before_write(cluster: FakeCluster, name: str, do: Callable[[ObjectKey], object]) -> None:
    """Let somebody else be faster, once."""
    left = [do]

    def hook(call: Call) -> None:
        if call.verb == "update" and call.key.name == name and left:
            left.pop()(call.key)

    cluster.hooks.append(hook)


@BOTH
def test_a_plan_is_carried_out_and_a_second_run_writes_nothing(resource):
    cluster = cluster_of(5, resource)
    applied = apply(cluster)
    assert (applied.settled, applied.verdict) == (5, ExitCode.GOOD)
    assert phases(cluster, resource) == ["Resolved"] * 5
    stored = cluster.stored(resource, ObjectKey("team-a", "e003"))["status"]
    assert (stored["count"], stored["conditions"][0]["message"]) == (3, "patched (ann)")
    writes = len([call for call in cluster.calls if call.verb == "update"])
    again = apply(cluster)
    assert (again.settled, again.plan.targets, again.verdict) == (0, (), ExitCode.GOOD)
    assert len([call for call in cluster.calls if call.verb == "update"]) == writes == 5


@BOTH
@pytest.mark.parametrize("when", ["before", "during"])
def test_what_changed_since_it_was_judged_is_left_alone_and_named(resource, when):
    cluster = cluster_of(3, resource)
    plan = plan_for(cluster)
    edited = observation("e001", message="edited", status={"count": 9})
    if when == "before":
        cluster.put(resource, edited)
    else:
        before_write(cluster, "e001", lambda _key: cluster.put(resource, edited))
    applied = apply(cluster, plan)
    assert (applied.settled, [target.row.name for target in applied.changed]) == (2, ["e001"])
    assert applied.verdict is ExitCode.PARTIAL
    assert phases(cluster, resource) == ["Resolved", None, "Resolved"]
    assert cluster.stored(resource, ObjectKey("team-a", "e001"))["status"] == {"count": 9}


def test_what_was_deleted_meanwhile_is_gone_and_no_failure():
    cluster = cluster_of(3)
    before_write(cluster, "e001", lambda key: cluster.remove(OBSERVATIONS, key))
    applied = apply(cluster)
    assert (applied.settled, applied.gone, applied.verdict) == (2, 1, ExitCode.GOOD)


def test_what_was_deleted_and_made_again_is_another_one():
    cluster = cluster_of(2)

    def again(key: ObjectKey) -> None:
        cluster.remove(OBSERVATIONS, key)
        cluster.put(OBSERVATIONS, observation(key.name, status={"count": 0}))

    before_write(cluster, "e000", again)
    applied = apply(cluster)
    assert (applied.settled, len(applied.changed), phases(cluster)) == (1, 1, [None, "Resolved"])


def test_our_own_write_whose_answer_was_lost_is_settled():
    class Flaky(FakeCluster):
        def replace_status(self, resource: Any, key: Any, body: bytes) -> Any:
            super().replace_status(resource, key, body)
            raise Conflict("modified", status=409)

    cluster = Flaky(OBSERVATIONS)
    cluster.put(OBSERVATIONS, observation("one"))
    applied = apply(cluster)
    assert (applied.settled, applied.changed, applied.verdict) == (1, (), ExitCode.GOOD)


def test_another_object_of_the_name_is_not_ours_whatever_its_status_says():
    class MadeAgain(FakeCluster):
        def replace_status(self, resource: Any, key: Any, body: bytes) -> Any:
            self.remove(resource, key)
            self.put(resource, observation(key.name, status=msgspec.json.decode(body)["status"]))
            raise Conflict("modified", status=409)

    cluster = MadeAgain(OBSERVATIONS)
    cluster.put(OBSERVATIONS, observation("one"))
    applied = apply(cluster)
    assert (applied.settled, len(applied.changed)) == (0, 1)


def test_an_object_that_is_gone_after_a_conflict_is_gone():
    cluster = cluster_of(1)
    cluster.fail("update", Conflict("modified", status=409))
    cluster.fail("get", NotFound("gone", status=404))
    assert apply(cluster).gone == 1


def test_a_failure_is_named_and_the_worst_decides():
    cluster = cluster_of(3)
    cluster.fail("update", Denied("no"), ObjectKey("team-a", "e001"))
    cluster.fail("update", Conflict("modified", status=409), ObjectKey("team-a", "e002"))
    applied = apply(cluster)
    assert [(failure.target.row.name, str(failure.error)) for failure in applied.failures] == [("e001", "no")]
    assert (applied.settled, len(applied.changed), applied.verdict) == (1, 1, ExitCode.DENIED)


def test_what_fails_for_all_is_given_up_and_the_rest_counted():
    cluster = cluster_of(LIMIT + 10)
    cluster.fail("update", Unreachable("no route"))
    applied = apply(cluster)
    assert (len(applied.failures), applied.not_tried) == (LIMIT, 10)
    assert applied.verdict is ExitCode.UNREACHABLE


def test_a_server_that_drops_the_phase_is_not_called_success():
    class Pruning(FakeCluster):
        def replace_status(self, resource: Any, key: Any, body: bytes) -> Any:
            return super().replace_status(resource, key, body.replace(b'"phase"', b'"other"'))

    cluster = Pruning(OBSERVATIONS)
    cluster.put(OBSERVATIONS, observation("one"))
    applied = apply(cluster)
    assert (applied.settled, applied.verdict) == (0, ExitCode.PARTIAL)
    assert "dropped its phase" in str(applied.failures[0].error)


def test_planning_writes_nothing():
    cluster = cluster_of(3)
    plan_report(plan_for(cluster))
    assert {call.verb for call in cluster.calls} == {"list"}


# -- reports ---------------------------------------------------------------------------------------------------


def mixed_cluster() -> FakeCluster:
    cluster = cluster_of(3)
    cluster.put(OBSERVATIONS, observation("done", status={"phase": "Resolved"}))
    cluster.put(OBSERVATIONS, observation("kept", "team-b", status={"phase": "Archived"}, severity=None, source=7))
    cluster.put(OBSERVATIONS, observation("mine", "team-b", status={"phase": "Acknowledged"}, message="a\nb"))
    return cluster


@pytest.mark.parametrize("fmt", FORMATS)
def test_look_of_a_plan(fmt):
    golden.check(f"events/plan.{fmt}.txt", "".join(render(plan_report(plan_for(mixed_cluster())), fmt, View())))


@pytest.mark.parametrize("fmt", ["table", "json"])
def test_look_of_an_outcome(fmt):
    cluster = mixed_cluster()
    cluster.fail("update", Denied("no", hint="ask"), ObjectKey("team-a", "e001"))
    before_write(cluster, "e002", lambda key: cluster.put(OBSERVATIONS, observation(key.name, message="new")))
    before_write(cluster, "mine", lambda key: cluster.remove(OBSERVATIONS, key))
    golden.check(f"events/applied.{fmt}.txt", "".join(render(applied_report(apply(cluster)), fmt, View())))


def test_a_plan_lists_all_and_shows_the_first():
    report = plan_report(plan_for(cluster_of(50)))
    assert len(document(report)["data"]["objects"]) == 50
    assert "… and 30 more" in "".join(render(report, "table", View(80)))

"""Carrying out a cleanup on a cluster in memory: what goes, what is kept, when it stops, and how it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests import golden
from tests.cleanup.samples import OLD, RULE, YOUNG, Planned, carried_out, cluster_of, keys_of, observation, planned
from tests.fakes import NOW, FakeCluster
from zenctl.cleanup.judge import Policy, Reason, Rule
from zenctl.cleanup.report import outcome_report, plan_report
from zenctl.cleanup.run import Answer, Outcome, nothing_done
from zenctl.core.patience import LIMIT
from zenctl.core.report import document
from zenctl.errors import ApiFailure, Conflict, Denied, ExitCode, Expired, NotFound, Refused
from zenctl.ports import ListQuery
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import View, render


def old(count: int, **more: Any) -> list[dict[str, Any]]:
    return [observation(f"old-{number:03d}", timestamp=OLD, **more) for number in range(count)]


def names(cluster: FakeCluster) -> list[str]:
    return [key.name for key in cluster.keys(OBSERVATIONS)]


def verbs(cluster: FakeCluster) -> list[str]:
    return [call.verb for call in cluster.calls]


def test_all_candidates_go_and_nothing_else():
    kept = [observation("young", timestamp=YOUNG), observation("active", phase="Active", timestamp=OLD)]
    cluster = cluster_of(*old(9), *kept)
    outcome = carried_out(cluster, planned(cluster))
    assert (outcome.count(Answer.DELETED), outcome.count(Answer.NOT_TRIED), outcome.verdict) == (9, 0, ExitCode.GOOD)
    assert names(cluster) == ["active", "young"]


def test_nothing_is_deleted_before_the_whole_plan_stands():
    cluster = cluster_of(*old(9))
    plan = planned(cluster)
    assert "delete" not in verbs(cluster)
    carried_out(cluster, plan)
    assert verbs(cluster).index("delete") > max(i for i, verb in enumerate(verbs(cluster)) if verb == "list")


def test_an_object_that_changed_since_it_was_judged_is_kept():
    cluster = cluster_of(*old(3))
    plan = planned(cluster)
    cluster.put(OBSERVATIONS, observation("old-001", phase="Active", timestamp=OLD))
    outcome = carried_out(cluster, plan)
    assert [candidate.key.name for candidate in outcome.changed] == ["old-001"]
    assert (outcome.count(Answer.DELETED), outcome.verdict, names(cluster)) == (2, ExitCode.GOOD, ["old-001"])


def test_an_object_of_the_same_name_that_is_another_one_is_kept():
    cluster = cluster_of(*old(1))
    plan = planned(cluster)
    (key,) = cluster.keys(OBSERVATIONS)
    cluster.remove(OBSERVATIONS, key)
    cluster.put(OBSERVATIONS, observation("old-000", timestamp=OLD))
    assert len(carried_out(cluster, plan).changed) == 1
    assert names(cluster) == ["old-000"]


def test_what_somebody_else_deleted_is_counted_apart():
    cluster = cluster_of(*old(2))
    plan = planned(cluster)
    cluster.remove(OBSERVATIONS, keys_of(plan)[0])
    outcome = carried_out(cluster, plan)
    assert (outcome.count(Answer.DELETED), outcome.count(Answer.GONE), outcome.verdict) == (1, 1, ExitCode.GOOD)


def test_one_failure_does_not_stop_the_rest():
    cluster = cluster_of(*old(5))
    plan = planned(cluster)
    cluster.fail("delete", ApiFailure("cannot delete: etcd is sad", status=500), keys_of(plan)[2])
    outcome = carried_out(cluster, plan)
    assert (outcome.count(Answer.DELETED), len(outcome.failures), outcome.count(Answer.NOT_TRIED)) == (4, 1, 0)
    assert outcome.verdict is ExitCode.PARTIAL


def test_failures_in_a_row_stop_the_run():
    cluster = cluster_of(*old(LIMIT + 10))
    plan = planned(cluster)
    cluster.fail("delete", ApiFailure("cannot delete: no", status=500))
    outcome = carried_out(cluster, plan)
    assert (len(outcome.failures), outcome.count(Answer.NOT_TRIED)) == (LIMIT, 10)
    assert len(names(cluster)) == LIMIT + 10


def test_without_the_permission_it_is_denied_and_not_tried_forever():
    cluster = cluster_of(*old(LIMIT * 2))
    cluster.forbidden.add(f"delete {OBSERVATIONS.full_name}")
    outcome = carried_out(cluster, planned(cluster))
    assert outcome.verdict is ExitCode.DENIED
    assert verbs(cluster).count("delete") == LIMIT


def test_conflicts_in_a_row_are_no_reason_to_stop():
    cluster = cluster_of(*old(LIMIT + 5))
    plan = planned(cluster)
    cluster.fail("delete", Conflict("cannot delete: it changed", status=409))
    assert len(carried_out(cluster, plan).changed) == LIMIT + 5


def test_without_the_permission_to_list_nothing_is_planned():
    cluster = cluster_of(*old(1))
    cluster.forbidden.add(f"list {OBSERVATIONS.full_name}")
    with pytest.raises(Denied):
        planned(cluster)


def test_a_cluster_without_the_group_is_refused():
    with pytest.raises(Refused, match="serves no resources of the group"):
        planned(FakeCluster())


def test_a_restarted_listing_counts_every_object_once():
    cluster = cluster_of(*old(7))
    gone = cluster.keys(OBSERVATIONS)[0]
    cluster.fail("list", Expired("too old", status=410), times=0)
    seen = 0

    def expire_third_page(call):
        nonlocal seen
        seen += call.verb == "list"
        if seen == 3:
            seen += 1
            cluster.remove(OBSERVATIONS, gone)
            raise Expired("the snapshot expired", status=410)

    cluster.hooks.append(expire_third_page)
    plan = planned(cluster)
    assert (plan.plan.total, plan.plan.to_delete) == (6, 6)
    assert gone not in keys_of(plan)


def test_the_scope_narrows_to_a_namespace_and_labels():
    elsewhere = observation("elsewhere", "team-b", timestamp=OLD)
    labelled = observation("labelled", timestamp=OLD)
    labelled["metadata"]["labels"] = {"severity": "low"}
    cluster = cluster_of(*old(1), elsewhere, labelled)
    assert planned(cluster, query=ListQuery("team-b")).plan.total == 1
    assert [str(key) for key in keys_of(planned(cluster, query=ListQuery(None, "severity=low")))] == [
        "team-a/labelled"
    ]


def test_age_is_judged_by_the_servers_clock():
    cluster = cluster_of(observation(timestamp="2026-11-20T00:00:00Z"), now=NOW + timedelta(days=30))
    assert planned(cluster).plan.to_delete == 1


def test_another_plural_of_the_same_kind_is_cleaned_too():
    upstream = msgspec.structs.replace(OBSERVATIONS, plural="observations", singular="observation")
    ingesters = msgspec.structs.replace(OBSERVATIONS, plural="ingesters", singular="ingester", kind="Ingester")
    cluster = FakeCluster(upstream, ingesters)
    cluster.put(upstream, observation(timestamp=OLD))
    cluster.put(ingesters, {**observation(timestamp=OLD), "kind": "Ingester"})
    outcome = carried_out(cluster, planned(cluster))
    assert (outcome.count(Answer.DELETED), len(cluster.keys(ingesters))) == (1, 1)


# -- how it is told ------------------------------------------------------------------------------------------


def a_plan() -> tuple[FakeCluster, Planned]:
    mixed = [
        observation("dash-1", "team-b", timestamp=OLD, severity="LOW", source="kyverno"),
        observation("young", timestamp=YOUNG),
        observation("odd", timestamp="01.11.2026"),
        observation("seen-wrong", timestamp=OLD, status={"lastSeen": "soon"}),
        observation("seen", timestamp=OLD, status={"lastSeen": YOUNG}),
        observation("open", phase="Active", timestamp=OLD),
    ]
    cluster = cluster_of(*old(3), *mixed)
    return cluster, planned(cluster)


def an_outcome() -> Outcome:
    cluster, plan = a_plan()
    cluster.put(OBSERVATIONS, observation("old-001", phase="Active", timestamp=OLD))
    cluster.remove(OBSERVATIONS, keys_of(plan)[0])
    cluster.fail("delete", Denied("cannot delete zenevent team-a/old-002: a webhook says no"), keys_of(plan)[2])
    return carried_out(cluster, plan)


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
@pytest.mark.parametrize("kind", ["plan", "outcome", "empty"])
def test_it_is_told_in_every_format(kind, fmt):
    if kind == "plan":
        report = plan_report(a_plan()[1].plan)
    elif kind == "outcome":
        report = outcome_report(an_outcome())
    else:
        cluster = cluster_of()
        report = outcome_report(nothing_done(planned(cluster).plan))
    golden.check(f"cleanup/{kind}.{fmt}", "".join(render(report, fmt, View(width=None, colour=False))))


def test_a_doubtful_object_is_kept_counted_and_named():
    data = document(plan_report(a_plan()[1].plan))["data"]
    assert data["kept"][Reason.MALFORMED_TIME.value] == 2
    assert {(d["name"], d["field"]) for d in data["doubtful"]} == {("odd", "timestamp"), ("seen-wrong", "lastSeen")}


def test_the_numbers_of_an_outcome_add_up():
    data = document(outcome_report(an_outcome()))["data"]
    accounted = data["deleted"] + data["changedCount"] + data["gone"] + data["failedCount"] + data["notTried"]
    assert accounted == data["scope"]["planned"] == data["undo"]["objects"]
    assert data["scope"]["planned"] + sum(data["kept"].values()) == data["scope"]["total"]


def test_an_empty_rule_of_phases_deletes_nothing():
    cluster = cluster_of(*old(2))
    assert planned(cluster, Policy((Rule(older_than=RULE.older_than, phases=frozenset()),))).plan.to_delete == 0


def test_a_gone_object_under_a_hook_is_no_failure():
    cluster = cluster_of(*old(1))
    plan = planned(cluster)
    cluster.fail("delete", NotFound("cannot delete: not found", status=404))
    assert [(o.count(Answer.GONE), o.verdict) for o in (carried_out(cluster, plan),)] == [(1, ExitCode.GOOD)]

"""Carrying a restore out on a cluster in memory: order, status, conflicts, permissions, and a second run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests import golden
from tests.backup.samples import a_cluster, back_up, config_map, definition, observation
from tests.dataset import samples
from tests.fakes import Call, FakeCluster
from tests.restore.samples import (
    Run,
    archive_of,
    empty_cluster,
    file_of,
    files_of,
    plan_of,
    ports_of,
    restore,
    writes,
)
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ObjectKey
from zenctl.core.patience import LIMIT
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.core.report import document
from zenctl.errors import ApiFailure, Conflict, Denied, ExitCode, Invalid, NotFound, Refused
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import View, render
from zenctl.restore.apply import Done, StatusDone, apply
from zenctl.restore.decide import OnConflict
from zenctl.restore.report import outcome_report, plan_report

KEY = ObjectKey("team-a", "o-00000")
CRD_NAME = OBSERVATIONS.full_name


def without_server_fields(stored: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what no restore can or may bring back; this is the whole list."""
    value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(stored))
    for name in ("uid", "resourceVersion", "creationTimestamp", "generation"):
        value["metadata"].pop(name, None)
    annotations = value["metadata"].pop("annotations", None) or {}
    annotations = {k: v for k, v in annotations.items() if k not in (ORIGINAL_UID, ORIGINAL_CREATION)}
    if annotations:
        value["metadata"]["annotations"] = annotations
    return value


def everything(cluster: FakeCluster) -> dict[str, Any]:
    return {
        f"{resource.plural} {key}": without_server_fields(cluster.stored(resource, key))
        for resource in (OBSERVATIONS, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION)
        for key in cluster.keys(resource)
    }


def test_an_empty_cluster_gets_everything_back():
    before = a_cluster()
    run = restore(empty_cluster(crd=False), archive_of(before))
    expected = everything(before)
    for elsewhere in ("configmaps zen-system/kube-root-ca.crt", "configmaps team-a/somebody-elses"):
        del expected[elsewhere]
    assert everything(run.cluster) == expected
    assert run.outcome.definitions_created == (CRD_NAME,)
    assert run.outcome.namespaces_created == ("team-a", "team-b", "zen-system")
    assert (run.done, run.outcome.verdict) == ({Done.CREATED: 6}, ExitCode.GOOD)
    assert run.status == {StatusDone.RESTORED: 5, StatusDone.ABSENT: 1}


def test_backup_restore_backup_gives_the_same_again():
    before = a_cluster()
    for sample in samples(200):
        before.put(OBSERVATIONS, sample.object)
    _, first = back_up(before)
    run = restore(empty_cluster(crd=False), archive_of(before))
    _, second = back_up(run.cluster)
    one, other = (
        {
            f"{collection.folder} {key}": without_server_fields(msgspec.json.decode(line))
            for collection in archive.manifest.collections
            for key, line in archive.objects(collection)
        }
        for archive in (first, second)
    )
    assert one == other
    assert first.footer.kinds == second.footer.kinds


def test_crds_come_before_namespaces_and_those_before_objects():
    run = restore(empty_cluster(crd=False), archive_of())
    created = [call.resource.plural for call in run.cluster.calls if call.verb == "create"]
    assert list(dict.fromkeys(created)) == ["customresourcedefinitions", "namespaces", "zenevents", "configmaps"]


def test_a_created_crd_is_waited_for():
    cluster = empty_cluster(crd=False)
    restore(cluster, archive_of())
    asked = [call for call in cluster.calls if call.rule == f"get {CUSTOM_RESOURCE_DEFINITION.full_name}"]
    assert len(asked) >= 3
    assert cluster.refreshed


def test_an_existing_crd_stays_as_it_is():
    cluster = empty_cluster()
    mine = cluster.stored(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", CRD_NAME))
    run = restore(cluster, archive_of())
    assert run.outcome.definitions_created == ()
    assert cluster.stored(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", CRD_NAME)) == mine


def test_a_kind_that_another_crd_serves_needs_no_second_crd():
    upstream = msgspec.structs.replace(OBSERVATIONS, plural="observations", singular="observation")
    cluster = FakeCluster(upstream, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    run = restore(cluster, archive_of())
    assert run.outcome.definitions_created == ()
    assert len(cluster.keys(upstream)) == 5


@pytest.mark.parametrize(
    ("resource", "document", "said"),
    [
        (NAMESPACE, {"metadata": {"name": "team-a"}}, "Namespace team-a"),
        (CUSTOM_RESOURCE_DEFINITION, definition(), "CustomResourceDefinition "),
    ],
)
def test_nothing_is_restored_into_what_is_being_deleted(resource, document, said):
    cluster = empty_cluster()
    going = {**document, "metadata": {**document["metadata"], "deletionTimestamp": "2026-11-23T01:59:00Z"}}
    cluster.put(resource, going)
    with pytest.raises(Refused, match=said) as caught:
        plan_of(cluster, archive_of())
    assert "kubectl wait" in str(caught.value.hint)
    assert writes(cluster) == []


def test_a_kind_that_nobody_serves_and_the_source_does_not_define_is_refused():
    with pytest.raises(Refused, match="brings no CRD"):
        plan_of(empty_cluster(crd=False), file_of(observation("a")))


# -- what exists ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [OnConflict.SKIP, OnConflict.UPDATE])
def test_a_second_run_writes_nothing(policy):
    source = archive_of()
    cluster = restore(empty_cluster(crd=False), source, policy).cluster
    cluster.calls.clear()
    again = restore(cluster, source, policy)
    assert writes(cluster) == []
    expected = {OnConflict.SKIP: Done.SKIPPED, OnConflict.UPDATE: Done.UNCHANGED}[policy]
    assert again.done == {expected: 6}
    assert again.outcome.verdict is ExitCode.GOOD


@pytest.mark.parametrize("policy", [OnConflict.SKIP, OnConflict.UPDATE])
def test_a_cluster_restored_from_its_own_backup_is_not_written(policy):
    cluster = a_cluster()
    source = archive_of(cluster)
    cluster.calls.clear()
    restore(cluster, source, policy)
    assert writes(cluster) == []


def test_an_archived_object_without_status_leaves_a_live_one_alone():
    cluster, source = a_cluster(), file_of({k: v for k, v in observation("o-00000").items() if k != "status"})
    cluster.calls.clear()
    assert restore(cluster, source, OnConflict.UPDATE).done == {Done.UNCHANGED: 1}
    assert writes(cluster) == []


def test_skip_leaves_what_exists_alone():
    cluster = empty_cluster()
    cluster.put(OBSERVATIONS, observation("o-00000", phase="Active", message="mine"))
    run = restore(cluster, archive_of())
    assert run.done == {Done.CREATED: 5, Done.SKIPPED: 1}
    assert cluster.stored(OBSERVATIONS, KEY)["spec"]["message"] == "mine"


def test_update_makes_the_content_and_the_status_the_archived_ones():
    cluster = empty_cluster()
    mine = observation("o-00000", phase="Active", message="mine")
    mine["metadata"]["finalizers"] = ["mine/too"]
    cluster.put(OBSERVATIONS, mine)
    run = restore(cluster, archive_of(), OnConflict.UPDATE)
    stored = cluster.stored(OBSERVATIONS, KEY)
    assert run.done == {Done.CREATED: 5, Done.UPDATED: 1}
    assert (stored["spec"]["message"], stored["status"]["phase"]) == ("ä\u2028b", "Resolved")
    assert stored["metadata"]["finalizers"] == ["mine/too"]


def test_fail_writes_nothing_where_anything_exists():
    cluster = empty_cluster()
    cluster.put(OBSERVATIONS, observation("o-00000"))
    plan = plan_of(cluster, archive_of(), OnConflict.FAIL)
    report = plan_report(plan)
    assert (plan.conflicts, report.verdict) == (1, ExitCode.REFUSED)
    assert plan.batches[0].in_the_way == (KEY,)
    assert writes(cluster) == []


def test_under_fail_what_appears_meanwhile_is_a_failure_and_not_a_skip():
    cluster = empty_cluster()
    cluster.hooks.append(once_before(f"create {CRD_NAME}", lambda: put_live(cluster)))
    run = restore(cluster, archive_of(), OnConflict.FAIL)
    assert [str(failure.key) for failure in run.outcome.failures] == [str(KEY)]
    assert run.outcome.verdict is ExitCode.REFUSED
    assert cluster.stored(OBSERVATIONS, KEY)["spec"]["message"] == "live"


def test_a_finding_that_was_detected_again_takes_over_its_triage():
    before, cluster = empty_cluster(), empty_cluster()
    before.put(OBSERVATIONS, observation("o-00000", fingerprint="f"))
    cluster.put(OBSERVATIONS, observation("o-00000", phase="Active", fingerprint="f", message="again"))
    run = restore(cluster, archive_of(before))
    stored = cluster.stored(OBSERVATIONS, KEY)
    assert (run.done, run.status) == ({Done.ADOPTED: 1}, {StatusDone.RESTORED: 1})
    assert (stored["status"]["phase"], stored["spec"]["message"]) == ("Resolved", "again")


def test_a_restore_that_was_cut_off_between_object_and_status_is_completed():
    source, cluster = archive_of(), empty_cluster()
    cluster.fail("update", ApiFailure("the connection broke", status=500), KEY)
    first = restore(cluster, source)
    assert [str(failure.key) for failure in first.outcome.failures] == [str(KEY)]
    assert "status" not in cluster.stored(OBSERVATIONS, KEY)
    cluster.hooks.clear()
    second = restore(cluster, source)
    assert second.done == {Done.ADOPTED: 1, Done.SKIPPED: 5}
    assert cluster.stored(OBSERVATIONS, KEY)["status"]["phase"] == "Resolved"


# -- races ----------------------------------------------------------------------------------------------------


def once_before(rule: str, do: Any) -> Any:
    done = False

    def hook(call: Call) -> None:
        nonlocal done
        if call.rule == rule and call.key in (KEY, ObjectKey("", "")) and not done:
            done = True
            do()

    return hook


def put_live(cluster: FakeCluster, **spec: Any) -> None:
    cluster.put(OBSERVATIONS, observation("o-00000", phase="Active", **{"message": "live", **spec}))


@pytest.mark.parametrize(
    ("policy", "done", "message"),
    [(OnConflict.SKIP, Done.SKIPPED, "live"), (OnConflict.UPDATE, Done.UPDATED, "ä\u2028b")],
)
def test_a_conflict_at_create_is_decided_anew(policy, done, message):
    cluster = empty_cluster()
    cluster.hooks.append(once_before(f"create {CRD_NAME}", lambda: put_live(cluster)))
    run = restore(cluster, archive_of(), policy)
    assert run.done == {Done.CREATED: 5, done: 1}
    assert cluster.stored(OBSERVATIONS, KEY)["spec"]["message"] == message


def test_an_object_that_goes_away_before_its_update_is_created():
    cluster = empty_cluster()
    put_live(cluster)
    cluster.hooks.append(once_before(f"get {CRD_NAME}", lambda: cluster.remove(OBSERVATIONS, KEY)))
    run = restore(cluster, archive_of(), OnConflict.UPDATE)
    assert run.done == {Done.CREATED: 6}


def touched(cluster: FakeCluster, **changes: Any) -> None:
    """Let the watcher write to an object between two steps of ours."""
    stored = cluster.stored(OBSERVATIONS, KEY)
    cluster.put(OBSERVATIONS, {**stored, **changes})


def test_a_write_of_somebody_else_does_not_cost_a_new_object_its_status():
    cluster = empty_cluster()
    changed = {"status": {"phase": "Active", "count": 1}}
    cluster.hooks.append(once_before(f"update {CRD_NAME}/status", lambda: touched(cluster, **changed)))
    run = restore(cluster, archive_of())
    assert run.done == {Done.CREATED: 6}
    assert cluster.stored(OBSERVATIONS, KEY)["status"] == {"phase": "Resolved", "count": 3}


def test_a_triage_of_somebody_else_meanwhile_is_respected():
    cluster = empty_cluster()
    changed = {"status": {"phase": "Acknowledged"}}
    cluster.hooks.append(once_before(f"update {CRD_NAME}/status", lambda: touched(cluster, **changed)))
    restore(cluster, archive_of())
    assert cluster.stored(OBSERVATIONS, KEY)["status"] == {"phase": "Acknowledged"}


def test_conflicts_without_end_are_a_failure_of_that_object_alone():
    cluster = empty_cluster()
    cluster.fail("create", Conflict("cannot create: conflict", status=409), KEY)
    run = restore(cluster, archive_of())
    assert (run.done, run.outcome.verdict) == ({Done.CREATED: 5}, ExitCode.PARTIAL)
    assert len(run.rejects) == 1


def test_a_namespace_that_somebody_makes_meanwhile_is_no_failure():
    cluster = empty_cluster()

    def hook(call: Call) -> None:
        if call.rule == "create namespaces" and call.key.name == "team-a":
            cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})

    cluster.hooks.append(hook)
    run = restore(cluster, archive_of())
    assert run.outcome.namespaces_created == ("team-b", "zen-system")
    assert run.outcome.verdict is ExitCode.GOOD


# -- status ----------------------------------------------------------------------------------------------------


class PruningCluster(FakeCluster):
    """A cluster whose schema knows no count in status."""

    def replace_status(self, resource, key, body):
        value = msgspec.json.decode(body)
        value["status"].pop("count", None)
        return super().replace_status(resource, key, msgspec.json.encode(value))


def test_a_status_that_the_server_alters_is_counted_as_altered():
    cluster = PruningCluster(OBSERVATIONS, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    cluster.put(CUSTOM_RESOURCE_DEFINITION, definition())
    run = restore(cluster, archive_of())
    assert run.status == {StatusDone.ALTERED: 5, StatusDone.ABSENT: 1}
    assert "altered by the server" in table(outcome_report(run.outcome, None))


def test_a_kind_without_status_subresource_gets_its_status_with_the_body():
    plain = msgspec.structs.replace(OBSERVATIONS, status_subresource=False)
    cluster = FakeCluster(plain, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    cluster.put(CUSTOM_RESOURCE_DEFINITION, definition())
    cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})
    changed = observation("o-00000", phase="Active")
    cluster.put(plain, changed)
    run = restore(cluster, archive_of(), OnConflict.UPDATE)
    assert {cluster.stored(plain, key)["status"]["phase"] for key in cluster.keys(plain)} == {"Resolved"}
    assert "update zenevents.zen.kube-zen.io/status" not in writes(cluster)
    assert run.done == {Done.CREATED: 5, Done.UPDATED: 1}


# -- what fails ---------------------------------------------------------------------------------------------------


def test_a_rejected_object_is_kept_and_the_rest_goes_on():
    cluster = empty_cluster()
    cluster.fail("create", Invalid("cannot create: spec.severity is not allowed", status=422), KEY)
    run = restore(cluster, archive_of())
    assert (run.done, run.outcome.verdict) == ({Done.CREATED: 5}, ExitCode.PARTIAL)
    (failure,) = run.outcome.failures
    assert (failure.kind, failure.key, len(run.rejects)) == ("Observation", KEY, 1)


def test_the_rejects_can_be_given_to_a_restore_again():
    cluster = empty_cluster()
    for resource, key in ((OBSERVATIONS, KEY), (CONFIG_MAP, ObjectKey("zen-system", "filters"))):
        cluster.fail("create", Invalid(f"no {resource.plural}", status=422), key)
    run = restore(cluster, archive_of())
    cluster.hooks.clear()
    again = restore(cluster, files_of({"rejects.ndjson": b"".join(line + b"\n" for line in run.rejects)}))
    assert (again.done, again.outcome.verdict) == ({Done.CREATED: 2}, ExitCode.GOOD)
    assert cluster.stored(OBSERVATIONS, KEY)["status"]["phase"] == "Resolved"
    assert cluster.stored(CONFIG_MAP, ObjectKey("zen-system", "filters"))["data"] == {"a": "1"}


def test_failures_in_a_row_stop_the_run_and_the_rest_is_counted():
    cluster = empty_cluster()
    cluster.fail("create", Denied("cannot create: a webhook says no"))
    for namespace in ("team-a", "team-b", "zen-system"):
        cluster.put(NAMESPACE, {"metadata": {"name": namespace}})
    run = restore(cluster, archive_of(a_cluster(observations=LIMIT + 7)))
    assert (len(run.outcome.failures), run.outcome.not_tried) == (LIMIT + 1, 7)
    assert run.outcome.verdict is ExitCode.DENIED


@pytest.mark.parametrize("crd", [True, False])
@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (f"create {CRD_NAME}", "create zenevents"),
        (f"update {CRD_NAME}/status", "update zenevents/status"),
        ("create configmaps", "create configmaps"),
        ("create namespaces", "create namespaces"),
    ],
)
def test_a_missing_permission_is_found_before_the_first_write(rule, said, crd):
    cluster = empty_cluster(crd=crd)
    cluster.forbidden.add(rule)
    with pytest.raises(Denied, match=f"may not {said}"):
        restore(cluster, archive_of())
    assert writes(cluster) == []


def test_all_missing_permissions_are_named_together():
    cluster = empty_cluster(crd=False)
    names = ("create zenevents", "create namespaces", "create customresourcedefinitions")
    cluster.forbidden |= {f"create {CRD_NAME}", "create namespaces", f"create {CUSTOM_RESOURCE_DEFINITION.full_name}"}
    with pytest.raises(Denied) as caught:
        restore(cluster, archive_of())
    assert all(name in caught.value.message for name in names)


class OneNamespaceCluster(FakeCluster):
    """A cluster that lets the caller write in team-a alone."""

    def allowed(self, resource, verb, *, namespace="", subresource=""):
        return not resource.namespaced or namespace == "team-a"


def test_permissions_in_each_namespace_concerned_are_enough():
    cluster = OneNamespaceCluster(OBSERVATIONS, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    run = restore(cluster, file_of(observation("a"), observation("b"), config_map("c", "team-a")))
    assert run.done == {Done.CREATED: 3}
    with pytest.raises(Denied):
        restore(cluster, file_of(observation("a", "team-b")))


def test_permissions_that_nothing_needs_are_not_asked_for():
    source = archive_of()
    cluster = restore(empty_cluster(crd=False), source).cluster
    cluster.forbidden |= {f"create {CRD_NAME}", f"update {CRD_NAME}/status", "create configmaps"}
    assert restore(cluster, source).outcome.verdict is ExitCode.GOOD


def test_an_object_that_cannot_be_addressed_is_named_and_makes_it_partly_done():
    nameless, placeless = observation(""), observation("placeless")
    del placeless["metadata"]["namespace"]
    odd = {**observation("odd"), "metadata": {"name": "odd", "namespace": "team-a", "annotations": [1]}}
    nowhere = config_map("nowhere")
    del nowhere["metadata"]["namespace"]
    run = restore(empty_cluster(), file_of(nameless, placeless, odd, nowhere, observation("good")))
    assert len(run.outcome.plan.unreadable) == 4
    assert (run.done, run.outcome.verdict) == ({Done.CREATED: 1}, ExitCode.PARTIAL)


def test_a_namespace_that_went_away_meanwhile_is_a_failure_of_its_objects():
    cluster = empty_cluster()
    source = archive_of()
    plan = plan_of(cluster, source)
    cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})
    cluster.hooks.append(
        once_before(f"create {CRD_NAME}", lambda: cluster.remove(NAMESPACE, ObjectKey("", "team-a")))
    )
    outcome = apply(ports_of(cluster), plan)
    assert {failure.key.namespace for failure in outcome.failures} == {"team-a"}
    assert all(isinstance(failure.error, NotFound) for failure in outcome.failures)
    assert outcome.verdict is ExitCode.PARTIAL


# -- provenance -------------------------------------------------------------------------------------------------


def test_the_first_creation_survives_any_number_of_restores():
    before = a_cluster()
    born = before.stored(OBSERVATIONS, KEY)["metadata"]
    cluster: FakeCluster = before
    for _ in range(3):
        cluster = restore(empty_cluster(crd=False), archive_of(cluster)).cluster
    annotations = cluster.stored(OBSERVATIONS, KEY)["metadata"]["annotations"]
    assert annotations == {ORIGINAL_UID: born["uid"], ORIGINAL_CREATION: born["creationTimestamp"]}


# -- how it is told ---------------------------------------------------------------------------------------------


def table(report: Any) -> str:
    return "".join(render(report, "table", View(width=None, colour=False)))


def a_run() -> Run:
    cluster = empty_cluster(crd=False)
    cluster.fail("create", Invalid("cannot create a zenevent: spec.severity: Unsupported value", status=422), KEY)
    other = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    found = [
        definition(),
        observation("o-00000"),
        observation("b"),
        observation("", "team-a"),
        config_map("c"),
        other,
    ]
    return restore(cluster, file_of(*found))


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
@pytest.mark.parametrize("kind", ["plan", "refused", "outcome"])
def test_it_is_told_in_every_format(kind, fmt):
    if kind == "outcome":
        report = outcome_report(a_run().outcome._replace(seconds=2.0), "zenctl-rejects-20261123T020000Z.ndjson")
    elif kind == "plan":
        report = plan_report(a_run().plan)
    else:
        cluster = empty_cluster()
        cluster.put(OBSERVATIONS, observation("o-00000"))
        report = plan_report(plan_of(cluster, file_of(observation("o-00000"), observation("b")), OnConflict.FAIL))
    golden.check(f"restore/{kind}.{fmt}", "".join(render(report, fmt, View(width=None, colour=False))))


def test_the_numbers_of_an_outcome_add_up():
    data = document(outcome_report(a_run().outcome, None))["data"]
    in_source = sum(batch.batch.objects for batch in a_run().plan.batches)
    done = sum(sum(batch["done"].values()) for batch in data["batches"])
    assert done + len(data["failed"]) + data["notTried"] + len(data["unreadable"]) == in_source

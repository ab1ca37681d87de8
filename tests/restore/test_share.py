"""What comes back only where it is asked for: the installation, Secrets and Helm's releases."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from tests.backup.samples import (
    BUDGETS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CRON_JOBS,
    DEPLOYMENTS,
    INSTALLATION,
    NETWORK_POLICIES,
    ROLE_BINDINGS,
    ROLES,
    SYSTEM,
    an_installation,
    back_up,
    named,
    secret,
)
from tests.core.helm_samples import revision
from tests.fakes import Call, FakeCluster
from tests.restore.samples import archive_of, files_of, plan_of, ports_of, restore, writes
from zenctl.core.helm import Storage
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ObjectKey, ResourceType
from zenctl.core.provenance import ORIGINAL_UID
from zenctl.errors import ExitCode, Expired, Invalid, Refused, UsageError
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import SECRET, SERVICE, SERVICE_ACCOUNT
from zenctl.restore.apply import Done, StatusDone, apply
from zenctl.restore.batch import Batch, Share, Source
from zenctl.restore.compare import differences
from zenctl.restore.decide import Action, OnConflict
from zenctl.restore.pause import require_pausable
from zenctl.restore.preflight import RESOURCE_QUOTA, preflight
from zenctl.restore.report import outcome_report, plan_report
from zenctl.restore.select import Chosen, Selection
from zenctl.restore.source import ArchiveSource, FilesSource

ALL = frozenset({"installation", "secrets", "helm"})
WATCHER = ObjectKey(SYSTEM, "zen-watcher")
SERVED = msgspec.structs.replace(DEPLOYMENTS, status_subresource=True)
"""Deployments as servers have them: with a status of their own."""
LATER_BUDGETS = msgspec.structs.replace(BUDGETS, version="v1")


def a_fresh_cluster(*more: ResourceType) -> FakeCluster:
    """Return a cluster with all kinds and nothing in it but the system namespace."""
    served = (SERVICE_ACCOUNT, ROLES, ROLE_BINDINGS, CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS, SERVICE, SERVED, CRON_JOBS)
    basic = (OBSERVATIONS, CONFIG_MAP, SECRET, CUSTOM_RESOURCE_DEFINITION, NAMESPACE)
    cluster = FakeCluster(*basic, *served, NETWORK_POLICIES, *(more or (LATER_BUDGETS,)))
    for name in ("kube-system", SYSTEM):
        cluster.put(NAMESPACE, {"metadata": {"name": name}})
    return cluster


def source_of(*words: str, cluster: FakeCluster | None = None) -> Source:
    """Return the backup of an installation with Secrets, of which these kinds are asked for."""
    kinds = frozenset(words)
    archive = back_up(cluster or an_installation(), plaintext=True, include_secrets=True)[1]
    return Chosen(ArchiveSource(archive, kinds), Selection(kinds=kinds), {})


def kinds(source: Source) -> list[str]:
    return [batch.kind for batch in source.batches()]


# -- choosing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("deployment", ["Deployment"]),
        ("deployments", ["Deployment"]),
        ("deployments.apps", ["Deployment"]),
        ("networkpolicies", ["NetworkPolicy"]),
        ("netpol", ["NetworkPolicy"]),
        ("deploy", ["Deployment"]),
        ("svc", ["Service"]),
        ("cm", ["ConfigMap"]),
        ("clusterrolebinding", ["ClusterRoleBinding"]),
        ("secret", ["Secret"]),
        ("secrets", ["Secret"]),
        ("helm", ["Secret"]),
        ("configmap", ["ConfigMap"]),
    ],
)
def test_a_kind_comes_back_by_the_words_that_kubectl_takes_and_brings_no_crd(word, found):
    assert kinds(source_of(word)) == found


def test_what_runs_comes_last_and_roles_before_their_bindings():
    order = kinds(source_of("installation", "secret", "helm"))
    assert order == [
        "Secret", "ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "NetworkPolicy",
        "PodDisruptionBudget", "Service", "Deployment", "CronJob", "Secret",
    ]  # fmt: skip


def test_a_secret_of_helms_type_is_helms_whatever_its_name():
    odd = {**revision(1), "metadata": {"name": "odd", "namespace": SYSTEM}}
    source = files_of({"a.json": json.dumps(odd)}, asked=frozenset({"secret", "helm"}))
    assert [batch.share for batch in source.batches()] == [Share.HELM]


def test_what_was_not_asked_for_is_still_listed():
    archive = back_up(an_installation(), plaintext=True, include_secrets=True)[1]
    what = [item.what for item in ArchiveSource(archive, frozenset({"deployment", "secrets"})).left_out]
    assert what == ["3 Helm revisions in Secrets", "11 objects of the installation, of 9 kinds"]
    assert ArchiveSource(archive, ALL).left_out == ()


def test_a_kind_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(UsageError) as caught:
        source_of("pod")
    assert "Observation, ServiceAccount" in str(caught.value.hint).replace("Secret, ", "")
    assert "helm" in str(caught.value.hint)


@pytest.mark.parametrize("word", ["networkpolicies", "netpol", "networkpolicies.networking.k8s.io"])
def test_a_plural_needs_no_archive_to_say_it(word):
    assert word in Batch("networking.k8s.io/v1", "NetworkPolicy", 1, 0).called


def test_a_custom_kind_is_not_called_by_a_built_in_ones_short_name():
    assert "deploy" not in Batch("example.io/v1", "Deployment", 1, 0).called


def test_secrets_that_are_only_helms_are_none():
    archive = back_up(an_installation(), plaintext=True)[1]
    with pytest.raises(UsageError, match="holds nothing to restore of kind secret"):
        Chosen(ArchiveSource(archive, frozenset({"secret"})), Selection(kinds=frozenset({"secret"})), {})


def test_files_give_it_too_and_say_how_to_ask():
    listed = {"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "apps/v1", "kind": "Deployment", **named("zen-watcher")},
        {"apiVersion": "v1", "kind": "Secret", **secret("webhook")},
        {"apiVersion": "v1", "kind": "Secret", **secret("t", "kubernetes.io/service-account-token")},
        revision(1),
    ]}  # fmt: skip
    files = {"a.json": json.dumps(listed)}
    usual = files_of(files)
    assert kinds(usual) == []
    assert {item.why.rpartition(": ")[2] for item in usual.left_out} == {
        "--only deployment", "--only secret", "--only helm", "not zenctl's to restore",
    }  # fmt: skip
    assert usual.on_request == ("Deployment", "Secret", "helm")
    asked = files_of(files, asked=frozenset({"installation", "secret", "helm"}))
    assert [(b.kind, b.objects) for b in asked.batches()] == [("Secret", 1), ("Deployment", 1), ("Secret", 1)]


# -- writing ------------------------------------------------------------------------------------------------------


def test_an_installation_comes_back_whole_and_a_second_run_writes_nothing():
    cluster = a_fresh_cluster()
    run = restore(cluster, source_of(*ALL))
    assert (run.done, run.outcome.verdict, run.outcome.not_tried) == ({Done.CREATED: 16}, ExitCode.GOOD, 0)
    assert run.status == {StatusDone.ABSENT: 16}
    assert cluster.keys(SECRET) == [
        *(ObjectKey(SYSTEM, f"sh.helm.release.v1.zen-watcher.v{n}") for n in (1, 2, 3)),
        ObjectKey(SYSTEM, "webhook"),
    ]
    assert not [call for call in cluster.calls if call.subresource]
    for policy, done in ((OnConflict.SKIP, Done.SKIPPED), (OnConflict.UPDATE, Done.UNCHANGED)):
        cluster.calls.clear()
        assert restore(cluster, source_of(*ALL), policy).done == {done: 16}
        assert writes(cluster) == []


def test_neither_status_nor_what_the_cluster_gave_goes_in():
    before = an_installation()
    before.put(
        SERVICE, named("zen-watcher", spec={"clusterIP": "10.0.0.7", "ports": [{"port": 1, "nodePort": 31000}]})
    )
    cluster = a_fresh_cluster()
    restore(cluster, source_of("service", "deployment", cluster=before))
    assert cluster.stored(SERVICE, WATCHER)["spec"] == {"ports": [{"port": 1, "nodePort": 31000}]}
    stored = cluster.stored(SERVED, WATCHER)
    assert "status" not in stored
    assert stored["metadata"]["annotations"][ORIGINAL_UID] == before.stored(DEPLOYMENTS, WATCHER)["metadata"]["uid"]


def test_secrets_of_both_sorts_count_against_a_quota_together():
    target = a_fresh_cluster(RESOURCE_QUOTA)
    target.put(RESOURCE_QUOTA, named("small", status={"hard": {"secrets": "3"}, "used": {"secrets": "0"}}))
    found = preflight(target, target, plan_of(target, source_of("secrets", "helm")))
    assert [(shortage.what, shortage.wanted) for shortage in found.shortages] == [("secrets", 4)]


def test_no_right_to_write_status_is_asked_for():
    cluster = a_fresh_cluster()
    cluster.forbidden = {"update deployments/status.apps", "update deployments.apps/status"}
    plan = plan_of(cluster, source_of("deployment"))
    assert preflight(cluster, cluster, plan).missing == ()
    assert restore(cluster, source_of("deployment")).done == {Done.CREATED: 1}


def test_an_update_keeps_what_the_cluster_gave_the_live_object():
    cluster = a_fresh_cluster()
    live = {"clusterIP": "10.0.0.9", "clusterIPs": ["10.0.0.9"], "ports": [{"port": 8081}]}
    cluster.put(SERVICE, named("zen-watcher", spec=live))
    run = restore(cluster, source_of("service"), OnConflict.UPDATE)
    assert run.done == {Done.UPDATED: 1}
    assert cluster.stored(SERVICE, WATCHER)["spec"] == {**live, "ports": [{"port": 8080}]}


def test_another_address_of_the_live_service_is_no_difference():
    cluster = a_fresh_cluster()
    cluster.put(SERVICE, named("zen-watcher", spec={"clusterIP": "10.0.0.9", "ports": [{"port": 8080}]}))
    assert restore(cluster, source_of("service"), OnConflict.UPDATE).done == {Done.UNCHANGED: 1}
    assert writes(cluster) == []


def test_live_status_neither_counts_nor_changes():
    cluster = a_fresh_cluster()
    cluster.put(SERVED, named("zen-watcher", spec={"replicas": 1}, status={"readyReplicas": 0}))
    assert restore(cluster, source_of("deployment"), OnConflict.UPDATE).done == {Done.UNCHANGED: 1}


def test_a_kind_is_written_at_the_version_that_the_cluster_has_now():
    cluster = a_fresh_cluster()
    restore(cluster, source_of("poddisruptionbudget"))
    assert cluster.stored(LATER_BUDGETS, WATCHER)["apiVersion"] == "policy/v1"


@pytest.mark.parametrize("selector", [{}, {"matchLabels": {"a": "b"}}])
def test_a_budget_of_an_old_version_selects_what_it_selected(selector):
    budget = named("zen-watcher", spec={"maxUnavailable": 1, "selector": selector})
    home = an_installation()
    home.put(BUDGETS, budget)
    file = {"apiVersion": BUDGETS.api_version, "kind": BUDGETS.kind, **budget}
    words = frozenset({"pdb"})
    for source in (source_of("pdb", cluster=home), FilesSource("f", {"f": json.dumps(file).encode()}, "g.io", words)):
        cluster = a_fresh_cluster()
        assert restore(cluster, source).outcome.verdict is ExitCode.GOOD
        stored = cluster.stored(LATER_BUDGETS, WATCHER)
        assert (stored["apiVersion"], stored["spec"].get("selector")) == ("policy/v1", selector or None)


def test_an_old_budget_on_an_old_cluster_is_unchanged_by_its_backup():
    home = an_installation()
    home.put(BUDGETS, named("zen-watcher", spec={"maxUnavailable": 1, "selector": {}}))
    (batch,) = plan_of(home, source_of("pdb", cluster=home), OnConflict.UPDATE).batches
    assert batch.actions == {Action.UNCHANGED: 1}


def test_a_kind_that_the_cluster_has_not_is_refused():
    with pytest.raises(Refused, match="serves no PodDisruptionBudget") as caught:
        plan_of(a_fresh_cluster(CONFIG_MAP), source_of("poddisruptionbudget"))
    assert "--only" in str(caught.value.hint)


def test_only_the_namespaces_concerned_are_listed():
    cluster = a_fresh_cluster()
    cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})
    cluster.put(SERVED, named("elsewhere", "team-a"))
    plan = plan_of(cluster, source_of("deployment"))
    assert [len(batch.live) for batch in plan.batches] == [0]


def test_no_token_of_an_account_comes_back():
    token = {"apiVersion": "v1", "kind": "Secret", **secret("t", "kubernetes.io/service-account-token")}
    source = files_of({"a.json": json.dumps(token)}, asked=frozenset({"secret"}))
    assert source.batches() == ()


# -- secrets stay secret ------------------------------------------------------------------------------------------


def test_a_plan_names_the_fields_of_a_secret_and_not_what_is_in_them():
    one, other = (msgspec.json.encode(secret("s") | {"data": {"token": text}}) for text in ("aaa", "bbb"))
    (found,) = differences(one, other, SECRET, status=False)
    assert (found.field, found.archived, found.live) == ("data.token", "(hidden)", "(hidden)")


@pytest.mark.parametrize("word", ["secrets", "helm"])
def test_a_rejected_secret_is_named_and_kept_in_no_file(word):
    cluster = a_fresh_cluster()
    cluster.fail("create", Invalid("no", status=422))
    run = restore(cluster, source_of(word, "deployment"))
    assert len(run.outcome.failures) > 1
    assert [msgspec.json.decode(line)["kind"] for line in run.rejects] == ["Deployment"]
    text = str(outcome_report(run.outcome, "r.ndjson").blocks)
    assert "Give the same --only again. Secrets are not" in text


def test_rejects_of_the_usual_need_no_word():
    cluster = a_fresh_cluster()
    cluster.fail("create", Invalid("no", status=422))
    run = restore(cluster, source_of("configmap"))
    assert "mend them and give that file to zenctl restore.'" in str(outcome_report(run.outcome, "r.ndjson").blocks)


def test_rejects_can_be_fed_back():
    cluster = a_fresh_cluster()
    cluster.fail("create", Invalid("no", status=422), WATCHER, times=1)
    run = restore(cluster, source_of("deployment"))
    again = files_of({"r.ndjson": b"\n".join(run.rejects)}, asked=frozenset({"deployment"}))
    assert restore(cluster, again).done == {Done.CREATED: 1}


def test_a_watcher_is_not_paused_while_its_deployment_is_restored():
    with pytest.raises(UsageError, match="--pause-watcher"):
        require_pausable(plan_of(a_fresh_cluster(), source_of("deployment")))
    require_pausable(plan_of(a_fresh_cluster(), source_of("service")))


# -- Helm ---------------------------------------------------------------------------------------------------------


def live(cluster: FakeCluster, revisions: Iterable[dict[str, Any]]) -> FakeCluster:
    for each in revisions:
        cluster.put(SECRET if each["kind"] == "Secret" else CONFIG_MAP, each)
    return cluster


OWN = [revision(1, "superseded", config=None), revision(2, "deployed"), revision(3, "failed")]
"""As the archive has them."""


@pytest.mark.parametrize(
    ("there", "actions", "newest"),
    [
        ([], {Action.CREATE: 3}, None),
        (OWN[:1], {Action.SKIP: 1, Action.CREATE: 2}, None),
        (OWN[2:], {Action.SKIP: 1, Action.CREATE: 2}, None),
        (OWN, {Action.SKIP: 3}, None),
        ([revision(4)], {Action.SKIP: 3}, 4),
        ([*OWN[1:], revision(4)], {Action.SKIP: 3}, 4),
        ([revision(1)], {Action.SKIP: 3}, 1),
        ([revision(3, "deployed")], {Action.SKIP: 3}, 3),
        ([revision(2, "superseded"), revision(5, "failed")], {Action.SKIP: 3}, 5),
        ([revision(4, storage=Storage.CONFIG_MAP)], {Action.SKIP: 3}, 4),
        ([revision(9, name="another")], {Action.CREATE: 3}, None),
        ([revision(0)], {Action.CREATE: 3}, None),
    ],
)
def test_a_release_comes_back_only_where_no_other_revision_is_as_new(there, actions, newest):
    cluster = live(a_fresh_cluster(), there)
    plan = plan_of(cluster, source_of("helm"))
    assert [batch.actions for batch in plan.batches] == [actions]
    rows = [row for row in plan_report(plan).data.left_out if "release" in row.what]  # type: ignore[attr-defined]
    assert [row.what for row in rows] == (
        [] if newest is None else ["3 revisions of the Helm release zen-system/zen-watcher"]
    )
    if newest is not None:
        assert f"revision {newest} of it is live, and the backup's are up to 3" in rows[0].why
    assert apply(ports_of(cluster), plan).verdict is ExitCode.GOOD
    assert len(cluster.keys(SECRET)) == len([r for r in there if r["kind"] == "Secret"]) + actions.get(
        Action.CREATE, 0
    )


@pytest.mark.parametrize("policy", [OnConflict.UPDATE, OnConflict.FAIL])
def test_no_policy_brings_one_back_beside_a_newer_one(policy):
    cluster = live(a_fresh_cluster(), [*OWN[1:], revision(4)])
    plan = plan_of(cluster, source_of("helm"), policy)
    action = Action.CONFLICT if policy is OnConflict.FAIL else Action.SKIP
    assert [batch.actions for batch in plan.batches] == [{action: 3}]
    assert plan.writes == 0


LATER = {"last_deployed": "2026-12-24T09:00:00Z", "status": "deployed"}
EARLIER = {"last_deployed": "2026-11-01T08:59:59+01:00", "status": "deployed"}


@pytest.mark.parametrize(
    ("info", "writes_planned"),
    [(LATER, 0), (EARLIER, 2), ({"last_deployed": "?"}, 2), ({}, 2)],
    ids=["later", "earlier", "odd", "none"],
)
def test_an_installation_that_began_anew_is_newer_whatever_its_number(info, writes_planned):
    home = an_installation()
    for number in (1, 2, 3):
        home.remove(SECRET, ObjectKey(SYSTEM, f"sh.helm.release.v1.zen-watcher.v{number}"))
    live(home, [revision(11, "superseded"), revision(12)])
    plan = plan_of(live(a_fresh_cluster(), [revision(1, info=info)]), source_of("helm", cluster=home))
    assert plan.writes == writes_planned
    why = [row.why for row in plan_report(plan).data.left_out if "release" in row.what]  # type: ignore[attr-defined]
    assert [reason.partition(":")[0] for reason in why] == (
        [] if writes_planned else ["revision 1 of it is live, and was deployed after all of the backup's"]
    )


def test_an_installation_is_no_newer_for_being_deployed_before_the_last_of_the_backup():
    home = an_installation()
    for number in (1, 2, 3):
        home.remove(SECRET, ObjectKey(SYSTEM, f"sh.helm.release.v1.zen-watcher.v{number}"))
    live(home, [revision(11, "superseded", info=EARLIER), revision(12, info=LATER)])
    between = {"last_deployed": "2026-11-20T09:00:00Z", "status": "deployed"}
    assert plan_of(live(a_fresh_cluster(), [revision(1, info=between)]), source_of("helm", cluster=home)).writes == 2


def test_the_payload_is_believed_and_not_the_name():
    newer = revision(7)
    newer["metadata"]["name"] = "sh.helm.release.v1.something.v1"
    plan = plan_of(live(a_fresh_cluster(), [newer]), source_of("helm"))
    assert plan.writes == 0


def test_a_payload_that_cannot_be_read_counts_by_its_name():
    newer = revision(7) | {"data": {"release": "!"}}
    assert plan_of(live(a_fresh_cluster(), [newer]), source_of("helm")).writes == 0


def test_a_revision_that_comes_between_plan_and_execution_stops_its_release():
    cluster = a_fresh_cluster()
    plan = plan_of(cluster, source_of("helm"))
    live(cluster, [revision(4)])
    outcome = apply(ports_of(cluster), plan)
    assert (outcome.verdict, len(outcome.failures)) == (ExitCode.REFUSED, 3)
    assert cluster.keys(SECRET) == [ObjectKey(SYSTEM, "sh.helm.release.v1.zen-watcher.v4")]


def test_a_release_comes_back_as_helm_wrote_it():
    cluster = a_fresh_cluster()
    restore(cluster, source_of("helm"))
    stored = cluster.stored(SECRET, ObjectKey(SYSTEM, "sh.helm.release.v1.zen-watcher.v2"))
    assert (stored["type"], stored["data"], stored["metadata"]["labels"]) == (
        OWN[1]["type"], OWN[1]["data"], OWN[1]["metadata"]["labels"],
    )  # fmt: skip


@pytest.mark.parametrize(("word", "resource"), [("helm", SECRET), ("service", SERVICE)])
def test_what_goes_while_a_listing_begins_again_is_not_there(word, resource):
    """The listing is in pages of two, and expires on the way to the second one."""
    cluster = live(a_fresh_cluster(), [revision(4), revision(5), revision(6)])
    cluster.put(SERVICE, named("zen-watcher"))
    for name in ("zza", "zzb", "zzc"):
        cluster.put(SERVICE, named(name))
    listed = itertools.count()

    def expire(call: Call) -> None:
        if (call.verb, call.resource) == ("list", resource) and next(listed) == 1:
            for key in cluster.keys(resource):
                cluster.remove(resource, key)
            raise Expired("expired", status=410)

    cluster.hooks.append(expire)
    (batch,) = plan_of(cluster, source_of(word)).batches
    assert batch.actions.keys() == {Action.CREATE}


def test_releases_in_config_maps_come_back_and_no_other_config_map():
    before = live(an_installation(), [revision(9, storage=Storage.CONFIG_MAP, name="old")])
    cluster = a_fresh_cluster()
    run = restore(cluster, source_of("helm", cluster=before))
    assert run.done == {Done.CREATED: 4}
    assert cluster.keys(CONFIG_MAP) == [ObjectKey(SYSTEM, "sh.helm.release.v1.zen-watcher.v9")]


@pytest.mark.parametrize(
    ("selection", "namespaces"),
    [
        (Selection(names=frozenset({"zen-system/sh.helm.release.v1.zen-watcher.v2"})), {}),
        (Selection(), {SYSTEM: "elsewhere"}),
    ],
)
def test_no_part_of_a_release_comes_back_and_none_elsewhere(selection, namespaces):
    with pytest.raises(UsageError, match="--only helm does not go with"):
        Chosen(archive_of(an_installation(), plaintext=True, asked=ALL), selection, namespaces)


def test_its_namespace_can_be_chosen():
    archive = archive_of(an_installation(), plaintext=True, asked=ALL)
    chosen = Chosen(archive, Selection(kinds=frozenset({"helm"}), namespace="team-a"), {})
    assert [len(list(chosen.objects(batch))) for batch in chosen.batches()] == [0]


def test_every_kind_of_an_installation_has_a_place_in_the_order():
    archive = archive_of(an_installation(), asked=frozenset({"installation"}))
    held = {batch.kind for batch in archive.batches() if batch.share}
    assert held == {resource.kind for resource in INSTALLATION} - {"StatefulSet"}

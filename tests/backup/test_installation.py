"""The watcher's installation in a backup: what belongs to it, what does not, and what may not be read."""

from __future__ import annotations

import msgspec
import pytest

from tests.backup.samples import (
    ACCOUNT,
    BUDGETS,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CRON_JOBS,
    DEPLOYMENTS,
    INSTALLATION,
    ROLE_BINDINGS,
    STATEFUL_SETS,
    a_cluster,
    an_installation,
    back_up,
    binding,
    contents,
    named,
)
from tests.fakes import Call, FakeCluster
from zenctl.backup.report import created_report
from zenctl.core.objects import ObjectKey
from zenctl.errors import ExitCode, Expired
from zenctl.product.installation import SERVICE, SERVICE_ACCOUNT
from zenctl.product.labels import NAME

BOOTSTRAPPED = {"kubernetes.io/bootstrapping": "rbac-defaults"}


def of(cluster: FakeCluster, resource: object) -> list[str]:
    """Return the keys of a kind in a backup of the cluster."""
    return contents(back_up(cluster)[1])[resource.kind_and_group]  # type: ignore[attr-defined]


def test_everything_that_the_watcher_runs_by_goes_in_behind_its_config_maps():
    created, archive = back_up(an_installation())
    found = contents(archive)
    assert list(found)[3:] == [resource.kind_and_group for resource in INSTALLATION]
    assert {folder.partition(".")[0]: keys for folder, keys in list(found.items())[3:]} == {
        "ServiceAccount": ["zen-system/zen-watcher"],
        "Role": ["zen-system/zen-watcher-lease"],
        "RoleBinding": ["zen-system/readers", "zen-system/zen-watcher-lease"],
        "ClusterRoleBinding": ["zen-watcher"],
        "ClusterRole": ["dashboards", "zen-watcher"],
        "Service": ["zen-system/zen-watcher"],
        "Deployment": ["zen-system/zen-watcher"],
        "StatefulSet": [],
        "CronJob": ["zen-system/zenctl-backup"],
        "NetworkPolicy": ["zen-system/zen-watcher"],
        "PodDisruptionBudget": ["zen-system/zen-watcher"],
    }
    assert created.written.footer.complete


def test_objects_are_kept_as_the_server_gave_them_with_their_status():
    cluster = an_installation()
    _, archive = back_up(cluster)
    collection = archive.collection(DEPLOYMENTS.kind_and_group)
    assert collection is not None
    (line,) = [line for _, line in archive.objects(collection)]
    stored = cluster.stored(DEPLOYMENTS, ObjectKey("zen-system", "zen-watcher"))
    assert {"apiVersion": "apps/v1", "kind": "Deployment", **msgspec.json.decode(line)} == stored


def test_a_kind_is_read_at_the_version_that_the_server_has():
    _, archive = back_up(an_installation())
    versions = {c.resource.kind: c.resource.resource_type.api_version for c in archive.manifest.collections}
    assert (versions["CronJob"], versions["PodDisruptionBudget"]) == ("batch/v1beta1", "policy/v1beta1")


@pytest.mark.parametrize("resource", INSTALLATION, ids=lambda resource: resource.plural)
def test_a_kind_that_is_not_served_is_no_omission(resource):
    created, archive = back_up(an_installation(without=(resource,)))
    assert created.written.footer.complete
    assert resource.kind_and_group not in contents(archive)
    assert created_report(created).verdict is ExitCode.GOOD


def test_a_kind_that_cannot_be_listed_is_as_if_not_served():
    cluster = an_installation(without=(STATEFUL_SETS,))
    cluster.resources += (msgspec.structs.replace(STATEFUL_SETS, verbs=frozenset({"create"})),)
    assert back_up(cluster)[0].written.footer.complete


@pytest.mark.parametrize("resource", INSTALLATION, ids=lambda resource: resource.plural)
def test_a_kind_that_may_not_be_read_is_an_omission_and_nothing_else_is_lost(resource):
    cluster = an_installation()
    cluster.forbidden.add(f"list {resource.full_name}")
    created, archive = back_up(cluster)
    assert [o.what for o in archive.manifest.omissions] == [resource.full_name]
    assert not created.written.footer.complete
    assert created_report(created).verdict is ExitCode.DENIED
    assert set(contents(archive)) == set(contents(back_up(an_installation())[1])) - {resource.kind_and_group}


def test_everything_that_may_not_be_read_is_named():
    cluster = an_installation()
    cluster.forbidden |= {f"list {resource.full_name}" for resource in INSTALLATION}
    _, archive = back_up(cluster)
    assert {o.what for o in archive.manifest.omissions} == {resource.full_name for resource in INSTALLATION}


def test_only_the_system_namespace_is_read_but_for_cluster_wide_rbac():
    cluster = an_installation()
    back_up(cluster, namespace="team-a")
    asked = {call.resource.full_name: call.key.namespace for call in cluster.calls if call.verb == "list"}
    for resource in INSTALLATION:
        wide = resource in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
        assert asked[resource.full_name] == ("" if wide else "zen-system")


def test_another_system_namespace_has_its_own_installation():
    cluster = an_installation()
    cluster.put(SERVICE, named("other", "elsewhere"))
    cluster.put(CLUSTER_ROLE_BINDINGS, binding("other", "ClusterRole/theirs", "ServiceAccount/default/elsewhere"))
    found = contents(back_up(cluster, system_namespace="elsewhere")[1])
    assert found["Service.core"] == ["elsewhere/other"]
    assert found[CLUSTER_ROLE_BINDINGS.kind_and_group] == ["other"]
    assert found[CLUSTER_ROLES.kind_and_group] == ["theirs"]


@pytest.mark.parametrize(
    ("subjects", "labels", "wanted"),
    [
        ((ACCOUNT,), {}, True),
        (("ServiceAccount/another/zen-system",), {}, True),
        (("User/somebody", ACCOUNT), {}, True),
        (("Group/system:serviceaccounts:zen-system",), {}, True),
        (("Group/system:serviceaccounts",), {}, False),
        (("Group/system:serviceaccounts:zen-system-2",), {}, False),
        (("ServiceAccount/zen-watcher/team-a",), {}, False),
        (("User/zen-watcher/zen-system",), {}, False),
        ((), {}, False),
        ((), {"app": NAME}, True),
        ((), {"app.kubernetes.io/name": NAME}, True),
        ((), {"app": "another"}, False),
        ((ACCOUNT,), BOOTSTRAPPED, False),
        ((), {**BOOTSTRAPPED, "app": NAME}, False),
    ],
)
def test_a_cluster_role_binding_belongs_by_its_subjects_or_labels(subjects, labels, wanted):
    cluster = an_installation()
    cluster.put(CLUSTER_ROLE_BINDINGS, binding("asked", "ClusterRole/theirs", *subjects, labels=labels))
    assert ("asked" in of(cluster, CLUSTER_ROLE_BINDINGS)) is wanted
    assert ("theirs" in of(cluster, CLUSTER_ROLES)) is wanted


def test_a_binding_without_subjects_is_read():
    cluster = an_installation()
    cluster.put(CLUSTER_ROLE_BINDINGS, {**binding("bare", "ClusterRole/theirs"), "subjects": None})
    assert "bare" not in of(cluster, CLUSTER_ROLE_BINDINGS)


@pytest.mark.parametrize(
    ("labels", "wanted"), [({"app": NAME}, True), ({"app.kubernetes.io/name": NAME}, True), ({}, False)]
)
def test_a_cluster_role_belongs_by_its_labels_too(labels, wanted):
    cluster = an_installation()
    cluster.put(CLUSTER_ROLES, named("spare", "", labels=labels))
    assert ("spare" in of(cluster, CLUSTER_ROLES)) is wanted


def test_a_role_that_every_cluster_has_is_not_taken_from_it():
    cluster = an_installation()
    cluster.put(CLUSTER_ROLES, named("view", "", labels=BOOTSTRAPPED))
    cluster.put(ROLE_BINDINGS, binding("viewer", "ClusterRole/view", ACCOUNT, namespace="zen-system"))
    assert "zen-system/viewer" in of(cluster, ROLE_BINDINGS)
    assert "view" not in of(cluster, CLUSTER_ROLES)


def test_a_role_of_the_namespace_does_not_bring_a_cluster_role_of_its_name():
    cluster = an_installation()
    cluster.put(CLUSTER_ROLES, named("zen-watcher-lease", ""))
    assert "zen-watcher-lease" not in of(cluster, CLUSTER_ROLES)


def test_a_listing_of_bindings_that_restarts_forgets_what_it_had_seen():
    cluster = an_installation()
    cluster.page_size = 1
    cluster.put(CLUSTER_ROLE_BINDINGS, binding("aaa", "ClusterRole/theirs", ACCOUNT))
    pages = 0

    def expire(call: Call) -> None:
        nonlocal pages
        if call.resource == CLUSTER_ROLE_BINDINGS:
            pages += 1
            if pages == 2:
                cluster.remove(CLUSTER_ROLE_BINDINGS, ObjectKey("", "aaa"))
                raise Expired("expired", status=410)

    cluster.hooks.append(expire)
    found = contents(back_up(cluster)[1])
    assert found[CLUSTER_ROLE_BINDINGS.kind_and_group] == ["zen-watcher"]
    assert found[CLUSTER_ROLES.kind_and_group] == ["dashboards", "zen-watcher"]


def test_a_cluster_that_serves_none_of_it_has_a_backup_still():
    created, archive = back_up(a_cluster())
    assert created.written.footer.complete
    assert not {r.kind_and_group for r in (*INSTALLATION, SERVICE_ACCOUNT, BUDGETS, CRON_JOBS)} & set(
        contents(archive)
    )

"""Before the first write: every missing permission and every full quota, all at once, with what would help."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.backup.samples import a_cluster, observation
from tests.fakes import FakeCluster
from tests.restore.samples import archive_of, empty_cluster, file_of, plan_of, restore, writes
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.core.report import Text
from zenctl.errors import Denied, ExitCode, Refused
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.preflight import RESOURCE_QUOTA, Need, preflight, require_clear, rules_yaml
from zenctl.restore.report import plan_report

COUNT = f"count/{OBSERVATIONS.full_name}"
DEPLOYMENTS = ResourceType("apps", "v1", "Deployment", "deployments", "deployment")


def with_quota(hard: dict[str, Any], used: dict[str, Any] | None = None) -> FakeCluster:
    cluster = FakeCluster(OBSERVATIONS, CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, RESOURCE_QUOTA)
    cluster.put(NAMESPACE, {"metadata": {"name": "team-a"}})
    quota = {"metadata": {"name": "small", "namespace": "team-a"}, "status": {"hard": hard, "used": used or {}}}
    cluster.put(RESOURCE_QUOTA, quota)
    return cluster


TWO = file_of(observation("a"), observation("b"))


@pytest.mark.parametrize(
    ("hard", "used", "short"),
    [
        ({COUNT: "2"}, {}, False),
        ({COUNT: "1"}, {}, True),
        ({COUNT: "3"}, {COUNT: "2"}, True),
        ({COUNT: "1k"}, {COUNT: "998"}, False),
        ({COUNT: "1k"}, {COUNT: "999"}, True),
        ({"count/pods": "0", "pods": "0"}, {}, False),
        ({COUNT: "much"}, {}, False),
    ],
)
def test_a_quota_without_room_is_found_before_the_first_write(hard, used, short):
    cluster = with_quota(hard, used)
    found = preflight(cluster, cluster, plan_of(cluster, TWO))
    assert bool(found.shortages) == short
    if short:
        with pytest.raises(Refused, match="quota small of namespace team-a allows"):
            restore(cluster, TWO)
        assert writes(cluster) == []
        report = plan_report(plan_of(cluster, TWO), found)
        assert report.verdict is ExitCode.REFUSED
    else:
        assert restore(cluster, TWO).outcome.verdict is ExitCode.GOOD


def test_a_quota_that_has_not_counted_yet_is_not_taken_for_empty():
    cluster = with_quota({COUNT: "5"})
    found = preflight(cluster, cluster, plan_of(cluster, TWO))
    assert found.clear
    assert found.unknown == (f"quota small of namespace team-a: it has not counted {COUNT} yet",)
    cluster = with_quota({COUNT: "5"}, {COUNT: "0"})
    assert preflight(cluster, cluster, plan_of(cluster, TWO)).unknown == ()


def test_only_what_would_be_created_counts():
    cluster = with_quota({COUNT: "5"})
    restore(cluster, TWO)
    cluster.put(RESOURCE_QUOTA, {
        "metadata": {"name": "small", "namespace": "team-a"}, "status": {"hard": {COUNT: "2"}, "used": {COUNT: "2"}},
    })  # fmt: skip
    assert preflight(cluster, cluster, plan_of(cluster, TWO)).clear


def test_quotas_that_may_not_be_read_are_said_and_stop_nothing():
    cluster = with_quota({COUNT: "0"})
    cluster.forbidden.add("list resourcequotas")
    found = preflight(cluster, cluster, plan_of(cluster, TWO))
    assert found.clear
    assert found.unknown == ("the quotas of namespace team-a: resourcequotas may not be listed there",)
    assert "Not looked at" in str(plan_report(plan_of(cluster, TWO), found).blocks)


def test_the_plan_shows_what_is_missing_with_rules_that_grant_it():
    cluster = empty_cluster()
    cluster.forbidden |= {
        f"create {OBSERVATIONS.full_name}",
        f"update {OBSERVATIONS.full_name}/status",
        "create namespaces",
    }
    plan = plan_of(cluster, archive_of(a_cluster()))
    found = preflight(cluster, cluster, plan)
    report = plan_report(plan, found)
    assert report.verdict is ExitCode.DENIED
    (text,) = (block.text for block in report.blocks if isinstance(block, Text))
    rules = yaml.safe_load(text.partition("\n\n")[2])["rules"]
    assert rules == [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create"]},
        {"apiGroups": ["zen.kube-zen.io"], "resources": ["zenevents"], "verbs": ["create"]},
        {"apiGroups": ["zen.kube-zen.io"], "resources": ["zenevents/status"], "verbs": ["update"]},
    ]
    with pytest.raises(
        Denied, match="create namespaces, create zenevents in team-a, team-b, update zenevents/status in"
    ):
        require_clear(found)


def test_many_namespaces_are_told_shortly():
    needs = tuple(Need("create", OBSERVATIONS, "", f"n{number}") for number in range(9))
    with pytest.raises(Denied, match="may not create zenevents in n0, n1, n2 and 6 more"):
        require_clear(preflight(_Nobody(), _Nobody(), plan_of(empty_cluster(), file_of()), needs))


class _Nobody(FakeCluster):
    """May do nothing."""

    def allowed(self, resource, verb, *, namespace="", subresource=""):
        return False


def test_what_is_needed_beside_the_plan_is_asked_for_too():
    cluster = empty_cluster()
    cluster.forbidden.add("update deployments.apps")
    need = Need("update", DEPLOYMENTS, "", "zen-system")
    found = preflight(cluster, cluster, plan_of(cluster, TWO), (need,))
    assert found.missing == (need,)
    assert 'apiGroups: ["apps"]' in rules_yaml(found.missing)

"""What a cluster gave a built-in object: it is left off, and the live object's own is put in its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.backup.samples import BUDGETS, CLUSTER_ROLES, DEPLOYMENTS, ROLES
from zenctl.backup.portable import portable, with_given
from zenctl.core.objects import CONFIG_MAP
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import SERVICE, SERVICE_ACCOUNT

REVISION = "deployment.kubernetes.io/revision"
A = {"metadata": {"name": "a"}}
GIVEN: list[Any] = [
    (
        SERVICE,
        {"spec": {"clusterIP": "10.1", "clusterIPs": ["10.1"], "healthCheckNodePort": 3, "type": "LoadBalancer"}},
        {"spec": {"type": "LoadBalancer"}},
        {"spec": {"clusterIP": "10.9", "clusterIPs": ["10.9"], "healthCheckNodePort": 4, "type": "ClusterIP"}},
        {"spec": {"clusterIP": "10.9", "clusterIPs": ["10.9"], "healthCheckNodePort": 4, "type": "LoadBalancer"}},
    ),
    (
        SERVICE_ACCOUNT,
        {**A, "secrets": [{"name": "a-token-x"}], "imagePullSecrets": [{"name": "p"}, {"name": "a-dockercfg-x"}]},
        {**A, "imagePullSecrets": [{"name": "p"}]},
        {**A, "secrets": [{"name": "theirs"}, {"name": "a-token-y"}]},
        {**A, "secrets": [{"name": "a-token-y"}], "imagePullSecrets": [{"name": "p"}]},
    ),
    (
        SERVICE_ACCOUNT,
        {**A, "secrets": [{"name": "mine"}, {"name": "a-token-x"}, {"name": "ab-token-x"}]},
        {**A, "secrets": [{"name": "mine"}, {"name": "ab-token-x"}]},
        {**A, "secrets": [{"name": "a-token-y"}]},
        {**A, "secrets": [{"name": "mine"}, {"name": "ab-token-x"}, {"name": "a-token-y"}]},
    ),
    (
        SERVICE,
        {"spec": {"ipFamilies": ["IPv6"], "ipFamilyPolicy": "SingleStack", "ipFamily": "IPv6", "clusterIP": "None"}},
        {"spec": {"clusterIP": "None"}},
        {"spec": {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "clusterIP": "10.9"}},
        {"spec": {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "clusterIP": "None"}},
    ),
    (
        SERVICE,
        {"spec": {"ipFamilies": ["IPv6"], "clusterIP": "fd::1"}},
        {"spec": {}},
        {"spec": {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "PreferDualStack", "clusterIP": "10.9"}},
        {"spec": {"clusterIP": "10.9"}},
    ),
    (
        DEPLOYMENTS,
        {"metadata": {"annotations": {REVISION: "7", "a": "b"}}},
        {"metadata": {"annotations": {"a": "b"}}},
        {"metadata": {"annotations": {REVISION: "2", "c": "d"}}},
        {"metadata": {"annotations": {REVISION: "2", "a": "b"}}},
    ),
    (
        CLUSTER_ROLES,
        {"aggregationRule": {"clusterRoleSelectors": []}, "rules": [{"verbs": ["get"]}]},
        {"aggregationRule": {"clusterRoleSelectors": []}},
        {"rules": [{"verbs": ["list"]}]},
        {"aggregationRule": {"clusterRoleSelectors": []}, "rules": [{"verbs": ["list"]}]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("resource", "archived", "bare", "live", "placed"),
    GIVEN,
    ids=[f"{g[0].kind} {place}" for place, g in enumerate(GIVEN)],
)
def test_what_a_cluster_gave_is_left_off_and_the_live_objects_own_is_kept(resource, archived, bare, live, placed):
    assert portable(resource, archived) == bare
    assert with_given(resource, bare, live) == placed
    assert with_given(resource, bare, {}) == bare


@pytest.mark.parametrize(
    ("resource", "value"),
    [
        (SERVICE, {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}),
        (SERVICE, {"spec": {"ports": [{"port": 80, "nodePort": 31000}]}}),
        (SERVICE, {"spec": None}),
        (SERVICE, {"spec": {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}}),
        (SERVICE, {"metadata": {"finalizers": ["a.io/b"]}}),
        (SERVICE_ACCOUNT, {"metadata": {"name": "a"}, "secrets": "odd"}),
        (SERVICE_ACCOUNT, {"secrets": [{"name": "None-token-of-mine"}]}),
        (BUDGETS, {"spec": {"selector": {"matchLabels": {"a": "b"}}}}),
        (msgspec.structs.replace(BUDGETS, version="v1"), {"spec": {"selector": {}}}),
        (OBSERVATIONS, {"metadata": {"finalizers": ["foregroundDeletion"]}}),
        (CLUSTER_ROLES, {"rules": [{"verbs": ["get"]}]}),
        (ROLES, {"rules": [{"verbs": ["get"]}]}),
        (CONFIG_MAP, {"data": {"secrets": "x"}}),
        (DEPLOYMENTS, {"metadata": {"annotations": None}}),
        (DEPLOYMENTS, {"metadata": "odd"}),
    ],
)
def test_what_somebody_chose_stays(resource, value):
    assert portable(resource, value) == value
    assert with_given(resource, value, {}) == value


@pytest.mark.parametrize(
    ("finalizers", "kept"),
    [
        (["service.kubernetes.io/load-balancer-cleanup"], {}),
        (["foregroundDeletion", "a.io/b", "orphan"], {"finalizers": ["a.io/b"]}),
        (["orphan", {"odd": 1}], {"finalizers": [{"odd": 1}]}),
    ],
)
def test_a_finalizer_that_nobody_would_take_off_again_is_left_off(finalizers, kept):
    assert portable(SERVICE, {"metadata": {"finalizers": finalizers}}) == {"metadata": kept}

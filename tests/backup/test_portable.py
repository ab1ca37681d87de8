"""What a cluster gave a built-in object: it is left off, and the live object's own is put in its place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backup.samples import CLUSTER_ROLES, DEPLOYMENTS, ROLES
from zenctl.backup.portable import portable, with_given
from zenctl.core.objects import CONFIG_MAP
from zenctl.product.installation import SERVICE, SERVICE_ACCOUNT

REVISION = "deployment.kubernetes.io/revision"
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
        {"secrets": [{"name": "a-token-x"}], "imagePullSecrets": [{"name": "p"}]},
        {"imagePullSecrets": [{"name": "p"}]},
        {"secrets": [{"name": "a-token-y"}]},
        {"secrets": [{"name": "a-token-y"}], "imagePullSecrets": [{"name": "p"}]},
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


@pytest.mark.parametrize(("resource", "archived", "bare", "live", "placed"), GIVEN, ids=[g[0].kind for g in GIVEN])
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

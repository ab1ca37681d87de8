"""The fake cluster of the other tests does what a real API server does: the same suite runs on both."""

from __future__ import annotations

import pytest

from tests.fakes import FakeCluster
from tests.kube.ports_suite import CHECKS, Place, named
from tests.kube.world import EVENTS
from zenctl.core.objects import NAMESPACE


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_the_fake(check):
    cluster = FakeCluster(EVENTS, NAMESPACE)
    cluster.put(NAMESPACE, {"metadata": {"name": "here"}})
    check(Place(cluster, EVENTS, "here"))

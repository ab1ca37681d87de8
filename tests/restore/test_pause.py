"""Pausing the watcher: it stops, it always starts again, and one that a killed restore left stopped says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes import Call, FakeCluster, FixedClock
from tests.restore.samples import ports_of
from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.errors import Conflict, Denied, Interrupted, Refused, Unreachable
from zenctl.restore.pause import PAUSED_REPLICAS, Paused, left_paused, pause, resume, while_paused
from zenctl.restore.read import RestorePorts

DEPLOYMENTS = ResourceType("apps", "v1", "Deployment", "deployments", "deployment")
KEY = ObjectKey("zen-system", "zen-watcher")


def deployment(name: str = "zen-watcher", replicas: int | None = 2, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "zen-system", "labels": labels or {"app": "zen-watcher"}},
        "spec": {} if replicas is None else {"replicas": replicas},
        "status": {"replicas": 0, "observedGeneration": 1_000},
    }


def a_cluster(*deployments: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster(DEPLOYMENTS)
    for each in deployments or (deployment(),):
        cluster.put(DEPLOYMENTS, each)
    return cluster


def replicas(cluster: FakeCluster, key: ObjectKey = KEY) -> tuple[int | None, str | None]:
    stored = cluster.stored(DEPLOYMENTS, key)
    return stored["spec"].get("replicas"), (stored["metadata"].get("annotations") or {}).get(PAUSED_REPLICAS)


def test_it_is_scaled_down_and_back():
    cluster = a_cluster()
    ports = ports_of(cluster)
    paused = pause(ports, "zen-system")
    assert paused == (Paused(KEY, 2),)
    assert replicas(cluster) == (0, "2")
    assert left_paused(ports, "zen-system") == ("zen-system/zen-watcher",)
    assert resume(ports, paused) == ()
    assert replicas(cluster) == (2, None)
    assert left_paused(ports, "zen-system") == ()


@pytest.mark.parametrize("labels", [{"app": "zen-watcher"}, {"app.kubernetes.io/name": "zen-watcher"}])
def test_it_is_found_by_either_label_and_others_are_left_alone(labels):
    cluster = a_cluster(deployment("mine", **labels), deployment("other", app="prometheus"))
    (paused,) = pause(ports_of(cluster), "zen-system")
    assert paused.key.name == "mine"
    assert replicas(cluster, ObjectKey("zen-system", "other")) == (2, None)


def test_without_replicas_there_is_one():
    cluster = a_cluster(deployment(replicas=None))
    assert pause(ports_of(cluster), "zen-system") == (Paused(KEY, 1),)


def test_what_a_killed_restore_left_is_taken_over():
    cluster = a_cluster()
    pause(ports_of(cluster), "zen-system")  # and then it was killed
    result, stuck = while_paused(ports_of(cluster), "zen-system", lambda: "done", _no_warning)
    assert (result, stuck) == ("done", ())
    assert replicas(cluster) == (2, None)


def _no_warning(text: str) -> None:
    raise AssertionError(text)


@pytest.mark.parametrize("error", [Denied("no"), Interrupted("stop"), KeyboardInterrupt()])
def test_it_starts_again_whatever_happens(error):
    cluster = a_cluster()

    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        while_paused(ports_of(cluster), "zen-system", fail, _no_warning)
    assert replicas(cluster) == (2, None)


def test_a_write_of_somebody_else_in_between_is_kept():
    cluster = a_cluster()
    conflicts = iter([True, True])

    def hook(call: Call) -> None:
        if call.verb == "update" and next(conflicts, False):
            stored = cluster.stored(DEPLOYMENTS, KEY)
            stored["spec"]["paused"] = True
            cluster.put(DEPLOYMENTS, stored)

    cluster.hooks.append(hook)
    paused = pause(ports_of(cluster), "zen-system")
    assert cluster.stored(DEPLOYMENTS, KEY)["spec"]["paused"] is True
    assert resume(ports_of(cluster), paused) == ()


def test_one_that_cannot_be_started_again_is_told_with_the_command():
    cluster = a_cluster()
    told: list[str] = []

    def break_it() -> str:
        cluster.fail("update", Denied("cannot update deployment: forbidden"))
        return "restored"

    result, stuck = while_paused(ports_of(cluster), "zen-system", break_it, told.append)
    assert result == "restored"
    assert list(stuck) == told
    assert "kubectl scale -n zen-system deployment/zen-watcher --replicas=2" in told[0]
    assert replicas(cluster) == (0, "2")


def test_endless_conflicts_end():
    cluster = a_cluster()
    cluster.fail("update", Conflict("changed", status=409))
    with pytest.raises(Conflict):
        pause(ports_of(cluster), "zen-system")


def test_pods_that_do_not_go_are_an_error_and_it_runs_again():
    busy = deployment()
    busy["status"] = {"replicas": 1, "observedGeneration": 1_000}
    cluster = a_cluster(busy)
    with pytest.raises(Unreachable, match="do not go"):
        pause(_impatient(cluster), "zen-system")
    assert replicas(cluster) == (2, None)


def _impatient(cluster: FakeCluster) -> RestorePorts:
    class Hurrying(FixedClock):
        def monotonic(self) -> float:
            self.seconds = getattr(self, "seconds", 0.0) + 50
            return self.seconds

    return ports_of(cluster)._replace(clock=Hurrying())


def test_the_controllers_word_counts_only_once_it_has_seen_the_change():
    """Replicas of 0 in a status that is older than the change say nothing."""
    cluster = a_cluster()
    stored = cluster.stored(DEPLOYMENTS, KEY)
    stored["metadata"]["generation"], stored["status"] = 1_000_000, {"replicas": 0, "observedGeneration": 1}
    cluster.put(DEPLOYMENTS, stored)
    with pytest.raises(Unreachable, match="do not go"):
        pause(_impatient(cluster), "zen-system")


@pytest.mark.parametrize(
    "cluster", [lambda: FakeCluster(DEPLOYMENTS), lambda: a_cluster(deployment("x", app="y")), FakeCluster]
)
def test_no_watcher_to_pause_is_said(cluster: Callable[[], FakeCluster]):
    with pytest.raises(Refused, match="no watcher"):
        pause(ports_of(cluster()), "zen-system")
    assert left_paused(ports_of(cluster()), "zen-system") == ()


def test_the_second_of_two_that_cannot_be_paused_starts_the_first_again():
    cluster = a_cluster(deployment("a"), deployment("b"))
    cluster.fail("update", Denied("no"), ObjectKey("zen-system", "b"))
    with pytest.raises(Denied):
        pause(ports_of(cluster), "zen-system")
    assert replicas(cluster, ObjectKey("zen-system", "a")) == (2, None)

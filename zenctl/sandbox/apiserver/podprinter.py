"""What the columns of a pod say: its status in one word, how many containers are ready, how often they restarted.

The rules are those of the API server's printer: a container that waits or has ended speaks for the pod, init
containers before the others, and a deletion over all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from zenctl.core.instants import read_instant
from zenctl.sandbox.apiserver.columns import NONE, Object, count, dig, human_duration, items

_TERMINAL = ("Succeeded", "Failed")


@dataclass(slots=True)
class _Tally:
    """Ready containers, restarts and the last of them, as they are added up."""

    ready: int = 0
    restarts: int = 0
    last: datetime | None = None

    def restarted(self, status: Object) -> None:
        self.restarts += count(status, "restartCount")
        ended = read_instant(dig(status, "lastState", "terminated", "finishedAt")).instant
        if ended is not None and (self.last is None or ended > self.last):
            self.last = ended


@dataclass(frozen=True, slots=True)
class PodSummary:
    """The cells Ready, Status and Restarts of a pod."""

    ready: str
    status: str
    restarts: str


def pod_summary(pod: Object, now: datetime) -> PodSummary:
    """Return what kubectl shows of a pod at a time."""
    sidecars = {
        container.get("name"): container
        for container in items(pod, "spec", "initContainers")
        if container.get("restartPolicy") == "Always"
    }
    total = len(items(pod, "spec", "containers")) + len(sidecars)
    status = str(dig(pod, "status", "reason") or dig(pod, "status", "phase") or "")
    if any(c.get("type") == "PodScheduled" and c.get("reason") == "SchedulingGated" for c in _conditions(pod)):
        status = "SchedulingGated"
    initial, tally = _Tally(), _Tally()
    blocked = _init_containers(pod, sidecars, initial, tally)
    status = blocked or status
    if blocked and not _is_true(pod, "Initialized"):
        initial.ready = tally.ready
        tally = initial
    else:
        status = _containers(pod, status, tally)
    if dig(pod, "metadata", "deletionTimestamp"):
        status = _when_deleted(pod, status)
    restarts = str(tally.restarts)
    if tally.restarts and tally.last is not None:
        restarts += f" ({human_duration(now - tally.last)} ago)"
    return PodSummary(f"{tally.ready}/{total}", status, restarts)


def _init_containers(pod: Object, sidecars: Mapping[Any, Any], initial: _Tally, lasting: _Tally) -> str:
    """Return what keeps the pod from starting, "" for nothing.

    ``initial`` gets the restarts of all init containers that were looked at, ``lasting`` what sidecars add to
    the count of a pod that has started.
    """
    for place, status in enumerate(items(pod, "status", "initContainerStatuses")):
        is_sidecar = status.get("name") in sidecars
        initial.restarted(status)
        if is_sidecar:
            lasting.restarted(status)
        ended = dig(status, "state", "terminated")
        if ended is not None and count(ended, "exitCode") == 0:
            continue
        if is_sidecar and status.get("started"):
            lasting.ready += bool(status.get("ready"))
            continue
        waits = dig(status, "state", "waiting", "reason")
        if ended is not None:
            return "Init:" + _ending(ended)
        if waits and waits != "PodInitializing":
            return f"Init:{waits}"
        return f"Init:{place}/{len(items(pod, 'spec', 'initContainers'))}"
    return ""


def _containers(pod: Object, status: str, tally: _Tally) -> str:
    """Return the status that the containers give to a pod that has started; the first of them has the last word."""
    running = False
    for each in reversed(items(pod, "status", "containerStatuses")):
        tally.restarted(each)
        waits, ended = dig(each, "state", "waiting", "reason"), dig(each, "state", "terminated")
        if waits:
            status = str(waits)
        elif ended is not None:
            status = _ending(ended)
        elif each.get("ready") and dig(each, "state", "running") is not None:
            running = True
            tally.ready += 1
    if status == "Completed" and running:
        return "Running" if _is_true(pod, "Ready") else "NotReady"
    return status


def _ending(terminated: Object) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if count(terminated, "signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{count(terminated, 'exitCode')}"


def _when_deleted(pod: Object, status: str) -> str:
    if dig(pod, "status", "reason") == "NodeLost":
        return "Unknown"
    return status if dig(pod, "status", "phase") in _TERMINAL else "Terminating"


def _conditions(pod: Object) -> list[Mapping[str, Any]]:
    return [condition for condition in items(pod, "status", "conditions") if isinstance(condition, Mapping)]


def _is_true(pod: Object, kind: str) -> bool:
    found = (condition.get("status") for condition in _conditions(pod) if condition.get("type") == kind)
    return next(found, "") == "True"


def readiness_gates(pod: Object) -> str:
    """Return how many of a pod's readiness gates are open: "1/2", "<none>" where it has none."""
    gates = items(pod, "spec", "readinessGates")
    if not gates:
        return NONE
    return f"{sum(_is_true(pod, str(gate.get('conditionType'))) for gate in gates)}/{len(gates)}"

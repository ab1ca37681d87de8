"""The state of pods, read from their documents. Pure; what a document does not say, or says oddly, is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from zenctl.core.instants import read_instant
from zenctl.core.report import Result
from zenctl.events.rows import known

MOST_PODS = 5


class Termination(Result, frozen=True):
    """How a container ended last."""

    container: str | None
    reason: str | None
    exit_code: int | None
    finished_at: datetime | None


class PodState(Result, frozen=True):
    """The state of a pod. ``waiting`` is why a container does not start."""

    name: str
    phase: str | None
    reason: str | None
    ready: int | None
    containers: int | None
    restarts: int | None
    waiting: str | None
    last_termination: Termination | None
    node: str | None

    @property
    def all_ready(self) -> bool:
        """Say whether every container is known to be ready."""
        return self.ready is not None and self.ready == self.containers


class PodSummary(Result, frozen=True):
    """The pods of a workload: how many, in which phases, and those that are worst off. None is not known."""

    total: int
    by_phase: dict[str, int]
    ready: int
    restarts: int | None
    worst: tuple[PodState, ...]


def pod_state(document: Mapping[str, Any]) -> PodState:
    """Read the state of a pod."""
    metadata, spec, status = (mapping(document.get(part)) for part in ("metadata", "spec", "status"))
    reported = status.get("containerStatuses")
    statuses = [mapping(each) for each in reported] if isinstance(reported, list) else None
    wanted = spec.get("containers")
    return PodState(
        name=known(metadata.get("name")) or "",
        phase=known(status.get("phase")),
        reason=known(status.get("reason")),
        ready=None if statuses is None else sum(each.get("ready") is True for each in statuses),
        containers=len(wanted) if isinstance(wanted, list) else None,
        restarts=None if statuses is None else _sum(each.get("restartCount") for each in statuses),
        waiting=next(filter(None, map(_waiting, statuses or ())), None),
        last_termination=_last_termination(statuses or ()),
        node=known(spec.get("nodeName")),
    )


def summary(states: Iterable[PodState]) -> PodSummary:
    """Sum up the pods of a workload; the worst are those that are not ready, and then those that restarted most."""
    every = list(states)
    ranked = sorted(every, key=lambda pod: (pod.all_ready, -(pod.restarts or 0), pod.name))
    return PodSummary(
        total=len(every),
        by_phase=dict(sorted(Counter(pod.phase or "unknown" for pod in every).items())),
        ready=sum(pod.all_ready for pod in every),
        restarts=_sum(pod.restarts for pod in every),
        worst=tuple(ranked[:MOST_PODS]),
    )


def mapping(value: object) -> dict[str, Any]:
    """Return a decoded JSON value that should be an object; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def _sum(counts: Iterable[object]) -> int | None:
    """Return a sum; None where one of the counts is not known."""
    total = 0
    for count in counts:
        if not isinstance(count, int) or isinstance(count, bool):
            return None
        total += count
    return total


def _waiting(status: Mapping[str, Any]) -> str | None:
    return known(mapping(mapping(status.get("state")).get("waiting")).get("reason"))


def _last_termination(statuses: Iterable[Mapping[str, Any]]) -> Termination | None:
    """Return the latest end of any container; ends without a readable time come first."""
    found = [
        _termination(status, mapping(mapping(status.get(state)).get("terminated")))
        for status in statuses
        for state in ("lastState", "state")
        if mapping(status.get(state)).get("terminated")
    ]
    return max(found, key=lambda end: (end.finished_at is not None, end.finished_at or 0), default=None)


def _termination(status: Mapping[str, Any], terminated: Mapping[str, Any]) -> Termination:
    code = terminated.get("exitCode")
    return Termination(
        container=known(status.get("name")),
        reason=known(terminated.get("reason")),
        exit_code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        finished_at=read_instant(terminated.get("finishedAt")).instant,
    )

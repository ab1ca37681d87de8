"""Carrying out a cleanup: read everything, let plan decide, delete under preconditions.

An object that changed since it was judged is kept by the server and reported. Nothing is deleted
before the whole plan stands.
"""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from zenctl.cleanup.plan import Candidate, Plan, Planner, Rule
from zenctl.core.observation import ObservationFields
from zenctl.core.patience import Patience
from zenctl.errors import Conflict, ExitCode, NotFound, ZenctlError, worst
from zenctl.ports import Clock, ClusterInfo, Discovery, ListQuery, ObjectReader, ObjectWriter, Progress, Workers
from zenctl.product.resources import observations


class CleanupPorts(NamedTuple):
    """What a cleanup needs of the world."""

    discovery: Discovery
    reader: ObjectReader
    writer: ObjectWriter
    info: ClusterInfo
    workers: Workers
    progress: Progress
    clock: Clock


class Failure(NamedTuple):
    """An object that could not be deleted, and why."""

    candidate: Candidate
    error: ZenctlError


class Outcome(NamedTuple):
    """What became of a plan."""

    plan: Plan
    deleted: int
    changed: tuple[Candidate, ...]
    """Kept, because they changed after they were judged."""
    gone: int
    """Deleted by somebody else meanwhile."""
    failures: tuple[Failure, ...]
    not_tried: int
    seconds: float
    """How long the deleting took."""

    @property
    def verdict(self) -> ExitCode:
        """What the run as a whole is worth."""
        return worst(failure.error.code for failure in self.failures)


def read_and_plan(ports: CleanupPorts, group: str, rule: Rule, query: ListQuery) -> Plan:
    """List every Observation in scope and decide about each, by the API server's clock."""
    resources = observations(ports.discovery.group(group), group)
    planner = Planner(rule, ports.info.now())
    ports.progress.begin("judging Observations", None)
    try:
        for resource in resources:
            for page in ports.reader.pages(resource, ObservationFields, query, whole=True):
                if page.restarted:
                    planner.restart(resource)
                for item in page.objects:
                    planner.add(resource, item.key, item.fields)
                ports.progress.advance(len(page.objects))
        return planner.plan()
    finally:
        ports.progress.end()


def apply(ports: CleanupPorts, plan: Plan) -> Outcome:
    """Delete the candidates of a plan; stop early where every further request would fail alike."""
    deleted, gone = 0, 0
    changed: list[Candidate] = []
    failures: list[Failure] = []
    patience = Patience()
    started = ports.clock.monotonic()
    ports.progress.begin("deleting Observations", len(plan.candidates))
    jobs = patience.guard(plan.candidates)
    with closing(ports.workers.run(jobs, lambda candidate: _delete(ports.writer, candidate))) as answers:
        for candidate, answer in answers:
            ports.progress.advance()
            patience.note(answer)
            match answer:
                case Conflict():
                    changed.append(candidate)
                case NotFound():
                    gone += 1
                case ZenctlError():
                    failures.append(Failure(candidate, answer))
                case _:
                    deleted += 1
    ports.progress.end()
    tried = deleted + gone + len(changed) + len(failures)
    not_tried, seconds = len(plan.candidates) - tried, ports.clock.monotonic() - started
    return Outcome(plan, deleted, tuple(changed), gone, tuple(failures), not_tried, seconds)


def _delete(writer: ObjectWriter, candidate: Candidate) -> None:
    writer.delete(candidate.resource, candidate.key, uid=candidate.uid, resource_version=candidate.resource_version)

"""Carrying out a plan for a selection: each status is written onto the object that the plan has seen, or not at all.

Nothing is decided anew here. What changed since it was judged is left alone and named.
"""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import KeyFields, RawObject
from zenctl.core.observation import ObservationFields
from zenctl.core.patience import Patience
from zenctl.errors import Conflict, ExitCode, NotFound, ZenctlError, worst
from zenctl.events.plan import Plan, Target
from zenctl.events.run import EventsPorts, Seen, require_kept, write_status
from zenctl.events.settle import Decision, settle


class Ended(StrEnum):
    """How it ended with one Observation of a plan, where it did not fail."""

    SETTLED = "settled"
    CHANGED = "changed"
    GONE = "gone"


class Failure(NamedTuple):
    """An Observation that could not be settled, and why."""

    target: Target
    error: ZenctlError


class Applied(NamedTuple):
    """What became of a plan."""

    plan: Plan
    settled: int
    changed: tuple[Target, ...]
    """Left alone, because they changed after they were judged."""
    gone: int
    """Deleted by somebody else meanwhile."""
    failures: tuple[Failure, ...]
    not_tried: int

    @property
    def verdict(self) -> ExitCode:
        """What the run as a whole is worth."""
        partial = [ExitCode.PARTIAL] if self.changed else []
        return worst([*partial, *(failure.error.code for failure in self.failures)])


def settle_planned(ports: EventsPorts, plan: Plan) -> Applied:
    """Settle the targets of a plan; stop early where every further request would fail alike."""
    ends = dict.fromkeys(Ended, 0)
    changed: list[Target] = []
    failures: list[Failure] = []
    patience = Patience()
    ports.progress.begin("settling Observations", len(plan.targets))
    jobs = patience.guard(plan.targets)
    with closing(ports.workers.run(jobs, lambda target: _settle(ports, target, plan.decision))) as answers:
        for target, answer in answers:
            ports.progress.advance()
            patience.note(answer)
            if isinstance(answer, ZenctlError):
                failures.append(Failure(target, answer))
                continue
            ends[answer] += 1
            if answer is Ended.CHANGED:
                changed.append(target)
    ports.progress.end()
    not_tried = len(plan.targets) - sum(ends.values()) - len(failures)
    order = {target.uid: place for place, target in enumerate(plan.targets)}
    changed.sort(key=lambda target: order[target.uid])
    failures.sort(key=lambda failure: order[failure.target.uid])
    return Applied(plan, ends[Ended.SETTLED], tuple(changed), ends[Ended.GONE], tuple(failures), not_tried)


def _settle(ports: EventsPorts, target: Target, decision: Decision) -> Ended:
    status = settle(msgspec.json.decode(target.status), decision)
    if status is None:
        return Ended.CHANGED  # a plan has no such targets; nothing is written, whoever made it
    try:
        stored = _write(ports, target, status)
    except Conflict:
        return _after_conflict(ports, target, status)
    except NotFound:
        return Ended.GONE
    if stored is None:
        return Ended.CHANGED
    require_kept(target.resource, target.key, stored, decision)
    return Ended.SETTLED


def _write(ports: EventsPorts, target: Target, status: dict[str, Any]) -> RawObject[KeyFields] | None:
    """Write a status; None where the object is seen to have changed. Raises Conflict, NotFound."""
    resource, key = target.resource, target.key
    if resource.status_subresource:
        return write_status(ports.writer, resource, Seen(key, target.uid, target.resource_version), status)
    found = ports.reader.get(resource, key, KeyFields)
    metadata = found.fields.metadata
    if (metadata.uid, metadata.resource_version) != (target.uid, target.resource_version):
        return None
    document = msgspec.json.decode(found.body)
    return ports.writer.replace(resource, key, msgspec.json.encode({**document, "status": status}))


def _after_conflict(ports: EventsPorts, target: Target, sent: dict[str, Any]) -> Ended:
    """Look what is there: our own write, whose answer was lost before its repetition, or somebody else's."""
    try:
        found = ports.reader.get(target.resource, target.key, ObservationFields)
    except NotFound:
        return Ended.GONE
    ours = found.fields.metadata.uid == target.uid and msgspec.json.decode(found.body).get("status") == sent
    return Ended.SETTLED if ours else Ended.CHANGED

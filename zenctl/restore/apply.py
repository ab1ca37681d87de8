"""Carrying out a restore's plan: CRDs, then namespaces, then objects in parallel, each with its status.

Every write is decided by zenctl.restore.decide on the state that it is bound to by resourceVersion. One
bad object never stops the rest; what fails is named and kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import (
    KeyFields,
    ObjectKey,
    RawObject,
    ResourceType,
)
from zenctl.core.patience import Patience
from zenctl.errors import (
    ApiFailure,
    Conflict,
    ExitCode,
    Invalid,
    NotFound,
    Refused,
    ZenctlError,
    worst,
)
from zenctl.restore.batch import Batch, Share
from zenctl.restore.bodies import new_body, owner_references, replacement_body, status_body
from zenctl.restore.decide import Action, LiveFields, LiveState, decide, judge, live_state, restores_status
from zenctl.restore.owners import Owned, Owners
from zenctl.restore.plan import BatchPlan, Plan
from zenctl.restore.preflight import preflight, require_clear
from zenctl.restore.prepare import create_definitions, create_namespace, served
from zenctl.restore.read import RestorePorts, archived_fields
from zenctl.restore.releases import held_back

_TRIES = 4


class Done(StrEnum):
    """What became of one object."""

    CREATED = "created"
    ADOPTED = "adopted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


class StatusDone(StrEnum):
    """What became of its status."""

    RESTORED = "restored"
    """Written, and the server's answer holds all of it."""
    ALTERED = "altered"
    """Written, but the server's answer lacks or changes something."""
    ABSENT = "absent"
    """There was none to write."""


class Restored(NamedTuple):
    """One object that was dealt with."""

    done: Done
    status: StatusDone
    owners_dropped: tuple[str, ...] = ()
    """Owners that are not in the cluster, in words."""


class Failure(NamedTuple):
    """One object that could not be restored."""

    kind: str
    key: ObjectKey
    error: ZenctlError


class BatchOutcome(NamedTuple):
    """What became of the objects of one kind."""

    batch: Batch
    kind: str
    resource: str
    done: dict[Done, int]
    status: dict[StatusDone, int]
    owners_dropped: Mapping[str, int]
    """Owner references that were dropped since there is no such owner, by owner."""


class Outcome(NamedTuple):
    """What became of a plan."""

    plan: Plan
    definitions_created: tuple[str, ...]
    namespaces_created: tuple[str, ...]
    batches: tuple[BatchOutcome, ...]
    failures: tuple[Failure, ...]
    not_tried: int
    seconds: float

    @property
    def verdict(self) -> ExitCode:
        """What the run as a whole is worth."""
        unreadable = [ExitCode.PARTIAL] if self.plan.unreadable else []
        return worst([*unreadable, *(_code(failure.error) for failure in self.failures)])


def _code(error: ZenctlError) -> ExitCode:
    """Return what a failure is worth: what is wrong with one object makes the run partly done."""
    return ExitCode.PARTIAL if isinstance(error, Conflict | NotFound | Invalid) else error.code


class _Job(NamedTuple):
    key: ObjectKey
    line: bytes
    fields: LiveFields
    live: LiveState | None


def apply(ports: RestorePorts, plan: Plan) -> Outcome:
    """Write what the plan says. Raises Denied or Refused before the first write where something stands in the way."""
    started = ports.clock.monotonic()
    require_clear(preflight(ports.reviewer, ports.reader, plan))
    definitions = create_definitions(ports, plan)
    namespaces = tuple(name for name in plan.missing_namespaces if create_namespace(ports, name))
    batches: list[BatchOutcome] = []
    failures: list[Failure] = []
    not_tried = 0
    held = held_back(ports.reader, plan.source)
    for batch in plan.batches:
        outcome, failed = _apply_batch(ports, plan, batch, held.of(batch.batch) - batch.held)
        batches.append(outcome)
        failures += failed
        tried = sum(outcome.done.values()) + len(failed)
        passed_over = batch.actions.get(Action.SKIP, 0) + batch.actions.get(Action.UNCHANGED, 0)
        not_tried += max(0, batch.writes + passed_over - tried)
    return Outcome(
        plan,
        definitions,
        namespaces,
        tuple(batches),
        tuple(failures),
        not_tried,
        ports.clock.monotonic() - started,
    )


def _apply_batch(
    ports: RestorePorts, plan: Plan, batch: BatchPlan, late: frozenset[ObjectKey]
) -> tuple[BatchOutcome, list[Failure]]:
    """Write the objects of one kind; ``late`` are those whose release got a newer revision since the plan."""
    resource = batch.resource or served(ports, batch)
    restorer = _Restorer(ports, plan, resource, late)
    done: dict[Done, int] = {}
    status: dict[StatusDone, int] = {}
    passed_over = _PassedOver()
    orphaned: dict[str, int] = {}
    failures: list[Failure] = []
    patience = Patience()
    ports.progress.begin(f"restoring {resource.plural}", batch.writes)
    jobs = patience.guard(_jobs(plan, batch, resource, passed_over))
    with closing(ports.workers.run(jobs, restorer.restore)) as answers:
        for job, answer in answers:
            ports.progress.advance()
            patience.note(answer)
            if isinstance(answer, ZenctlError):
                failures.append(Failure(resource.kind, job.key, answer))
                if batch.batch.share not in (Share.SECRETS, Share.HELM):  # a file in clear is no place for them
                    ports.rejects.write(_typed(resource, job.line))
                continue
            done[answer.done] = done.get(answer.done, 0) + 1
            status[answer.status] = status.get(answer.status, 0) + 1
            for owner in answer.owners_dropped:
                orphaned[owner] = orphaned.get(owner, 0) + 1
    ports.progress.end()
    for kind, count in ((Done.SKIPPED, passed_over.skipped), (Done.UNCHANGED, passed_over.unchanged)):
        if count:
            done[kind] = done.get(kind, 0) + count
    return BatchOutcome(batch.batch, resource.kind, resource.full_name, done, status, orphaned), failures


def _typed(resource: ResourceType, line: bytes) -> bytes:
    """Return a rejected object with its type, which items of built-in lists do not carry."""
    value = msgspec.json.decode(line)
    return msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind, **value})


class _PassedOver:
    """Counts of their own: the jobs are taken in the workers' threads, the answers are counted in the caller's."""

    def __init__(self) -> None:
        self.skipped = 0
        self.unchanged = 0


def _jobs(plan: Plan, batch: BatchPlan, resource: ResourceType, passed_over: _PassedOver) -> Iterator[_Job]:
    """Stream the source again and yield what is to be written; what is passed over is only counted."""
    for line in plan.source.objects(batch.batch):
        fields = archived_fields(line, namespaced=resource.namespaced)
        if fields is None:
            continue
        key = ObjectKey(fields.metadata.namespace, fields.metadata.name)
        live = batch.live.get(key)
        if key in batch.held:
            passed_over.skipped += 1
            continue
        match judge(line, fields, live, plan.on_conflict, resource):
            case Action.SKIP:
                passed_over.skipped += 1
                continue
            case Action.UNCHANGED:
                passed_over.unchanged += 1
                continue
        yield _Job(key, line, fields, live)


class _Restorer:
    """Writes one object at a time; used from several threads, and holds nothing that changes."""

    def __init__(
        self, ports: RestorePorts, plan: Plan, resource: ResourceType, late: frozenset[ObjectKey] = frozenset()
    ) -> None:
        self._ports = ports
        self._late = late
        self._plan = plan
        self._resource = resource
        self._owners = Owners(ports.discovery, ports.reader)

    def restore(self, job: _Job) -> Restored:
        """Do what is decided about an object, and decide anew where the world changed meanwhile.

        A strict plan decides nothing anew: Conflict and NotFound are raised then, but for a Conflict with what the
        first of two attempts at the same request may have made itself.
        """
        if job.key in self._late:
            raise Refused("another revision of its release that is as new or newer came while this restore ran")
        live = job.live
        for _ in range(_TRIES - 1):
            try:
                return self._attempt(job, live)
            except Conflict as error:
                if self._plan.strict and not error.repeated:
                    raise
                live = self._read_live(job.key)
            except NotFound:
                if live is None or self._plan.strict:
                    raise
                live = self._read_live(job.key)
        return self._attempt(job, live)

    def _attempt(self, job: _Job, live: LiveState | None) -> Restored:
        action = decide(job.fields, live, self._plan.on_conflict, has_status=restores_status(self._resource))
        match action:
            case Action.CREATE:
                return self._create(job)
            case Action.ADOPT if live is not None:
                return Restored(Done.ADOPTED, self._write_status(job, live.uid, live.resource_version))
            case Action.UPDATE:
                return self._update(job)
            case Action.CONFLICT:
                raise Refused(f"{self._resource.kind} {job.key} exists: somebody made it while this restore ran")
            case _:
                return Restored(Done.SKIPPED, StatusDone.ABSENT)

    def _create(self, job: _Job) -> Restored:
        archived = msgspec.json.decode(job.line)
        references = owner_references(archived)
        owned = self._owners.remap(references, job.key.namespace) if references else Owned([], ())
        body = new_body(self._resource, archived, owned.references)
        created = self._ports.writer.create(self._resource, job.key.namespace, msgspec.json.encode(body))
        metadata = created.fields.metadata
        status = self._first_status(job, metadata.uid, metadata.resource_version)
        return Restored(Done.CREATED, status, owned.dropped)

    def _first_status(self, job: _Job, uid: str, resource_version: str) -> StatusDone:
        """Write the status of an object that was just made, also where somebody else writes to it meanwhile."""
        for _ in range(_TRIES - 1):
            try:
                return self._write_status(job, uid, resource_version)
            except Conflict:
                live = self._read_live(job.key)
                if live is None or live.uid != uid or live.triaged:
                    raise
                resource_version = live.resource_version
        return self._write_status(job, uid, resource_version)

    def _update(self, job: _Job) -> Restored:
        found = self._ports.reader.get(self._resource, job.key, KeyFields)
        if self._plan.strict and job.live is not None:
            _require_unchanged(found.fields, job.live)
        live = msgspec.json.decode(found.body)
        body = replacement_body(self._resource, new_body(self._resource, msgspec.json.decode(job.line)), live)
        metadata = found.fields.metadata
        if body is not None:
            written = self._ports.writer.replace(self._resource, job.key, msgspec.json.encode(body))
            metadata = written.fields.metadata
        status = self._status(job)
        if not status or _holds(live.get("status"), status):
            done = Done.UNCHANGED if body is None else Done.UPDATED
            return Restored(done, StatusDone.RESTORED if status else StatusDone.ABSENT)
        return Restored(Done.UPDATED, self._write_status(job, metadata.uid, metadata.resource_version))

    def _write_status(self, job: _Job, uid: str, resource_version: str) -> StatusDone:
        """Write the archived status and compare it with what the server says it stored."""
        status = self._status(job)
        if not status:
            return StatusDone.ABSENT
        if not self._resource.status_subresource:
            return StatusDone.RESTORED  # it went in with the body
        body = status_body(self._resource, job.key, uid, resource_version, status)
        stored = self._ports.writer.replace_status(self._resource, job.key, body)
        return StatusDone.RESTORED if _holds(_status_of(stored), status) else StatusDone.ALTERED

    def _status(self, job: _Job) -> Any:
        """Return the status to write; None where there is none, or it is the cluster's own account."""
        return None if self._resource.built_in else job.fields.status

    def _read_live(self, key: ObjectKey) -> LiveState | None:
        try:
            return live_state(self._ports.reader.get(self._resource, key, LiveFields).fields)
        except NotFound:
            return None


def _require_unchanged(found: KeyFields, planned: LiveState) -> None:
    """Raise Conflict where an object is no longer the one that was planned for."""
    if (found.metadata.uid, found.metadata.resource_version) != (planned.uid, planned.resource_version):
        raise Conflict("it has changed since the plan was made", status=409, reason="Conflict")


class _StatusOnly(msgspec.Struct, frozen=True):
    status: Any = None


def _status_of(stored: RawObject[KeyFields]) -> Any:
    try:
        return msgspec.json.decode(stored.body, type=_StatusOnly).status
    except msgspec.MsgspecError as error:
        raise ApiFailure("the API server's answer to a write of status is no object", status=200) from error


def _holds(stored: Any, wanted: Any) -> bool:
    """Say whether a stored value has everything that was wanted.

    The server may add defaults to objects, and may drop a null, which means the same as nothing.
    """
    if isinstance(wanted, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(k), v) for k, v in wanted.items())
    return bool(stored == wanted)

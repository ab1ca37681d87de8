"""Carrying out a cleanup: read everything, let judge decide, archive what goes, then delete under preconditions.

Nothing is deleted before the whole plan stands and its archive was flushed and read back. An object that changed
since it was judged is kept by the server and reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol

from zenctl.archive.age import Seal
from zenctl.archive.format import UNDO, Cluster, Heading, Scope, archive_name
from zenctl.archive.verify import verify
from zenctl.archive.writer import ArchiveWriter, Written
from zenctl.cleanup.brakes import Limits
from zenctl.cleanup.judge import Policy, Reason, judge
from zenctl.cleanup.plan import SHOWN, Candidate, Plan, Planner, candidate
from zenctl.cleanup.spool import Spool
from zenctl.core.durations import humanise
from zenctl.core.observation import ObservationFields
from zenctl.core.patience import Patience
from zenctl.errors import Conflict, Damaged, Denied, ExitCode, NotFound, Refused, ZenctlError, worst
from zenctl.ports import (
    AccessReviewer,
    BlobStore,
    Clock,
    ClusterInfo,
    Discovery,
    ListQuery,
    ObjectReader,
    ObjectWriter,
    Progress,
    Workers,
)
from zenctl.product.resources import observations

SKEW_SAID = timedelta(minutes=1)
"""From what difference between the clocks on it is worth a word."""


class CleanupPorts(NamedTuple):
    """What a cleanup needs of the world."""

    discovery: Discovery
    reader: ObjectReader
    writer: ObjectWriter
    reviewer: AccessReviewer
    info: ClusterInfo
    workers: Workers
    progress: Progress
    clock: Clock


class Question(NamedTuple):
    """What is to be judged, and by what."""

    group: str
    policy: Policy
    query: ListQuery
    limits: Limits
    max_skew: timedelta


class UndoRequest(NamedTuple):
    """How the archive of what goes is called and kept."""

    store: BlobStore
    archive_id: str
    cluster_name: str
    """"" calls the cluster by its uid."""
    namespace: str | None
    tool_version: str
    seal: Seal | None = None


class Answer(StrEnum):
    """What became of a candidate."""

    DELETED = "deleted"
    CHANGED = "changed"
    """Kept, because it changed after it was judged."""
    GONE = "gone"
    """Somebody else deleted it meanwhile, or we did and the answer was lost."""
    FAILED = "failed"
    NOT_TRIED = "not-tried"


class AuditLog(Protocol):
    """Hears what became of each candidate, as it happens."""

    def note(self, found: Candidate, answer: Answer, error: str) -> None:
        """Note one; ``error`` is "" unless it failed."""


class Failure(NamedTuple):
    """An object that could not be deleted, and why."""

    candidate: Candidate
    error: ZenctlError


class Undo(NamedTuple):
    """The archive of what went."""

    name: str
    archive_id: str
    footer_sha256: str
    cluster_id: str
    cluster_name: str
    objects: int
    size_bytes: int
    encrypted: bool
    seconds: float
    """How long it took to write it and read it back."""


class Outcome(NamedTuple):
    """What became of a plan."""

    plan: Plan
    undo: Undo | None
    """None where there was nothing to delete."""
    answers: dict[Answer, int]
    changed: tuple[Candidate, ...]
    """The first of those."""
    failures: tuple[Failure, ...]
    """The first of those."""
    codes: frozenset[ExitCode]
    """Of all failures."""
    deleted_bytes: int
    """Of the JSON of what was deleted."""
    seconds: float
    """How long the deleting took."""

    def count(self, answer: Answer) -> int:
        """Return how many candidates were so answered."""
        return self.answers.get(answer, 0)

    @property
    def verdict(self) -> ExitCode:
        """What the run as a whole is worth: denied, given up because nobody answered, or partly done."""
        if not self.codes:
            return ExitCode.GOOD
        if ExitCode.DENIED in self.codes:
            return ExitCode.DENIED
        gave_up = self.count(Answer.NOT_TRIED) or not self.count(Answer.DELETED)
        return worst(self.codes) if gave_up else ExitCode.PARTIAL


def read_and_plan(ports: CleanupPorts, question: Question, spool: Spool) -> Plan:
    """List every Observation in scope and decide about each, by the API server's clock; spool what is to go.

    Raises Refused where the clocks differ by more than is allowed: then nobody knows which of them is right.
    """
    resources = observations(ports.discovery.group(question.group), question.group)
    local = ports.clock.now()
    now = ports.info.now()
    skew = _checked_skew(now - local, question.max_skew)
    planner = Planner(question.policy, now)
    ports.progress.begin("judging Observations", None)
    try:
        for resource in resources:
            spool.begin(resource)
            for page in ports.reader.pages(resource, ObservationFields, question.query, whole=True):
                if page.restarted:
                    planner.restart(resource)
                    spool.restart()
                spool.note_page(page.resource_version, mixed=page.mixed)
                for item in page.objects:
                    if planner.add(resource, item):
                        spool.add(item.body)
                ports.progress.advance(len(page.objects))
        spool.end()
        return planner.plan(question.limits, skew)
    finally:
        ports.progress.end()


def _checked_skew(skew: timedelta, most: timedelta) -> timedelta:
    if abs(skew) > most:
        ahead = "ahead of" if skew > timedelta(0) else "behind"
        raise Refused(
            f"the API server's clock is {humanise(abs(skew))} {ahead} the local one, more than {humanise(most)}",
            hint="set the wrong one right, or allow the difference with --max-clock-skew",
        )
    return skew


def may_delete(ports: CleanupPorts, plan: Plan, spool: Spool, namespace: str | None) -> None:
    """Ask whether the candidates may be deleted at all, before anything is written. Raises Denied."""
    for spooled in spool.resources:
        if not spooled.count or ports.reviewer.allowed(spooled.resource, "delete"):
            continue
        namespaces = [namespace] if namespace else sorted(plan.counts.by_namespace)
        missing = [
            name for name in namespaces if not ports.reviewer.allowed(spooled.resource, "delete", namespace=name)
        ]
        if missing:
            where = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise Denied(
                f"cannot delete {spooled.resource.full_name} in {where}: the server does not allow it",
                hint=f"grant it: apiGroups [{spooled.resource.group}], resources [{spooled.resource.plural}],"
                " verbs [get, list, watch, delete]",
            )


def nothing_done(plan: Plan) -> Outcome:
    """Return what became of a plan that has nothing to delete."""
    return Outcome(plan, None, {}, (), (), frozenset(), 0, 0.0)


def archive(ports: CleanupPorts, plan: Plan, spool: Spool, request: UndoRequest) -> Undo:
    """Write every candidate to an archive of set undo, and read it back from the store.

    Raises Damaged for a store that gives back something else, and whatever the store raises.
    """
    started = ports.clock.monotonic()
    heading = _heading(ports, request)
    name = archive_name(UNDO, heading.cluster.name, heading.created_at, request.archive_id)
    ports.progress.begin("archiving what goes", plan.to_delete)
    with ArchiveWriter(request.store.put(name), heading, request.seal) as writer:
        for spooled in spool.resources:
            writer.begin(spooled.resource)
            for chunk in spool.chunks(spooled):
                writer.add(chunk)
                ports.progress.advance(len(chunk))
            writer.end(consistency=spooled.consistency, resource_versions=spooled.versions, restarts=spooled.restarts)
        written = writer.finish(complete=True)
    ports.progress.end()
    _prove(request.store, name, written, plan)
    seconds = ports.clock.monotonic() - started
    return Undo(
        name=name,
        archive_id=request.archive_id,
        footer_sha256=written.footer.sha256,
        cluster_id=heading.cluster.id,
        cluster_name=heading.cluster.name,
        objects=plan.to_delete,
        size_bytes=written.size_bytes,
        encrypted=request.seal is not None,
        seconds=seconds,
    )


def _heading(ports: CleanupPorts, request: UndoRequest) -> Heading:
    uid = ports.info.uid()
    return Heading(
        archive_id=request.archive_id,
        set_name=UNDO,
        cluster=Cluster(id=uid, name=request.cluster_name or uid, server_version=ports.info.server_version()),
        created_at=ports.clock.now(),
        tool_version=request.tool_version,
        scope=Scope(namespaces=(request.namespace,) if request.namespace else None, secrets=False),
    )


def _prove(store: BlobStore, name: str, written: Written, plan: Plan) -> None:
    found = verify(store, name)
    if not found.sound or written.footer.objects != plan.to_delete:
        why = found.problems[0].what if found.problems else f"it holds {written.footer.objects} objects"
        raise Damaged(
            f"the undo archive {name} is not what was written, so nothing was deleted: {why}",
            hint="look at the store; zenctl backup verify tells more",
        )


def delete(ports: CleanupPorts, plan: Plan, spool: Spool, audit: AuditLog, undo: Undo) -> Outcome:
    """Delete the candidates of a plan, which are in ``undo``; stop early where every further request would fail."""
    tally = _Tally(audit)
    patience = Patience()
    started = ports.clock.monotonic()
    ports.progress.begin("deleting Observations", plan.to_delete)
    jobs = candidates(spool, plan)
    guarded = patience.guard(jobs)
    with closing(ports.workers.run(guarded, lambda found: _delete(ports.writer, found))) as answers:
        for found, answer in answers:
            ports.progress.advance()
            patience.note(answer)
            tally.take(found, answer)
    ports.progress.end()
    seconds = ports.clock.monotonic() - started
    tally.leave(jobs)
    return Outcome(
        plan=plan,
        undo=undo,
        answers=tally.answers,
        changed=tuple(tally.changed),
        failures=tuple(tally.failures),
        codes=frozenset(tally.codes),
        deleted_bytes=tally.deleted_bytes,
        seconds=seconds,
    )


def candidates(spool: Spool, plan: Plan) -> Iterator[Candidate]:
    """Yield what is to be deleted, judged once more from its bytes."""
    for spooled in spool.resources:
        for chunk in spool.chunks(spooled):
            for item in chunk:
                judgement = judge(item.fields, plan.policy, plan.now)
                if judgement.reason is not Reason.EXPIRED:
                    raise RuntimeError(f"{item.key} was to be deleted, and now is {judgement.reason}")
                yield candidate(spooled.resource, item, judgement)


class _Tally:
    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit
        self.answers: dict[Answer, int] = {}
        self.changed: list[Candidate] = []
        self.failures: list[Failure] = []
        self.codes: set[ExitCode] = set()
        self.deleted_bytes = 0

    def take(self, found: Candidate, answer: object) -> None:
        match answer:
            case Conflict():
                self._note(found, Answer.CHANGED)
                if len(self.changed) < SHOWN:
                    self.changed.append(found)
            case NotFound():
                self._note(found, Answer.GONE)
            case ZenctlError():
                self._note(found, Answer.FAILED, answer.message)
                self.codes.add(answer.code)
                if len(self.failures) < SHOWN:
                    self.failures.append(Failure(found, answer))
            case _:
                self._note(found, Answer.DELETED)
                self.deleted_bytes += found.size_bytes

    def leave(self, rest: Iterable[Candidate]) -> None:
        """Note what was not tried any more."""
        for found in rest:
            self._note(found, Answer.NOT_TRIED)

    def _note(self, found: Candidate, answer: Answer, error: str = "") -> None:
        self.answers[answer] = self.answers.get(answer, 0) + 1
        self._audit.note(found, answer, error)


def _delete(writer: ObjectWriter, found: Candidate) -> None:
    writer.delete(found.resource, found.key, uid=found.uid, resource_version=found.resource_version)

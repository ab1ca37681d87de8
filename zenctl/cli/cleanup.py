"""``zenctl cleanup``; the runs of the past and their undo are in a module of their own."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zenctl import __version__
from zenctl.cli import cleanup_runs, keys
from zenctl.cli.arguments import (
    ApiGroupOption,
    DryRunOption,
    NamespaceOption,
    SelectorOption,
    YesOption,
    choice,
    duration,
    words,
)
from zenctl.cli.event_filters import Categories, Severities, Sources, Words
from zenctl.cli.keys import EncryptToOption, RecipientsFileOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session, audit_log, local_path, new_file, read_local, scratch_file
from zenctl.cli.unattended import (
    CHANGES_LEASE,
    EventOption,
    MetricsFileOption,
    NoLockOption,
    PushMetricsOption,
    Run,
    Told,
    cleanup_kind,
)
from zenctl.core.observation import GROUP, AgeSource, Phase, Severity
from zenctl.core.report import Report
from zenctl.errors import ExitCode, Refused, UsageError

if TYPE_CHECKING:
    from zenctl.cleanup.brakes import Limits
    from zenctl.cleanup.judge import Policy
    from zenctl.cleanup.plan import Plan
    from zenctl.cleanup.run import CleanupPorts, Outcome, Undo, UndoRequest
    from zenctl.cleanup.spool import Spool
    from zenctl.ports import Workers
    from zenctl.unattended.metrics import Cleaned

app = new_group("cleanup", "Delete settled Observations by real dates; list such runs, and undo them.")
app.add_typer(cleanup_runs.app)

_CODES = (ExitCode.PARTIAL, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED)


@command(app, codes=_CODES, group_default=True)
def cleanup(
    session: Session,
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="TIME", help="Age to delete from: 7d, 1w, 12h, 1d12h.", show_default=False
        ),
    ] = "",
    policy: Annotated[
        str,
        typer.Option("--policy", metavar="FILE", help="Rules with ages of their own, in YAML.", show_default=False),
    ] = "",
    phase: Annotated[
        Words,
        typer.Option(
            "--phase",
            metavar="PHASE",
            help="Phases to delete, exactly; repeatable (default Resolved).",
            show_default=False,
        ),
    ] = None,
    severity: Severities = None,
    source: Sources = None,
    category: Categories = None,
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    age_from: Annotated[
        str,
        typer.Option(
            "--age-from",
            metavar="FIELD",
            show_default=False,
            help=f"What age is counted from: {', '.join(AgeSource)} (default auto).",
        ),
    ] = "",
    ignore_last_seen: Annotated[
        bool,
        typer.Option("--ignore-last-seen", help="Delete what was seen again since, too.", show_default=False),
    ] = False,
    max_deletes: Annotated[
        int | None,
        typer.Option("--max-deletes", metavar="N", min=0, help="Delete nothing if it were more.", show_default=False),
    ] = None,
    max_percent: Annotated[
        str,
        typer.Option(
            "--max-percent", metavar="P", help="Nor if it were more of all in scope, from 100 Observations on."
        ),
    ] = "50",
    min_remaining: Annotated[
        int | None,
        typer.Option("--min-remaining", metavar="N", min=0, help="Nor if fewer would remain.", show_default=False),
    ] = None,
    max_clock_skew: Annotated[
        str, typer.Option("--max-clock-skew", metavar="TIME", help="How far the clocks may differ.")
    ] = "1h",
    qps: Annotated[
        float | None,
        typer.Option("--qps", metavar="N", help="Delete no more than so many a second.", show_default=False),
    ] = None,
    candidates: Annotated[
        str,
        typer.Option(
            "--candidates",
            metavar="FILE",
            help="Write down all that would go, and why, as JSON lines.",
            show_default=False,
        ),
    ] = "",
    audit_file: Annotated[
        str,
        typer.Option(
            "--audit-log",
            envvar="ZENCTL_AUDIT_LOG",
            metavar="FILE",
            show_envvar=False,
            show_default=False,
            help="Append what became of each to this file (default in the store).",
        ),
    ] = "",
    keep_undo: Annotated[
        str, typer.Option("--keep-undo", metavar="TIME", help="How long archives of what went are kept.")
    ] = "30d",
    encrypt_to: EncryptToOption = None,
    recipients_file: RecipientsFileOption = None,
    api_group: ApiGroupOption = GROUP,
    no_lock: NoLockOption = False,
    metrics_file: MetricsFileOption = "",
    push_metrics: PushMetricsOption = "",
    event: EventOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> Report:
    """Delete Observations that are settled and old, judged by the instant that each one names.

    By default exactly the phase Resolved counts. Age is counted from spec.timestamp, else
    spec.detectedAt, else the creation time, against the API server's clock. A time that is malformed,
    without zone or in the future keeps its object, and so do a later status.lastSeen, a later expiresAt,
    and the label or annotation zenctl.kube-zen.io/protected. An object that changes while the cleanup
    runs is kept. With --policy the first rule that is about an Observation decides.

    What goes is archived first, in the store, flushed and read back; zenctl cleanup undo brings it back.
    Brakes are judged on the whole plan: one that is tripped deletes nothing.

    Without --yes it shows the plan and asks; without a terminal it exits with the plan and code 4.
    """
    told = Told(event=False) if dry_run else Told(metrics_file, push_metrics, event)
    with Run(session, told, cleanup_kind()) as run:
        narrowed = _Narrowed(phase, severity, source, category, age_from, ignore_last_seen)
        asked = _Asked(
            rules=_rules(older_than, policy, narrowed),
            limits=_limits(max_deletes, max_percent, min_remaining),
            api_group=api_group,
            namespace=namespace,
            selector=selector,
            max_skew=duration("--max-clock-skew", max_clock_skew),
        )
        how = _How(
            audit_file=audit_file,
            keep_undo=duration("--keep-undo", keep_undo),
            candidates=candidates,
            no_lock=no_lock,
            qps=_rate(qps),
            dry_run=dry_run,
            yes=yes,
        )
        # Before anything is asked of the cluster: store and recipients may be wrong by themselves.
        request = None if dry_run else _undo_request(session, namespace, (encrypt_to, recipients_file))
        return _clean(session, run, asked, how, request)


class _Narrowed(NamedTuple):
    """What narrows the one rule of the command line."""

    phase: Words
    severity: Words
    source: Words
    category: Words
    age_from: str
    ignore_last_seen: bool


class _Asked(NamedTuple):
    """What is to be judged, and by what."""

    rules: Policy
    limits: Limits
    api_group: str
    namespace: str
    selector: str
    max_skew: timedelta


class _How(NamedTuple):
    """How a plan is carried out."""

    audit_file: str
    keep_undo: timedelta
    candidates: str
    no_lock: bool
    qps: float | None
    dry_run: bool
    yes: bool


def _clean(session: Session, run: Run[Cleaned], asked: _Asked, how: _How, request: UndoRequest | None) -> Report:
    from zenctl.cleanup.report import outcome_report, plan_report
    from zenctl.cleanup.run import Answer, Question, may_delete, nothing_done, read_and_plan
    from zenctl.cleanup.spool import Spool
    from zenctl.ports import ListQuery
    from zenctl.unattended.metrics import Cleaned

    ports = _ports(session, session.workers)
    query = ListQuery(asked.namespace or None, asked.selector)
    with scratch_file() as scratch:
        spool = Spool(scratch)
        question = Question(asked.api_group, asked.rules, query, asked.limits, asked.max_skew)
        plan = read_and_plan(ports, question, spool)
        _write_candidates(how.candidates, plan, spool)
        planned = plan_report(plan)
        if plan.tripped:
            run.ended(planned.verdict, plan.tripped[0].what)
            for brake in plan.tripped:
                session.complain(Refused(f"{brake.what}: nothing was deleted", hint=f"{brake.flag} would allow it"))
            return planned
        if plan.to_delete or how.dry_run:
            question_ = f"Delete {plan.to_delete:,} of {plan.total:,} Observations?"
            stop = session.approve(planned, question_, yes=how.yes, dry_run=how.dry_run)
            if stop is not None:
                run.ended(stop.verdict, "not confirmed")
                return stop
        if not plan.to_delete or request is None:
            run.done = Cleaned(0, plan.doubtful)
            return outcome_report(nothing_done(plan))
        may_delete(ports, plan, spool, asked.namespace or None)
        outcome, audit = _carry_out(session, run, (plan, spool), how, request)
        report = outcome_report(outcome, audit)
        run.ended(report.verdict, outcome.failures[0].error.message if outcome.failures else "")
        if report.verdict is ExitCode.GOOD:
            run.done = Cleaned(outcome.count(Answer.DELETED), plan.doubtful)
        return report


def _carry_out(
    session: Session, run: Run[Cleaned], what: tuple[Plan, Spool], how: _How, request: UndoRequest
) -> tuple[Outcome, str]:
    """Archive and delete, under the Lease; return what came of it, and where the audit log is."""
    from zenctl.cleanup.audit import Audit
    from zenctl.cleanup.audit import Run as Common
    from zenctl.cleanup.run import archive, delete
    from zenctl.unattended.guard import GuardedStore, GuardedWorkers
    from zenctl.unattended.outage import PacedWorkers, PersistentWorkers

    plan, spool = what
    workers: Workers = PersistentWorkers(session.workers, session.cluster, session.clock, session.note)
    if not how.no_lock:
        guard = run.lock(CHANGES_LEASE)
        workers = GuardedWorkers(workers, guard)
        request = request._replace(store=GuardedStore(request.store, guard))
    if how.qps is not None:
        workers = PacedWorkers(workers, session.clock, how.qps)
    ports = _ports(session, workers)
    with audit_log(how.audit_file, session.store, request.archive_id) as log:
        undo = archive(ports, plan, spool, request)
        log.lines.open()  # nothing may go that could not be written down
        run.cluster = undo.cluster_name
        session.note(
            f"archived {undo.objects:,} Observations; zenctl cleanup undo {undo.archive_id[:8]} brings them back"
        )
        common = Common(undo.archive_id, plan.policy, plan.now)
        outcome = delete(ports, plan, spool, Audit(log.lines, session.clock, common), undo)
    _keep_record(session, undo, outcome, how.keep_undo)
    return outcome, log.label


def _keep_record(session: Session, undo: Undo, outcome: Outcome, keep_undo: timedelta) -> None:
    """Note what became of the run beside its archive, and remove the archives of runs long ago.

    What fails here is a warning: the run itself is over, and ended as it did.
    """
    from zenctl.backup.prune import PrunePorts
    from zenctl.cleanup.runs import expire, note_outcome
    from zenctl.errors import ZenctlError

    try:
        note_outcome(session.store, undo, outcome, session.clock.now())
        pruned = expire(PrunePorts(session.store, session.clock, session.progress), undo.cluster_id, keep_undo)
    except ZenctlError as error:
        session.warn(f"could not bring the store in order: {error.message}")
        return
    for failure in pruned.failures:
        session.warn(f"could not remove the undo archive {failure.name}: {failure.error.message}")


def _write_candidates(path: str, plan: Plan, spool: Spool) -> None:
    if not path:
        return
    import msgspec

    from zenctl.cleanup.audit import PLANNED, line_of
    from zenctl.cleanup.audit import Run as Common
    from zenctl.cleanup.run import candidates

    common = Common("", plan.policy, plan.now)
    with new_file(local_path(path)) as append:
        for found in candidates(spool, plan):
            append(msgspec.json.encode(line_of(common, found, PLANNED, "", None)) + b"\n")


def _ports(session: Session, workers: Workers) -> CleanupPorts:
    from zenctl.cleanup.run import CleanupPorts

    return CleanupPorts(
        discovery=session.discovery,
        reader=session.cluster,
        writer=session.cluster,
        reviewer=session.cluster,
        info=session.cluster,
        workers=workers,
        clock=session.clock,
        progress=session.progress,
    )


def _undo_request(session: Session, namespace: str, recipients: tuple[Words, Words]) -> UndoRequest:
    import uuid

    from zenctl.cleanup.run import UndoRequest

    return UndoRequest(
        store=session.store,
        archive_id=str(uuid.uuid4()),
        cluster_name=session.settings.cluster_name,
        namespace=namespace or None,
        tool_version=__version__,
        seal=keys.seal(session.settings.environ, *recipients),
    )


def _rules(older_than: str, policy: str, narrowed: _Narrowed) -> Policy:
    """Return the rules of a file, or the one of the command line. Raises UsageError."""
    from zenctl.cleanup.judge import Policy, Rule

    if bool(older_than) == bool(policy):
        raise UsageError(
            "both --older-than and --policy were given" if policy else "neither --older-than nor --policy was given",
            hint="say from what age on to delete, such as --older-than 7d, or name a file of rules",
        )
    if policy:
        if any(narrowed):
            raise UsageError(
                "options that choose Observations were given with --policy", hint="write them into its rules"
            )
        return _policy_of(policy)
    rule = Rule(
        older_than=duration("--older-than", older_than),
        phases=frozenset(choice("--phase", Phase, word).value for word in words(narrowed.phase or [Phase.RESOLVED])),
        severities=frozenset(choice("--severity", Severity, word).value for word in words(narrowed.severity)),
        sources=frozenset(word.casefold() for word in words(narrowed.source)),
        categories=frozenset(word.casefold() for word in words(narrowed.category)),
        age_from=choice("--age-from", AgeSource, narrowed.age_from or AgeSource.AUTO),
        ignore_last_seen=narrowed.ignore_last_seen,
    )
    return Policy((rule,))


def _policy_of(path: str) -> Policy:
    from zenctl.cleanup.policy import parse_policy
    from zenctl.core.marked import BadValue

    file = local_path(path)
    if not file.is_file():
        raise UsageError(f"there is no policy {path}", hint="name a file with rules; docs/cleanup.md shows one")
    try:
        return parse_policy(read_local(file), path)
    except BadValue as error:
        raise UsageError(f"policy {path}, {error}") from None


def _limits(max_deletes: int | None, max_percent: str, min_remaining: int | None) -> Limits:
    from zenctl.cleanup.brakes import Limits

    try:
        percent = Fraction(max_percent.removesuffix("%").strip())
    except (ValueError, ZeroDivisionError):
        percent = Fraction(-1)
    if not 0 <= percent <= 100:
        raise UsageError(f"--max-percent: {max_percent!r} is no number from 0 to 100")
    return Limits(max_deletes, percent, min_remaining)


def _rate(qps: float | None) -> float | None:
    if qps is not None and not 0.001 <= qps <= 100_000:
        raise UsageError(f"--qps: {qps} is no number of requests a second", hint="write one such as 50 or 0.5")
    return qps

"""``zenctl restore``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zenctl import __version__
from zenctl.cli.archives import ClusterOption, open_named
from zenctl.cli.arguments import ApiGroupOption, DryRunOption, YesOption, choice, instant
from zenctl.cli.keys import IdentityOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session, local_path, new_file, read_local, reject_file
from zenctl.cli.unattended import CHANGES_LEASE, Lock, NoLockOption
from zenctl.core.instants import format_instant, parse_instant
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import Denied, ExitCode, Refused, UsageError

if TYPE_CHECKING:
    from zenctl.restore.apply import Outcome
    from zenctl.restore.batch import Source
    from zenctl.restore.plan import Plan
    from zenctl.restore.preflight import Need, Preflight
    from zenctl.restore.read import RestorePorts
    from zenctl.restore.record import Choice, Recorded
    from zenctl.restore.select import Chosen

app = new_group("restore", "Bring back what a backup or kubectl's files hold, status included.")

_CODES = (ExitCode.PARTIAL, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED)
_SUFFIXES = (".yaml", ".yml", ".json", ".ndjson", ".jsonl")


@command(app, "restore", codes=_CODES)
def restore(
    session: Session,
    what: Annotated[
        str,
        typer.Argument(
            metavar="ARCHIVE|latest|FILE|DIR",
            help="An archive, or YAML or JSON that kubectl get wrote, or a folder of such files.",
            show_default=False,
        ),
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            help="Only this kind; or installation, secrets, helm. Repeatable.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NS/NAME", help="Only this object; repeatable.", show_default=False),
    ] = None,
    namespace: Annotated[
        str,
        typer.Option(
            "-n", "--namespace", metavar="NS", help="Only this namespace of the backup.", show_default=False
        ),
    ] = "",
    selector: Annotated[
        str,
        typer.Option(
            "-l", "--selector", metavar="SELECTOR", help="Only objects with these labels.", show_default=False
        ),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since", metavar="TIME", help="Only what happened since then: 24h, or a time.", show_default=False
        ),
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="Only what happened before then.", show_default=False)
    ] = "",
    map_namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--map-namespace", metavar="FROM=TO", help="Into another namespace; repeatable.", show_default=False
        ),
    ] = None,
    on_conflict: Annotated[
        str, typer.Option("--on-conflict", metavar="POLICY", help="Objects that exist: skip, update or fail.")
    ] = "skip",
    plan_file: Annotated[
        str,
        typer.Option("--plan", metavar="FILE", help="Only plan, and keep the plan in this file.", show_default=False),
    ] = "",
    apply_file: Annotated[
        str, typer.Option("--apply", metavar="FILE", help="Do exactly what this plan says.", show_default=False)
    ] = "",
    pause_watcher: Annotated[
        bool,
        typer.Option(
            "--pause-watcher", help="Stop the watcher meanwhile; it is always started again.", show_default=False
        ),
    ] = False,
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
    rejects: Annotated[
        str, typer.Option("--rejects", metavar="FILE", help="Where rejected objects are kept.", show_default=False)
    ] = "",
    api_group: ApiGroupOption = GROUP,
    no_lock: NoLockOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> Report:
    """Bring back CRDs, namespaces, Observations with their status, and the watcher's ConfigMaps.

    Every byte is compared with its checksum before the first write. Objects that exist are skipped by
    default; a live finding with the same fingerprint that nobody has triaged takes over the archived
    status. A second run writes nothing, and goes on where a run was stopped. An object that the server
    rejects never stops the rest: it is listed with the server's reason and kept in a file that can be given
    to zenctl restore again.

    What an archive holds of the watcher's installation, of Helm and of Secrets is left alone, and listed.
    --only brings it back: deployment or any other kind, installation for all of those, secrets, or helm for
    Helm's releases, each with all of its revisions and only where no live revision of it is as new.

    With --plan it decides about every object, compares those that would change field by field, writes that
    down and changes nothing. With --apply it does exactly that, and refuses where the backup or the cluster
    has changed since.

    Without --yes it shows the plan and asks; without a terminal it exits with the plan and code 4.
    """
    from zenctl.restore.decide import OnConflict
    from zenctl.restore.record import Choice
    from zenctl.restore.source import ArchiveSource

    _require_one_way(plan_file, apply_file, dry_run=dry_run)
    asked = Choice(
        on_conflict=choice("--on-conflict", OnConflict, on_conflict).value,
        only=tuple(only or ()),
        names=tuple(name or ()),
        namespace=namespace,
        selector=selector,
        since=_fixed(session, "--since", since),
        until=_fixed(session, "--until", until),
        map_namespace=tuple(map_namespace or ()),
        api_group=api_group,
    )
    recorded = _recorded(apply_file, asked) if apply_file else None
    if recorded is not None:
        asked, what = recorded.heading.choice, what or recorded.heading.source
    if not what:
        raise UsageError("no ARCHIVE to restore was named", hint="give latest, an archive, a file or a folder")
    kinds = _kinds(asked)
    source = _files(what, asked.api_group, kinds) or ArchiveSource(
        open_named(session, what, cluster, identity), kinds
    )
    how = How(plan_file, recorded, dry_run, yes, pause_watcher, no_lock, rejects)
    return carry_out(session, _chosen(asked, source), asked, how)


class How(NamedTuple):
    """What becomes of the plan, and how it is carried out."""

    plan_file: str = ""
    recorded: Recorded | None = None
    dry_run: bool = False
    yes: bool = False
    pause_watcher: bool = False
    no_lock: bool = False
    rejects: str = ""


def carry_out(session: Session, chosen: Chosen, asked: Choice, how: How) -> Report:
    """Plan the restore of what was chosen, ask, and do it."""
    from zenctl.restore.pause import require_pausable
    from zenctl.restore.preflight import preflight
    from zenctl.restore.read import RestorePorts
    from zenctl.restore.report import outcome_report, plan_report

    with reject_file(how.rejects, session.clock.now()) as kept:
        ports = RestorePorts(
            discovery=session.discovery,
            reader=session.cluster,
            writer=session.cluster,
            reviewer=session.cluster,
            workers=session.workers,
            progress=session.progress,
            clock=session.clock,
            rejects=kept,
        )
        plan = _plan(session, ports, chosen, asked, how)
        chosen.require_found()
        if how.pause_watcher:
            require_pausable(plan)
        found = preflight(session.cluster, session.cluster, plan, _pausing(session) if how.pause_watcher else ())
        planned = plan_report(plan, found, how.plan_file or None)
        if planned.verdict is not ExitCode.GOOD or how.plan_file:
            _complain(session, found)
            return planned
        if plan.writes or how.dry_run:
            stop = session.approve(planned, f"Write {plan.writes:,} objects?", yes=how.yes, dry_run=how.dry_run)
            if stop is not None:
                return stop
        outcome, stuck = _carried_out(session, ports, plan, how)
        return outcome_report(outcome, str(kept.path) if kept.count else None, stuck)


def everything(source: Source, api_group: str) -> tuple[Chosen, Choice]:
    """Return all of a source as what was chosen; what exists is left as it is."""
    from zenctl.restore.decide import OnConflict
    from zenctl.restore.record import Choice

    asked = Choice(on_conflict=OnConflict.SKIP.value, api_group=api_group)
    return _chosen(asked, source), asked


def _require_one_way(plan_file: str, apply_file: str, *, dry_run: bool) -> None:
    if plan_file and apply_file:
        raise UsageError("both --plan and --apply were given", hint="plan first, read the plan, then apply it")
    if plan_file and dry_run:
        raise UsageError("both --plan and --dry-run were given", hint="either changes nothing; --plan keeps the plan")


def _fixed(session: Session, option: str, text: str) -> str:
    """Return a time as an instant, so that a plan means the same when it is applied; "" stays."""
    return format_instant(instant(option, text, session.clock.now())) if text else ""


def _recorded(path: str, asked: Choice) -> Recorded:
    """Read a plan. Raises UsageError for options that would make it another one."""
    from zenctl.restore import record

    if asked != record.Choice(on_conflict="skip", api_group=asked.api_group):
        raise UsageError(
            "options that choose or map objects were given with --apply", hint="the plan says what it is for"
        )
    file = local_path(path)
    if not file.is_file():
        raise UsageError(f"there is no plan {path}", hint="make one with zenctl restore --plan")
    return record.read(path, read_local(file))


def _chosen(asked: Choice, source: Source) -> Chosen:
    from zenctl.core.selectors import parse_label_selector
    from zenctl.restore.select import Chosen, Selection, parse_mapping

    try:
        labels = parse_label_selector(asked.selector) if asked.selector else None
    except ValueError as error:
        raise UsageError(f"--selector: {error}", hint="write it as kubectl takes it, such as severity=high") from None
    selection = Selection(
        kinds=_kinds(asked),
        names=frozenset(asked.names),
        namespace=asked.namespace,
        labels=labels,
        since=parse_instant(asked.since) if asked.since else None,
        until=parse_instant(asked.until) if asked.until else None,
    )
    return Chosen(source, selection, parse_mapping(asked.map_namespace))


def _kinds(asked: Choice) -> frozenset[str]:
    return frozenset(kind.lower() for kind in asked.only)


def _plan(session: Session, ports: RestorePorts, source: Chosen, asked: Choice, how: How) -> Plan:
    from zenctl.restore import record
    from zenctl.restore.decide import OnConflict
    from zenctl.restore.planned import plan_again, record_plan
    from zenctl.restore.read import read_and_plan

    policy = OnConflict(asked.on_conflict)
    if how.recorded is not None:
        return plan_again(ports, source, how.recorded, session.cluster.uid())
    if not how.plan_file:
        return read_and_plan(ports, source, policy, (lambda _: None) if how.dry_run else None)
    heading = record.heading(
        source.label,
        source.identity,
        session.cluster.uid(),
        at=format_instant(session.clock.now()),
        tool_version=__version__,
        choice=asked,
    )
    with new_file(local_path(how.plan_file)) as write:
        return record_plan(ports, source, policy, heading, write)


def _complain(session: Session, found: Preflight) -> None:
    """Say in one line what stands in the way; the report says it with what would help."""
    from zenctl.restore.preflight import require_clear

    try:
        require_clear(found)
    except (Denied, Refused) as error:
        session.complain(error)


def _pausing(session: Session) -> tuple[Need, ...]:
    """Return what pausing the watcher takes, where the cluster has Deployments at all."""
    from zenctl.restore.preflight import Need

    resource = session.discovery.resolve("deployments.apps")
    return tuple(Need(verb, resource, "", session.settings.system_namespace) for verb in ("get", "list", "update"))


def _carried_out(session: Session, ports: RestorePorts, plan: Plan, how: How) -> tuple[Outcome, tuple[str, ...]]:
    from zenctl.restore.apply import apply
    from zenctl.restore.pause import left_paused, while_paused
    from zenctl.unattended.guard import GuardedWorkers

    namespace = session.settings.system_namespace
    with Lock(session, CHANGES_LEASE) as lock:
        if plan.writes and not how.no_lock:
            ports = ports._replace(workers=GuardedWorkers(ports.workers, lock.take()))
        if how.pause_watcher and plan.writes:
            return while_paused(ports, namespace, lambda: apply(ports, plan), session.warn)
        for key in left_paused(ports, namespace):
            session.warn(
                f"the watcher {key} is scaled to 0 since a restore that did not end; --pause-watcher starts it"
            )
        return apply(ports, plan), ()


def _files(what: str, group: str, kinds: frozenset[str]) -> Source | None:
    """Return the files that a path names as a source; None where it is none, and so must be an archive."""
    from zenctl.restore.source import FilesSource

    path = local_path(what)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not files:
            raise UsageError(
                f"the folder {what} holds no YAML or JSON files", hint="give a file, an archive or latest"
            )
        return FilesSource(what, {str(file): read_local(file) for file in files}, group, kinds)
    if path.suffix in _SUFFIXES:
        if not path.is_file():
            raise UsageError(f"there is no file {what}", hint="give a file, a folder, an archive or latest")
        return FilesSource(what, {what: read_local(path)}, group, kinds)
    return None

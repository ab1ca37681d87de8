"""``zenctl restore``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli.arguments import ApiGroupOption, DryRunOption, YesOption, choice
from zenctl.cli.backup import ClusterOption, open_named
from zenctl.cli.keys import IdentityOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session, local_path, read_local, reject_file
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from zenctl.restore.batch import Source

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
        ),
    ],
    on_conflict: Annotated[
        str, typer.Option("--on-conflict", metavar="POLICY", help="Objects that exist: skip, update or fail.")
    ] = "skip",
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
    rejects: Annotated[
        str, typer.Option("--rejects", metavar="FILE", help="Where rejected objects are kept.", show_default=False)
    ] = "",
    api_group: ApiGroupOption = GROUP,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> Report:
    """Bring back CRDs, namespaces, Observations with their status, and the watcher's ConfigMaps.

    Every byte is compared with its checksum before the first write. Objects that exist are skipped by
    default; a live finding with the same fingerprint that nobody has triaged takes over the archived
    status. A second run writes nothing. An object that the server rejects never stops the rest: it is
    listed with the server's reason and kept in a file that can be given to zenctl restore again.

    Without --yes it shows the plan and asks; without a terminal it exits with the plan and code 4.
    """
    from zenctl.restore.apply import apply
    from zenctl.restore.decide import OnConflict
    from zenctl.restore.read import RestorePorts, read_and_plan
    from zenctl.restore.report import outcome_report, plan_report
    from zenctl.restore.source import ArchiveSource

    policy = choice("--on-conflict", OnConflict, on_conflict)
    source = _files(what, api_group) or ArchiveSource(open_named(session, what, cluster, identity))
    with reject_file(rejects, session.clock.now()) as kept:
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
        plan = read_and_plan(ports, source, policy)
        planned = plan_report(plan)
        if planned.verdict is not ExitCode.GOOD:
            return planned
        if plan.writes or dry_run:
            stop = session.approve(planned, f"Write {plan.writes:,} objects?", yes=yes, dry_run=dry_run)
            if stop is not None:
                return stop
        outcome = apply(ports, plan)
        return outcome_report(outcome, str(kept.path) if kept.count else None)


def _files(what: str, group: str) -> Source | None:
    """Return the files that a path names as a source; None where it is none, and so must be an archive."""
    from zenctl.restore.source import FilesSource

    path = local_path(what)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        if not files:
            raise UsageError(
                f"the folder {what} holds no YAML or JSON files", hint="give a file, an archive or latest"
            )
        return FilesSource(what, {str(file): read_local(file) for file in files}, group)
    if path.suffix in _SUFFIXES:
        if not path.is_file():
            raise UsageError(f"there is no file {what}", hint="give a file, a folder, an archive or latest")
        return FilesSource(what, {what: read_local(path)}, group)
    return None

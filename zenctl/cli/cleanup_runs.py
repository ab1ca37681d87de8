"""Cleanups of the past: ``zenctl cleanup runs`` and ``undo``."""

from __future__ import annotations

from typing import Annotated

import typer

from zenctl.cli import keys
from zenctl.cli.arguments import ApiGroupOption, DryRunOption, YesOption
from zenctl.cli.keys import IdentityOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.cli.unattended import NoLockOption
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import ExitCode

app = new_group("", "Cleanups of the past.")
"""Without a name, so that ``zenctl cleanup`` takes its commands in as its own."""

_CODES = (ExitCode.PARTIAL, ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED)


@command(app, "runs", codes=(ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED))
def runs(session: Session) -> Report:
    """List the cleanups whose archives the store holds, newest first.

    A run that was stopped before its end shows no number of deleted objects: its archive holds everything
    that it may have deleted.
    """
    from zenctl.archive.reader import list_archives
    from zenctl.backup.notes import read_notes
    from zenctl.cleanup.runs import runs_report

    notes = read_notes(session.store)
    return runs_report(list_archives(session.store), notes)


@command(app, "undo", codes=_CODES)
def undo(
    session: Session,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="The start of its id as zenctl cleanup runs shows it, or latest.")
    ],
    identity: IdentityOption = None,
    rejects: Annotated[
        str, typer.Option("--rejects", metavar="FILE", help="Where rejected objects are kept.", show_default=False)
    ] = "",
    api_group: ApiGroupOption = GROUP,
    no_lock: NoLockOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> Report:
    """Bring back what a cleanup deleted, with its status.

    What exists is left as it is, so that a second run writes nothing, and what changed before it could be
    deleted stays changed. The next cleanup by the same rules would delete it again: settle what made it go
    first.

    Without --yes it shows the plan and asks; without a terminal it exits with the plan and code 4.
    """
    from zenctl.archive.reader import open_archive
    from zenctl.cleanup.runs import LATEST, find_run
    from zenctl.cli.restore import How, carry_out, everything
    from zenctl.restore.source import ArchiveSource

    cluster = session.settings.cluster_name or (session.cluster.uid() if run == LATEST else "")
    name = find_run(session.store, run, cluster)
    opened = open_archive(session.store, name, keys.keys(session.settings.environ, identity))
    chosen, asked = everything(ArchiveSource(opened), api_group)
    return carry_out(session, chosen, asked, How(dry_run=dry_run, yes=yes, no_lock=no_lock, rejects=rejects))

"""What is done with the content of archives: ``zenctl backup diff``, ``export`` and ``drill``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import keys
from zenctl.cli.archives import ArchiveArgument, ClusterOption, locate, open_named
from zenctl.cli.arguments import ApiGroupOption, NamespaceOption, SelectorOption, words
from zenctl.cli.keys import IdentityOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session, export_folder
from zenctl.cli.unattended import MetricsFileOption, PushMetricsOption, Told, record
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import ExitCode, UsageError, ZenctlError

if TYPE_CHECKING:
    from zenctl.archive.reader import Archive
    from zenctl.backup.notes import DrillRecord
    from zenctl.backup.sides import Side

app = new_group("", "What archives hold.")
"""Without a name, so that ``zenctl backup`` takes its commands in as its own."""

_CODES = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED, ExitCode.DAMAGED)

_LIVE = "live"
_ARCHIVE_HELP = "latest, the start of an id, a name in the store, a file, or its URL"


@command(app, "diff", codes=(ExitCode.FINDINGS, ExitCode.NO_DATA, *_CODES))
def diff(
    session: Session,
    left: Annotated[str, typer.Argument(metavar="FROM", help=f"{_ARCHIVE_HELP}; or live, the cluster as it is now.")],
    right: Annotated[str, typer.Argument(metavar="[TO]", help="The same.")] = _LIVE,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind; repeatable.", show_default=False),
    ] = None,
    namespace: NamespaceOption = "",
    selector: SelectorOption = "",
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
    api_group: ApiGroupOption = GROUP,
) -> Report:
    """Compare two archives, or one and the live cluster.

    They are compared object by object. Without TO it shows what has changed in the cluster since the backup. What
    the server owns does not count (uid, resourceVersion, times, managedFields and such), nor do the annotations that
    a restore leaves: a cluster into which an archive was restored equals that archive. Values of Secrets are never
    shown.

    An object counts where it matches the selector on either side. Of kinds outside the group, ConfigMaps apart,
    the live cluster is only asked for those objects that the archive has.

    Exit code 0 means equal, 1 that there are differences, 7 that a part could not be compared.
    """
    from zenctl.backup.diff import Wanted, compare
    from zenctl.backup.diff_report import diff_report
    from zenctl.core.selectors import parse_label_selector

    if left == right == _LIVE:
        raise UsageError("live and live are the same", hint="name an archive on one side")
    try:
        wanted = Wanted(words(kind), namespace or None, parse_label_selector(selector))
    except ValueError as error:
        raise UsageError(f"--selector: {error}", hint="write it as kubectl takes it, such as severity=high") from None
    one, other = (_opened(session, word, cluster, identity) for word in (left, right))
    sides = (_side(session, one, other, api_group), _side(session, other, one, api_group))
    return diff_report(compare(*sides, wanted, session.progress))


def _opened(session: Session, word: str, cluster: str, identity: list[str] | None) -> Archive | None:
    """Return the archive that a word means; None for the live cluster."""
    return None if word == _LIVE else open_named(session, word, cluster, identity)


def _side(session: Session, archive: Archive | None, other: Archive | None, group: str) -> Side:
    from zenctl.backup.sides import ArchiveSide, LivePorts, LiveSide

    if archive is not None:
        return ArchiveSide(archive)
    assert other is not None
    ports = LivePorts(session.discovery, session.cluster)
    return LiveSide(ports, group, session.settings.system_namespace, other)


@command(app, "export", codes=_CODES)
def export(
    session: Session,
    archive: ArchiveArgument,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that does not exist yet, or is empty.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Keep what the server owns in the objects too.", show_default=False)
    ] = False,
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
) -> Report:
    """Write an archive to files that kubectl applies.

    The files are crd.yaml, events.yaml, configmaps.yaml and namespaces.yaml; values.yaml and manifest.yaml of
    the deployed Helm release, where the archive holds it; and KIND.GROUP.yaml for every other kind. The folder
    appears whole or not at all, and only its owner can read it; what is encrypted in the archive is in clear there.

    Without --raw everything is taken off on which kubectl apply would fail, and the first uid and creation time
    are kept in annotations. Status is in the files: zenctl restore DIR brings it back, kubectl apply drops it.
    """
    from zenctl.backup.export import export as write_files
    from zenctl.backup.export_report import exported_report

    opened = open_named(session, archive, cluster, identity)
    with export_folder(folder) as store:
        exported = write_files(opened, store, session.progress, raw=raw)
    return exported_report(exported, folder)


@command(app, "drill", codes=(ExitCode.FINDINGS, *_CODES))
def drill(
    session: Session,
    archive: Annotated[str, typer.Argument(metavar="[ARCHIVE]", help=f"{_ARCHIVE_HELP}.")] = "latest",
    max_objects: Annotated[
        int, typer.Option("--max-objects", min=1, metavar="N", help="Of more objects, drill a sample of so many.")
    ] = 50_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Which sample.")] = 0,
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
    metrics_file: MetricsFileOption = "",
    push_metrics: PushMetricsOption = "",
) -> Report:
    """Prove that an archive restores, in an embedded cluster.

    It runs the same restore as an emergency would, into an empty API server inside this process, so that no
    cluster is needed and none is changed. Then everything that counts is compared: spec, status, labels and
    annotations of each object, CRDs, and that there are neither fewer objects nor more.

    The embedded cluster is in memory: reckon with 60 MiB and the uncompressed size of the objects, which backup
    show tells. An archive of more than --max-objects is read and checked as a whole, and a random sample of it
    drilled; the same --seed takes the same sample. What was found is noted beside the archive.

    Exit code 0 means that everything came back equal, 1 that it did not, 8 that the archive is damaged.
    """
    from zenctl.archive.reader import open_archive
    from zenctl.backup.notes import record_verification
    from zenctl.drill.report import drill_report
    from zenctl.drill.run import DrillOptions, DrillPorts
    from zenctl.drill.run import drill as run_drill
    from zenctl.unattended.metrics import Labels, of_drill

    store, name = locate(session, archive, cluster)
    opened = open_archive(store, name, keys.keys(session.settings.environ, identity))
    ports = DrillPorts(connect=session.embedded, progress=session.progress, clock=session.clock)

    def note(drilled: DrillRecord) -> None:
        try:
            record_verification(store, name, opened.footer, drill=drilled)
        except ZenctlError as error:
            session.warn(f"the drill of {name} could not be noted beside it: {error.message}")

    found = run_drill(ports, opened, DrillOptions(max_objects, seed), note)
    if found.equal and (metrics_file or push_metrics):
        labels = Labels(opened.footer.cluster_name, opened.footer.set_name)
        record(session, Told(metrics_file, push_metrics), labels, of_drill(session.clock.now()))
    return drill_report(found)

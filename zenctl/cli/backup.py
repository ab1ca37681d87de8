"""``zenctl backup``, and its list, show and verify; the rest of it is in modules of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zenctl.cli import backup_contents, backup_keep, keys
from zenctl.cli.archives import ClusterOption, locate, open_named
from zenctl.cli.arguments import ApiGroupOption, NamespaceOption, choice, words
from zenctl.cli.keys import EncryptToOption, IdentityOption, RecipientsFileOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.cli.unattended import (
    BACKUP_LEASE,
    EventOption,
    MetricsFileOption,
    NoLockOption,
    PushMetricsOption,
    Run,
    Told,
    backup_kind,
    record,
)
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import ExitCode, Refused, UsageError

if TYPE_CHECKING:
    from zenctl.archive.age import Seal
    from zenctl.archive.verify import Slice, Verification
    from zenctl.backup.create import BackupRequest, Created
    from zenctl.backup.proof import NotVerified, Proof
    from zenctl.ports import BlobStore, ObjectReader
    from zenctl.unattended.guard import Guard

app = new_group("backup", "Back up Observations; prove, compare, keep and drill backups.")
app.add_typer(backup_contents.app)
app.add_typer(backup_keep.app)

_CREATE = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)
_READ = (*_CREATE, ExitCode.DAMAGED)

_LONGEST_SLICE = 12


@command(app, codes=_READ, group_default=True)
def create(
    session: Session,
    namespace: NamespaceOption = "",
    encrypt_to: EncryptToOption = None,
    recipients_file: RecipientsFileOption = None,
    include_secrets: Annotated[
        bool, typer.Option("--include-secrets", help="The Secrets of the watcher's namespace too.")
    ] = False,
    plaintext: Annotated[
        bool, typer.Option("--plaintext", help="Allow Helm data and Secrets in an archive that is not encrypted.")
    ] = False,
    require: Annotated[
        list[str] | None,
        typer.Option("--require", metavar="PART", help="Refuse a backup without this part: helm; repeatable."),
    ] = None,
    verify_it: Annotated[
        bool,
        typer.Option("--verify", help="Read it back from the store and compare every byte.", show_default=False),
    ] = False,
    api_group: ApiGroupOption = GROUP,
    no_lock: NoLockOption = False,
    metrics_file: MetricsFileOption = "",
    push_metrics: PushMetricsOption = "",
    event: EventOption = None,
) -> Report:
    """Back up Observations; or prove, compare, keep and drill backups.

    Without a sub-command it creates a backup: the CRDs of the group and all their objects with status, of
    all namespaces, in memory that does not grow with their number; and of the watcher's own namespace its
    ConfigMaps, its workloads, services, accounts, RBAC and policies as they run, and every revision of
    its Helm releases, as stored and as values, manifest and hooks that people can read. The archive
    appears in the store only when it is whole and flushed to disk; until then, and whatever happens,
    earlier ones stay as they are.

    With a recipient everything but a summary is encrypted with age, and only its key can read it again.
    Helm data holds secrets in clear, so an archive that is not encrypted goes without, and says so, unless
    --plaintext is given; --require helm makes that exit code 4 and no archive at all.

    A Lease in the system namespace keeps two backups from running at once: the second one exits with 4.
    """
    from zenctl.archive.format import BACKUP
    from zenctl.backup.report import created_report
    from zenctl.unattended.metrics import Made

    with Run(session, Told(metrics_file, push_metrics, event), backup_kind(BACKUP)) as run:
        # Before anything is asked of the cluster: these may be wrong by themselves.
        store, seal = session.store, keys.seal(session.settings.environ, encrypt_to, recipients_file)
        wanted = _Wanted(namespace or None, include_secrets, plaintext, require)
        request = _request(session, wanted, api_group, seal)
        guard = None if no_lock else run.lock(BACKUP_LEASE)
        created = _create(session, store, request, guard)
        run.cluster = created.written.footer.cluster_name
        verified = _verified(session, created.name) if verify_it else None
        report = created_report(created, verified)
        run.ended(report.verdict, "; ".join(omission.why for omission in created.denied))
        if report.verdict is ExitCode.GOOD:
            run.done = Made(created.written.footer.objects, created.written.size_bytes, verified=verify_it)
        return report


class _Wanted(NamedTuple):
    """What should go into a backup, as the command line says it."""

    namespace: str | None
    include_secrets: bool
    plaintext: bool
    require: list[str] | None


def _request(session: Session, wanted: _Wanted, api_group: str, seal: Seal | None) -> BackupRequest:
    import uuid

    from zenctl import __version__
    from zenctl.archive.format import BACKUP
    from zenctl.backup.create import BackupRequest
    from zenctl.backup.parts import Part

    return BackupRequest(
        group=api_group,
        namespace=wanted.namespace,
        system_namespace=session.settings.system_namespace,
        cluster_name=session.settings.cluster_name,
        archive_id=str(uuid.uuid4()),
        tool_version=__version__,
        set_name=BACKUP,
        seal=seal,
        include_secrets=wanted.include_secrets,
        plaintext=wanted.plaintext,
        required=frozenset(choice("--require", Part, word) for word in words(wanted.require)),
    )


def _create(session: Session, store: BlobStore, request: BackupRequest, guard: Guard | None) -> Created:
    from zenctl.backup.create import BackupPorts, create_backup
    from zenctl.unattended.guard import GuardedReader, GuardedStore

    reader: ObjectReader = session.cluster
    if guard is not None:
        reader, store = GuardedReader(reader, guard), GuardedStore(store, guard)
    ports = BackupPorts(
        discovery=session.discovery,
        reader=reader,
        info=session.cluster,
        store=store,
        progress=session.progress,
        clock=session.clock,
    )
    return create_backup(ports, request)


def _verified(session: Session, name: str) -> Verification:
    """Read a new archive back, compare every byte, and note what was found."""
    from zenctl.archive import verify as verification
    from zenctl.backup.proof import note_verification

    session.progress.begin(f"verifying {name}", None, "members")
    result = verification.verify(session.store, name, advance=session.progress.advance)
    note_verification(session.store, result, _proof(session))
    session.progress.end()
    return result


@command(app, "list", codes=_READ)
def list_(session: Session) -> Report:
    """List the archives of the store, newest first.

    Only their footers are read, and the notes beside them: which are pinned, and what the last verification
    found. A file that should be an archive and is damaged is shown too, and the exit code is 8.
    """
    from zenctl.archive.reader import list_archives
    from zenctl.backup.notes import read_notes
    from zenctl.backup.report import list_report

    return list_report(list_archives(session.store), read_notes(session.store))


@command(app, "show", codes=_READ, offline=True)
def show(
    session: Session,
    archive: Annotated[
        str,
        typer.Argument(
            metavar="ARCHIVE",
            help="latest, the start of an id, a name in the store, a file, or its URL.",
            show_default=False,
        ),
    ] = "",
    object_: Annotated[
        str, typer.Argument(metavar="[OBJECT]", help="NS/NAME of one object to print.", show_default=False)
    ] = "",
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="Kind of that object (default Observation).")
    ] = "Observation",
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
) -> Report:
    """Show what an archive holds, or one object out of it.

    Of a large archive only the part is read in which the object lies. With --from ARCHIVE the OBJECT comes first.
    """
    import msgspec

    from zenctl.backup.report import contents_report, object_report

    if session.settings.from_:
        if object_:
            raise UsageError("both --from and an archive were given", hint="leave one of them out")
        archive, object_ = session.settings.from_, archive
    if not archive:
        raise UsageError(
            "no archive was named", hint="give latest, the start of an id, a name in the store or a file"
        )
    opened = open_named(session, archive, cluster, identity)
    if not object_:
        return contents_report(opened)
    found = [c for c in opened.manifest.collections if c.resource.kind.lower() == kind.lower()]
    if not found:
        kinds = ", ".join(c.resource.kind for c in opened.manifest.collections)
        raise UsageError(f"the archive holds nothing of kind {kind}", hint=f"it holds {kinds}")
    for collection in found:
        line = opened.find(collection, object_)
        if line is not None:
            resource = collection.resource.resource_type
            value = {"apiVersion": resource.api_version, "kind": resource.kind, **msgspec.json.decode(line)}
            return object_report(opened, value)
    raise Refused(f"archive {opened.name} holds no {kind} {object_}", hint="write it as NS/NAME")


@command(app, "verify", codes=_READ)
def verify(
    session: Session,
    archive: Annotated[
        str,
        typer.Argument(
            metavar="[ARCHIVE]", help="As in show (default latest, with --slice all of them).", show_default=False
        ),
    ] = "",
    level: Annotated[
        int, typer.Option("--level", min=1, max=3, help="1 structure, 2 every byte, 3 every object and its schema.")
    ] = 2,
    every: Annotated[bool, typer.Option("--all", help="Every archive of the store.", show_default=False)] = False,
    part: Annotated[
        str,
        typer.Option("--slice", metavar="I/N", help="Only the Ith of N shares of the bytes.", show_default=False),
    ] = "",
    identity: IdentityOption = None,
    cluster: ClusterOption = "",
    metrics_file: MetricsFileOption = "",
    push_metrics: PushMetricsOption = "",
) -> Report:
    """Prove that an archive is what was written.

    Level 1 reads headers only, level 2 compares every byte with its checksum, level 3 also parses every
    object and holds it against its own CRD. Levels 1 and 2 need no key for encrypted archives. Of a large
    store each night can verify a share: --slice 1/7 on Monday to 7/7 on Sunday compare every byte of every
    archive once a week. Exit code 8 means damaged. Metrics tell when a whole archive was last found sound,
    from level 2 on.
    """
    from zenctl.archive import verify as verification
    from zenctl.backup.check import object_check
    from zenctl.backup.proof import note_verification, store_report, verified_report, verify_store

    if every and archive:
        raise UsageError("both --all and an archive were given", hint="give one of them")
    how = verification.How(
        verification.Level(level),
        keys.keys(session.settings.environ, identity),
        object_check,
        _slice(part) if part else None,
    )
    told = Told(metrics_file, push_metrics)
    if every or (part and not archive):
        session.progress.begin("verifying the store", None, "members")
        results = list(verify_store(session.store, how, _proof(session), session.progress.advance))
        _tell(session, session.store, results, told)
        return store_report(results)
    store, name = locate(session, archive or "latest", cluster)
    session.progress.begin(f"verifying {name}", None, "members")
    result = verification.verify(store, name, how, advance=session.progress.advance)
    note_verification(store, result, _proof(session))
    _tell(session, store, [result], told)
    return verified_report(result)


def _tell(session: Session, store: BlobStore, results: Sequence[Verification | NotVerified], told: Told) -> None:
    """Write metrics for each cluster and set of which a whole archive was found sound."""
    from zenctl.archive.reader import read_footer
    from zenctl.archive.verify import Level, Verification
    from zenctl.unattended.metrics import Labels, of_verification

    if not (told.metrics_file or told.push_metrics):
        return
    sound = [
        result.archive
        for result in results
        if isinstance(result, Verification) and result.sound and result.level >= Level.BYTES and not result.slice
    ]
    footers = [read_footer(store, name, store.size(name)) for name in sound]
    for labels in sorted({Labels(footer.cluster_name, footer.set_name) for footer in footers}):
        record(session, told, labels, of_verification(session.clock.now()))


def _proof(session: Session) -> Proof:
    from zenctl import __version__
    from zenctl.backup.proof import Proof

    return Proof(session.clock.now(), __version__, session.warn)


def _slice(text: str) -> Slice:
    from zenctl.archive.verify import Slice

    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and len(text) < _LONGEST_SLICE and 1 <= int(number) <= int(of)):
        raise UsageError(f"--slice: {text!r} is no share", hint="write it as 3/7: the third of seven")
    return Slice(int(number), int(of))

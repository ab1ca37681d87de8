"""``zenctl backup``, and its list, show and verify; the rest of it is in modules of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zenctl.cli import backup_contents, backup_keep, keys
from zenctl.cli.archives import ClusterOption, locate, open_named
from zenctl.cli.arguments import ApiGroupOption, NamespaceOption, choice, words
from zenctl.cli.keys import EncryptToOption, IdentityOption, RecipientsFileOption
from zenctl.cli.options import command, new_group
from zenctl.cli.session import Session
from zenctl.core.observation import GROUP
from zenctl.core.report import Report
from zenctl.errors import ExitCode, Refused, UsageError

if TYPE_CHECKING:
    from zenctl.archive.verify import Slice, Verification
    from zenctl.backup.proof import Proof

app = new_group("backup", "Back up Observations; list, show and verify backups.")
app.add_typer(backup_contents.app)
app.add_typer(backup_keep.app)

_CREATE = (ExitCode.REFUSED, ExitCode.UNREACHABLE, ExitCode.DENIED)
_READ = (*_CREATE, ExitCode.DAMAGED)

_LONGEST_SLICE = 12


@command(app, codes=_CREATE, group_default=True)
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
) -> Report:
    """Back up Observations, or list, show and verify backups.

    Without a sub-command it creates a backup: the CRDs of the group and all their objects with status, of
    all namespaces, in memory that does not grow with their number; and of the watcher's own namespace its
    ConfigMaps, its workloads, services, accounts, RBAC and policies as they run, and every revision of
    its Helm releases, as stored and as values, manifest and hooks that people can read. The archive
    appears in the store only when it is whole and flushed to disk; until then, and whatever happens,
    earlier ones stay as they are.

    With a recipient everything but a summary is encrypted with age, and only its key can read it again.
    Helm data holds secrets in clear, so an archive that is not encrypted goes without, and says so, unless
    --plaintext is given; --require helm makes that exit code 4 and no archive at all.
    """
    import uuid

    from zenctl import __version__
    from zenctl.archive.format import BACKUP
    from zenctl.backup.create import BackupPorts, BackupRequest, create_backup
    from zenctl.backup.parts import Part
    from zenctl.backup.report import created_report

    ports = BackupPorts(
        discovery=session.discovery,
        reader=session.cluster,
        info=session.cluster,
        store=session.store,
        progress=session.progress,
        clock=session.clock,
    )
    request = BackupRequest(
        group=api_group,
        namespace=namespace or None,
        system_namespace=session.settings.system_namespace,
        cluster_name=session.settings.cluster_name,
        archive_id=str(uuid.uuid4()),
        tool_version=__version__,
        set_name=BACKUP,
        seal=keys.seal(session.settings.environ, encrypt_to, recipients_file),
        include_secrets=include_secrets,
        plaintext=plaintext,
        required=frozenset(choice("--require", Part, word) for word in words(require)),
    )
    created = create_backup(ports, request)
    return created_report(created, _verified(session, created.name) if verify_it else None)


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
            metavar="ARCHIVE", help="latest, the start of an id, a name in the store, or a file.", show_default=False
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
) -> Report:
    """Prove that an archive is what was written.

    Level 1 reads headers only, level 2 compares every byte with its checksum, level 3 also parses every
    object and holds it against its own CRD. Levels 1 and 2 need no key for encrypted archives. Of a large
    store each night can verify a share: --slice 1/7 on Monday to 7/7 on Sunday compare every byte of every
    archive once a week. Exit code 8 means damaged.
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
    if every or (part and not archive):
        session.progress.begin("verifying the store", None, "members")
        return store_report(list(verify_store(session.store, how, _proof(session), session.progress.advance)))
    store, name = locate(session, archive or "latest", cluster)
    session.progress.begin(f"verifying {name}", None, "members")
    result = verification.verify(store, name, how, advance=session.progress.advance)
    note_verification(store, result, _proof(session))
    return verified_report(result)


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

"""The session: the only place that joins ports and adapters, and the way a command reaches the world.

It opens what a command asks for, when it asks. It prints results to stdout, and everything else to
stderr. It decides nothing about a cluster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from zenctl import __version__
from zenctl.cli.arguments import duration
from zenctl.cli.options import Settings
from zenctl.core.instants import format_instant
from zenctl.core.report import Report, RowStream
from zenctl.core.text import printable
from zenctl.errors import ExitCode, Refused, UsageError, ZenctlError

if TYPE_CHECKING:
    from zenctl import ports
    from zenctl.blob.folder import FolderStore
    from zenctl.blob.lines import BlobLines, LineFile
    from zenctl.blob.scratch import ScratchFile
    from zenctl.blob.urls import StoreUrl
    from zenctl.drill.run import EmbeddedCluster
    from zenctl.kube.connect import Connection
    from zenctl.kube.discovery import Discovery
    from zenctl.kube.gateway import Gateway
    from zenctl.kube.http import Client
    from zenctl.kube.sandbox_paths import SandboxPaths
    from zenctl.kube.transport import Call
    from zenctl.kube.workers import Workers
    from zenctl.ports import BlobStore, Progress
    from zenctl.prom.push import PushClient
    from zenctl.render import View
    from zenctl.unattended.lease import HeldLease

_USER_AGENT = f"zenctl/{__version__}"
_BRIEF_SECONDS = 5.0
_PUSH_SECONDS = 5.0
AUDIT_FILE = "cleanup-audit.ndjson"
AUDIT_SUFFIX = ".audit.ndjson"


class Readable(NamedTuple):
    """What commands need that only read."""

    discovery: ports.Discovery
    reader: ports.ObjectReader
    info: ports.ClusterInfo


class SystemClock:
    """The machine's own clock; satisfies ports.Clock."""

    def now(self) -> datetime:
        """Return the local clock's time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Session:
    """One run of one command."""

    def __init__(self, settings: Settings, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self._stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self._opened: Client | None = None
        self._check_output()
        if settings.verbose:
            _log_to(stderr)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.end()
        if self._opened is not None:
            self._opened.close()

    # -- the cluster ---------------------------------------------------------------------------------

    @cached_property
    def cluster(self) -> Gateway:
        """The gateway to the cluster that the options name."""
        from zenctl.kube.gateway import Gateway

        return Gateway(self._client)

    @cached_property
    def discovery(self) -> Discovery:
        """What that cluster serves."""
        from zenctl.kube.discovery import Discovery

        return Discovery(self._client)

    @cached_property
    def readable(self) -> Readable:
        """What a command that only reads reads: that cluster, or the archive that --from names in its place."""
        if not self.settings.from_:
            return Readable(self.discovery, self.cluster, self.cluster)
        from zenctl.backup.offline import ArchivedCluster
        from zenctl.cli.archives import open_named

        archive = open_named(self, self.settings.from_, "", list(self.settings.identity))
        footer = archive.footer
        gaps = "" if footer.complete else ", which is incomplete"
        gaps = gaps if footer.whole else f"{gaps}, of some namespaces only"
        self.note(f"from {archive.name}{gaps}: everything is as of {format_instant(footer.created_at)}")
        archived = ArchivedCluster(archive)
        return Readable(archived, archived, archived)

    def embedded(self, call: Call, token: str) -> EmbeddedCluster:
        """Return the ports to a cluster in this process, which is called with a token."""
        from zenctl.drill.run import EmbeddedCluster
        from zenctl.kube.discovery import Discovery
        from zenctl.kube.gateway import Gateway
        from zenctl.kube.http import Client
        from zenctl.kube.transport import InProcess
        from zenctl.kube.workers import Workers

        client = Client(InProcess(call, token=token), timeout_seconds=60, user_agent=f"zenctl/{__version__}")
        gateway = Gateway(client)
        # One lock guards the whole server, so that more threads would only wait for it.
        workers = Workers(client.pressure, most=1)
        return EmbeddedCluster(Discovery(client), gateway, gateway, gateway, workers)

    @cached_property
    def workers(self) -> Workers:
        """The pool for many small requests to that cluster."""
        from zenctl.kube.workers import Workers

        return Workers(self._client.pressure)

    @cached_property
    def _client(self) -> Client:
        from zenctl.kube.http import Client

        self._opened = Client(self._connection, timeout_seconds=self._timeout_seconds, user_agent=_USER_AGENT)
        return self._opened

    @cached_property
    def brief_cluster(self) -> Gateway:
        """The same cluster, for what must not take long: it is asked twice at most, and neither wait is long."""
        from zenctl.kube.gateway import Gateway
        from zenctl.kube.http import Client

        timeout_seconds = min(_BRIEF_SECONDS, self._timeout_seconds)
        return Gateway(
            Client(
                self._connection,
                timeout_seconds=timeout_seconds,
                user_agent=_USER_AGENT,
                attempts=2,
                sleep=lambda seconds: time.sleep(min(seconds, 1.0)),
            )
        )

    @cached_property
    def _connection(self) -> Connection:
        from zenctl.kube.connect import Connection, ConnectOptions

        settings = self.settings
        options = ConnectOptions(settings.kubeconfig, settings.context, settings.as_user, settings.as_group)
        return Connection(options, settings.environ)

    @property
    def _timeout_seconds(self) -> float:
        return duration("--request-timeout", self.settings.request_timeout).total_seconds()

    @cached_property
    def run_id(self) -> str:
        """What names this one run."""
        import secrets

        return secrets.token_hex(8)

    def lease(self, name: str, what: str) -> HeldLease:
        """Return a Lease of the system namespace, not yet taken; ``what`` is what runs under it."""
        from zenctl.core.objects import ObjectKey
        from zenctl.unattended.lease import HeldLease, LeasePorts

        ports = LeasePorts(self.cluster, self.brief_cluster, self.cluster, self.clock, self.note)
        holder = f"{os.uname().nodename}_{self.run_id}"
        return HeldLease(ports, ObjectKey(self.settings.system_namespace, name), holder, what)

    def sandbox(self, kubeconfig: str) -> SandboxPaths:
        """Return the way to the own paths of the sandbox that a kubeconfig is of."""
        from zenctl.kube.connect import Connection, ConnectOptions
        from zenctl.kube.http import Client
        from zenctl.kube.sandbox_paths import SandboxPaths

        connection = Connection(ConnectOptions(kubeconfig), self.settings.environ)
        self._opened = Client(connection, timeout_seconds=self._timeout_seconds, user_agent=_USER_AGENT)
        return SandboxPaths(self._opened)

    # -- whoever collects metrics ---------------------------------------------------------------------

    def pushgateway(self, address: str) -> PushClient:
        """Return the way to a Pushgateway. Raises UsageError for an address that is none."""
        from zenctl.prom.push import PushClient

        return PushClient(address, timeout_seconds=_PUSH_SECONDS)

    # -- the store -----------------------------------------------------------------------------------

    @cached_property
    def store(self) -> BlobStore:
        """The folder or the object store that backups are kept in."""
        from zenctl.blob.folder import FolderStore
        from zenctl.blob.urls import is_url, parse_store_url

        if is_url(self.settings.store):
            return self._object_store(parse_store_url(self.settings.store))
        return FolderStore(self._store_path())

    def archive_at(self, place: str) -> tuple[BlobStore, str] | None:
        """Return the store around an archive and its name there; None where a text is neither URL nor file."""
        from zenctl.blob.urls import is_url, parse_blob_url, parse_store_url

        if is_url(place):
            url, name = parse_blob_url(place)
            if is_url(self.settings.store):
                url = url.completed_by(parse_store_url(self.settings.store))
            return self._object_store(url), name
        return file_store(place)

    def _object_store(self, url: StoreUrl) -> BlobStore:
        from zenctl.blob.clouds import connect
        from zenctl.blob.object import ObjectStore

        timeout_seconds = duration("--request-timeout", self.settings.request_timeout).total_seconds()
        return ObjectStore(url, connect(url, self.settings.environ, timeout_seconds=timeout_seconds))

    def _store_path(self) -> Path:
        chosen = self.settings.store
        if chosen:
            path = Path(chosen).expanduser()
            _refuse_container_layer(path, self.settings.environ)
            return path
        if self.settings.environ.get("KUBERNETES_SERVICE_HOST"):
            raise UsageError(
                "inside a pod there is no default place for backups",
                hint="give --store DIR, s3://, az:// or gs://, or set ZENCTL_STORE",
            )
        return default_store(self.settings.environ)

    # -- talking to people ---------------------------------------------------------------------------

    @cached_property
    def progress(self) -> Progress:
        """The progress line on stderr; silent with --quiet."""
        from zenctl.cli.progress import make_progress

        return make_progress(
            self._stderr, monotonic=time.monotonic, quiet=self.settings.quiet, environ=self.settings.environ
        )

    def note(self, text: str) -> None:
        """Tell a person something beside the result."""
        if not self.settings.quiet:
            self._stderr.write(f"{printable(text)}\n")

    def warn(self, text: str) -> None:
        """Tell a person of something that they must know, also with --quiet."""
        self._stderr.write(f"zenctl: {printable(text)}\n")

    def complain(self, error: ZenctlError) -> None:
        """Tell a person of an error whose report goes to stdout all the same."""
        self.warn(error.message)
        if error.hint:
            self._stderr.write(f"hint: {printable(error.hint)}\n")

    def approve(self, plan: Report, question: str, *, yes: bool, dry_run: bool) -> Report | None:
        """Apply the confirmation rule to a plan that deletes or overwrites.

        Returns None to go ahead. Otherwise it returns the report to end with: the plan itself for a dry
        run, and the plan as refused where nobody confirmed.
        """
        if dry_run:
            return plan
        if yes:
            return None
        if not (self._stdin.isatty() and self._stderr.isatty()):
            self._stderr.write("zenctl: not confirmed: this is only the plan\nhint: give --yes to carry it out\n")
            return replace(plan, verdict=ExitCode.REFUSED)
        self._print(plan, self._stderr, "table")
        self._stderr.write(f"{question} [y/N] ")
        self._stderr.flush()
        if self._stdin.readline().strip().lower() in ("y", "yes"):
            return None
        raise Refused("not confirmed: nothing was done")

    def show(self, report: Report) -> None:
        """Print a report now, for a command that goes on afterwards."""
        self._print(report, self._stdout, self.settings.output)
        self._stdout.flush()

    def finish(self, result: Report | RowStream[Any] | str) -> ExitCode:
        """Print a command's result; return the exit code that it means. Text is printed as it is."""
        self.progress.end()
        if isinstance(result, str):
            self._stdout.write(result)
            return ExitCode.GOOD
        if isinstance(result, RowStream):
            from zenctl.render import render_rows

            for chunk in render_rows(result, self.settings.output, self._view(self._stdout)):
                self._stdout.write(chunk)
                if result.live:
                    self._stdout.flush()
            return ExitCode.GOOD
        self._print(result, self._stdout, self.settings.output)
        return result.verdict

    def _print(self, report: Report, stream: TextIO, fmt: str) -> None:
        from zenctl.render import render

        for chunk in render(report, fmt, self._view(stream)):
            stream.write(chunk)

    def _view(self, stream: TextIO) -> View:
        from zenctl.render import View

        colour = stream.isatty() and not self.settings.no_color and not self.settings.environ.get("NO_COLOR")
        return View(width=_width(stream), colour=colour and self.settings.environ.get("TERM") != "dumb")

    def _check_output(self) -> None:
        """Refuse an unknown format before any work is done."""
        from zenctl.render import FORMATS

        if self.settings.output not in FORMATS:
            raise UsageError(f"no output format {self.settings.output!r}", hint=f"choose one of {', '.join(FORMATS)}")


def _log_to(stream: TextIO) -> None:
    """Print what zenctl logs, each request to the cluster among it; never a header and never a body."""
    import logging

    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("zenctl")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.DEBUG)
    logger.propagate = False


def default_store(environ: Mapping[str, str]) -> Path:
    """Return the user's own folder for backups (XDG base directory specification)."""
    data = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "share")
    return Path(data) / "zenctl" / "backups"


def _width(stream: TextIO) -> int | None:
    """Return the columns of a terminal; None where the stream is none, and nothing may be cut off."""
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 80


def _refuse_container_layer(path: Path, environ: Mapping[str, str]) -> None:
    """Refuse a folder that goes away with the container: one on the same file system as its root."""
    if not environ.get("KUBERNETES_SERVICE_HOST"):
        return
    there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
    if there.stat().st_dev == Path("/").stat().st_dev:
        raise Refused(
            f"{path} lies on the container's own file system, and is lost with it",
            hint="mount a volume there, or give --store a folder on one",
        )


def file_store(path: str) -> tuple[FolderStore, str] | None:
    """Return a store around the folder of a file, and the file's name in it; None where there is no such file."""
    from zenctl.blob.folder import FolderStore

    file = local_path(path)
    return (FolderStore(file.parent), file.name) if file.is_file() else None


def local_path(text: str) -> Path:
    """Return the path that a text names, ~ expanded. Raises UsageError where no file can have it, Denied."""
    from zenctl.blob.folder import translated

    try:
        path = Path(text).expanduser()
    except RuntimeError as error:  # a home that nobody has
        raise UsageError(f"{text} is no path: {error}", hint="write the folder out") from None
    with translated("cannot read", text):
        path.is_file()
    return path


def read_local(path: Path) -> bytes:
    """Return a file's content. Raises Denied, Unreachable."""
    from zenctl.blob.folder import translated

    with translated("cannot read", str(path)):
        return path.read_bytes()


@contextmanager
def export_folder(path: str) -> Iterator[FolderStore]:
    """Yield a store for the files of a folder that appears whole at the end. Raises Refused where it is not empty."""
    from zenctl.blob.newfolder import new_folder

    with new_folder(local_path(path)) as store:
        yield store


class LocalFile:
    """One file that is read and replaced whole; only its owner may read it, or whom ``mode`` says.

    Raises Denied, Unreachable.
    """

    def __init__(self, path: Path, *, mode: int = 0o600) -> None:
        self._path, self._mode = path, mode

    def read(self) -> bytes | None:
        """Return its content; None where there is no such file."""
        return read_local(self._path) if self._path.exists() else None

    def write(self, data: bytes) -> None:
        """Replace its content, whole or not at all."""
        with new_file(self._path, mode=self._mode) as append:
            append(data)


@contextmanager
def new_file(path: Path, *, mode: int = 0o600) -> Iterator[Callable[[bytes], None]]:
    """Yield a function that appends to a new file, which appears whole at the end and replaces what was there.

    Only its owner may read it, or whom ``mode`` says. Where the block raises, nothing appears. Raises Denied,
    Unreachable.
    """
    from zenctl.blob.folder import translated

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with translated("cannot write", str(path)):
        file = os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        os.fchmod(file.fileno(), mode)  # whatever the umask says

    def write(data: bytes) -> None:
        with translated("cannot write", str(path)):
            file.write(data)

    try:
        with file:
            yield write
            with translated("cannot write", str(path)):
                file.flush()
                os.fsync(file.fileno())
                beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


class AuditLog(NamedTuple):
    """Where an audit log is written, and what it is called."""

    lines: LineFile | BlobLines
    label: str


@contextmanager
def audit_log(path: str, store: BlobStore, run_id: str) -> Iterator[AuditLog]:
    """Yield the audit log: a file that was named, else one file in a folder of archives, else a blob of its own.

    A named file that cannot be written is refused before the block begins. What was written is kept, however it ends.
    Raises Denied, Unreachable.
    """
    from zenctl.blob.folder import FolderStore
    from zenctl.blob.lines import BlobLines, LineFile

    lines: LineFile | BlobLines
    if path or isinstance(store, FolderStore):
        file = local_path(path) if path else store.path / AUDIT_FILE  # type: ignore[attr-defined]
        lines, label = LineFile(file), str(file)
        if path:
            lines.open()
    else:
        label = f"zen-cleanup_{run_id}{AUDIT_SUFFIX}"
        lines = BlobLines(store, label)
    try:
        yield AuditLog(lines, label)
    finally:
        lines.close()


@contextmanager
def scratch_file() -> Iterator[ScratchFile]:
    """Yield a temporary file that nobody else can open."""
    from zenctl.blob.scratch import ScratchFile

    with ScratchFile() as file:
        yield file


@contextmanager
def reject_file(path: str, now: datetime) -> Iterator[LineFile]:
    """Yield the file for objects that could not be restored; it is made with the first of them."""
    from zenctl.blob.lines import LineFile

    kept = LineFile(Path(path or f"zenctl-rejects-{now:%Y%m%dT%H%M%SZ}.ndjson").expanduser())
    try:
        yield kept
    finally:
        kept.close()

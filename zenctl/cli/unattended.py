"""What a command does around its work so that it can run at night: the Lease, the metrics, and the Event.

It joins zenctl.unattended with the session. Nothing of it changes how a run ends: what cannot be told is a warning,
and the exit code stays that of the run. When a run ends the quickest comes first, since a pod that was asked to stop
has little time: the file, the Lease, the Pushgateway, the Event.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Generic, NamedTuple, TypeVar

import typer

from zenctl.cli.session import LocalFile, Session, local_path
from zenctl.errors import ApiFailure, ExitCode, Unreachable, UsageError, ZenctlError

if TYPE_CHECKING:
    from datetime import datetime

    from zenctl.unattended.lease import HeldLease
    from zenctl.unattended.metrics import Cleaned, Labels, Made, Sink, Values

NoLockOption = Annotated[
    bool, typer.Option("--no-lock", help="Take no Lease; another run may work meanwhile.", show_default=False)
]
MetricsFileOption = Annotated[
    str,
    typer.Option(
        "--metrics-file",
        envvar="ZENCTL_METRICS_FILE",
        metavar="FILE",
        help="Write metrics to a file of node-exporter's textfile collector, NAME.prom.",
        show_default=False,
        show_envvar=False,
    ),
]
PushMetricsOption = Annotated[
    str,
    typer.Option(
        "--push-metrics",
        envvar="ZENCTL_PUSH_METRICS",
        metavar="URL",
        help="Push metrics to this Pushgateway.",
        show_default=False,
        show_envvar=False,
    ),
]
EventOption = Annotated[
    bool | None,
    typer.Option("--event/--no-event", help="Write an Event when it fails (default in a pod).", show_default=False),
]

_IN_POD = "KUBERNETES_SERVICE_HOST"

BACKUP_JOB = "zenctl_backup"

_Done = TypeVar("_Done")


class Told(NamedTuple):
    """Where a run is told of."""

    metrics_file: str = ""
    push_metrics: str = ""
    event: bool | None = None


class LeaseName(NamedTuple):
    """A Lease of the system namespace, and what runs under it: it completes "another ... is running"."""

    name: str
    what: str


BACKUP_LEASE = LeaseName("zenctl-backup", "backup")
CHANGES_LEASE = LeaseName("zenctl-changes", "cleanup or restore")
"""One for all that change Observations in bulk, since they would work against each other."""


class RunKind(NamedTuple, Generic[_Done]):
    """What kind of run is told of."""

    reason: str
    """Of the Event."""
    job: str
    """Of the Pushgateway."""
    set_name: str
    values: Callable[[datetime, float, ExitCode, _Done | None], Values]
    """What there is to say of a run that ended then, after so many seconds; and of what it did where it was good."""


class Run(Generic[_Done]):
    """One run of a command that works unattended, from before anything can fail; a context manager.

    Whoever runs it says what came of it: ``cluster`` as soon as it is known, and ``done`` where all is good.
    """

    def __init__(self, session: Session, told: Told, kind: RunKind[_Done]) -> None:
        self._session, self._told, self._kind = session, told, kind
        self._file = _textfile(told.metrics_file) if told.metrics_file else None
        self._push = _pushgateway(session, told.push_metrics, kind.job) if told.push_metrics else None
        self._began = session.clock.monotonic()
        self._lock: Lock | None = None
        self.code = ExitCode.GOOD
        self.message = ""
        self.cluster = session.settings.cluster_name
        self.done: _Done | None = None

    def __enter__(self) -> Run[_Done]:
        return self

    def lock(self, lease: LeaseName) -> Callable[[], None]:
        """Take a Lease until the run ends; return what asks whether it is held still. See Lock.take."""
        # Known before it is taken: whoever is interrupted in between gives it back all the same.
        self._lock = lock = Lock(self._session, lease)
        return lock.take()

    def ended(self, code: ExitCode, message: str) -> None:
        """Say how it ended where no error does."""
        self.code, self.message = code, message

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.code, self.message = _ended_with(error)
        self._record(self._file)
        answers = self._lock is None or self._lock.give_back()
        self._record(self._push)
        if self.code is not ExitCode.GOOD and self._wants_event() and answers:
            _attempt(self._session, "write an Event", self._tell)

    def _record(self, sink: Sink | None) -> None:
        from zenctl.unattended.metrics import UNKNOWN, Labels

        if sink is None:
            return
        clock = self._session.clock
        values = self._kind.values(clock.now(), clock.monotonic() - self._began, self.code, self.done)
        labels = Labels(self.cluster or UNKNOWN, self._kind.set_name)
        _attempt(self._session, "write metrics", lambda: sink.record(labels, values))

    def _wants_event(self) -> bool:
        if self._told.event is not None:
            return self._told.event
        return bool(self._session.settings.environ.get(_IN_POD))

    def _tell(self) -> None:
        from zenctl.unattended.event import Failure, tell

        session = self._session
        message = f"exit code {int(self.code)}: {self.message or self.code.meaning}"
        failure = Failure(self._kind.reason, message, session.clock.now(), session.run_id)
        tell(session.brief_cluster, session.settings.system_namespace, failure)


class Lock:
    """A Lease that a command holds while it writes; a context manager that gives it back."""

    def __init__(self, session: Session, lease: LeaseName) -> None:
        self._session, self._what = session, lease.what
        self._lease: HeldLease = session.lease(lease.name, lease.what)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back()

    def take(self) -> Callable[[], None]:
        """Take it; return what asks whether it is held still, and raises Refused where it is not.

        Where the cluster does not let us, that is said, and nothing is asked. Raises Refused where another run
        has it.
        """
        missing = self._lease.acquire()
        if missing:
            self._session.note(f"working without a lease, so another {self._what} may run meanwhile: {missing}")
            return _nothing
        return self._lease.check

    def give_back(self) -> bool:
        """Give it back, whether it was taken or not; say whether anybody answered."""
        return _attempt(self._session, "give the lease back", self._lease.release)


def _attempt(session: Session, what: str, do: Callable[[], None]) -> bool:
    """Do something that must not change how the run ends; say whether anybody answered."""
    try:
        do()
    except ZenctlError as error:
        session.warn(f"could not {what}: {error.message}")
        return isinstance(error, ApiFailure) or not isinstance(error, Unreachable)
    except Exception as error:  # noqa: BLE001 - a bug in the telling must not hide what is told of
        session.warn(f"could not {what}: {type(error).__name__}")
    return True


def _ended_with(error: BaseException) -> tuple[ExitCode, str]:
    if isinstance(error, ZenctlError):
        return error.code, error.message
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted, as by the deadline of its job"
    return ExitCode.BUG, f"this is a bug: {type(error).__name__}"


def _nothing() -> None:
    """Ask nothing."""


def backup_kind(set_name: str) -> RunKind[Made]:
    """Return what a run of zenctl backup is."""
    from zenctl.unattended.metrics import of_backup

    return RunKind("BackupFailed", BACKUP_JOB, set_name, of_backup)


def cleanup_kind() -> RunKind[Cleaned]:
    """Return what a run of zenctl cleanup is."""
    from zenctl.unattended.metrics import of_cleanup

    return RunKind("CleanupFailed", "zenctl_cleanup", "", of_cleanup)


def record(session: Session, told: Told, labels: Labels, values: Values) -> None:
    """Write what a command about backups has to say that has come to a good end.

    Raises UsageError for a sink that is none.

    A sink that fails is a warning, and no reason to end otherwise.
    """
    sinks = [_textfile(told.metrics_file)] if told.metrics_file else []
    sinks += [_pushgateway(session, told.push_metrics, BACKUP_JOB)] if told.push_metrics else []
    for sink in sinks:
        try:
            sink.record(labels, values)
        except ZenctlError as error:
            session.warn(f"could not write metrics: {error.message}")


def _textfile(path: str) -> Sink:
    """Return the sink that is a file. Raises UsageError for a name that node-exporter does not read."""
    from zenctl.unattended.metrics import Textfile

    if not path.endswith(".prom"):
        raise UsageError(f"--metrics-file {path} does not end in .prom", hint="node-exporter reads no other files")
    return Textfile(LocalFile(local_path(path), mode=0o644))


def _pushgateway(session: Session, address: str, job: str) -> Sink:
    """Return the sink that is a Pushgateway. Raises UsageError for an address that is none."""
    from zenctl.unattended.metrics import Pushgateway

    return Pushgateway(session.pushgateway(address), job)

"""What a command does around its work so that it can run at night: the Lease, the metrics, and the Event.

It joins zenctl.unattended with the session. Nothing of it changes how a run ends: what cannot be told is a warning,
and the exit code stays that of the run. When a run ends the quickest comes first, since a pod that was asked to stop
has little time: the file, the Lease, the Pushgateway, the Event.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from zenctl.cli.session import LocalFile, Session, local_path
from zenctl.errors import ApiFailure, ExitCode, Unreachable, UsageError, ZenctlError

if TYPE_CHECKING:
    from zenctl.unattended.lease import HeldLease
    from zenctl.unattended.metrics import Labels, Made, Sink, Values

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

_REASON = "BackupFailed"
_IN_POD = "KUBERNETES_SERVICE_HOST"


class Told(NamedTuple):
    """Where a run is told of."""

    metrics_file: str = ""
    push_metrics: str = ""
    event: bool | None = None


class BackupRun:
    """One run of zenctl backup, from before anything can fail; a context manager.

    Whoever runs it says what came of it: ``cluster`` as soon as it is known, and ``made`` where it is a good backup.
    """

    def __init__(self, session: Session, told: Told, set_name: str) -> None:
        self._session, self._told, self._set_name = session, told, set_name
        self._file = _textfile(told.metrics_file) if told.metrics_file else None
        self._push = _pushgateway(session, told.push_metrics) if told.push_metrics else None
        self._began = session.clock.monotonic()
        self._lease: HeldLease | None = None
        self.code = ExitCode.GOOD
        self.message = ""
        self.cluster = session.settings.cluster_name
        self.made: Made | None = None

    def __enter__(self) -> BackupRun:
        return self

    def lock(self, name: str, what: str) -> Callable[[], None]:
        """Take the Lease of this name in the system namespace; return what asks whether it is held still.

        Where the cluster does not let us, that is said, and nothing is asked. Raises Refused where another run
        has it.
        """
        # Known before it is taken: whoever is interrupted in between gives it back all the same.
        self._lease = lease = self._session.lease(name, what)
        missing = lease.acquire()
        if missing:
            self._session.note(f"working without a lease, so another {what} may run meanwhile: {missing}")
            return _nothing
        return lease.check

    def ended(self, code: ExitCode, message: str) -> None:
        """Say how it ended where no error does."""
        self.code, self.message = code, message

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.code, self.message = _ended_with(error)
        self._record(self._file)
        answers = self._lease is None or self._try("give the lease back", self._lease.release)
        self._record(self._push)
        if self.code is not ExitCode.GOOD and self._wants_event() and answers:
            self._try("write an Event", self._tell)

    def _record(self, sink: Sink | None) -> None:
        from zenctl.unattended.metrics import UNKNOWN, Labels, of_backup

        if sink is None:
            return
        clock = self._session.clock
        values = of_backup(clock.now(), clock.monotonic() - self._began, self.code, self.made)
        self._try("write metrics", lambda: sink.record(Labels(self.cluster or UNKNOWN, self._set_name), values))

    def _wants_event(self) -> bool:
        if self._told.event is not None:
            return self._told.event
        return bool(self._session.settings.environ.get(_IN_POD))

    def _tell(self) -> None:
        from zenctl.unattended.event import Failure, tell

        session = self._session
        message = f"exit code {int(self.code)}: {self.message or self.code.meaning}"
        failure = Failure(_REASON, message, session.clock.now(), session.run_id)
        tell(session.brief_cluster, session.settings.system_namespace, failure)

    def _try(self, what: str, do: Callable[[], None]) -> bool:
        """Do something that must not change how the run ends; say whether anybody answered."""
        try:
            do()
        except ZenctlError as error:
            self._session.warn(f"could not {what}: {error.message}")
            return isinstance(error, ApiFailure) or not isinstance(error, Unreachable)
        except Exception as error:  # noqa: BLE001 - a bug in the telling must not hide what is told of
            self._session.warn(f"could not {what}: {type(error).__name__}")
        return True


def _ended_with(error: BaseException) -> tuple[ExitCode, str]:
    if isinstance(error, ZenctlError):
        return error.code, error.message
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted, as by the deadline of its job"
    return ExitCode.BUG, f"this is a bug: {type(error).__name__}"


def _nothing() -> None:
    """Ask nothing."""


def record(session: Session, told: Told, labels: Labels, values: Values) -> None:
    """Write what a command has to say that has come to a good end. Raises UsageError for a sink that is none.

    A sink that fails is a warning, and no reason to end otherwise.
    """
    sinks = [_textfile(told.metrics_file)] if told.metrics_file else []
    sinks += [_pushgateway(session, told.push_metrics)] if told.push_metrics else []
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


def _pushgateway(session: Session, address: str) -> Sink:
    """Return the sink that is a Pushgateway. Raises UsageError for an address that is none."""
    from zenctl.unattended.metrics import Pushgateway

    return Pushgateway(session.pushgateway(address))

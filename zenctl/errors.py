"""Exit codes and the tree of errors that end a command; a leaf that every layer may import.

Each error class carries its exit code. A message is lower case, names the object and the cause and
has no full stop; the hint says what to try next. Nothing here prints or exits.

    ZenctlError
    +-- UsageError          2   the command line or a file the user gave is wrong
    +-- PartlyDone          3   some objects failed
    +-- Refused             4   a guard, a lock or a missing confirmation; a named thing is not there
    +-- Unreachable         5   cluster, store or Prometheus
    |   +-- ApiFailure          the API server answered, but not usefully
    |       +-- Conflict        409: somebody else changed or made the object
    |       +-- NotFound        404
    |       +-- Expired         410: a continue token or resourceVersion is too old
    |       +-- Invalid         400, 413, 422: the object is refused for what it is
    |       +-- Throttled       429 after every retry
    +-- Denied              6   401 and 403, and files we may not touch
    +-- NotEnoughData       7
    +-- Damaged             8   an archive is not what its checksums say
    +-- Interrupted       130
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process answers; the whole public contract of exit codes."""

    GOOD = 0
    FINDINGS = 1
    USAGE = 2
    PARTIAL = 3
    REFUSED = 4
    UNREACHABLE = 5
    DENIED = 6
    NO_DATA = 7
    DAMAGED = 8
    BUG = 70
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """One line for help texts and docs."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.GOOD: "good",
    ExitCode.FINDINGS: "findings at or above the threshold, objective missed, or differences found",
    ExitCode.USAGE: "usage: the command line or a given file is wrong",
    ExitCode.PARTIAL: "partly done: some objects failed, the list says which",
    ExitCode.REFUSED: "refused by a guard, locked, or not confirmed",
    ExitCode.UNREACHABLE: "cluster, store or Prometheus unreachable",
    ExitCode.DENIED: "permission denied",
    ExitCode.NO_DATA: "not enough data to judge",
    ExitCode.DAMAGED: "archive damaged",
    ExitCode.BUG: "a bug of ours",
    ExitCode.INTERRUPTED: "interrupted",
}

_PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.BUG,
    ExitCode.DAMAGED,
    ExitCode.DENIED,
    ExitCode.UNREACHABLE,
    ExitCode.REFUSED,
    ExitCode.USAGE,
    ExitCode.PARTIAL,
    ExitCode.FINDINGS,
    ExitCode.NO_DATA,
    ExitCode.GOOD,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that wins where several apply; GOOD where there is none."""
    return min(codes, key=_PRECEDENCE.index, default=ExitCode.GOOD)


class ZenctlError(Exception):
    """Anything that ends a command with one clear line instead of a traceback."""

    code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ZenctlError):
    """The command line, the environment or a file that the user gave is wrong."""

    code = ExitCode.USAGE


class PartlyDone(ZenctlError):
    """Some objects failed; the report lists them."""

    code = ExitCode.PARTIAL


class Refused(ZenctlError):
    """A guard said no, a lock is held, nobody confirmed, or a named thing is not there."""

    code = ExitCode.REFUSED


class Unreachable(ZenctlError):
    """A cluster, store or Prometheus could not be reached or could not answer."""

    code = ExitCode.UNREACHABLE


class ApiFailure(Unreachable):
    """The API server answered with an error; ``status`` is the HTTP status, ``reason`` its Status reason.

    ``repeated`` says that an earlier attempt got no answer and may have been carried out.
    """

    def __init__(self, message: str, *, status: int, reason: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.repeated = False


class Conflict(ApiFailure):
    """409: the object exists already, or changed since it was read."""


class NotFound(ApiFailure):
    """404: no such object, or the resource is not served."""

    code = ExitCode.REFUSED


class Expired(ApiFailure):
    """410: a continue token or resourceVersion is too old; ``continue_token`` may resume inconsistently."""

    continue_token: str = ""


class Invalid(ApiFailure):
    """400, 413 or 422: the server refuses the object or request for what it says."""

    code = ExitCode.PARTIAL


class Throttled(ApiFailure):
    """429 that outlasted every permitted retry."""


class Denied(ZenctlError):
    """401 or 403 from a server, or a file that may not be read or written."""

    code = ExitCode.DENIED


class NotEnoughData(ZenctlError):
    """The evidence does not suffice for a verdict."""

    code = ExitCode.NO_DATA


class Damaged(ZenctlError):
    """An archive is truncated, altered, malicious or none at all."""

    code = ExitCode.DAMAGED


class Interrupted(ZenctlError):
    """The user or the platform asked the command to stop."""

    code = ExitCode.INTERRUPTED

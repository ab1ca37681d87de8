"""The folder of one sandbox: its kubeconfig, its log, and the record of the process that serves it.

Everything in it is readable by its owner only. Whoever serves holds the lock, which ends with the process.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from zenctl.errors import Denied, Refused, UsageError

CONTEXT = "zenctl-sandbox"
_LOCK_ATTEMPTS, _LOCK_PAUSE_SECONDS = 10, 0.05


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """Which process serves the sandbox, and how to reach it."""

    pid: int
    url: str
    started_at: str
    seed: int


class UserSpec(msgspec.Struct, frozen=True):
    """A further user: its name and groups."""

    name: str
    groups: tuple[str, ...] = ()


def default_folder(environ: Mapping[str, str]) -> Path:
    """Return where a sandbox lives (XDG base directory specification: state)."""
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(state) / "zenctl" / "sandbox"


def parse_user(text: str) -> UserSpec:
    """Read NAME or NAME=GROUP,GROUP. Raises UsageError."""
    name, _, groups = text.partition("=")
    if not name or any(not char.isprintable() for char in text):
        raise UsageError(f"{text!r} is no user", hint="write NAME, or NAME=GROUP,GROUP")
    return UserSpec(name, tuple(group for group in groups.split(",") if group))


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


class Home:
    """The folder of one sandbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.log = folder / "sandbox.log"
        self._record = folder / "sandbox.json"
        self._lock = folder / "lock"

    def prepare(self) -> None:
        """Make the folder. Raises Denied."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Denied(f"cannot make the folder {self.folder}: {error.strerror}") from None

    def record(self) -> Record | None:
        """Return who serves the sandbox; None where nobody does.

        The record alone proves nothing: it outlives a process that was killed. The lock does not.
        """
        try:
            found = msgspec.json.decode(self._record.read_bytes(), type=Record)
            with self._lock.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return found
        except (OSError, msgspec.MsgspecError):
            return None
        return None

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Be the one that serves from this folder, for as long as the context lasts. Raises Refused, Denied."""
        self.prepare()
        with os.fdopen(os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)) as lock:
            for _ in range(_LOCK_ATTEMPTS):  # somebody may be looking whether it is held
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(_LOCK_PAUSE_SECONDS)
            else:
                raise self._taken()
            self.leave()  # of one that was killed
            try:
                yield
            finally:
                self.leave()

    def require_free(self) -> None:
        """Raise Refused where a sandbox is served from this folder; take away what a killed one left."""
        with self.claimed():
            pass

    def _taken(self) -> Refused:
        found = self.record()
        who = f": {found.url}, pid {found.pid}" if found else ""
        return Refused(
            f"a sandbox runs already{who}",
            hint="use it, or end it with zenctl sandbox down; --dir names a folder for another one",
        )

    def write_record(self, record: Record) -> None:
        """Say who serves the sandbox."""
        _write_private(self._record, msgspec.json.encode(record))

    def write_kubeconfig(self, url: str, authority: str, users: Sequence[tuple[str, str]]) -> None:
        """Write the kubeconfig: one context for each user (name, token), the first of them current."""
        contexts = [CONTEXT, *(f"{CONTEXT}-{name}" for name, _ in users[1:])]
        cluster = {"server": url, "certificate-authority-data": authority}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "contexts": [
                {"name": context, "context": {"cluster": CONTEXT, "user": context, "namespace": "default"}}
                for context in contexts
            ],
            "users": [
                {"name": context, "user": {"token": token}}
                for context, (_, token) in zip(contexts, users, strict=True)
            ],
        }
        # JSON is YAML, and needs no writer of its own.
        _write_private(self.kubeconfig, msgspec.json.format(msgspec.json.encode(document)) + b"\n")

    def leave(self) -> None:
        """Take away what only holds while the process serves."""
        for path in (self._record, self.kubeconfig):
            with suppress(FileNotFoundError):
                path.unlink()


def _write_private(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        beside.unlink()
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    beside.replace(path)

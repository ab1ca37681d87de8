"""Serving a sandbox: up in the foreground, up as a process of its own, down, and what it says of itself.

It owns the life of the process. What is served is decided by the core, and how by the transport.
"""

from __future__ import annotations

import base64
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from zenctl.access.identity import ALWAYS_ALLOWED_GROUP, User
from zenctl.core.instants import format_instant
from zenctl.errors import Refused, Unreachable
from zenctl.sandbox.apiserver.faults import Fault
from zenctl.sandbox.apiserver.server import ApiServer, Options
from zenctl.sandbox.home import Home, Record, UserSpec, new_token

ADMIN = "zenctl-sandbox-admin"
_HOST = "127.0.0.1"
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05


class SnapshotFile(Protocol):
    """Where a snapshot is kept."""

    def read(self) -> bytes | None:
        """Return its content; None where there is none yet."""

    def write(self, data: bytes) -> None:
        """Replace its content, whole or not at all."""


@dataclass(frozen=True, slots=True)
class UpOptions:
    """How a sandbox is to be."""

    port: int = 0
    seed: int = 0
    faults: tuple[Fault, ...] = ()
    users: tuple[UserSpec, ...] = ()


def serve(
    home: Home,
    options: UpOptions,
    clock: Callable[[], datetime],
    snapshot: SnapshotFile | None,
    announce: Callable[[Record], None],
) -> None:
    """Serve until a signal ends it. Raises Refused where one runs already, Unreachable for a taken port."""
    from zenctl.sandbox.certificates import server_tls
    from zenctl.sandbox.http import serve_until_stopped

    with home.claimed():
        server = ApiServer(clock, Options(seed=options.seed))
        kept = snapshot.read() if snapshot is not None else None
        if kept is not None:
            server.take_back(kept)
        server.faults.add(*options.faults)
        users = _admit(server, options.users)
        tls, authority = server_tls(_HOST, clock())

        def ready(url: str) -> None:
            record = Record(os.getpid(), url, format_instant(clock()), options.seed)
            home.write_kubeconfig(url, base64.b64encode(authority).decode(), users)
            home.write_record(record)
            announce(record)

        try:
            serve_until_stopped(server.handle, _HOST, options.port, tls, ready)
        except OSError as error:
            why = error.strerror or str(error)
            raise Unreachable(
                f"cannot listen on {_HOST}:{options.port}: {why}", hint="choose another --port"
            ) from None
        if snapshot is not None:
            snapshot.write(server.snapshot())


def _admit(server: ApiServer, further: Sequence[UserSpec]) -> list[tuple[str, str]]:
    """Let the administrator and further users in; return their names and tokens."""
    users = [(ADMIN, new_token())]
    server.tokens.add(users[0][1], User(ADMIN, (ALWAYS_ALLOWED_GROUP,)))
    for user in further:
        token = new_token()
        server.tokens.add(token, User(user.name, user.groups))
        users.append((user.name, token))
    return users


def detach(home: Home, arguments: Sequence[str]) -> Record:
    """Start a process that serves, wait until it does, and return its record. Raises Refused, Unreachable."""
    home.prepare()
    home.require_free()
    pid = _spawn([sys.executable, "-m", "zenctl", "sandbox", "up", *arguments], home.log)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        record = home.record()
        if record is not None and record.pid == pid:
            return record
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            raise _like(os.waitstatus_to_exitcode(status), _last_line(home.log))
        time.sleep(_POLL_SECONDS)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    raise Unreachable(f"the sandbox did not start within {_START_SECONDS:.0f} s", hint=f"see {home.log}")


def _spawn(command: list[str], log: Path) -> int:
    """Start a process in a session of its own, which no terminal ends; return its pid."""
    to_log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, to_log, 1),
            (os.POSIX_SPAWN_DUP2, to_log, 2),
        ]
        return os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)
    finally:
        os.close(to_log)


def _like(code: int, said: str) -> Refused | Unreachable:
    kind = Refused if code == Refused.code else Unreachable
    return kind(f"the sandbox did not start: {said or f'exit code {code}'}")


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("zenctl: ")]
    return lines[-1].removeprefix("zenctl: ") if lines else ""


def running(home: Home) -> Record:
    """Return the record of the process that serves. Raises Refused where none does."""
    record = home.record()
    if record is None:
        raise Refused("no sandbox runs", hint="start one with: zenctl sandbox up --detach")
    return record


def stop(home: Home) -> Record:
    """End the process that serves and wait until it has. Raises Refused where none does, Unreachable if it stays."""
    record = running(home)
    os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while home.record() is not None:
        if time.monotonic() >= deadline:
            raise Unreachable(f"pid {record.pid} has not ended within {_STOP_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)
    return record

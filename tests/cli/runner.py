"""Runs zenctl: in this process with its streams caught, or as the program. No test belongs in here."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from zenctl.cli.app import run as run_app

_TIMEOUT_SECONDS = 60
_ROOT = Path(__file__).parents[2]
_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """The one line that says what is wrong, without the program's name; "" where there is none."""
        return next((line[8:] for line in self.stderr.splitlines() if line.startswith("zenctl: ")), "")

    @property
    def hint(self) -> str:
        """The line that says what to try."""
        return next((line[6:] for line in self.stderr.splitlines() if line.startswith("hint: ")), "")


class _Stdin(io.StringIO):
    """An empty standard input that is no terminal."""

    def isatty(self) -> bool:
        return False


def environment(**variables: str) -> dict[str, str]:
    """Return an environment without anything of the developer's own: no kubeconfig, no store, no home."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": "/nonexistent", "TERM": "dumb", **variables}


def run(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Ran:
    """Run a command in this process. Colour, terminals and the environment of the tests are out of the way."""
    stdout, stderr = io.StringIO(), io.StringIO()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with (
            patch.dict(os.environ, environment() if environ is None else dict(environ), clear=True),
            patch.object(sys, "stdin", _Stdin()),
            redirect_stdout(stdout),
            redirect_stderr(stderr),
        ):
            code = run_app([str(argument) for argument in arguments])
    finally:
        signal.signal(signal.SIGTERM, before)
    return Ran(int(code), stdout.getvalue(), stderr.getvalue())


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of the program."""
    return [sys.executable, "-W", "error", "-m", "zenctl", *map(str, arguments)]


def run_program(
    *arguments: str | Path,
    environ: Mapping[str, str] | None = None,
    longest_file_bytes: int | None = None,
    given: str = "",
) -> Ran:
    """Run the program as a process of its own, which may be kept from writing files longer than so much.

    ``given`` is what it finds on its standard input, which is no terminal.
    """
    line, variables = command(*arguments), dict(environ if environ is not None else environment())
    if longest_file_bytes is not None:
        line = [sys.executable, "-I", "-c", _LIMITED, str(longest_file_bytes), *line]
        # Python itself would leave truncated caches of its modules behind.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        line,
        env=variables,
        cwd=_ROOT,
        input=given,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start_program(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the program and do not wait for it."""
    return subprocess.Popen(
        command(*arguments),
        env=dict(environ if environ is not None else environment()),
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def modules_after(*arguments: str, environ: Mapping[str, str] | None = None) -> set[str]:
    """Return the names of all top-level modules that a command leaves loaded."""
    code = (
        "import sys\n"
        "from zenctl.cli.app import run\n"
        f"run({list(arguments)!r})\n"
        "sys.stderr.write('MODULES ' + ' '.join(sorted({n.partition('.')[0] for n in sys.modules})) + '\\n')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=dict(environ if environ is not None else environment()),
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=True,
    )
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("MODULES ")]
    return set(line.split()[1:])


def complaints(stderr: str) -> Sequence[str]:
    """Return every line that is a complaint."""
    return [line for line in stderr.splitlines() if line.startswith("zenctl: ")]

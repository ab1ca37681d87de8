"""Measuring whole processes: wall seconds and peak memory, as the operating system accounts for them.

Each command is started by a small process of its own: the kernel counts the memory of whoever starts a process as
that process's peak, and this one is large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_STARTER = """
import json, os, sys, time
began = time.monotonic()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.monotonic() - began
with open(sys.argv[1], "w") as told:
    json.dump([seconds, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)], told)
"""


class Run(NamedTuple):
    """One finished process."""

    seconds: float
    peak_bytes: int
    output: str


class Failed(RuntimeError):
    """A measured command failed, so its time means nothing."""


def run(command: Sequence[str], environ: Mapping[str, str], folder: Path, *, keep: bool = False) -> Run:
    """Run a command to its end. Raises Failed, with what it said, unless it exits with 0."""
    told = folder / "measured.json"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _STARTER, str(told), *command],
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if keep else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    seconds, peak_bytes, code = json.loads(told.read_text())
    if code != 0:
        raise Failed(f"{' '.join(command)}: exit {code}: {done.stderr.decode()[-2000:]}")
    return Run(seconds, peak_bytes, done.stdout.decode() if keep else "")


def best(runs: Sequence[Run]) -> Run:
    """Return the fastest of several runs, with the largest memory of any of them."""
    fastest = min(runs, key=lambda r: r.seconds)
    return fastest._replace(peak_bytes=max(r.peak_bytes for r in runs))


def machine() -> str:
    """Name the machine in a line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if "model name" in line), "unknown processor")
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{os.cpu_count()} x {model}, {memory_kib / 2**20:.0f} GiB"

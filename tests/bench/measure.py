"""Measuring whole processes: wall seconds and peak memory, as the operating system accounts for them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple


class Run(NamedTuple):
    """One finished process."""

    seconds: float
    peak_bytes: int
    code: int
    output: str


class Failed(RuntimeError):
    """A measured command failed, so its time means nothing."""


def run(command: Sequence[str], environ: Mapping[str, str], *, stdin: str = "", keep: bool = False) -> Run:
    """Run a command to its end. Raises Failed, with what it said, unless it exits with 0."""
    source = open(stdin, "rb") if stdin else subprocess.DEVNULL  # noqa: SIM115 - closed below
    started = time.monotonic()
    process = subprocess.Popen(
        list(command),
        env=dict(environ),
        stdin=source,
        stdout=subprocess.PIPE if keep else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    output = process.stdout.read().decode() if process.stdout else ""
    complaint = process.stderr.read().decode() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    for stream in (process.stdout, process.stderr, source):
        if stream is not None and not isinstance(stream, int):
            stream.close()
    if process.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit {process.returncode}: {complaint[-2000:]}")
    return Run(seconds, usage.ru_maxrss * 1024, process.returncode, output)


def best(runs: Sequence[Run]) -> Run:
    """Return the fastest of several runs, with the largest memory of any of them."""
    fastest = min(runs, key=lambda r: r.seconds)
    return fastest._replace(peak_bytes=max(r.peak_bytes for r in runs))


def machine() -> str:
    """Name the machine in a line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        "unknown processor",
    )
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{os.cpu_count()} x {model}, {memory_kib / 2**20:.0f} GiB"

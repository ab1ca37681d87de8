"""Progress on stderr: how far a long task is, for a person who waits or a log that is read later.

Silent for short tasks. On a terminal one line is redrawn and cleared at the end; without one a plain
line now and then. It only talks: a stderr that is gone is no reason to fail, and stdout is not touched.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import TextIO

from zenctl.core.durations import humanise
from zenctl.core.text import display_width, format_bytes, printable, shorten
from zenctl.ports import Progress

QUIET_SECONDS = 2.0
REDRAW_SECONDS = 0.1
LOG_SECONDS = 10.0
_TICK_SECONDS = 1.0
_RATE_SECONDS = 10.0
_BYTES = "bytes"


class NullProgress:
    """Says nothing, for --quiet and for tests."""

    def begin(self, what: str, total: int | None, unit: str = "objects") -> None:
        """Say nothing."""

    def advance(self, count: int = 1) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class StreamProgress:
    """Writes progress to a stream. Any thread may advance; one task at a time.

    ``columns`` gives the width of the terminal at each redraw, or None where the stream is none. With
    ``tick_seconds`` a thread keeps the line honest while nothing advances: a rate and an arrival that
    were true before a stall fade away.
    """

    def __init__(
        self,
        stream: TextIO,
        monotonic: Callable[[], float],
        columns: Callable[[], int] | None,
        *,
        tick_seconds: float | None = None,
    ) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._columns = columns
        self._tick_seconds = tick_seconds
        self._lock = Lock()
        self._task: _Task | None = None
        self._ended = Event()
        self._shown = 0
        self._next = 0.0

    def begin(self, what: str, total: int | None, unit: str = "objects") -> None:
        """Start a task; one that was not ended is."""
        with self._lock:
            self._finish()
            now = self._monotonic()
            self._task = _Task(what, total, unit, now)
            self._next = now + (LOG_SECONDS if self._columns is None else QUIET_SECONDS)
            self._ended = Event()
            if self._tick_seconds is not None:
                ticking = (self._ended, self._tick_seconds)
                Thread(target=self._keep_ticking, args=ticking, name="progress", daemon=True).start()

    def advance(self, count: int = 1) -> None:
        """Count, and write where it is time to."""
        with self._lock:
            if self._task is not None:
                self._task.done += count
                self._show(self._task)

    def tick(self) -> None:
        """Write where it is time to, though nothing advanced."""
        with self._lock:
            if self._task is not None:
                self._show(self._task)

    def end(self) -> None:
        """Finish the task: clear its line, or say in the log how it went if the log knows of it."""
        with self._lock:
            self._finish()

    def clear(self) -> None:
        """Make room for another line on the terminal; the next redraw brings progress back."""
        with self._lock:
            if self._columns is not None:
                self._redraw("")

    def _keep_ticking(self, ended: Event, seconds: float) -> None:
        while not ended.wait(seconds):
            self.tick()

    def _show(self, task: _Task) -> None:
        now = self._monotonic()
        if now < self._next:
            return
        task.measure(now)
        if self._columns is None:
            self._next = now + LOG_SECONDS
            self._shown += 1
            self._write("  ".join(task.parts()) + "\n")
        else:
            self._next = now + REDRAW_SECONDS
            self._redraw(fit_parts(task.parts(), self._columns() - 1))

    def _finish(self) -> None:
        self._ended.set()
        task, self._task = self._task, None
        if task is None:
            return
        if self._columns is not None:
            self._redraw("")
        elif self._shown:
            took = timedelta(seconds=self._monotonic() - task.started)
            self._write(f"{task.what}  {task.amount()} in {humanise(took)}\n")
        self._shown = 0

    def _redraw(self, line: str) -> None:
        # Spaces rather than an escape sequence to wipe the rest: they work on every terminal there is.
        width = display_width(line)
        wiped = max(self._shown - width, 0)
        if width or wiped:
            self._write("\r" + line + " " * wiped + ("" if line else "\r"))
        self._shown = width

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._next = float("inf")


def make_progress(
    stream: TextIO, *, monotonic: Callable[[], float], quiet: bool, environ: Mapping[str, str]
) -> Progress:
    """Return the progress that suits the stream: redrawn on a terminal, plain lines elsewhere, none when quiet."""
    if quiet:
        return NullProgress()
    if not stream.isatty() or environ.get("TERM") == "dumb":
        return StreamProgress(stream, monotonic, None, tick_seconds=_TICK_SECONDS)
    return StreamProgress(stream, monotonic, lambda: _terminal_columns(stream), tick_seconds=_TICK_SECONDS)


def fit_parts(parts: list[str], width: int) -> str:
    """Return as many parts as fit, the last ones dropped first; the first is shortened when alone too wide."""
    for count in range(len(parts), 0, -1):
        line = "  ".join(parts[:count])
        if display_width(line) <= width:
            return line
    return shorten(parts[0], width)


class _Task:
    """What is being done, and how fast it was in the last seconds."""

    def __init__(self, what: str, total: int | None, unit: str, now: float) -> None:
        self.what = printable(what)
        self.started = now
        self.done = 0
        self._total = total
        self._unit = unit
        self._samples = deque([(now, 0)])

    def measure(self, now: float) -> None:
        """Remember how far it is; forget what is too old to say how fast it goes now."""
        self._samples.append((now, self.done))
        while len(self._samples) > 2 and self._samples[1][0] <= now - _RATE_SECONDS:
            self._samples.popleft()

    def parts(self) -> list[str]:
        """Return what there is to say, most important first."""
        parts = [self.what, self.amount()]
        if self._total is not None and 0 < self._total >= self.done:
            # Cut, not rounded: 100 % is said of what is done.
            parts.append(f"{self.done * 100 // self._total} %")
        rate = self._rate()
        if rate is None:
            return parts
        if rate >= 0.1:
            parts.append(f"{self._count(round(rate) if rate >= 1 else round(rate, 1))}/s")
        if self._total is not None and self.done < self._total:
            left = (self._total - self.done) / rate
            parts.append(f"ETA {_eta(left)}")
        return parts

    def amount(self) -> str:
        """Return how much is done of how much; a total that proved too small is not repeated."""
        known = self._total is not None and self._total >= self.done
        amount = f"{self._count(self.done)}/{self._count(self._total or 0)}" if known else self._count(self.done)
        return amount if self._unit == _BYTES else f"{amount} {self._unit}"

    def _count(self, count: float) -> str:
        return format_bytes(int(count)) if self._unit == _BYTES else f"{count:,}"

    def _rate(self) -> float | None:
        """Return how many a second; None where nothing moved, so that no arrival is promised."""
        (then, before), (now, done) = self._samples[0], self._samples[-1]
        return (done - before) / (now - then) if now > then and done > before else None


def _eta(seconds: float) -> str:
    try:
        # A second at least, and whole ones: tenths of a guess are noise.
        return humanise(timedelta(seconds=max(round(seconds), 1))).replace(".0s", "s")
    except OverflowError:
        return "unknown"


def _terminal_columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80

"""Progress on stderr: silent at first, one line on a terminal, few in a log, never in the way."""

from __future__ import annotations

import io
import os
import time
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.cli.progress import NullProgress, StreamProgress, fit_parts, make_progress
from zenctl.core.text import display_width


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    """A terminal of one line: what stands there after carriage returns, and all that was written."""

    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        shown = ""
        for piece in self.getvalue().split("\r"):
            shown = piece + shown[len(piece) :]
        return shown.rstrip()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def screen() -> Screen:
    return Screen()


def on_screen(screen: Screen, clock: Clock, width: int = 100) -> StreamProgress:
    return StreamProgress(screen, clock, lambda: width)


def spend(progress: StreamProgress, clock: Clock, *, seconds: float, objects: int, step: float = 0.5) -> None:
    for _ in range(round(seconds / step)):
        clock.now += step
        progress.advance(round(objects * step / seconds))


def test_a_short_task_says_nothing(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("backing up zenevents", 100)
    spend(progress, clock, seconds=1.5, objects=99)
    progress.end()
    assert screen.getvalue() == ""


def test_a_long_task_shows_how_far_it_is(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("backing up zenevents", 20_000)
    spend(progress, clock, seconds=3, objects=15_000)
    assert screen.line == "backing up zenevents  15,000/20,000 objects  75 %  5,000/s  ETA 1s"
    progress.end()
    assert screen.line == ""
    assert "\n" not in screen.getvalue()
    assert "\x1b" not in screen.getvalue()
    assert screen.getvalue().endswith("\r")


def test_without_a_total_there_is_no_percentage(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", None)
    spend(progress, clock, seconds=3, objects=30)
    assert screen.line == "listing  30 objects  10/s"


def test_bytes_are_sizes(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("verifying", 40 * 2**20, "bytes")
    spend(progress, clock, seconds=4, objects=20 * 2**20)
    assert screen.line == "verifying  20.0 MiB/40.0 MiB  50 %  5.0 MiB/s  ETA 4s"


def test_a_total_that_was_too_small_is_given_up(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", 10)
    spend(progress, clock, seconds=3, objects=30)
    assert screen.line == "listing  30 objects  10/s"


def test_a_hundred_percent_is_said_of_what_is_done_only(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", 1000)
    clock.now += 3
    progress.advance(999)
    assert "  99 %" in screen.line
    clock.now += 1
    progress.advance(1)
    assert screen.line == "listing  1,000/1,000 objects  100 %  250/s"


def test_an_empty_total_does_not_divide(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", 0)
    clock.now += 3
    progress.advance(0)
    assert screen.line == "listing  0/0 objects"


def test_the_rate_is_that_of_the_last_seconds_and_fades_in_a_stall(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", 100_000)
    spend(progress, clock, seconds=30, objects=30_000)
    spend(progress, clock, seconds=20, objects=200)
    assert "  10/s  ETA 1h56m" in screen.line
    for _ in range(24):
        clock.now += 0.5
        progress.tick()
    assert screen.line == "listing  30,200/100,000 objects  30 %"


def test_a_slow_task_promises_no_nonsense(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("drilling", 10**18)
    clock.now += 1000
    progress.advance(1)
    assert screen.line.endswith("0 %  ETA unknown")


def test_a_terminal_is_not_redrawn_for_every_object(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", 100_000)
    clock.now += 3
    for _ in range(10_000):
        clock.now += 0.0001
        progress.advance()
    assert screen.getvalue().count("\r") <= 12


def test_a_shorter_line_wipes_a_longer_one(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("a very long name of a task", None)
    spend(progress, clock, seconds=3, objects=1_000_000)
    progress.begin("short", None)
    spend(progress, clock, seconds=3, objects=6)
    assert screen.line == "short  6 objects  2/s"


def test_clearing_makes_room_and_the_next_redraw_brings_it_back(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", None)
    spend(progress, clock, seconds=3, objects=6)
    progress.clear()
    assert screen.line == ""
    spend(progress, clock, seconds=1, objects=2)
    assert screen.line.startswith("listing  8 objects")


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "backing up zenevents  15,000/20,000 objects  75 %  5,000/s  ETA 1s"),
        (60, "backing up zenevents  15,000/20,000 objects  75 %  5,000/s"),
        (45, "backing up zenevents  15,000/20,000 objects"),
        (30, "backing up zenevents"),
        (12, "backing up…"),
        (1, ""),
    ],
)
def test_a_narrow_terminal_gets_what_matters_most(screen, clock, width, line):
    progress = on_screen(screen, clock, width)
    progress.begin("backing up zenevents", 20_000)
    spend(progress, clock, seconds=3, objects=15_000)
    assert screen.line == line


@given(st.lists(st.text("ab 日"), min_size=1, max_size=5), st.integers(-1, 40))
def test_a_line_never_wraps(parts, width):
    assert display_width(fit_parts(parts, width)) <= max(width, 0)


def test_a_name_cannot_move_the_cursor(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing \x1b[2J\r\n", None)
    spend(progress, clock, seconds=3, objects=6)
    assert screen.line.startswith("listing \\x1b[2J\\r\\n")


def test_a_log_gets_a_line_every_ten_seconds_and_a_last_one(clock):
    log = io.StringIO()
    progress = StreamProgress(log, clock, None)
    progress.begin("restoring", 400)
    spend(progress, clock, seconds=35, objects=350)
    progress.end()
    assert log.getvalue().splitlines() == [
        "restoring  100/400 objects  25 %  10/s  ETA 30s",
        "restoring  200/400 objects  50 %  10/s  ETA 20s",
        "restoring  300/400 objects  75 %  10/s  ETA 10s",
        "restoring  350/400 objects in 35s",
    ]


def test_a_log_does_not_hear_of_a_short_task(clock):
    log = io.StringIO()
    progress = StreamProgress(log, clock, None)
    progress.begin("restoring", 400)
    spend(progress, clock, seconds=9, objects=400)
    progress.end()
    assert log.getvalue() == ""


def test_calls_without_a_task_are_harmless(screen, clock):
    progress = on_screen(screen, clock)
    progress.advance()
    progress.tick()
    progress.clear()
    progress.end()
    progress.end()
    assert screen.getvalue() == ""


class Gone(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_stderr_that_is_gone_stops_nothing(clock):
    closed = io.StringIO()
    closed.close()
    for stream in (Gone(), closed):
        progress = StreamProgress(stream, clock, lambda: 80)
        progress.begin("listing", 100)
        spend(progress, clock, seconds=5, objects=50)
        progress.end()


def test_many_threads_lose_no_count(screen, clock):
    progress = on_screen(screen, clock)
    progress.begin("listing", 8_000)

    def work() -> None:
        for _ in range(1000):
            progress.advance()

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now += 4
    progress.tick()
    assert "8,000/8,000 objects  100 %" in screen.line


def test_a_thread_keeps_the_line_alive_while_nothing_advances(screen, clock):
    progress = StreamProgress(screen, clock, lambda: 80, tick_seconds=0.001)
    progress.begin("listing", 10)
    clock.now += 3
    deadline = time.monotonic() + 10
    while not screen.getvalue() and time.monotonic() < deadline:
        time.sleep(0.001)
    progress.end()
    assert "listing  0/10 objects" in screen.getvalue()
    assert screen.line == ""


def test_the_stream_decides_how_progress_looks(clock):
    assert isinstance(make_progress(Screen(), monotonic=clock, quiet=True, environ={}), NullProgress)
    for stream, environ, redrawn in (
        (Screen(), {}, True),
        (Screen(), {"TERM": "xterm-256color"}, True),
        (Screen(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ):
        progress = make_progress(stream, monotonic=clock, quiet=False, environ=environ)
        progress.begin("listing", None)
        clock.now += 11
        progress.advance(11)
        progress.end()
        assert ("\r" in stream.getvalue()) == redrawn
        assert ("\n" in stream.getvalue()) != redrawn


def test_the_width_is_that_of_the_stream(clock):
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as stream:
        os.set_blocking(ours, False)
        progress = make_progress(stream, monotonic=clock, quiet=False, environ={})
        progress.begin("listing", None)
        clock.now += 3
        progress.advance(6)
        assert b"listing  6 objects  2/s" in os.read(ours, 1000)
        progress.end()
    os.close(ours)


def test_silence_is_silent():
    progress = NullProgress()
    progress.begin("listing", 1)
    progress.advance()
    progress.end()

"""A pool of threads that finds out how much the API server can bear; satisfies ports.Workers.

Additive increase, multiplicative decrease: each answer lets a little more run at once, each 429 or 503
halves it, at most once per half second, since one burst of refusals is one message.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from zenctl.errors import ZenctlError
from zenctl.kube.http import Pressure

Job = TypeVar("Job")
Answer = TypeVar("Answer")

START = 8
MOST = 24
_HALVING_PAUSE_SECONDS = 0.5
_NO_JOB = object()


class Throttle:
    """How many requests may be under way at once."""

    def __init__(self, pressure: Pressure, *, start: int = START, most: int = MOST) -> None:
        self._pressure = pressure
        self._seen = pressure.count
        self._most = most
        self._limit = float(start)
        self._running = 0
        self._halved_at = float("-inf")
        self._changed = threading.Condition()

    @property
    def limit(self) -> int:
        """The present bound."""
        return max(1, int(self._limit))

    def wait(self) -> None:
        """Wait until there is a place, without taking it.

        Whoever fetches a job must not hold a place meanwhile: the job may come out of another run, which
        needs places too.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._running < self.limit)

    def enter(self) -> None:
        """Take a place."""
        with self._changed:
            self._running += 1

    def leave(self) -> None:
        """Give the place back, and learn from what happened meanwhile."""
        with self._changed:
            self._running -= 1
            self._learn(time.monotonic())
            self._changed.notify_all()

    def _learn(self, now_seconds: float) -> None:
        if self._pressure.count == self._seen:
            self._limit = min(self._most, self._limit + 1 / self._limit)
            return
        self._seen = self._pressure.count
        if now_seconds - self._halved_at >= _HALVING_PAUSE_SECONDS:
            self._limit = max(1.0, self._limit / 2)
            self._halved_at = now_seconds


class Workers:
    """Does jobs in threads, and hands each back as it ends."""

    def __init__(self, pressure: Pressure, *, most: int = MOST) -> None:
        self._throttle = Throttle(pressure, most=most)
        self._most = most

    def run(
        self, jobs: Iterable[Job], do: Callable[[Job], Answer]
    ) -> Generator[tuple[Job, Answer | ZenctlError], None, None]:
        """Do every job; when the consumer stops iterating, jobs that have not begun are not begun."""
        run = _Run(jobs, do, self._throttle, self._most)
        try:
            yield from run.answers()
        finally:
            run.stop()


class _Run(Generic[Job, Answer]):
    def __init__(self, jobs: Iterable[Job], do: Callable[[Job], Answer], throttle: Throttle, most: int) -> None:
        self._jobs = iter(jobs)
        self._do = do
        self._throttle = throttle
        self._taking = threading.Lock()
        self._stopped = threading.Event()
        self._done: queue.SimpleQueue[tuple[Job, Answer | ZenctlError] | BaseException | None] = queue.SimpleQueue()
        self._room = threading.Semaphore(4 * most)
        self._threads = [threading.Thread(target=self._work, daemon=True, name="work") for _ in range(most)]
        for thread in self._threads:
            thread.start()

    def answers(self) -> Iterator[tuple[Job, Answer | ZenctlError]]:
        """Yield until every thread has said that there is nothing left.

        An error that is no answer stops the run, and is raised after the answers of what was under way.
        """
        working, failed = len(self._threads), None
        while working:
            item = self._done.get()
            if item is None:
                working -= 1
            elif isinstance(item, BaseException):
                failed = failed or item
                self._begin_no_more()
            else:
                self._room.release()
                yield item
        if failed:
            raise failed

    def stop(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._begin_no_more()
        for thread in self._threads:
            thread.join()

    def _begin_no_more(self) -> None:
        self._stopped.set()
        self._room.release(len(self._threads))

    def _work(self) -> None:
        try:
            while True:
                self._room.acquire()
                job = self._take()
                if job is _NO_JOB:
                    break
                self._done.put((job, self._one(job)))
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._done.put(error)
        finally:
            self._done.put(None)

    def _take(self) -> Any:
        """Return the next job when there is a place for it, having taken the place; else _NO_JOB."""
        with self._taking:
            self._throttle.wait()
            if self._stopped.is_set():
                return _NO_JOB
            job = next(self._jobs, _NO_JOB)
            if job is _NO_JOB or self._stopped.is_set():
                return _NO_JOB
            self._throttle.enter()
            return job

    def _one(self, job: Job) -> Answer | ZenctlError:
        try:
            return self._do(job)
        except ZenctlError as error:
            return error
        finally:
            self._throttle.leave()

"""A pool that sits out an outage of the API server, and one that keeps to a rate; both satisfy ports.Workers.

The slices know nothing of it: they are given these in place of the real one. What is done twice because its first
answer was lost must be safe to do twice, as deletions under preconditions are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar

from zenctl.errors import ApiFailure, Unreachable, ZenctlError
from zenctl.ports import Clock, ClusterInfo, Workers

Job = TypeVar("Job")
Answer = TypeVar("Answer")

PATIENCE_SECONDS = 300.0
"""How long a restart or a failover may take."""
_LOOK_EVERY_SECONDS = 2.0


class PersistentWorkers:
    """Does a job again once the API server answers, where it did not answer at all.

    All jobs wait together, and only one of them asks. When it has been silent for PATIENCE_SECONDS the jobs end with
    the errors that they had.
    """

    def __init__(self, workers: Workers, info: ClusterInfo, clock: Clock, say: Callable[[str], None]) -> None:
        self._workers, self._info, self._clock, self._say = workers, info, clock, say
        self._asking = threading.Lock()
        self._given_up = False
        self._answered_at = clock.monotonic()

    def run(
        self, jobs: Iterable[Job], do: Callable[[Job], Answer]
    ) -> Generator[tuple[Job, Answer | ZenctlError], None, None]:
        """Do every job."""

        def persist(job: Job) -> Answer:
            while True:
                began = self._clock.monotonic()
                try:
                    return do(job)
                except ApiFailure:
                    raise  # it answered
                except Unreachable as error:
                    if not self._answers(since=began, error=error):
                        raise

        return self._workers.run(jobs, persist)

    def _answers(self, since: float, error: Unreachable) -> bool:
        """Wait until the API server answers; say whether it did. ``since`` is when the job that failed began."""
        with self._asking:
            if self._given_up or self._answered_at > since:
                return not self._given_up
            self._say(f"waiting for the API server: {error.message}")
            until = self._clock.monotonic() + PATIENCE_SECONDS
            while not self._is_there():
                if self._clock.monotonic() >= until:
                    self._given_up = True
                    return False
                self._clock.sleep(_LOOK_EVERY_SECONDS)
            self._answered_at = self._clock.monotonic()
            return True

    def _is_there(self) -> bool:
        try:
            self._info.now()
        except ApiFailure:
            return True
        except Unreachable:
            return False
        return True


class PacedWorkers:
    """Begins no more than so many jobs a second."""

    def __init__(self, workers: Workers, clock: Clock, per_second: float) -> None:
        self._workers, self._clock, self._pause_seconds = workers, clock, 1 / per_second

    def run(
        self, jobs: Iterable[Job], do: Callable[[Job], Answer]
    ) -> Generator[tuple[Job, Answer | ZenctlError], None, None]:
        """Do every job."""
        return self._workers.run(self._paced(jobs), do)

    def _paced(self, jobs: Iterable[Job]) -> Iterator[Job]:
        next_at = self._clock.monotonic()
        for job in jobs:
            wait_seconds = next_at - self._clock.monotonic()
            if wait_seconds > 0:
                self._clock.sleep(wait_seconds)
            next_at = max(next_at, self._clock.monotonic()) + self._pause_seconds
            yield job

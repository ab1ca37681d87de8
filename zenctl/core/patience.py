"""When a bulk job should be given up: after many failures in a row that say nothing about their object.

One refusal may be about one object (an admission webhook answers 403 too). Twenty-five in a row with
no success between them are about the caller or the server, and the rest would only repeat them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from zenctl.errors import Conflict, Denied, Invalid, NotFound, Unreachable

Job = TypeVar("Job")

LIMIT = 25


class Patience:
    """Counts failures in a row."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._row = 0

    def note(self, answer: object) -> None:
        """Learn how one job ended: with an error, or with anything else, which is a success."""
        about_object = isinstance(answer, Conflict | NotFound | Invalid)
        failed = isinstance(answer, Denied | Unreachable) and not about_object
        self._row = self._row + 1 if failed else 0

    @property
    def spent(self) -> bool:
        """Say whether to begin no further job."""
        return self._row >= self._limit

    def guard(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """Pass jobs on until patience is spent; those under way still end, and the next one is not even taken."""
        rest = iter(jobs)
        while not self.spent:
            try:
                job = next(rest)
            except StopIteration:
                return
            yield job

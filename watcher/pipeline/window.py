"""What was seen lately: repeats are counted here and written at a bounded rate; and the rate of a source.

Bounded in entries; what falls out with counts that were not written yet is handed over, not lost.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from watcher.pipeline.live import Key
from watcher.pipeline.times import latest

_OCCURRENCES = 16


@dataclass(slots=True)
class Entry:
    """One finding: when it was last written, and the sightings since."""

    written: datetime
    pending: int = 0
    time: str | None = None
    occurrences: list[str] = field(default_factory=list)


class Window:
    """Findings of the last so many seconds."""

    def __init__(self, length: timedelta, most: int) -> None:
        self._length = length
        self._most = most
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._evicted: dict[Key, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Entry | None:
        """Return what is remembered of a finding."""
        return self._entries.get(key)

    def delivered(self, key: Key, occurrence: str) -> bool:
        """Say whether this very sighting came before."""
        entry = self._entries.get(key)
        return entry is not None and bool(occurrence) and occurrence in entry.occurrences

    def wrote(self, key: Key, now: datetime, occurrence: str) -> None:
        """Remember a finding that is being written now."""
        before = self._entries.pop(key, None)
        kept = before.occurrences if before else []
        self._entries[key] = Entry(now, occurrences=_added(kept, occurrence))
        while len(self._entries) > self._most:
            oldest, entry = self._entries.popitem(last=False)
            if entry.pending:
                self._evicted[oldest] = entry

    def folds(self, key: Key, now: datetime, time: str | None, occurrence: str) -> bool:
        """Count a repeat within the window and return True; False where it has to be written."""
        entry = self._entries.get(key)
        if entry is None or now - entry.written >= self._length:
            return False
        entry.pending += 1
        entry.time = latest(time, entry.time)
        entry.occurrences = _added(entry.occurrences, occurrence)
        return True

    def pending(self, key: Key) -> int:
        """Return, and forget, the repeats that were counted and not written."""
        entry = self._evicted.pop(key, None) or self._entries.get(key)
        if entry is None:
            return 0
        count, entry.pending = entry.pending, 0
        return count

    def due(self, now: datetime, *, everything: bool = False) -> list[tuple[Key, Entry]]:
        """Return the findings whose repeats are to be written now; all of them before an end."""
        waiting = [(key, entry) for key, entry in self._entries.items() if entry.pending]
        ripe = [(key, entry) for key, entry in waiting if everything or now - entry.written >= self._length]
        return [*self._evicted.items(), *ripe]

    def forget(self, key: Key) -> None:
        """Forget a finding whose write failed, so that its next sighting is news again."""
        self._entries.pop(key, None)
        self._evicted.pop(key, None)


def _added(occurrences: list[str], occurrence: str) -> list[str]:
    return [*occurrences, occurrence][-_OCCURRENCES:] if occurrence else occurrences


class Rate:
    """A token bucket: so many a second, so many at once."""

    def __init__(self, per_second: int, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at: datetime | None = None

    def takes(self, now: datetime) -> bool:
        """Take a token and return True; False where there is none. A clock that goes back gives none."""
        passed = (now - self._at).total_seconds() if self._at is not None else 0.0
        self._at = now
        self._tokens = min(self._burst, self._tokens + max(passed, 0.0) * self._per_second)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

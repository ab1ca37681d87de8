"""Which findings are live: what is needed to tell a sighting from a recurrence, to resolve, and to cap.

Small on purpose: a cluster may have a hundred thousand of them. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from zenctl.core.observation import GROUP, Phase

REPORT_ANNOTATION = f"{GROUP}/report"
"""Which whole a finding came from, for sources that report a state: what its next report lacks is gone."""

Key = tuple[str, str]
"""Namespace and name."""


class Known(NamedTuple):
    """A live Observation."""

    key: Key
    source: str
    report: str = ""
    last_seen: str = ""


def known_from(observation: Mapping[str, Any]) -> Known | None:
    """Return a live Observation as the cluster has it; None where it is closed, or nothing of ours."""
    metadata, spec, status = (_object(observation.get(key)) for key in ("metadata", "spec", "status"))
    namespace, name, source = metadata.get("namespace"), metadata.get("name"), spec.get("source")
    if not (isinstance(namespace, str) and isinstance(name, str) and isinstance(source, str)):
        return None
    if status.get("phase") in (Phase.RESOLVED, Phase.ARCHIVED):
        return None
    report, seen = _object(metadata.get("annotations")).get(REPORT_ANNOTATION), status.get("lastSeen")
    return Known(
        (namespace, name), source, report if isinstance(report, str) else "", seen if isinstance(seen, str) else ""
    )


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


class Live:
    """All live Observations, by key and by the report that each came from."""

    def __init__(self, known: Iterable[Known] = ()) -> None:
        self._by_key: dict[Key, Known] = {}
        self._by_report: dict[tuple[str, str], dict[Key, Known]] = {}
        self._counts: dict[str, int] = {}
        for entry in known:
            self.add(entry)

    def add(self, entry: Known) -> None:
        """Add one, or replace what is known of it."""
        self.remove(entry.key)
        if entry.report:
            others = self._by_report.setdefault((entry.source, entry.report), {})
            for other in others.values():  # the same text once: most of what all this takes is texts
                entry = entry._replace(report=other.report, key=(_shared(entry, other), entry.key[1]))
                break
            others[entry.key] = entry
        self._by_key[entry.key] = entry
        self._counts[entry.source] = self.count(entry.source) + 1

    def remove(self, key: Key) -> None:
        """Forget one that was closed or deleted; it may be unknown."""
        entry = self._by_key.pop(key, None)
        if entry is None:
            return
        self._counts[entry.source] -= 1
        if not entry.report:
            return
        others = self._by_report[entry.source, entry.report]
        del others[key]
        if not others:
            del self._by_report[entry.source, entry.report]

    def get(self, key: Key) -> Known | None:
        """Return what is known of one; None where it is not live."""
        return self._by_key.get(key)

    def count(self, source: str) -> int:
        """Return how many are live of a source."""
        return self._counts.get(source, 0)

    def of_report(self, source: str, report: str) -> tuple[Key, ...]:
        """Return those that came from a report, in order."""
        return tuple(sorted(self._by_report.get((source, report), ())))


def _shared(entry: Known, other: Known) -> str:
    return other.key[0] if other.key[0] == entry.key[0] else entry.key[0]

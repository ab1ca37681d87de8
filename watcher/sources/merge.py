"""Making one Event of several with one identity, as a report lists a finding once for each place of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from watcher.sources.event import Event, worst
from watcher.sources.values import bounded

_MOST_PLACES = 20


def merge(events: Iterable[Event]) -> tuple[Event, ...]:
    """Return each finding once, in order of first appearance.

    The first of several stays and takes the worst severity; ``details.alsoSeen`` says how each of the
    others differs from it, and ``details.occurrences`` how many there were in all.
    """
    found: dict[tuple[object, ...], list[Event]] = {}
    for event in events:
        found.setdefault((event.subject, event.identity), []).append(event)
    return tuple(_one(same) for same in found.values())


def _one(same: list[Event]) -> Event:
    first, *others = same
    if not others:
        return first
    differences = [difference for other in others if (difference := _difference(first.details, other))]
    details = {"occurrences": len(same), **first.details, "alsoSeen": differences[:_MOST_PLACES]}
    return replace(first, severity=worst([event.severity for event in same]), details=bounded(details))


def _difference(first: Mapping[str, Any], other: Event) -> dict[str, Any]:
    return {key: value for key, value in other.details.items() if first.get(key) != value}

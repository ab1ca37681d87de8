"""The status of an Observation that exists already, after another sighting or after its source is clear of it.

The status as it is comes in, as anybody may have left it; a new one goes out, or None where nothing changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watcher.pipeline.times import latest
from zenctl.core.instants import format_instant, read_instant
from zenctl.core.observation import Phase

CLEARED = "SourceCleared"
"""Reason of the condition Resolved where the watcher set it: the next complete report no longer has the finding."""
RETURNED = "Returned"

_CLOSED = (Phase.RESOLVED.value, Phase.ARCHIVED.value)


def after_sightings(
    status: Mapping[str, Any], *, count: int, time: str | None, now: datetime, listed: bool
) -> dict[str, Any] | None:
    """Return the status after so many more sightings, the last at that time.

    What is listed comes again with every restart: only what is newer than the last sighting, and than the
    resolution, is another one. A finding without a time that its source was clear of has returned.
    """
    if listed and not _is_news(status, time):
        return None
    seen = time or format_instant(now)
    changed = dict(status)
    before = status.get("count")
    known = before if isinstance(before, int) and not isinstance(before, bool) else 1
    changed["count"] = known + count
    changed["lastSeen"] = latest(seen, _text(status, "lastSeen"))
    changed.setdefault("firstSeen", seen)
    if status.get("phase") in _CLOSED:
        changed["phase"] = Phase.ACTIVE.value
        changed.pop("resolvedAt", None)
        changed["conditions"] = _with(status, "False", RETURNED, "the finding was reported again", now)
    else:
        changed.setdefault("phase", Phase.ACTIVE.value)
    return changed


def after_clearing(status: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """Return the status of a finding that its source no longer reports; None where somebody closed it before."""
    if status.get("phase") in _CLOSED:
        return None
    conditions = _with(status, "True", CLEARED, "the next complete report does not have it", now)
    return {**status, "phase": Phase.RESOLVED.value, "resolvedAt": format_instant(now), "conditions": conditions}


def _is_news(status: Mapping[str, Any], time: str | None) -> bool:
    if time is None:
        return status.get("phase") in _CLOSED and _resolution(status) == CLEARED
    moment = read_instant(time).instant
    known = (read_instant(status.get(key)).instant for key in ("lastSeen", "resolvedAt"))
    return moment is not None and all(earlier is None or moment > earlier for earlier in known)


def _resolution(status: Mapping[str, Any]) -> str:
    conditions = (entry for entry in _conditions(status) if entry.get("type") == Phase.RESOLVED.value)
    return next((str(entry.get("reason")) for entry in conditions), "")


def _conditions(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    conditions = status.get("conditions")
    return [entry for entry in conditions if isinstance(entry, dict)] if isinstance(conditions, list) else []


def _with(status: Mapping[str, Any], value: str, reason: str, message: str, now: datetime) -> list[dict[str, Any]]:
    others = [entry for entry in _conditions(status) if entry.get("type") != Phase.RESOLVED.value]
    condition = {
        "type": Phase.RESOLVED.value,
        "status": value,
        "reason": reason,
        "message": message,
        "lastTransitionTime": format_instant(now),
    }
    return [*others, condition]


def _text(status: Mapping[str, Any], key: str) -> str:
    value = status.get(key)
    return value if isinstance(value, str) else ""

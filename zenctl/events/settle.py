"""What settling an Observation makes of its status: pure, from the old status to the new one.

A status belongs to whoever reports too: everything that is not said here is kept as it was, and what
counts sightings (firstSeen, lastSeen, count) is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from zenctl.core.instants import format_instant, read_instant
from zenctl.core.observation import Phase, text

SETTLED_REASON = "SettledByUser"
REOPENED_REASON = "ReopenedByUser"
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Action(StrEnum):
    """What a person decides about an Observation."""

    RESOLVE = "resolve"
    ACK = "ack"
    REOPEN = "reopen"
    ARCHIVE = "archive"

    @property
    def phase(self) -> Phase:
        """The phase that it leads to."""
        return _PHASES[self]


_PHASES = {
    Action.RESOLVE: Phase.RESOLVED,
    Action.ACK: Phase.ACKNOWLEDGED,
    Action.REOPEN: Phase.ACTIVE,
    Action.ARCHIVE: Phase.ARCHIVED,
}
_STAGES = (Phase.ACTIVE, Phase.ACKNOWLEDGED, Phase.RESOLVED, Phase.ARCHIVED)
"""The phases in the order in which triage goes; each but the first has a condition of its name."""


class Decision(NamedTuple):
    """What was decided, by whom, when (the API server's time) and why."""

    action: Action
    now: datetime
    author: str
    note: str = ""

    @property
    def message(self) -> str:
        """The message of the condition."""
        return f"{self.note} ({self.author})" if self.note else f"by {self.author}"


def phase_in(status: object) -> str:
    """Return the phase of a status as it is written; Active where there is none."""
    return (text(status.get("phase")) if isinstance(status, Mapping) else "") or Phase.ACTIVE.value


def settle(status: object, decision: Decision) -> dict[str, Any] | None:
    """Return the new status; None where the Observation is in that phase already.

    The condition of the new phase becomes True. Conditions of later stages become False, and resolvedAt
    goes where the Observation is no longer resolved; what an archived one was before still holds. Active has no
    condition, so that the one of the phase that is left says who reopened it, and why.
    """
    target = decision.action.phase
    if phase_in(status) == target:
        return None
    settled: dict[str, Any] = dict(status) if isinstance(status, Mapping) else {}
    settled["phase"] = target.value
    if target is Phase.RESOLVED:
        settled["resolvedAt"] = format_instant(decision.now)
    elif target is not Phase.ARCHIVED:
        settled.pop("resolvedAt", None)
    conditions = _conditions(settled.get("conditions"), phase_in(status), decision)
    if conditions:
        settled["conditions"] = conditions
    return settled


def _conditions(old: object, before: str, decision: Decision) -> list[Any]:
    conditions = list(old) if isinstance(old, list) else []
    stage = _STAGES.index(decision.action.phase)
    if not stage and before in _STAGES and _holding(conditions, Phase(before)) is None:
        conditions.append({"type": before})
    for phase in _STAGES[stage + 1 :]:
        place = _holding(conditions, phase)
        if place is not None and conditions[place].get("status") != "False":
            conditions[place] = _updated(conditions[place], "False", REOPENED_REASON, decision)
    if stage:
        place = _holding(conditions, _STAGES[stage])
        if place is None:
            place = len(conditions)
            conditions.append({"type": _STAGES[stage].value})
        conditions[place] = _updated(conditions[place], "True", SETTLED_REASON, decision)
    return conditions


def _updated(condition: Mapping[str, Any], status: str, reason: str, decision: Decision) -> dict[str, Any]:
    changed = {**condition, "status": status, "reason": reason, "message": decision.message}
    if condition.get("status") != status:
        changed["lastTransitionTime"] = format_instant(decision.now)
    return changed


def _holding(conditions: list[Any], phase: Phase) -> int | None:
    """Return the place of the condition that holds for a phase: the newest of its type, the later of equals."""
    places = [
        place
        for place, entry in enumerate(conditions)
        if isinstance(entry, dict) and entry.get("type") == phase.value
    ]
    return max(places, key=lambda place: (_changed_at(conditions[place]), place), default=None)


def _changed_at(condition: Mapping[str, Any]) -> datetime:
    return read_instant(condition.get("lastTransitionTime")).instant or _LONG_AGO

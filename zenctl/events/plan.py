"""Which of the selected Observations a decision is about: pure, one reason for each that it leaves alone.

A selection says less than a name does, so it only moves Observations forward, and out of the archive only where
that phase was asked for: whoever resolves a label does not mean what somebody has archived under it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import ObjectKey, RawObject, ResourceType
from zenctl.core.observation import ObservationFields, Phase
from zenctl.events.rows import EventRow, row_of
from zenctl.events.select import Filter, Match, matcher, phase_meant
from zenctl.events.settle import Action, Decision, phase_in

_TAKES = {
    Action.ACK: frozenset({Phase.ACTIVE}),
    Action.RESOLVE: frozenset({Phase.ACTIVE, Phase.ACKNOWLEDGED}),
    Action.ARCHIVE: frozenset({Phase.ACTIVE, Phase.ACKNOWLEDGED, Phase.RESOLVED}),
    Action.REOPEN: frozenset({Phase.ACKNOWLEDGED, Phase.RESOLVED}),
}
"""The phases that a selection takes Observations out of where none was asked for."""


class Left(StrEnum):
    """Why a selected Observation is left as it is."""

    ALREADY = "already"
    OTHER_PHASE = "other-phase"
    UNTIMED = "untimed"
    GOING = "going"


class Target(NamedTuple):
    """An Observation that is to be settled, as it was when that was decided."""

    resource: ResourceType
    uid: str
    resource_version: str
    row: EventRow
    status: bytes
    """Its status as JSON; b"null" where it has none."""

    @property
    def key(self) -> ObjectKey:
        """Its namespace and name."""
        return ObjectKey(self.row.namespace, self.row.name)


class Plan(NamedTuple):
    """Everything that was decided, before anything is done."""

    decision: Decision
    targets: tuple[Target, ...]
    left: dict[Left, int]
    total: int
    """How many Observations were looked at."""
    mixed: bool


class _Status(msgspec.Struct, frozen=True):
    status: msgspec.Raw = msgspec.Raw(b"null")


_STATUS = msgspec.json.Decoder(_Status)


class Planner:
    """Decides about one Observation after another; satisfies Tally. ``named`` ones were asked for one by one."""

    def __init__(self, decision: Decision, wanted: Filter, *, named: bool = False) -> None:
        self._decision = decision
        self._judge = matcher(wanted)
        asked = frozenset(map(phase_meant, wanted.phases))
        self._takes: frozenset[Phase | None] | None = asked or _TAKES[decision.action]
        if named:
            self._takes = None
        self.targets: list[Target] = []
        self.left: Counter[Left] = Counter()
        self.total = 0

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> None:
        """Decide about one."""
        self.total += 1
        row = row_of(item.fields, self._decision.now)
        match = self._judge(row)
        if match is Match.OTHER:
            return
        status = bytes(_STATUS.decode(item.body).status)
        left = self._left(match, row, status, item.fields.metadata.deletion_timestamp)
        if left is not None:
            self.left[left] += 1
            return
        metadata = item.fields.metadata
        self.targets.append(Target(resource, metadata.uid, metadata.resource_version, row, status))

    def _left(self, match: Match, row: EventRow, status: bytes, going: Any) -> Left | None:
        if match is Match.UNTIMED:
            return Left.UNTIMED
        if phase_in(msgspec.json.decode(status)) == self._decision.action.phase:
            return Left.ALREADY
        if self._takes is not None and phase_meant(row.phase) not in self._takes:
            return Left.OTHER_PHASE
        return Left.GOING if going is not None else None


def plan_of(decision: Decision, planners: Iterable[Planner], *, mixed: bool = False) -> Plan:
    """Return what several planners have decided, one for each resource."""
    parts = tuple(planners)
    left: Counter[Left] = Counter()
    for part in parts:
        left.update(part.left)
    targets = tuple(target for part in parts for target in part.targets)
    return Plan(decision, targets, dict(left), sum(part.total for part in parts), mixed)

"""The plan of a restore: what would be made, per kind, before anything is written. Pure.

The decision about each object is zenctl.restore.decide; this adds them up. A plan holds counts and the
live objects that stand in the way, not the archived objects: those are streamed a second time to apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.restore.batch import Batch, Source
from zenctl.restore.decide import Action, LiveState, OnConflict

NAMED = 20
"""How many objects that stand in the way a plan names."""


class DefinitionPlan(NamedTuple):
    """A CRD in the source."""

    name: str
    exists: bool
    """It stays as it is: it is there, or another CRD of the cluster serves the same kind."""


class BatchPlan(NamedTuple):
    """What would become of the objects of one kind."""

    batch: Batch
    resource: ResourceType | None
    """The resource that serves them; None until their CRD is there."""
    actions: dict[Action, int]
    in_the_way: tuple[ObjectKey, ...]
    live: Mapping[ObjectKey, LiveState]
    described: ResourceType | None = None
    """The resource as the cluster, else the CRD in the source, describes it."""
    namespaces: frozenset[str] = frozenset()
    """Where objects would be written."""

    @property
    def writes(self) -> int:
        """How many objects would be written."""
        return sum(self.actions.get(action, 0) for action in (Action.CREATE, Action.ADOPT, Action.UPDATE))


class Plan(NamedTuple):
    """Everything that was decided, before anything is done."""

    source: Source
    on_conflict: OnConflict
    definitions: tuple[DefinitionPlan, ...]
    missing_namespaces: tuple[str, ...]
    batches: tuple[BatchPlan, ...]
    unreadable: tuple[str, ...]
    """Objects that are no JSON objects with a name, in words."""

    @property
    def writes(self) -> int:
        """How many objects would be written, CRDs and namespaces included."""
        made = sum(not definition.exists for definition in self.definitions) + len(self.missing_namespaces)
        return made + sum(batch.writes for batch in self.batches)

    @property
    def conflicts(self) -> int:
        """How many objects exist although the caller wanted none to."""
        return sum(batch.actions.get(Action.CONFLICT, 0) for batch in self.batches)

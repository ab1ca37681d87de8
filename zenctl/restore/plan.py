"""The plan of a restore: what would be made, per kind, before anything is written. Pure.

The decision about each object is zenctl.restore.decide; this adds them up. A plan holds counts and the
live objects that stand in the way, not the archived objects: those are streamed a second time to apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from zenctl.core.objects import ObjectKey, ResourceType
from zenctl.restore.batch import Batch, Source
from zenctl.restore.decide import Action, OnConflict
from zenctl.restore.definitions import DefinitionPlan
from zenctl.restore.live import LiveStates
from zenctl.restore.releases import Held

NAMED = 20
"""How many objects that stand in the way a plan names."""


class BatchPlan(NamedTuple):
    """What would become of the objects of one kind."""

    batch: Batch
    resource: ResourceType | None
    """The resource that serves them; None until their CRD is there."""
    actions: dict[Action, int]
    in_the_way: tuple[ObjectKey, ...]
    live: LiveStates
    described: ResourceType | None = None
    """The resource as the cluster, else the CRD in the source, describes it."""
    namespaces: frozenset[str] = frozenset()
    """Where objects would be written."""
    creates: Mapping[str, int] = {}
    """How many would be created, by namespace."""
    invalid: int = 0
    """How many their own schema is against; known only where the plan was made in detail."""
    invalid_named: tuple[tuple[ObjectKey, str], ...] = ()
    """The first of them, with what is wrong."""
    held: frozenset[ObjectKey] = frozenset()
    """Those that stay out whatever was asked for: see Plan.held."""

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
    held: Held = Held()
    """Releases of Helm that stay out."""
    strict: bool = False
    """Nothing is decided anew while it is carried out: what has changed meanwhile fails instead."""

    @property
    def writes(self) -> int:
        """How many objects would be written, CRDs and namespaces included."""
        made = sum(not d.exists or bool(d.adds) for d in self.definitions) + len(self.missing_namespaces)
        return made + sum(batch.writes for batch in self.batches)

    @property
    def conflicts(self) -> int:
        """How many objects exist although the caller wanted none to."""
        return sum(batch.actions.get(Action.CONFLICT, 0) for batch in self.batches)

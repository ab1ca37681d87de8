"""Adding up what two sides differ in: exact counts for each kind, and a bounded number of objects by name. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from zenctl.backup.compare import Change, FieldDifference
from zenctl.core.objects import ResourceType

NAMED = 1_000
"""So many objects that differ are named; all are counted."""
FIELDS = 10
"""So many fields of an object are shown; all are counted."""


class ObjectDifference(NamedTuple):
    """An object that differs."""

    resource: ResourceType
    key: str
    change: Change
    fields: tuple[FieldDifference, ...] = ()
    more_fields: int = 0

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.resource.kind


class KindTally:
    """What was found of one kind."""

    def __init__(self, resource: ResourceType) -> None:
        self.resource = resource
        self.counts = dict.fromkeys(Change, 0)
        self.unchanged = 0

    @property
    def differing(self) -> int:
        """How many objects differ."""
        return sum(self.counts.values())


class Tally:
    """What was found of all kinds."""

    def __init__(self) -> None:
        self.kinds: list[KindTally] = []
        self.named: list[ObjectDifference] = []

    def begin(self, resource: ResourceType) -> None:
        """Count what comes for this kind."""
        self.kinds.append(KindTally(resource))

    def drop(self) -> None:
        """Forget the kind that was begun last."""
        gone = self.kinds.pop().resource
        self.named = [found for found in self.named if found.resource != gone]

    def one_sided(self, key: str, change: Change) -> None:
        """Count an object that only one side has."""
        self._count(key, change)

    def both(self, key: str, differences: Iterator[FieldDifference]) -> None:
        """Count an object that both sides have."""
        fields = tuple(islice(differences, FIELDS))
        if not fields:
            self.kinds[-1].unchanged += 1
            return
        self._count(key, Change.CHANGED, fields, sum(1 for _ in differences))

    def _count(
        self, key: str, change: Change, fields: tuple[FieldDifference, ...] = (), more_fields: int = 0
    ) -> None:
        kind = self.kinds[-1]
        kind.counts[change] += 1
        if len(self.named) < NAMED:
            self.named.append(ObjectDifference(kind.resource, key, change, fields, more_fields))

    @property
    def differing(self) -> int:
        """How many objects differ."""
        return sum(kind.differing for kind in self.kinds)

    @property
    def unchanged(self) -> int:
        """How many objects are the same."""
        return sum(kind.unchanged for kind in self.kinds)

    def of(self, change: Change) -> int:
        """Return how many objects differ in this way."""
        return sum(kind.counts[change] for kind in self.kinds)

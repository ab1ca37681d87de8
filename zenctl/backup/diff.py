"""Comparing two sides, kind by kind, as their objects meet in key order. Reads only, and holds one object of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from zenctl.backup.compare import Change, Judge, OutOfOrder, join
from zenctl.backup.sides import Namespaces, Side, chosen
from zenctl.backup.tally import Tally
from zenctl.core.objects import ResourceType
from zenctl.core.selectors import LabelSelector
from zenctl.errors import Denied, ExitCode, Refused, worst
from zenctl.ports import Progress


class Wanted(NamedTuple):
    """Which objects to compare; an object counts where it matches on either side."""

    kinds: frozenset[str] = frozenset()
    namespace: str | None = None
    selector: LabelSelector = LabelSelector()


EVERYTHING = Wanted()


class NotCompared(NamedTuple):
    """Something of which one side knows nothing, so that nobody can say whether it differs."""

    what: str
    side: str
    why: str


class Differences(NamedTuple):
    """What two sides differ in."""

    left: str
    right: str
    namespaces: Namespaces
    """Where custom resources were compared: what both sides looked at."""
    tally: Tally
    not_compared: tuple[NotCompared, ...]
    mixed: bool

    @property
    def verdict(self) -> ExitCode:
        """What the comparison is worth: differences, or not enough to say that there are none."""
        differing = [ExitCode.FINDINGS] if self.tally.differing else []
        return worst([*differing, *([ExitCode.NO_DATA] if self.not_compared else [])])


class _LabelMetadata(msgspec.Struct, frozen=True, gc=False):
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct, frozen=True, gc=False):
    metadata: _LabelMetadata = _LabelMetadata()


_labels = msgspec.json.Decoder(_Labelled).decode


def compare(left: Side, right: Side, wanted: Wanted, progress: Progress) -> Differences:
    """Compare two sides. Raises UsageError for a kind that neither has, and whatever reading a side raises."""
    return _Comparison(left, right, wanted, progress).run()


class _Comparison:
    def __init__(self, left: Side, right: Side, wanted: Wanted, progress: Progress) -> None:
        self._left, self._right = left, right
        self._wanted = wanted
        self._progress = progress
        self._tally = Tally()
        self._not_compared: dict[NotCompared, None] = {}
        self._namespaces = _common(_common(left.namespaces, right.namespaces), _only(wanted.namespace))
        if self._namespaces is not None and not self._namespaces:
            raise Refused(
                "there is no namespace that both sides hold and that was asked for",
                hint=f"{left.label} holds {_words(left.namespaces)}, {right.label} holds {_words(right.namespaces)}",
            )

    def run(self) -> Differences:
        """Compare every kind that is wanted."""
        every = {kind.kind_and_group: kind for side in (self._left, self._right) for kind in side.kinds()}
        for resource in chosen(list(every.values()), self._wanted.kinds):
            self._kind(resource)
        return Differences(
            self._left.label,
            self._right.label,
            self._namespaces,
            self._tally,
            tuple(self._not_compared),
            self._left.mixed or self._right.mixed,
        )

    def _kind(self, resource: ResourceType) -> None:
        unknown = [self._unknown(side, resource) for side in (self._left, self._right)]  # both are noted
        if any(unknown):
            return
        self._tally.begin(resource)
        self._progress.begin(f"comparing {resource.plural}", None)
        try:
            self._objects(resource)
        except Denied as denied:
            if not resource.built_in:
                raise
            self._tally.drop()  # of what surrounds the watcher, an account may see a part
            self._not_compared[NotCompared(resource.full_name, "live", denied.message)] = None
        self._progress.end()

    def _objects(self, resource: ResourceType) -> None:
        judge = Judge(resource)
        for key, left, right in self._pairs(resource):
            self._progress.advance()
            if not self._is_wanted(resource, key, left, right):
                continue
            if left is not None and right is not None:
                self._tally.both(key, judge.differences(key, left, right))
            elif not self._unknown(self._left if left is None else self._right, resource, key):
                self._tally.one_sided(key, Change.ADDED if left is None else Change.REMOVED)

    def _pairs(self, resource: ResourceType) -> Iterator[tuple[str, bytes | None, bytes | None]]:
        sides = (self._left.objects(resource, self._namespaces), self._right.objects(resource, self._namespaces))
        try:
            yield from join(*sides)
        except OutOfOrder as error:
            raise Refused(
                f"the cluster does not list {resource.full_name} in the order of their keys: {error}",
                hint="back it up and compare the two archives",
            ) from None

    def _is_wanted(self, resource: ResourceType, key: str, left: bytes | None, right: bytes | None) -> bool:
        namespace = self._wanted.namespace
        if namespace is not None and resource.namespaced and key.partition("/")[0] != namespace:
            return False
        selector = self._wanted.selector
        if not selector.requirements:
            return True
        return any(selector.matches(labels_of(body)) for body in (left, right) if body is not None)

    def _unknown(self, side: Side, resource: ResourceType, key: str = "") -> bool:
        """Say whether it means nothing that a side does not have something; and note it, once for each reason."""
        why = side.unknown(resource, key)
        if why is None:
            return False
        self._not_compared[NotCompared(resource.full_name, side.label, why)] = None
        return True


def _only(namespace: str | None) -> Namespaces:
    return None if namespace is None else frozenset({namespace})


def _words(namespaces: Namespaces) -> str:
    return "every namespace" if namespaces is None else ", ".join(sorted(namespaces))


def _common(one: Namespaces, other: Namespaces) -> Namespaces:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def labels_of(body: bytes) -> dict[str, str]:
    """Return the labels of an object; none where they cannot be read."""
    try:
        return _labels(body).metadata.labels or {}
    except (msgspec.MsgspecError, ValueError):
        return {}

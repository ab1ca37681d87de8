"""Following Observations: one endless sequence of what changes, over any number of cuts.

It lists, then watches behind that list. A server that has forgotten so far back is listed again, and only what is
not known yet counts as a change; so no state of an object comes twice, and the last one of each always comes. Of an
object nothing is kept but its uid, its resourceVersion and its phase.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from sys import intern
from typing import NamedTuple

from zenctl.core.objects import ResourceType
from zenctl.core.observation import ObservationFields, phase_of
from zenctl.errors import Expired
from zenctl.ports import Clock, ListQuery, ObjectReader

_MOST_RELISTS_IN_A_ROW = 8
_LONGEST_WAIT_SECONDS = 10.0
_RESTARTS = 1_000
"""A list has to be a snapshot, since the watch goes on behind it; so it begins again rather than go on mixed."""


class Change(StrEnum):
    """What happened to an Observation."""

    PRESENT = "present"
    """Nothing: it was there at the beginning."""
    ADDED = "added"
    PHASE = "phase"
    OTHER = "changed"
    """Something else than its phase: seen again, most often."""
    DELETED = "deleted"
    """Or no longer selected by the labels that were asked for."""


class Followed(NamedTuple):
    """A change, the object as it is now, and the phase that it had where that is another one."""

    change: Change
    fields: ObservationFields
    phase_before: str | None = None


class _Known(NamedTuple):
    resource_version: str
    phase: str


class Tracker:
    """What is known of each object, and what that makes of the next that is heard of it. Pure."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._listed: set[str] = set()
        self._complete = False

    def begin(self) -> None:
        """Begin a list, or begin one again."""
        self._listed = set()

    def listed(self, fields: ObservationFields) -> Followed | None:
        """Take an object of a list; None where it is known so already."""
        self._listed.add(fields.metadata.uid)
        found = self._updated(fields)
        return found if self._complete or found is None else Followed(Change.PRESENT, fields)

    def end(self) -> int:
        """End a list; return how many objects are gone since the last one of which nobody heard."""
        gone = [uid for uid in self._known if uid not in self._listed]
        for uid in gone:
            del self._known[uid]
        lost = len(gone) if self._complete else 0
        self._complete = True
        self._listed = set()
        return lost

    def happened(self, kind: str, fields: ObservationFields) -> Followed | None:
        """Take an event of a watch; None where it tells nothing new."""
        if kind != "DELETED":
            return self._updated(fields)
        known = self._known.pop(fields.metadata.uid, None)
        return None if known is None else Followed(Change.DELETED, fields)

    def _updated(self, fields: ObservationFields) -> Followed | None:
        uid, version, phase = fields.metadata.uid, fields.metadata.resource_version, phase_of(fields)
        before = self._known.get(uid)
        if before is not None and before.resource_version == version:
            return None
        self._known[uid] = _Known(version, intern(phase))
        if before is None:
            return Followed(Change.ADDED, fields)
        return (
            Followed(Change.OTHER, fields) if before.phase == phase else Followed(Change.PHASE, fields, before.phase)
        )


class FollowPorts(NamedTuple):
    """What following needs of the world."""

    reader: ObjectReader
    clock: Clock
    say: Callable[[str], None]
    """Tells a person what the rows do not."""


def follow(ports: FollowPorts, resource: ResourceType, query: ListQuery) -> Iterator[Followed | None]:
    """Yield what is there, as PRESENT, then None once, and then what changes, for ever.

    Raises Unreachable when the server stays away, Expired when it forgets faster than it can be listed.
    """
    tracker, in_a_row, begun = Tracker(), 0, False
    while True:
        version = ""
        tracker.begin()
        for page in ports.reader.pages(resource, ObservationFields, query, restarts=_RESTARTS, whole=True):
            if page.restarted:
                tracker.begin()
            yield from _news(tracker.listed(item.fields) for item in page.objects)
            version = page.resource_version or version
        if lost := tracker.end():
            ports.say(f"{lost:,} of what was there was deleted while the watch was cut off")
        if not begun:
            begun = True
            yield None
        try:
            for event in ports.reader.watch(resource, ObservationFields, query, version):
                in_a_row = 0
                yield from _news([tracker.happened(event.type, event.object.fields)])
        except Expired:
            in_a_row += 1
            if in_a_row >= _MOST_RELISTS_IN_A_ROW:
                raise
            ports.clock.sleep(min(0.25 * 2.0**in_a_row, _LONGEST_WAIT_SECONDS))
        else:
            return  # only what is no real server ends a watch by itself


def _news(found: Iterator[Followed | None] | list[Followed | None]) -> Iterator[Followed]:
    yield from (each for each in found if each is not None)

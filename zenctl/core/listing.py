"""How a collection was read: pages, and the consistency that the reader may claim for all of them.

A LIST in pages is a snapshot only while its continue token lives. When it expires, the reader begins
again, a stated number of times; after that it goes on behind the last object at the server's present
state, where the server offers that. Either is recorded, never hidden. A stream that comes to its end is a
snapshot; one that breaks off is begun again too.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, NamedTuple

from zenctl.core.objects import Fields, RawObject


class Consistency(StrEnum):
    """What a finished listing is worth."""

    SNAPSHOT = "snapshot"
    """Every object is as it was at one resourceVersion."""
    RESTARTED = "restarted"
    """A snapshot too, but an earlier attempt came to nothing and was thrown away."""
    MIXED = "mixed"
    """Later objects are newer than earlier ones; each is right by itself."""


class Page(NamedTuple, Generic[Fields]):
    """One page of a LIST, in the server's order (the byte order of "namespace/name")."""

    objects: Sequence[RawObject[Fields]]
    resource_version: str
    """That of the snapshot; "" on a page before the last one of a stream, which tells it at its end."""
    remaining: int | None
    """How many objects the server says are still to come; None where it does not say."""
    restarted: bool
    """True on the first page after a restart: all earlier pages of this listing are void."""
    mixed: bool
    """True where this page continues an expired snapshot at a newer resourceVersion."""


def consistency(*, restarts: int, mixed: bool) -> Consistency:
    """Return the class that a listing earned."""
    if mixed:
        return Consistency.MIXED
    return Consistency.RESTARTED if restarts else Consistency.SNAPSHOT

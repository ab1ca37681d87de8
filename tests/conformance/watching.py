"""How cases read a watch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tests.conformance.api import Document
from tests.conformance.expect import revision
from tests.conformance.place import Place
from tests.conformance.resources import Resource


class Seen(NamedTuple):
    """What a case wants to know of an event."""

    type: str
    name: str
    revision: str


def seen(event: Document) -> Seen:
    return Seen(event["type"], event["object"]["metadata"]["name"], revision(event["object"]))


def take(events: Iterator[Document], count: int) -> list[Document]:
    taken = list(islice(events, count))
    assert len(taken) == count, f"the watch ended after {taken}"
    return taken


def now(place: Place, resource: Resource) -> str:
    return revision(place.collection(resource))


def settle(place: Place, resource: Resource) -> None:
    """Wait until a watch that names no revision begins with all that was done: a server may keep a cache."""
    place.collection(resource, resourceVersion=now(place, resource))

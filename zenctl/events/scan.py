"""Reading every Observation of a cluster or an archive once, in bounded memory; nothing is decided here.

What is made of them is a tally's business. A listing that begins again begins with a new tally, so that
nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from zenctl.core.objects import RawObject, ResourceType
from zenctl.core.observation import ObservationFields
from zenctl.errors import Invalid, UsageError
from zenctl.ports import Discovery, ListQuery, ObjectReader, Progress
from zenctl.product.resources import observations


class Reading(Protocol):
    """What reading Observations needs of the world."""

    @property
    def discovery(self) -> Discovery:
        """What is served."""

    @property
    def reader(self) -> ObjectReader:
        """The objects."""

    @property
    def progress(self) -> Progress:
        """Who is told how far it is."""


class ReadPorts(NamedTuple):
    """Just enough for reading; satisfies Reading."""

    discovery: Discovery
    reader: ObjectReader
    progress: Progress


class Tally(Protocol):
    """What is made of the Observations of one resource."""

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> None:
        """Take one into account."""


AnyTally = TypeVar("AnyTally", bound=Tally)


class Scan(NamedTuple, Generic[AnyTally]):
    """Everything that was read: one tally for each resource that holds Observations."""

    tallies: tuple[AnyTally, ...]
    mixed: bool
    """The listing outlived its snapshot: later objects are newer than earlier ones."""


def scan(ports: Reading, group: str, query: ListQuery, new: Callable[[], AnyTally]) -> Scan[AnyTally]:
    """Read all Observations that the server selects. Raises UsageError for a bad selector, Refused."""
    resources = observations(ports.discovery.group(group), group)
    ports.progress.begin("reading Observations", None)
    try:
        found = [_read(ports, resource, query, new) for resource in resources]
    except Invalid as refused:
        # Nothing in a LIST but the user's own selector can be wrong by itself.
        raise UsageError(refused.message, hint="see kubectl get --help for selectors") from refused
    finally:
        ports.progress.end()
    return Scan(tuple(tally for tally, _ in found), any(mixed for _, mixed in found))


def _read(
    ports: Reading, resource: ResourceType, query: ListQuery, new: Callable[[], AnyTally]
) -> tuple[AnyTally, bool]:
    tally, mixed = new(), False
    for page in ports.reader.pages(resource, ObservationFields, query):
        if page.restarted:
            tally, mixed = new(), False
        mixed = mixed or page.mixed
        for item in page.objects:
            tally.add(resource, item)
        ports.progress.advance(len(page.objects))
    return tally, mixed

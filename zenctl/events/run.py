"""The triage desk at work: reading and settling Observations through the ports.

What is wanted and what a settled status looks like is decided in select and settle. A write names the
resourceVersion that it was decided on; where that has passed, the decision is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.core.observation import ObservationFields, phase_of
from zenctl.errors import Conflict, ExitCode, NotFound, PartlyDone, Refused, UsageError, ZenctlError, worst
from zenctl.events.names import Name
from zenctl.events.rows import EventRow, row_of
from zenctl.events.scan import Reading, scan
from zenctl.events.select import Filter, Match, Order, Selection, matcher
from zenctl.events.settle import Decision, phase_in, settle
from zenctl.ports import Discovery, ListQuery, ObjectReader, ObjectWriter, Progress, Workers
from zenctl.product.resources import observations

RETRIES = 5
"""So often a decision is made anew on an object that changed under it."""


class EventsPorts(NamedTuple):
    """What the triage desk needs of the world; satisfies Reading too."""

    discovery: Discovery
    reader: ObjectReader
    writer: ObjectWriter
    workers: Workers
    progress: Progress


# -- listing ---------------------------------------------------------------------------------------------


class ListRequest(NamedTuple):
    """Which Observations to list: what the server selects, what we do, and the order."""

    query: ListQuery
    wanted: Filter
    order: Order
    limit: int | None = None


class Listing(NamedTuple):
    """The rows that were asked for, and what there is to say beside them."""

    rows: list[EventRow]
    matched: int
    """How many match; more than there are rows where a limit cut them off."""
    untimed: int
    """How many would match, but were left out because their time is not known."""
    mixed: bool
    """The listing outlived its snapshot: later objects are newer than earlier ones."""


class _Tally:
    """What matches of one resource."""

    def __init__(self, request: ListRequest, now: datetime) -> None:
        self._judge = matcher(request.wanted)
        self._now = now
        self.selection = Selection(request.order, request.limit)
        self.counts = dict.fromkeys(Match, 0)

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> None:  # noqa: ARG002 - see Tally
        """Take one into account."""
        row = row_of(item.fields, self._now)
        match = self._judge(row)
        self.counts[match] += 1
        if match is Match.WANTED:
            self.selection.add(row)


def list_events(ports: Reading, group: str, request: ListRequest, now: datetime) -> Listing:
    """List the Observations that match; ``now`` is the API server's time. Raises UsageError for a bad selector."""
    found = scan(ports, group, request.query, lambda: _Tally(request, now))
    together = Selection(request.order, request.limit)
    for tally in found.tallies:
        for row in tally.selection.ranked():
            together.add(row)
    return Listing(
        rows=together.ranked(),
        matched=sum(tally.counts[Match.WANTED] for tally in found.tallies),
        untimed=sum(tally.counts[Match.UNTIMED] for tally in found.tallies),
        mixed=found.mixed,
    )


# -- finding by name -------------------------------------------------------------------------------------


class Found(NamedTuple):
    """An Observation, whole."""

    resource: ResourceType
    item: RawObject[ObservationFields]

    @property
    def key(self) -> ObjectKey:
        """Its namespace and name."""
        return self.item.key

    @property
    def document(self) -> dict[str, Any]:
        """The object as the server sent it."""
        document: dict[str, Any] = msgspec.json.decode(self.item.body)
        return {"apiVersion": self.resource.api_version, "kind": self.resource.kind, **document}


def read_named(ports: Reading, group: str, names: Sequence[Name]) -> list[Found]:
    """Read the Observations of these names. Raises Refused for one that is not there, UsageError for several."""
    resources = observations(ports.discovery.group(group), group)
    return [_find(ports.reader, resources, name) for name in names]


def _find(reader: ObjectReader, resources: Sequence[ResourceType], name: Name) -> Found:
    found = [each for resource in resources for each in _candidates(reader, resource, name)]
    if not found:
        where = "zenctl events list" + (f" -n {name.namespace}" if name.namespace else "")
        raise Refused(f"there is no Observation {name}", hint=f"see {where}")
    if len(found) > 1:
        several = ", ".join(str(each.key) for each in found)
        raise UsageError(
            f"{name} is the name of {len(found)} Observations: {several}", hint="give one of these names"
        )
    return found[0]


def _candidates(reader: ObjectReader, resource: ResourceType, name: Name) -> Iterator[Found]:
    if name.namespace:
        try:
            yield Found(resource, reader.get(resource, ObjectKey(name.namespace, name.name), ObservationFields))
        except NotFound:
            return
        return
    found: list[Found] = []
    for page in reader.pages(resource, ObservationFields, ListQuery(field_selector=f"metadata.name={name.name}")):
        if page.restarted:
            found.clear()
        found += [Found(resource, item) for item in page.objects]
    yield from found


# -- settling --------------------------------------------------------------------------------------------


class Became(StrEnum):
    """What became of one Observation that was to be settled."""

    SETTLED = "settled"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class Settled(NamedTuple):
    """One Observation that was named, and what became of it. What is not known of a failed one is None."""

    name: Name
    result: Became
    key: ObjectKey | None = None
    before: str | None = None
    error: ZenctlError | None = None


class Outcome(NamedTuple):
    """What became of all of them, in the order in which they were named."""

    decision: Decision
    settled: tuple[Settled, ...]

    @property
    def verdict(self) -> ExitCode:
        """What the run as a whole is worth."""
        return worst(each.error.code for each in self.settled if each.error is not None)


def settle_named(ports: EventsPorts, group: str, names: Sequence[Name], decision: Decision) -> Outcome:
    """Settle the Observations of these names; the failure of one does not stop the others."""
    resources = observations(ports.discovery.group(group), group)
    ports.progress.begin("settling Observations", len(names))
    done: dict[Name, Settled] = {}
    with closing(ports.workers.run(names, lambda name: _settle(ports, resources, name, decision))) as answers:
        for name, answer in answers:
            ports.progress.advance()
            done[name] = Settled(name, Became.FAILED, error=answer) if isinstance(answer, ZenctlError) else answer
    ports.progress.end()
    return Outcome(decision, tuple(done[name] for name in names))


def _settle(ports: EventsPorts, resources: Sequence[ResourceType], name: Name, decision: Decision) -> Settled:
    found = _find(ports.reader, resources, name)
    before = phase_of(found.item.fields)
    sent: dict[str, Any] | None = None
    for _ in range(1 + RETRIES):
        status = found.document.get("status")
        if sent is not None and status == sent:
            # The answer to our own write was lost on the way, and its repetition conflicted with it.
            return Settled(name, Became.SETTLED, found.key, before)
        before = phase_in(status)
        new = settle(status, decision)
        if new is None:
            return Settled(name, Became.UNCHANGED, found.key, before)
        try:
            stored = _write(ports.writer, found, new)
        except Conflict:
            sent, found = new, _read_again(ports.reader, found)
        else:
            require_kept(found.resource, found.key, stored, decision)
            return Settled(name, Became.SETTLED, found.key, before)
    raise PartlyDone(
        f"cannot {decision.action} {found.key}: it changed under each of {1 + RETRIES} attempts", hint="try again"
    )


def _read_again(reader: ObjectReader, found: Found) -> Found:
    """Read an object that changed. One that was deleted and made again is another, which nobody judged."""
    item = reader.get(found.resource, found.key, ObservationFields)
    if item.fields.metadata.uid != found.item.fields.metadata.uid:
        raise Refused(f"{found.key} was deleted and made again meanwhile", hint="look at it, and then try again")
    return Found(found.resource, item)


def require_kept(resource: ResourceType, key: ObjectKey, stored: RawObject[KeyFields], decision: Decision) -> None:
    """Refuse to call settled what a server pruned: the schema of another vendor's CRD may have no phase."""
    if phase_of(msgspec.json.decode(stored.body, type=ObservationFields)) != decision.action.phase:
        raise PartlyDone(
            f"cannot {decision.action} {key}: the server took the status and dropped its phase",
            hint=f"the CRD {resource.full_name} has to allow status.phase",
        )


def _write(writer: ObjectWriter, found: Found, status: dict[str, Any]) -> RawObject[KeyFields]:
    if not found.resource.status_subresource:
        body = msgspec.json.encode({**found.document, "status": status})
        return writer.replace(found.resource, found.key, body)
    metadata = found.item.fields.metadata
    seen = Seen(found.key, metadata.uid, metadata.resource_version)
    return write_status(writer, found.resource, seen, status)


class Seen(NamedTuple):
    """An Observation as it was when a decision was made about it."""

    key: ObjectKey
    uid: str
    resource_version: str


def write_status(
    writer: ObjectWriter, resource: ResourceType, seen: Seen, status: dict[str, Any]
) -> RawObject[KeyFields]:
    """Write a status onto the very object that was seen. Raises Conflict where it has changed since."""
    identity = {
        "name": seen.key.name,
        "namespace": seen.key.namespace,
        "uid": seen.uid,
        "resourceVersion": seen.resource_version,
    }
    body = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": identity, "status": status}
    return writer.replace_status(resource, seen.key, msgspec.json.encode(body))

"""What is around an Observation: the resource that it is about, that one's pods, and other Observations about it.

Everything here is read for a person who looks at one Observation. What may not be read, is not served or cannot be
known from an archive is unknown, with the reason; only an API server's 404 says that something is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from zenctl.core.instants import read_instant
from zenctl.core.objects import KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.core.observation import ObservationFields
from zenctl.core.report import Result
from zenctl.core.selectors import from_structured
from zenctl.errors import NotFound, UsageError, ZenctlError
from zenctl.events.pods import PodState, PodSummary, mapping, pod_state, summary
from zenctl.events.rows import EventRow, Subject, known, row_of, subject
from zenctl.events.run import Found
from zenctl.events.scan import Reading, scan
from zenctl.events.select import Selection, SortBy, ordering
from zenctl.events.stats import Words
from zenctl.ports import ListQuery

MOST_OTHERS = 5
_WORKLOAD_GROUPS = frozenset({"apps", "batch"})


class Existence(StrEnum):
    """Whether the resource is there."""

    EXISTS = "exists"
    GONE = "gone"
    UNKNOWN = "unknown"


class RelatedResource(Result, frozen=True):
    """The resource that an Observation is about, as it is now. ``why`` says why something of it is unknown.

    ``same_uid`` is None where the Observation names no uid. ``pod`` is its state where it is a pod, ``pods`` those
    that a workload selects; both are None where they are not known, or where there are none to ask for.
    """

    kind: str | None
    namespace: str | None
    name: str | None
    existence: str
    why: str | None = None
    created_at: datetime | None = None
    going: bool = False
    same_uid: bool | None = None
    owner: str | None = None
    pod: PodState | None = None
    pods: PodSummary | None = None
    pods_unknown: str | None = None


class OtherObservations(Result, frozen=True):
    """Other Observations about the same resource, in the namespace of the one that is looked at."""

    namespace: str
    total: int | None
    by_phase: dict[str, int] = msgspec.field(default_factory=dict)
    by_severity: dict[str, int] = msgspec.field(default_factory=dict)
    newest: tuple[EventRow, ...] = ()
    why: str | None = None
    """Why they are not known."""


class Around(Result, frozen=True):
    """What is around one Observation."""

    resource: RelatedResource
    others: OtherObservations


class _Reference(NamedTuple):
    """What an Observation says that it is about."""

    subject: Subject
    group: str
    uid: str | None


def look_around(
    ports: Reading, group: str, found: Sequence[Found], now: datetime, *, live: bool
) -> tuple[Around, ...]:
    """Look around each of these; ``live`` is False where an archive is read, which knows only what it was made of."""
    references = [_reference(each) for each in found]
    related = [
        _related(ports, reference, each.key.namespace, live=live)
        for each, reference in zip(found, references, strict=True)
    ]
    others = _others(ports, group, found, references, now)
    return tuple(Around(resource=one, others=more) for one, more in zip(related, others, strict=True))


# -- the resource itself -----------------------------------------------------------------------------------


def _reference(found: Found) -> _Reference:
    said = mapping(mapping(found.document.get("spec")).get("resource"))
    api_version = known(said.get("apiVersion")) or ""
    return _Reference(subject(said), api_version.rpartition("/")[0], known(said.get("uid")))


def _related(ports: Reading, reference: _Reference, home: str, *, live: bool) -> RelatedResource:
    named = reference.subject
    if named.kind is None or named.name is None:
        return _unknown(named, "the Observation does not name a kind and a name")
    try:
        resource = _resolved(ports, named.kind, reference.group)
        namespace = (named.namespace or home) if resource.namespaced else ""
        item = ports.reader.get(resource, ObjectKey(namespace, named.name), KeyFields)
    except NotFound:
        if live:
            return RelatedResource(
                kind=named.kind, namespace=named.namespace, name=named.name, existence=Existence.GONE.value
            )
        return _unknown(named, "it is not in the archive, which does not hold everything")
    except UsageError as error:
        return _unknown(named, error.message if live else f"the archive holds nothing of the kind {named.kind}")
    except ZenctlError as error:
        return _unknown(named, error.message)
    return _existing(ports, resource, reference, item)


def _resolved(ports: Reading, kind: str, group: str) -> ResourceType:
    if "." in kind:
        raise UsageError(f"{kind!r} is no kind")
    return ports.discovery.resolve(f"{kind}.{group}" if group else kind)


def _unknown(named: Subject, why: str) -> RelatedResource:
    return RelatedResource(
        kind=named.kind, namespace=named.namespace, name=named.name, existence=Existence.UNKNOWN.value, why=why
    )


def _existing(
    ports: Reading, resource: ResourceType, reference: _Reference, item: RawObject[KeyFields]
) -> RelatedResource:
    document: dict[str, Any] = msgspec.json.decode(item.body)
    metadata = mapping(document.get("metadata"))
    is_pod = (resource.group, resource.kind) == ("", "Pod")
    pods, why = _pods(ports, resource, item.key.namespace, mapping(document.get("spec")))
    return RelatedResource(
        kind=resource.kind,
        namespace=item.key.namespace or None,
        name=item.key.name,
        existence=Existence.EXISTS.value,
        created_at=read_instant(metadata.get("creationTimestamp")).instant,
        going=metadata.get("deletionTimestamp") is not None,
        same_uid=None if reference.uid is None else reference.uid == item.fields.metadata.uid,
        owner=_owner(metadata.get("ownerReferences")),
        pod=pod_state(document) if is_pod else None,
        pods=pods,
        pods_unknown=why,
    )


def _owner(references: object) -> str | None:
    """Return the owner that controls an object, else its first one, as KIND/NAME."""
    owners = [mapping(each) for each in references] if isinstance(references, list) else []
    owners.sort(key=lambda owner: owner.get("controller") is not True)
    return next((f"{owner.get('kind')}/{owner.get('name')}" for owner in owners), None)


def _pods(
    ports: Reading, resource: ResourceType, namespace: str, spec: Mapping[str, Any]
) -> tuple[PodSummary | None, str | None]:
    """Return the pods that a workload selects, or why they are not known; neither for what is no workload."""
    selector = spec.get("selector")
    if resource.group not in _WORKLOAD_GROUPS or not isinstance(selector, dict) or not selector:
        return None, None
    try:
        query = ListQuery(namespace, str(from_structured(selector)))
        return summary(_pod_states(ports, query)), None
    except ValueError as error:
        return None, f"its selector cannot be read: {error}"
    except UsageError:
        return None, "there are no pods to be read"
    except ZenctlError as error:
        return None, error.message


def _pod_states(ports: Reading, query: ListQuery) -> Iterator[PodState]:
    states: list[PodState] = []
    for page in ports.reader.pages(ports.discovery.resolve("pods"), KeyFields, query):
        if page.restarted:
            states.clear()
        states += [pod_state(msgspec.json.decode(item.body)) for item in page.objects]
    return iter(states)


# -- other Observations ------------------------------------------------------------------------------------


class _Others:
    """Other Observations about the resource of one."""

    def __init__(self, own_uid: str) -> None:
        self._own_uid = own_uid
        self._phases, self._severities = Words(), Words()
        self._newest = Selection(ordering(SortBy.TIME), MOST_OTHERS)
        self._total = 0

    def add(self, row: EventRow) -> None:
        if row.uid == self._own_uid:
            return
        self._total += 1
        self._phases.add(row.phase)
        self._severities.add(row.severity)
        self._newest.add(row)

    def take(self, other: _Others) -> None:
        """Take all that was found in another resource."""
        self._total += other._total
        self._phases.take(other._phases)
        self._severities.take(other._severities)
        for row in other._newest.ranked():
            self._newest.add(row)

    def found(self, namespace: str) -> OtherObservations:
        """Return what was found."""
        return OtherObservations(
            namespace=namespace,
            total=self._total,
            by_phase=_by_word(self._phases),
            by_severity=_by_word(self._severities),
            newest=tuple(self._newest.ranked()),
        )


class _InNamespace:
    """What is looked for in a namespace, by resource; satisfies Tally."""

    def __init__(self, asked: Sequence[tuple[Subject, str]], now: datetime) -> None:
        self._now = now
        self.each = [(about, _Others(uid)) for about, uid in asked]
        self._by_subject: dict[Subject, list[_Others]] = {}
        for about, others in self.each:
            self._by_subject.setdefault(about, []).append(others)

    def add(self, resource: ResourceType, item: RawObject[ObservationFields]) -> None:  # noqa: ARG002 - see Tally
        """Take one into account."""
        row = row_of(item.fields, self._now)
        for others in self._by_subject.get(_completed(row.resource, row.namespace), ()):
            others.add(row)


def _completed(named: Subject, namespace: str) -> Subject:
    return Subject(kind=named.kind, name=named.name, namespace=named.namespace or namespace)


def _by_word(words: Words) -> dict[str, int]:
    counts = {word or "unknown": count for word, count in words.counts.items()}
    if words.others:
        counts["other"] = counts.get("other", 0) + words.others
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def _others(
    ports: Reading, group: str, found: Sequence[Found], references: Sequence[_Reference], now: datetime
) -> list[OtherObservations]:
    """Look for others about the same resources, reading each namespace once."""
    asked: dict[str, list[int]] = {}
    answers = [
        OtherObservations(namespace=each.key.namespace, total=None, why="the Observation names no resource")
        for each in found
    ]
    for place, reference in enumerate(references):
        if reference.subject.kind and reference.subject.name:
            asked.setdefault(found[place].key.namespace, []).append(place)
    for namespace, places in asked.items():
        about = [
            (_completed(references[place].subject, namespace), found[place].item.fields.metadata.uid)
            for place in places
        ]
        for place, answer in zip(places, _in_namespace(ports, group, namespace, about, now), strict=True):
            answers[place] = answer
    return answers


def _in_namespace(
    ports: Reading, group: str, namespace: str, about: Sequence[tuple[Subject, str]], now: datetime
) -> list[OtherObservations]:
    try:
        read = scan(ports, group, ListQuery(namespace), lambda: _InNamespace(about, now))
    except ZenctlError as error:
        return [OtherObservations(namespace=namespace, total=None, why=error.message) for _ in about]
    together = [_Others(uid) for _, uid in about]
    for tally in read.tallies:
        for whole, (_, part) in zip(together, tally.each, strict=True):
            whole.take(part)
    return [whole.found(namespace) for whole in together]

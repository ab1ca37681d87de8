"""Reading for a plan: the whole source once, which proves its bytes, and the live objects beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from zenctl.core.objects import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    KeyFields,
    ObjectKey,
    ResourceType,
)
from zenctl.errors import NotFound, Refused
from zenctl.ports import (
    ALL,
    AccessReviewer,
    Clock,
    Discovery,
    ListQuery,
    ObjectReader,
    ObjectWriter,
    Progress,
    Workers,
)
from zenctl.restore.batch import Batch, Source
from zenctl.restore.decide import Action, LiveFields, LiveState, OnConflict, decide, live_state
from zenctl.restore.plan import NAMED, BatchPlan, DefinitionPlan, Plan


class RejectSink(Protocol):
    """Keeps the objects that could not be restored, so that they can be mended and fed back."""

    def write(self, line: bytes) -> None:
        """Keep one object."""


class RestorePorts(NamedTuple):
    """What a restore needs of the world."""

    discovery: Discovery
    reader: ObjectReader
    writer: ObjectWriter
    reviewer: AccessReviewer
    workers: Workers
    progress: Progress
    clock: Clock
    rejects: RejectSink


class _DeletableMetadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    deletion_timestamp: str | None = None


class _DeletableFields(msgspec.Struct, frozen=True):
    """What tells an object that is there from one that is on its way out."""

    metadata: _DeletableMetadata = _DeletableMetadata()


_FIELDS = msgspec.json.Decoder(LiveFields)


def archived_fields(line: bytes, *, namespaced: bool) -> LiveFields | None:
    """Return the deciding fields of an archived object; None where it is none, or cannot be addressed."""
    try:
        fields = _FIELDS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    addressed = fields.metadata.name and (fields.metadata.namespace or not namespaced)
    return fields if addressed else None


class _Names(msgspec.Struct, frozen=True):
    plural: str
    kind: str
    singular: str = ""


class _Version(msgspec.Struct, frozen=True):
    name: str
    subresources: dict[str, Any] | None = None


class _DefinitionSpec(msgspec.Struct, frozen=True):
    group: str
    names: _Names
    versions: tuple[_Version, ...]
    scope: str = "Namespaced"


class _Definition(msgspec.Struct, frozen=True):
    """What a CRD says of the resources that it makes."""

    spec: _DefinitionSpec


def defined_resources(line: bytes) -> tuple[ResourceType, ...]:
    """Return the resources that a CRD makes, one a version; () where it is not a usable one."""
    try:
        spec = msgspec.json.decode(line, type=_Definition).spec
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()
    return tuple(
        ResourceType(
            group=spec.group,
            version=version.name,
            kind=spec.names.kind,
            plural=spec.names.plural,
            singular=spec.names.singular or spec.names.kind.lower(),
            namespaced=spec.scope == "Namespaced",
            status_subresource="status" in (version.subresources or {}),
        )
        for version in spec.versions
    )


def read_and_plan(ports: RestorePorts, source: Source, on_conflict: OnConflict) -> Plan:
    """Read the source and the cluster, and decide about every object. Writes nothing.

    Raises Damaged for a source whose bytes are not what its checksums say, and Refused where the cluster
    does not serve a kind and the source brings no CRD for it.
    """
    return _Reading(ports, source, on_conflict).plan()


class _Reading:
    """One pass over a source, with what it adds up."""

    def __init__(self, ports: RestorePorts, source: Source, on_conflict: OnConflict) -> None:
        self._ports = ports
        self._source = source
        self._on_conflict = on_conflict
        self._definitions: list[DefinitionPlan] = []
        self._defined: dict[tuple[str, str], ResourceType] = {}
        self._namespaces: set[str] = set()
        self._unreadable: list[str] = []

    def plan(self) -> Plan:
        batches: list[BatchPlan] = []
        for batch in self._source.batches():
            if batch.is_definitions:
                self._read_definitions(batch)
            elif batch.objects:
                batches.append(self._read_batch(batch))
        missing = tuple(name for name in sorted(self._namespaces) if self._is_missing(name))
        return Plan(
            self._source,
            self._on_conflict,
            tuple(self._definitions),
            missing,
            tuple(batches),
            tuple(self._unreadable),
        )

    def _is_missing(self, namespace: str) -> bool:
        """Say whether a namespace must be created. Raises Refused while it is going away."""
        return not self._is_there(NAMESPACE, namespace, "it takes nothing new until it is gone")

    def _is_there(self, resource: ResourceType, name: str, consequence: str) -> bool:
        """Say whether a cluster-scoped object is there. Raises Refused while it is being deleted."""
        try:
            found = self._ports.reader.get(resource, ObjectKey("", name), _DeletableFields)
        except NotFound:
            return False
        if found.fields.metadata.deletion_timestamp is not None:
            raise Refused(
                f"{resource.kind} {name} is being deleted: {consequence}",
                hint=f"wait for kubectl wait --for=delete {resource.singular}/{name}, then restore again",
            )
        return True

    def _read_definitions(self, batch: Batch) -> None:
        for line in self._source.objects(batch):
            fields = archived_fields(line, namespaced=False)
            if fields is None:
                self._unreadable.append(f"a {batch.kind} without a name")
                continue
            name = fields.metadata.name
            resources = defined_resources(line)
            stays = self._definition_exists(name) or any(map(self._is_served_otherwise, resources))
            self._definitions.append(DefinitionPlan(name, stays))
            self._defined.update(((resource.api_version, resource.kind), resource) for resource in resources)

    def _is_served_otherwise(self, defined: ResourceType) -> bool:
        """Say whether the cluster has the kind from another CRD; a second one would never be established."""
        found = _of_kind(self._ports.discovery.group(defined.group), defined.kind)
        return found is not None and found.plural != defined.plural

    def _definition_exists(self, name: str) -> bool:
        """Say whether a CRD is there. Raises Refused while it is going away with all its objects."""
        return self._is_there(CUSTOM_RESOURCE_DEFINITION, name, "everything restored now would go with it")

    def _read_batch(self, batch: Batch) -> BatchPlan:
        resource = self._live_resource(batch)
        live = self._live(resource, batch) if resource else {}
        described = resource or self._defined.get((batch.api_version, batch.kind))
        has_status, namespaced = (described.status_subresource, described.namespaced) if described else (False, False)
        actions: dict[Action, int] = {}
        in_the_way: list[ObjectKey] = []
        written_to: set[str] = set()
        self._ports.progress.begin(f"reading {batch.kind} of the source", batch.objects)
        for line in self._source.objects(batch):
            self._ports.progress.advance()
            fields = archived_fields(line, namespaced=namespaced)
            if fields is None:
                self._unreadable.append(f"a {batch.kind} that is no object with a name and a namespace")
                continue
            key = ObjectKey(fields.metadata.namespace, fields.metadata.name)
            action = decide(fields, live.get(key), self._on_conflict, has_status=has_status)
            actions[action] = actions.get(action, 0) + 1
            if key.namespace and action is not Action.SKIP:
                written_to.add(key.namespace)
            if action is Action.CONFLICT and len(in_the_way) < NAMED:
                in_the_way.append(key)
        self._ports.progress.end()
        self._namespaces |= written_to
        return BatchPlan(batch, resource, actions, tuple(in_the_way), live, described, frozenset(written_to))

    def _live_resource(self, batch: Batch) -> ResourceType | None:
        """Return the resource that serves a batch; None where its CRD will be restored first."""
        resource = live_resource(self._ports.discovery, batch)
        coming = {definition.name for definition in self._definitions if not definition.exists}
        if resource is not None and resource.full_name in coming:
            return None  # discovery still tells of a CRD that is gone
        if resource is None and not any(name.endswith(f".{batch.group}") for name in coming):
            raise Refused(
                f"the cluster serves no {batch.kind} of {batch.api_version}, and the source brings no CRD for it",
                hint="install the CRD with: zenctl manifests crd | kubectl apply -f -",
            )
        return resource

    def _live(self, resource: ResourceType, batch: Batch) -> dict[ObjectKey, LiveState]:
        """Return the live objects that could stand in the way."""
        found: dict[ObjectKey, LiveState] = {}
        self._ports.progress.begin(f"reading live {resource.plural}", None)
        for query in self._queries(resource, batch):
            part: dict[ObjectKey, LiveState] = {}
            for page in self._ports.reader.pages(resource, LiveFields, query):
                if page.restarted:
                    part.clear()
                part.update((item.key, live_state(item.fields)) for item in page.objects)
                self._ports.progress.advance(len(page.objects))
            found.update(part)
        self._ports.progress.end()
        return found

    def _queries(self, resource: ResourceType, batch: Batch) -> Sequence[ListQuery]:
        """Return what to list: everything of our own kinds; of built-in ones, only the namespaces concerned."""
        if resource.group:
            return (ALL,)
        fields = (archived_fields(line, namespaced=True) for line in self._source.objects(batch))
        return [ListQuery(name) for name in sorted({f.metadata.namespace for f in fields if f is not None})]


def live_resource(discovery: Discovery, batch: Batch) -> ResourceType | None:
    """Return the resource of a batch's kind at the batch's version, as the cluster serves the kind."""
    if not batch.group:
        return CONFIG_MAP
    version = batch.api_version.rpartition("/")[2]
    found = _of_kind(discovery.group(batch.group), batch.kind)
    return msgspec.structs.replace(found, version=version) if found else None


def _of_kind(resources: Iterable[ResourceType], kind: str) -> ResourceType | None:
    return next((resource for resource in resources if resource.kind == kind), None)


def exists(reader: ObjectReader, resource: ResourceType, key: ObjectKey) -> bool:
    """Say whether an object is there."""
    try:
        reader.get(resource, key, KeyFields)
    except NotFound:
        return False
    return True

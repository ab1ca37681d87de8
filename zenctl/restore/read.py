"""Reading for a plan: the whole source once, which proves its bytes, and the live objects beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from zenctl.core.objects import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    KeyFields,
    ObjectKey,
    RawObject,
    ResourceType,
)
from zenctl.errors import Denied, NotFound, Refused
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
from zenctl.product.installation import SECRET, SERVICE, SERVICE_ACCOUNT
from zenctl.restore.batch import Batch, Source
from zenctl.restore.compare import content_of
from zenctl.restore.decide import Action, LiveFields, LiveState, OnConflict, judge, live_state, restores_status
from zenctl.restore.definitions import Definition, DefinitionPlan, read_definition, versions_to_add
from zenctl.restore.detail import Detail, Listed
from zenctl.restore.live import LiveStates
from zenctl.restore.plan import NAMED, BatchPlan, Plan
from zenctl.restore.record import Decision
from zenctl.restore.releases import Held, held_back


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


Note = Callable[[Decision], None]
"""Hears of the decision about each object, in the order of the source."""


def read_and_plan(
    ports: RestorePorts, source: Source, on_conflict: OnConflict, note: Note | None = None, *, detailed: bool = True
) -> Plan:
    """Read the source and the cluster, and decide about every object. Writes nothing.

    With ``note`` the plan is made in detail: objects are held against their schema, and those that would be
    updated compared field by field; but not if it is not to be ``detailed``. Raises Damaged for a source whose
    bytes are not what its checksums say, and Refused where the cluster does not serve a kind and the source brings
    no CRD for it.
    """
    reading = _Reading(ports, source, on_conflict, note, detailed=detailed)
    return reading.plan()


class _Reading:
    """One pass over a source, with what it adds up."""

    def __init__(
        self, ports: RestorePorts, source: Source, on_conflict: OnConflict, note: Note | None, *, detailed: bool
    ) -> None:
        self._ports = ports
        self._source = source
        self._on_conflict = on_conflict
        self._note = note
        self._detailed = detailed and note is not None
        self._definitions: list[DefinitionPlan] = []
        self._defined: dict[tuple[str, str], ResourceType] = {}
        self._schemas: dict[tuple[str, str], dict[str, Any]] = {}
        self._added: set[tuple[str, str]] = set()
        self._namespaces: set[str] = set()
        self._unreadable: list[str] = []
        self._held = Held()

    def plan(self) -> Plan:
        """Decide about everything."""
        batches: list[BatchPlan] = []
        self._held = held_back(self._ports.reader, self._source)
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
            self._held,
        )

    def _is_missing(self, namespace: str) -> bool:
        """Say whether a namespace must be created. Raises Refused while it is going away."""
        return self._is_there(NAMESPACE, namespace, "it takes nothing new until it is gone") is None

    def _is_there(self, resource: ResourceType, name: str, consequence: str) -> bytes | memoryview | None:
        """Return a cluster-scoped object; None where there is none. Raises Refused while it is being deleted."""
        try:
            found = self._ports.reader.get(resource, ObjectKey("", name), _DeletableFields)
        except NotFound:
            return None
        if found.fields.metadata.deletion_timestamp is not None:
            raise Refused(
                f"{resource.kind} {name} is being deleted: {consequence}",
                hint=f"wait for kubectl wait --for=delete {resource.singular}/{name}, then restore again",
            )
        return found.body

    def _read_definitions(self, batch: Batch) -> None:
        for line in self._source.objects(batch):
            fields = archived_fields(line, namespaced=False)
            if fields is None:
                self._unreadable.append(f"a {batch.kind} without a name")
                continue
            archived = read_definition(line)
            self._definitions.append(self._plan_definition(fields.metadata.name, archived))
            for resource in archived.resources if archived else ():
                self._defined[resource.api_version, resource.kind] = resource

    def _plan_definition(self, name: str, archived: Definition | None) -> DefinitionPlan:
        body = self._is_there(CUSTOM_RESOURCE_DEFINITION, name, "everything restored now would go with it")
        live = read_definition(body) if body is not None else None
        self._take_schemas(archived, live)
        if live is not None and archived is not None:
            group = archived.spec.group
            needed = {b.api_version.rpartition("/")[2] for b in self._source.batches() if b.group == group}
            adds = versions_to_add(name, archived, live, needed)
            self._added |= {(f"{group}/{version}", archived.spec.names.kind) for version in adds}
            return DefinitionPlan(name, exists=True, adds=adds)
        served = body is not None or any(map(self._is_served_otherwise, archived.resources if archived else ()))
        return DefinitionPlan(name, exists=served)

    def _take_schemas(self, *definitions: Definition | None) -> None:
        """Remember what each version asks; the live CRD, which comes last, has the last word."""
        for definition in definitions:
            for resource in definition.resources if definition and self._detailed else ():
                schema = definition.schema(resource.version) if definition else None
                if schema is not None:
                    self._schemas[resource.api_version, resource.kind] = schema

    def _is_served_otherwise(self, defined: ResourceType) -> bool:
        """Say whether the cluster has the kind from another CRD; a second one would never be established."""
        found = _of_kind(self._ports.discovery.group(defined.group), defined.kind)
        return found is not None and found.plural != defined.plural

    def _read_batch(self, batch: Batch) -> BatchPlan:
        resource, listed = self._live_resource(batch)
        live = self._live(listed, batch) if listed else LiveStates()
        described = resource or self._defined.get((batch.api_version, batch.kind))
        detail = None
        if self._note is not None:
            schema = self._schema(batch, listed) if self._detailed else None
            where = Listed(self._ports.reader, listed) if listed and self._detailed else None
            detail = Detail(batch, schema, self._note, where)
        held = self._held.of(batch)
        tally = _Tally(described, live, self._on_conflict, detail, held)
        self._ports.progress.begin(f"reading {batch.kind} of the source", batch.objects)
        for line in self._source.objects(batch):
            self._ports.progress.advance()
            if not tally.take(line):
                self._unreadable.append(f"a {batch.kind} that is no object with a name and a namespace")
        self._ports.progress.end()
        self._namespaces |= tally.written_to
        return BatchPlan(
            batch,
            resource,
            tally.actions,
            tuple(tally.in_the_way),
            live,
            described,
            frozenset(tally.written_to),
            tally.creates,
            detail.invalid if detail else 0,
            tuple(detail.invalid_named) if detail else (),
            held,
        )

    def _schema(self, batch: Batch, listed: ResourceType | None) -> dict[str, Any] | None:
        """Return what the kind of a batch asks: by the cluster's CRD, else by the source's; None where none says."""
        known = self._schemas.get((batch.api_version, batch.kind))
        if known is not None or listed is None or not batch.is_custom:
            return known
        try:
            found = self._ports.reader.get(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", listed.full_name), KeyFields)
        except (NotFound, Denied):
            return None
        definition = read_definition(found.body)
        return definition.schema(batch.api_version.rpartition("/")[2]) if definition else None

    def _live_resource(self, batch: Batch) -> tuple[ResourceType | None, ResourceType | None]:
        """Return the resource that a batch is written to, and the one that live objects are listed by.

        The first is None where its CRD, or its version of it, will be restored first.
        """
        resource = live_resource(self._ports.discovery, batch)
        coming = {definition.name for definition in self._definitions if not definition.exists}
        if resource is not None and resource.full_name in coming:
            return None, None  # discovery still tells of a CRD that is gone
        if resource is None and not any(name.endswith(f".{batch.group}") for name in coming):
            raise Refused(
                f"the cluster serves no {batch.kind} of {batch.api_version}, and the source brings no CRD for it",
                hint="install the CRD with: zenctl manifests crd | kubectl apply -f -"
                if batch.is_custom
                else "leave that kind out of --only",
            )
        if (batch.api_version, batch.kind) in self._added:
            return None, _of_kind(self._ports.discovery.group(batch.group), batch.kind)
        return resource, resource

    def _live(self, resource: ResourceType, batch: Batch) -> LiveStates:
        """Return the live objects that could stand in the way."""
        found = LiveStates()
        self._ports.progress.begin(f"reading live {resource.plural}", None)
        for query in self._queries(resource, batch):
            for page in self._ports.reader.pages(resource, LiveFields, query, whole=True):
                if page.restarted:
                    found.forget(query.namespace)
                for item in page.objects:
                    found.put(item.key, self._state(item, resource))
                self._ports.progress.advance(len(page.objects))
        self._ports.progress.end()
        return found

    def _state(self, item: RawObject[LiveFields], resource: ResourceType) -> LiveState:
        content = content_of(item.body, resource) if self._on_conflict is OnConflict.UPDATE else None
        return live_state(item.fields, content)

    def _queries(self, resource: ResourceType, batch: Batch) -> Sequence[ListQuery]:
        """Return what to list: everything of our own kinds; of built-in ones, only the namespaces concerned."""
        if not resource.built_in or not resource.namespaced:
            return (ALL,)
        fields = (archived_fields(line, namespaced=True) for line in self._source.objects(batch))
        return [ListQuery(name) for name in sorted({f.metadata.namespace for f in fields if f is not None})]


class _Tally:
    """Decides about the objects of one batch, and adds up."""

    def __init__(
        self,
        described: ResourceType | None,
        live: LiveStates,
        on_conflict: OnConflict,
        detail: Detail | None,
        held: frozenset[ObjectKey],
    ) -> None:
        self._resource = described
        self._held = held
        self._namespaced = described.namespaced if described else False
        self._live = live
        self._on_conflict = on_conflict
        self._detail = detail
        self.actions: dict[Action, int] = {}
        self.in_the_way: list[ObjectKey] = []
        self.written_to: set[str] = set()
        self.creates: dict[str, int] = {}

    def take(self, line: bytes) -> bool:
        """Decide about an object; False where it is none."""
        fields = archived_fields(line, namespaced=self._namespaced)
        if fields is None:
            return False
        key = ObjectKey(fields.metadata.namespace, fields.metadata.name)
        live = self._live.get(key)
        if key in self._held:
            action = Action.CONFLICT if self._on_conflict is OnConflict.FAIL else Action.SKIP
        else:
            action = judge(line, fields, live, self._on_conflict, self._resource)
        self.actions[action] = self.actions.get(action, 0) + 1
        if key.namespace and action not in (Action.SKIP, Action.UNCHANGED):
            self.written_to.add(key.namespace)
        if action is Action.CREATE:
            self.creates[key.namespace] = self.creates.get(key.namespace, 0) + 1
        if action is Action.CONFLICT and len(self.in_the_way) < NAMED:
            self.in_the_way.append(key)
        if self._detail is not None:
            status = self._resource is not None and restores_status(self._resource)
            self._detail.note(key, line, action, live, status=status)
        return True


def live_resource(discovery: Discovery, batch: Batch) -> ResourceType | None:
    """Return the resource of a batch's kind as the cluster serves the kind: a custom one at the batch's version.

    A built-in kind may have got another version since; its objects are the same in both.
    """
    if not batch.group:
        return _of_kind((CONFIG_MAP, SECRET, SERVICE, SERVICE_ACCOUNT), batch.kind)
    version = batch.api_version.rpartition("/")[2]
    found = _of_kind(discovery.group(batch.group), batch.kind)
    return msgspec.structs.replace(found, version=version) if found and batch.is_custom else found


def _of_kind(resources: Iterable[ResourceType], kind: str) -> ResourceType | None:
    return next((resource for resource in resources if resource.kind == kind), None)


def exists(reader: ObjectReader, resource: ResourceType, key: ObjectKey) -> bool:
    """Say whether an object is there."""
    try:
        reader.get(resource, key, KeyFields)
    except NotFound:
        return False
    return True

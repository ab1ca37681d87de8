"""In-memory stand-ins for the ports: one cluster, a pool that does one job at a time, a clock that stands still.

They do what a real API server does wherever a slice could tell the difference, and nothing more: one
resourceVersion counter, the status subresource, preconditions, pages, the server's own key order. What
they cannot do they refuse. No test belongs in here.
"""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import msgspec

from zenctl.core.instants import format_instant
from zenctl.core.listing import Page
from zenctl.core.objects import NAMESPACE, Fields, KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.errors import ApiFailure, Conflict, Denied, Expired, Invalid, NotFound, UsageError, ZenctlError
from zenctl.ports import ALL, ListQuery, WatchEvent

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
_GOING = ("deletionTimestamp", "deletionGracePeriodSeconds")
_SELECTOR = re.compile(
    r"\s*(?:!\s*(?P<absent>[\w./-]+)|(?P<key>[\w./-]+)\s*"
    r"(?:(?P<op>==|=|!=)\s*(?P<value>[\w./-]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Json = dict[str, Any]


class Call(NamedTuple):
    """One request, as RBAC sees it; a LIST is one for each page, with the namespace alone as its key."""

    verb: str
    resource: ResourceType
    key: ObjectKey
    subresource: str = ""

    @property
    def rule(self) -> str:
        """The permission that it needs: "update zenevents.zen.kube-zen.io/status"."""
        return f"{self.verb} {self.resource.full_name}{'/' * bool(self.subresource)}{self.subresource}"


class _Change(NamedTuple):
    version: int
    full_name: str
    before: Json | None
    after: Json | None


class FakeCluster:
    """A cluster in memory; satisfies Discovery, ObjectReader, ObjectWriter, ClusterInfo and AccessReviewer.

    Every request is noted in ``calls``, then shown to each of ``hooks``, which may raise an error of
    zenctl.errors or change the cluster, and only then carried out. Rules in ``forbidden`` are denied.
    Namespaces have to exist for a create where the cluster is given the resource NAMESPACE.
    ``time`` is what ``now`` answers. WATCH ends where a real one would wait.
    """

    def __init__(self, *resources: ResourceType, now: datetime = NOW, page_size: int = 2) -> None:
        self.resources = resources
        self.time = now
        self.page_size = page_size
        self.calls: list[Call] = []
        self.hooks: list[Callable[[Call], None]] = []
        self.forbidden: set[str] = set()
        self.refreshed = 0
        self._version = 0
        self._uids = itertools.count(1)
        self._stored: dict[str, dict[ObjectKey, Json]] = {resource.full_name: {} for resource in resources}
        self._log: list[_Change] = []
        self._forgotten = 0

    # -- for tests: beside the API, without calls, hooks and subresources ------------------------------

    def put(self, resource: ResourceType, document: Json) -> ObjectKey:
        """Store an object whole, its status too, as if somebody else had just written it."""
        stored = copy.deepcopy(document)
        stored.setdefault("apiVersion", resource.api_version)
        stored.setdefault("kind", resource.kind)
        metadata = stored["metadata"]
        key = ObjectKey(metadata.get("namespace", ""), metadata["name"])
        old = self._of(resource).get(key)
        metadata.setdefault("uid", old["metadata"]["uid"] if old else self._new_uid())
        metadata.setdefault("creationTimestamp", format_instant(self.time))
        for name, value in _generation(resource, 1).items():
            metadata.setdefault(name, value)
        self._store(resource, key, stored)
        return key

    def stored(self, resource: ResourceType, key: ObjectKey) -> Json:
        """Return an object as it is stored; KeyError where there is none."""
        return copy.deepcopy(self._of(resource)[key])

    def keys(self, resource: ResourceType) -> list[ObjectKey]:
        """Return the keys of a collection in the server's order."""
        return sorted(self._of(resource), key=str)

    def remove(self, resource: ResourceType, key: ObjectKey) -> None:
        """Let somebody else delete an object."""
        self._store(resource, key, None)

    def fail(self, verb: str, error: ZenctlError, key: ObjectKey | None = None, *, times: int | None = None) -> None:
        """Let requests of a verb raise an error: for one object or for all, so many times or always."""
        left = itertools.repeat(error) if times is None else itertools.repeat(error, times)

        def hook(call: Call) -> None:
            if call.verb == verb and key in (None, call.key) and (raised := next(left, None)) is not None:
                raise raised

        self.hooks.append(hook)

    def forget_history(self) -> None:
        """Compact: a watch from before now is answered with Expired."""
        self._forgotten = self._version

    # -- Discovery -------------------------------------------------------------------------------------

    def group(self, group: str) -> tuple[ResourceType, ...]:
        return tuple(resource for resource in self.resources if resource.group == group)

    def resolve(self, name: str) -> ResourceType:
        wanted, _, group = name.lower().partition(".")
        for resource in self.resources:
            names = (resource.plural, resource.singular, resource.kind.lower(), *resource.short_names)
            if wanted in names and group in ("", resource.group):
                return resource
        raise UsageError(f"the cluster serves no resource named {name!r}")

    def refresh(self) -> None:
        self.refreshed += 1

    # -- ClusterInfo and AccessReviewer ----------------------------------------------------------------

    def uid(self) -> str:
        return "00000000-0000-4000-8000-00000000c10c"

    def server_version(self) -> str:
        return "v1.32.4"

    def now(self) -> datetime:
        return self.time

    def allowed(self, resource: ResourceType, verb: str, *, namespace: str = "", subresource: str = "") -> bool:
        return Call(verb, resource, ObjectKey(namespace, ""), subresource).rule not in self.forbidden

    # -- ObjectReader ----------------------------------------------------------------------------------

    def pages(
        self,
        resource: ResourceType,
        fields: type[Fields],
        query: ListQuery = ALL,
        *,
        restarts: int = 2,
        whole: bool = False,
    ) -> Iterator[Page[Fields]]:
        """List a snapshot. A hook that raises Expired makes it restart or, with a continue_token, mix."""
        snapshot: list[Json] | None = None
        version, last, restarted, mixed = self._version, "", False, False
        while snapshot is None or snapshot:
            try:
                self._request(Call("list", resource, ObjectKey(query.namespace or "", "")))
            except Expired as expired:
                if restarts <= 0 and not expired.continue_token:
                    raise
                restarted, mixed = (True, False) if restarts > 0 else (restarted, True)
                restarts, snapshot, last = restarts - 1, None, last if mixed else ""
                continue
            if snapshot is None:
                version = self._version
                snapshot = [item for item in self._matching(resource, query) if not last or _order(item) > last]
            items, snapshot = snapshot[: self.page_size], snapshot[self.page_size :]
            last = _order(items[-1]) if items else last
            # The server counts what is to come only where it need not look at each object.
            left = len(snapshot) if snapshot and not query.label_selector and not query.field_selector else None
            objects = [self._raw(resource, item, fields, listed=True) for item in items]
            yield Page(objects, str(version), left, restarted, mixed)
            restarted = False

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        self._request(Call("get", resource, key))
        return self._raw(resource, self._existing(resource, key, "read"), fields)

    def watch(
        self, resource: ResourceType, fields: type[Fields], query: ListQuery, since: str
    ) -> Iterator[WatchEvent[Fields]]:
        self._request(Call("watch", resource, ObjectKey(query.namespace or "", "")))
        if int(since) < self._forgotten:
            raise Expired("too old resource version", status=410, reason="Expired")
        for change in self._log:
            if change.version <= int(since) or change.full_name != resource.full_name:
                continue
            before = change.before is not None and _matches(change.before, query)
            after = change.after is not None and _matches(change.after, query)
            if before or after:
                kind = "MODIFIED" if before and after else "ADDED" if after else "DELETED"
                document = change.after or {**(change.before or {})}
                document["metadata"] = {**document["metadata"], "resourceVersion": str(change.version)}
                yield WatchEvent(kind, self._raw(resource, document, fields))

    # -- ObjectWriter ----------------------------------------------------------------------------------

    def create(self, resource: ResourceType, namespace: str, body: bytes) -> RawObject[KeyFields]:
        document = _document(body)
        metadata = document["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{next(self._uids):05x}"
        key = ObjectKey(namespace, str(metadata.get("name") or ""))
        self._request(Call("create", resource, key))
        metadata.setdefault("namespace", namespace)
        _check(resource, key, document)
        if metadata.get("resourceVersion"):
            raise ApiFailure(
                f"cannot create {key}: resourceVersion should not be set on objects to be created", status=500
            )
        if (
            resource.namespaced
            and NAMESPACE in self.resources
            and ObjectKey("", namespace) not in self._of(NAMESPACE)
        ):
            raise NotFound(f'cannot create {key}: namespaces "{namespace}" not found', status=404)
        if key in self._of(resource):
            raise Conflict(f"cannot create {key}: it exists already", status=409, reason="AlreadyExists")
        if resource.status_subresource:
            document.pop("status", None)
        own = {"uid": self._new_uid(), "creationTimestamp": format_instant(self.time), **_generation(resource, 1)}
        for name in (*_GOING, "generation") if resource.namespaced else (*_GOING, "generation", "namespace"):
            metadata.pop(name, None)
        metadata.update(own)
        return self._written(resource, key, document)

    def replace(self, resource: ResourceType, key: ObjectKey, body: bytes) -> RawObject[KeyFields]:
        self._request(Call("update", resource, key))
        document = _document(body)
        old = self._replaceable(resource, key, document)
        kept = ("status",) if resource.status_subresource else ()
        document = {name: value for name, value in document.items() if name not in kept}
        document.update({name: old[name] for name in kept if name in old})
        return self._update(resource, key, old, document)

    def replace_status(self, resource: ResourceType, key: ObjectKey, body: bytes) -> RawObject[KeyFields]:
        self._request(Call("update", resource, key, "status"))
        if not resource.status_subresource:
            raise NotFound(f"cannot write the status of {key}: {resource.full_name} has no status", status=404)
        document = _document(body)
        old = self._replaceable(resource, key, document)
        changed = {name: value for name, value in copy.deepcopy(old).items() if name != "status"}
        if "status" in document:
            changed["status"] = document["status"]
        return self._update(resource, key, old, changed)

    def delete(self, resource: ResourceType, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        self._request(Call("delete", resource, key))
        old = self._existing(resource, key, "delete")
        found = (old["metadata"]["uid"], old["metadata"]["resourceVersion"])
        if found != (uid, resource_version):
            raise Conflict(f"cannot delete {key}: the precondition failed", status=409, reason="Conflict")
        if not old["metadata"].get("finalizers"):
            self._store(resource, key, None)
        elif "deletionTimestamp" not in old["metadata"]:
            going = copy.deepcopy(old)
            going["metadata"].update(deletionTimestamp=format_instant(self.time), deletionGracePeriodSeconds=0)
            going["metadata"].update(_generation(resource, int(old["metadata"].get("generation", 0)) + 1))
            self._store(resource, key, going)

    # -- inside ----------------------------------------------------------------------------------------

    def _request(self, call: Call) -> None:
        self.calls.append(call)
        for hook in tuple(self.hooks):
            hook(call)
        if call.rule in self.forbidden:
            raise Denied(f"cannot {call.rule}: forbidden")
        self._of(call.resource)

    def _of(self, resource: ResourceType) -> dict[ObjectKey, Json]:
        if resource.full_name not in self._stored:
            raise NotFound(f"the server does not serve {resource.full_name}", status=404)
        return self._stored[resource.full_name]

    def _new_uid(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._uids):012x}"

    def _existing(self, resource: ResourceType, key: ObjectKey, doing: str) -> Json:
        if key not in self._of(resource):
            raise NotFound(f"cannot {doing} {resource.singular} {key}: not found", status=404, reason="NotFound")
        return self._of(resource)[key]

    def _replaceable(self, resource: ResourceType, key: ObjectKey, document: Json) -> Json:
        """Return the object that a PUT may replace, after the server's checks in the server's order."""
        _check(resource, key, document)
        old, metadata = self._existing(resource, key, "write"), document["metadata"]
        if metadata.get("uid") not in (None, "", old["metadata"]["uid"]):
            raise Conflict(f"cannot write {key}: the uid in the precondition differs", status=409, reason="Conflict")
        version = metadata.get("resourceVersion")
        if not version and not _built_in(resource):
            raise Invalid(f"cannot write {key}: metadata.resourceVersion must be specified for an update", status=422)
        if version and version != old["metadata"]["resourceVersion"]:
            raise Conflict(f"cannot write {key}: the object has been modified", status=409, reason="Conflict")
        return old

    def _update(self, resource: ResourceType, key: ObjectKey, old: Json, new: Json) -> RawObject[KeyFields]:
        metadata = new["metadata"]
        for name in ("uid", "creationTimestamp", "generation", "namespace", *_GOING):
            metadata.pop(name, None)
            if name in old["metadata"]:
                metadata[name] = old["metadata"][name]
        metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old:  # a write that changes nothing is none
            return self._raw(resource, old, KeyFields)
        aside = {"metadata", "status"} if resource.status_subresource else {"metadata"}
        if any(old.get(name) != new.get(name) for name in {*old, *new} - aside):
            metadata.update(_generation(resource, int(metadata.get("generation", 0)) + 1))
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self._store(resource, key, None)  # its last finalizer is gone
            return self._raw(resource, new, KeyFields)
        return self._written(resource, key, new)

    def _written(self, resource: ResourceType, key: ObjectKey, document: Json) -> RawObject[KeyFields]:
        self._store(resource, key, document)
        return self._raw(resource, self._of(resource)[key], KeyFields)

    def _store(self, resource: ResourceType, key: ObjectKey, document: Json | None) -> None:
        """Store an object, or remove it, under a new resourceVersion."""
        collection = self._of(resource)
        before = collection.pop(key, None)
        self._version += 1
        if document is not None:
            document = copy.deepcopy(document)
            document["metadata"]["resourceVersion"] = str(self._version)
            collection[key] = document
        self._log.append(_Change(self._version, resource.full_name, before, document))

    def _matching(self, resource: ResourceType, query: ListQuery) -> list[Json]:
        found = (item for item in self._of(resource).values() if _matches(item, query))
        return [copy.deepcopy(item) for item in sorted(found, key=_order)]

    def _raw(
        self, resource: ResourceType, document: Json, fields: type[Fields], *, listed: bool = False
    ) -> RawObject[Fields]:
        if listed and _built_in(resource):
            document = {name: value for name, value in document.items() if name not in ("apiVersion", "kind")}
        body = msgspec.json.encode(document)
        metadata = document["metadata"]
        key = ObjectKey(metadata.get("namespace", ""), metadata["name"])
        try:
            decoded = msgspec.json.decode(body, type=fields)
        except msgspec.MsgspecError as error:
            raise ApiFailure(f"cannot read {key}: the answer is no such object", status=200) from error
        return RawObject(key, decoded, memoryview(body) if listed else body)


def _built_in(resource: ResourceType) -> bool:
    return "." not in resource.group or resource.group.endswith(".k8s.io")


def _generation(resource: ResourceType, number: int) -> Json:
    """Return the counter of changes, which custom resources have and most built-in ones do not."""
    return {} if _built_in(resource) else {"generation": number}


def _document(body: bytes) -> Json:
    """Read a body. Raises Invalid where it is no object."""
    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise Invalid(f"the body is not JSON: {error}", status=400) from error
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        raise Invalid("the body is no object with metadata", status=400)
    return document


def _check(resource: ResourceType, key: ObjectKey, document: Json) -> None:
    """Refuse what a server refuses: another type, another name or another namespace than the address says."""
    if (document.get("apiVersion"), document.get("kind")) != (resource.api_version, resource.kind):
        raise Invalid(f"cannot write {key}: the body is no {resource.kind} of {resource.api_version}", status=400)
    metadata = document["metadata"]
    if not key.name or metadata.get("name") != key.name:
        raise Invalid(f"cannot write {key}: the body has another name", status=400)
    if resource.namespaced and metadata.get("namespace", key.namespace) != key.namespace:
        raise Invalid(f"cannot write {key}: the body has another namespace", status=400)


def _order(document: Json) -> str:
    metadata = document["metadata"]
    return str(ObjectKey(metadata.get("namespace", ""), metadata["name"]))


def _matches(document: Json, query: ListQuery) -> bool:
    metadata = document["metadata"]
    fields = {"metadata.name": metadata["name"], "metadata.namespace": metadata.get("namespace", "")}
    if document.get("kind") == "Secret":
        fields["type"] = document.get("type", "")
    return (
        query.namespace in (None, metadata.get("namespace", ""))
        and _selects(query.label_selector, metadata.get("labels") or {}, closed=False)
        and _selects(query.field_selector, fields, closed=True)
    )


def _selects(selector: str, values: dict[str, str], *, closed: bool) -> bool:
    """Evaluate a selector; in a closed one, the field selector, only the keys at hand may be asked for."""
    position, answer = 0, True
    while position < len(selector):
        match = _SELECTOR.match(selector, position)
        if match is None or not _may_be_asked(match, values, closed=closed):
            raise Invalid(f"cannot parse the selector {selector!r}", status=400)
        answer &= _satisfied(match, values)
        position = match.end()
    return answer


def _may_be_asked(match: re.Match[str], values: dict[str, str], *, closed: bool) -> bool:
    """Say whether a term is one; only values of fields hold slashes."""
    return bool(match["key"] in values and match["op"]) if closed else "/" not in (match["value"] or "")


def _satisfied(match: re.Match[str], values: dict[str, str]) -> bool:
    if match["absent"]:
        return match["absent"] not in values
    value = values.get(match["key"])
    if match["op"]:
        return (value == match["value"]) != (match["op"] == "!=")
    if match["set"]:
        return (value in {word.strip() for word in match["values"].split(",")}) == (match["set"] == "in")
    return value is not None


class SequentialWorkers:
    """Does the jobs one after the other in the caller's thread; satisfies ports.Workers."""

    def run(
        self, jobs: Iterable[Job], do: Callable[[Job], Answer]
    ) -> Generator[tuple[Job, Answer | ZenctlError], None, None]:
        for job in jobs:
            try:
                answer: Answer | ZenctlError = do(job)
            except ZenctlError as error:
                answer = error
            yield job, answer


class SilentProgress:
    """Shows nothing and remembers what it was told; satisfies ports.Progress."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.advanced = 0
        self.running = False

    def begin(self, what: str, total: int | None, unit: str = "objects") -> None:
        self.begun.append(what)
        self.running = True

    def advance(self, count: int = 1) -> None:
        self.advanced += count

    def end(self) -> None:
        self.running = False


class FixedClock:
    """A clock that moves only when it is told to, or slept on; satisfies ports.Clock."""

    def __init__(self, now: datetime = NOW) -> None:
        self._start = now
        self._passed = timedelta(0)

    def advance(self, passed: timedelta) -> None:
        """Let time pass."""
        self._passed += passed

    def now(self) -> datetime:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed.total_seconds()

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))

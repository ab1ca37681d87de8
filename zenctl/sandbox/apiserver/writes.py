"""Creating and replacing objects: in the server's order, prune, default, validate, store.

Main and status are written apart: each takes from the request what is its own and keeps the rest as it
was. A write that changes nothing is none. Nothing is stored in a dry run. What a change of one object
means for others is the business of the lifecycle, which is told of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from random import Random
from typing import Any, cast

from zenctl.access.identity import User
from zenctl.sandbox.apiserver import metadata as meta
from zenctl.sandbox.apiserver import violations
from zenctl.sandbox.apiserver.builtin_rules import builtin_causes
from zenctl.sandbox.apiserver.canonical import Unreadable
from zenctl.sandbox.apiserver.decoding import Undecodable, require_decodable, undecodable_patch
from zenctl.sandbox.apiserver.derived import derive
from zenctl.sandbox.apiserver.errors import (
    ApiError,
    Cause,
    already_exists,
    bad_request,
    invalid,
    not_found,
    plain_failure,
)
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.names import validate_metadata
from zenctl.sandbox.apiserver.objects import Json, loaded, stored
from zenctl.sandbox.apiserver.preconditions import (
    require_namespace,
    require_no_revision,
    require_place,
    require_revision,
    require_uid,
    revision,
)
from zenctl.sandbox.apiserver.registry import Registry
from zenctl.sandbox.apiserver.store import Store
from zenctl.sandbox.apiserver.typemeta import check_kind, check_type

LARGEST_OBJECT_BYTES = 1536 * 1024
"""etcd's limit on one request."""
_NAMESPACES = "/namespaces"


@dataclass(frozen=True, slots=True)
class Target:
    """Which object of which resource a request is about."""

    served: Served
    namespace: str
    name: str
    subresource: str = ""

    @property
    def key(self) -> str:
        """The key in the collection."""
        return f"{self.namespace}/{self.name}" if self.served.type.namespaced else self.name


@dataclass(frozen=True, slots=True)
class Manner:
    """How a write is wanted, and by whom; nobody is the server itself."""

    dry_run: bool = False
    strict: bool = False
    user: User | None = None


@dataclass(slots=True)
class Written:
    """The outcome of a write: the object as it is now, and what the client should be warned of."""

    body: bytes
    created: bool = False
    warnings: tuple[str, ...] = ()


class Lifecycle:
    """What follows from a change of one object for others; the default is nothing."""

    def admit(self, target: Target, document: Json, old: Json | None, user: User | None) -> None:
        """Raise ApiError where the change may not be; may complete the document."""

    def creating_by_update(self, target: Target, user: User | None) -> None:
        """Raise ApiError where a user may replace such an object, but not create it."""

    def removing(self, target: Target, old: Json) -> None:
        """Raise ApiError where the object may not be deleted."""

    def marking(self, target: Target, document: Json) -> None:
        """Complete an object that is about to be marked as going."""

    def holds(self, target: Target) -> bool:  # noqa: ARG002 - others look at it
        """Return whether something has to be done before an object without finalizers can go."""
        return False

    def changed(self, target: Target, document: Json) -> None:
        """Act on a change that was stored."""

    def removed(self, target: Target, document: Json) -> None:
        """Act on an object's end; ``document`` is what it was last."""


class Writer:
    """Creates and replaces. Not safe for threads; the server holds its lock."""

    def __init__(
        self, store: Store, registry: Registry, lifecycle: Lifecycle, clock: Callable[[], datetime], random: Random
    ) -> None:
        self.store, self.registry, self.lifecycle = store, registry, lifecycle
        self.clock, self.random = clock, random

    # -- create ------------------------------------------------------------------------------------------

    def create(self, target: Target, sent: object, manner: Manner = Manner(), *, updating: bool = False) -> Written:
        """Create an object, perhaps because there was none to update. Raises ApiError."""
        served = target.served
        document, warnings = self._read(served, sent, manner)
        metadata = document["metadata"]
        begun = meta.begin(metadata, served, target.namespace, self.clock(), self.random)
        document["metadata"] = begun
        target = Target(served, target.namespace, begun.get("name", ""))
        if not served.keeps_status:
            self._begin_status(served, document)
        self.lifecycle.admit(target, document, None, manner.user)
        words = "namespace of the provided object does not match the namespace sent on"
        require_namespace(served, metadata, target.namespace, words)
        version = metadata.get("resourceVersion", "")
        if updating:
            revision(version)
        check_kind(served, sent)
        document = self._judged(served, document, None, [], creating=True)
        if manner.dry_run:
            document["metadata"] |= _if_there(metadata, "resourceVersion")
        elif not updating:
            require_no_revision(version)
        there = self.store.collection(served.storage_key).get(target.key)
        if there is not None:
            going = "deletionTimestamp" in loaded(there, served.type)["metadata"]
            raise already_exists(served.type, target.name, going=going)
        body = self._keep(target, document, manner)
        return Written(body, created=True, warnings=warnings)

    def _begin_status(self, served: Served, document: Json) -> None:
        if not served.type.status_subresource:
            return
        document.pop("status", None)
        if served.initial_status is not None:
            document["status"] = dict(served.initial_status)

    # -- replace -----------------------------------------------------------------------------------------

    def current(self, target: Target) -> bytes:
        """Return the kept object. Raises ApiError 404."""
        body = self.store.collection(target.served.storage_key).get(target.key)
        if body is None:
            raise not_found(target.served.type, target.name)
        return body

    def update(self, target: Target, sent: object, manner: Manner = Manner()) -> Written:
        """Replace an object, or its status. Raises ApiError."""
        served = target.served
        document, warnings = self._read(served, sent, manner)
        metadata = document["metadata"]
        require_place(served, metadata, target.namespace, target.name)
        if self.store.collection(served.storage_key).get(target.key) is None:
            require_uid(served, target.name, metadata.get("uid", ""), "")
            if served.create_on_update and not target.subresource:
                self.lifecycle.creating_by_update(target, manner.user)
                return self.create(target, sent, manner, updating=True)
        old = loaded(self.current(target), served.type)
        require_uid(served, target.name, metadata.get("uid", ""), old["metadata"]["uid"])
        self._require_current(target, sent, metadata, old)
        return self._replace(target, document, old, manner, warnings)

    def patch(self, target: Target, change: Callable[[Json], object], manner: Manner = Manner()) -> Written:
        """Replace an object by what ``change`` makes of it. Raises ApiError."""
        served = target.served
        old = loaded(self.current(target), served.type)
        sent = change(old)
        if not isinstance(sent, dict):
            raise undecodable_patch(sent, "couldn't get version/kind; json parse error: it is no object")
        try:
            document, warnings = self._read(served, sent, manner, patched=True)
        except ApiError as error:
            if error.code != HTTPStatus.BAD_REQUEST:
                raise
            why = error.why if isinstance(error, Undecodable) else error.message
            raise undecodable_patch(sent, why) from None
        require_place(served, document["metadata"], target.namespace, target.name)
        self._require_current(target, sent, document["metadata"], old)
        try:
            return self._replace(target, document, old, manner, warnings)
        except Undecodable as error:
            raise undecodable_patch(sent, error.why) from None

    def _require_current(self, target: Target, sent: object, metadata: Json, old: Json) -> None:
        """Refuse what replaces another state of the object, or is of another kind. Raises ApiError."""
        version, there = metadata.get("resourceVersion", ""), old["metadata"]["resourceVersion"]
        require_revision(target.served, target.name, version, there)
        check_kind(target.served, sent, target.subresource)

    def _replace(
        self, target: Target, document: Json, old: Json, manner: Manner, warnings: tuple[str, ...]
    ) -> Written:
        served, metadata = target.served, document["metadata"]
        carried, causes = meta.carried_over(metadata, old["metadata"])
        document["metadata"] = carried
        _keep_apart(target, document, old)
        carried["resourceVersion"] = old["metadata"]["resourceVersion"]
        self.lifecycle.admit(target, document, old, manner.user)
        if target.subresource and not served.builtin:
            causes = []  # of what was sent nothing but the status counts
        document = self._judged(served, document, old, causes)
        if target.subresource != "status":
            _count_generation(served, document, old)
        if document == old:
            return Written(stored(old), warnings=warnings)
        if self._may_go(target, document) and not manner.dry_run:
            self.finish(target, old)
            return Written(stored(document), warnings=warnings)
        return Written(self._keep(target, document, manner), warnings=warnings)

    def _may_go(self, target: Target, document: Json) -> bool:
        """Return whether an object that is going has just lost the last finalizer that held it."""
        metadata = document["metadata"]
        going = "deletionTimestamp" in metadata and not metadata.get("finalizers")
        return going and not self.lifecycle.holds(target)

    def finish(self, target: Target, document: Json) -> None:
        """Take an object out of the store, and tell the lifecycle."""
        now_seconds = self.clock().timestamp()
        last = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self.store.revision + 1)}}
        self.store.delete(target.served.storage_key, target.key, stored(last), now_seconds)
        self.lifecycle.removed(target, last)

    def place(self, target: Target, sent: Json) -> None:
        """Put an object in as it is, its status and the server's own fields too. Raises ApiError."""
        served = target.served
        kept = self.store.collection(served.storage_key).get(target.key)
        old = loaded(kept, served.type) if kept is not None else None
        document, _ = self._read(served, sent, Manner())
        check_kind(served, sent)
        if "deletionTimestamp" in document["metadata"]:
            self.lifecycle.removing(target, {"metadata": {}})
        self.lifecycle.admit(target, document, old, None)
        document = self._judged(served, document, old, [], creating=True)
        if old is not None:
            document["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if document != old:
            self.store_document(target, document)

    # -- what both have in common ------------------------------------------------------------------------

    def _read(
        self, served: Served, sent: object, manner: Manner, *, patched: bool = False
    ) -> tuple[Json, tuple[str, ...]]:
        """Return what was sent as a document of this kind, pruned, and what was dropped. Raises ApiError."""
        of = served.type
        if not isinstance(sent, dict):
            raise bad_request(f"the object provided is no {of.kind}: it is no JSON object")
        check_type(served, sent, patched=patched)
        require_decodable(served, self.registry.shape(served).types(sent))
        document = {
            **sent,
            "apiVersion": of.api_version,
            "kind": of.kind,
            "metadata": meta.known(sent.get("metadata"), of.kind, of.version),
        }
        self.registry.shape(served).zeros(document)
        pruned, dropped = self.registry.shape(served).prune(document)
        pruned = self._canonical(served, pruned)
        dropped = [*meta.unknown(sent.get("metadata")), *dropped]
        if dropped and manner.strict:
            said = ", ".join(f'unknown field "{path}"' for path in dropped)
            raise Undecodable(of, f"strict decoding error: {said}")
        return dict(pruned), tuple(f'unknown field "{path}"' for path in dropped)

    def _judged(
        self, served: Served, document: Json, old: Json | None, causes: list[Cause], *, creating: bool = False
    ) -> Json:
        """Return the document with defaults, if it keeps all rules. Raises ApiError 422, or 400 for wrong types."""
        shape, of = self.registry.shape(served), served.type
        document = dict(shape.default(document))
        if served.builtin:
            document = self._canonical(served, document)
            derive(served.storage_key, document, creating=creating)
        metadata = document["metadata"]
        causes = [
            *validate_metadata(
                metadata,
                namespaced=of.namespaced,
                name_rule=served.name_rule,
                standard_finalizers=served.builtin and served.storage_key not in _ANY_FINALIZER,
            ),
            *causes,
        ]
        broken = shape.problems(document)
        if served.builtin:
            ruled = builtin_causes(served.storage_key, document, old)
            causes += [*_unruled(violations.built_in_causes(broken), ruled), *ruled]
        else:
            causes += [*violations.causes(broken), *shape.embedded(document)]
        if causes:
            raise invalid(of.kind, of.group, metadata.get("name", ""), causes)
        return document

    def _canonical(self, served: Served, document: Json) -> Json:
        try:
            return cast("Json", self.registry.shape(served).canonical(document))
        except Unreadable as error:
            raise Undecodable(served.type, str(error)) from None

    def _keep(self, target: Target, document: Json, manner: Manner) -> bytes:
        """Store a document at the next revision and tell the lifecycle; in a dry run only say what would be."""
        if manner.dry_run:
            return stored(document)
        return self.store_document(target, document)

    def store_document(self, target: Target, document: Json) -> bytes:
        """Store a document at the next revision and tell the lifecycle. Raises ApiError for one that is too large."""
        document["metadata"]["resourceVersion"] = str(self.store.revision + 1)
        body = stored(document)
        if len(body) > LARGEST_OBJECT_BYTES:
            raise plain_failure("etcdserver: request is too large")
        self.store.put(target.served.storage_key, target.key, body, self.clock().timestamp())
        self.lifecycle.changed(target, document)
        return body


_ANY_FINALIZER = frozenset(
    (
        "coordination.k8s.io/leases",
        "policy/poddisruptionbudgets",
        "apiextensions.k8s.io/customresourcedefinitions",
    )
)
"""Built-in kinds whose finalizers may be any names."""


def _keep_apart(target: Target, document: Json, old: Json) -> None:
    """Take from the old object what this request is not about."""
    served = target.served
    if served.storage_key == _NAMESPACES and target.subresource != "status":
        finalizers = (document.get("spec") or {}).get("finalizers") or []
        document["spec"] = old.get("spec", {})
        if target.subresource == "finalize":
            document.update({**old, "metadata": document["metadata"]})
            document["spec"] = {**old.get("spec", {}), "finalizers": finalizers}
    elif target.subresource == "status":
        kept = {key: value for key, value in old.items() if key != "status"}
        if served.builtin:
            kept["metadata"] = _of_status(served, document["metadata"], old["metadata"])
        else:
            kept["metadata"] = dict(old["metadata"])
        status = document.get("status", {} if served.builtin else None)
        document.clear()
        document.update(kept)
        if status is not None:
            document["status"] = status
    elif served.type.status_subresource:
        document.pop("status", None)
        document.update(_if_there(old, "status"))


def _of_status(served: Served, metadata: Json, old: Json) -> Json:
    """Return the metadata of a write of the status: most kinds take it as it is sent."""
    kept = _KEPT_BY_STATUS.get(served.storage_key, "")
    return {**{key: value for key, value in metadata.items() if key != kept}, **_if_there(old, kept)}


_KEPT_BY_STATUS = {"apps/deployments": "labels", "/pods": "ownerReferences"}


def _if_there(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {key: mapping[key]} if key in mapping else {}


def _count_generation(served: Served, document: Json, old: Json) -> None:
    if not served.generation:
        return
    beside = {"metadata", "status"} if served.type.status_subresource else {"metadata"}
    same = {k: v for k, v in document.items() if k not in beside} == {k: v for k, v in old.items() if k not in beside}
    if same and served.annotations_count:
        same = document["metadata"].get("annotations") == old["metadata"].get("annotations")
    if not same:
        document["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1


def _unruled(by_schema: list[Cause], ruled: list[Cause]) -> list[Cause]:
    """Return what the schema says of fields that no rule speaks of, nor of what is in them."""
    fields = [f"{cause.field}." for cause in ruled]
    return [
        cause
        for cause in by_schema
        if not any(field.startswith((f"{cause.field}.", f"{cause.field}[")) for field in fields)
    ]

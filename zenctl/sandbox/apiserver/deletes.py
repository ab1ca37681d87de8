"""Deleting objects: preconditions, finalizers, propagation, grace.

An object that something holds is marked, and goes when nothing holds it any more. What is to become of
dependents is the lifecycle's business. There is no kubelet: a pod that is on a node stays until somebody deletes
it with a grace period of 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from zenctl.sandbox.apiserver import metadata as meta
from zenctl.sandbox.apiserver.causes import invalid_value, not_supported
from zenctl.sandbox.apiserver.errors import ApiError, invalid, plain_failure
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.listing import number
from zenctl.sandbox.apiserver.messages import Request
from zenctl.sandbox.apiserver.objects import Json, loaded
from zenctl.sandbox.apiserver.routes import truth
from zenctl.sandbox.apiserver.writes import Target, Writer

_ANSWERED_WITH_THE_OBJECT = frozenset({"/pods", "/services", "/serviceaccounts", "/persistentvolumeclaims"})
_PODS, _GRACE_SECONDS = "/pods", 30
_LONGEST_GRACE_SECONDS = 10 * 365 * 24 * 3600
"""More than anybody waits, and less than a date can hold."""
_POLICIES = ("Foreground", "Background", "Orphan")
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
_FINALIZERS = {"Foreground": FOREGROUND, "Orphan": ORPHAN}


class DeleteOptions(NamedTuple):
    """What a client says of a deletion."""

    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False
    policy: str = ""
    grace_seconds: int | None = None


def delete_options(request: Request, sent: object) -> DeleteOptions:
    """Read the options from a body, or from the query where there is none. Raises ApiError."""
    given = _from_query(request) if sent is None else _from_body(sent)
    preconditions = given.preconditions or _Preconditions()
    policy, orphan = given.propagation_policy, given.orphan_dependents
    causes = []
    if policy is not None and orphan is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid_value("propagationPolicy", policy, why))
    if policy is not None and policy not in _POLICIES:
        causes.append(not_supported("propagationPolicy", policy, _POLICIES))
    dry_run = given.dry_run or []
    if any(word != "All" for word in dry_run):
        causes.append(not_supported("dryRun", dry_run, ["All"]))
    if causes:
        raise invalid("DeleteOptions", "meta.k8s.io", "", causes)
    grace_seconds = given.grace_period_seconds
    if grace_seconds is not None and grace_seconds < 0:
        grace_seconds = 1  # as a real server reads it
    return DeleteOptions(
        preconditions.uid or "",
        preconditions.resource_version or "",
        bool(dry_run),
        policy or ("Orphan" if orphan else ""),
        grace_seconds,
    )


class _Preconditions(msgspec.Struct, frozen=True, rename="camel"):
    uid: str | None = None
    resource_version: str | None = None


class _Given(msgspec.Struct, frozen=True, rename="camel"):
    """DeleteOptions as they are sent."""

    kind: str | None = None
    dry_run: list[str | None] | None = None
    preconditions: _Preconditions | None = None
    propagation_policy: str | None = None
    orphan_dependents: bool | None = None
    grace_period_seconds: int | None = None


def _from_body(sent: object) -> _Given:
    """Read a body. Raises ApiError 500 for what is no DeleteOptions: a real server did not foresee it."""
    try:
        given = msgspec.convert(sent, _Given)
    except msgspec.ValidationError as error:
        raise plain_failure(f"v1.DeleteOptions: {error}") from None
    if given.kind not in (None, "", "DeleteOptions"):
        raise plain_failure(f'no kind "{given.kind}" is registered for version "meta.k8s.io/v1"')
    return given


def _from_query(request: Request) -> _Given:
    query = request.query
    grace, orphan = query.get("gracePeriodSeconds"), query.get("orphanDependents")
    return _Given(
        dry_run=[query["dryRun"]] if "dryRun" in query else None,
        propagation_policy=query.get("propagationPolicy"),
        orphan_dependents=None if orphan is None else truth(orphan),
        grace_period_seconds=number("gracePeriodSeconds", grace) if grace else None,
    )


class Deleter:
    """Deletes by means of a writer's store; not safe for threads."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def delete(self, target: Target, options: DeleteOptions) -> Json:
        """Delete an object, or mark it as going; return the document to answer with."""
        old = loaded(self._writer.current(target), target.served.type)
        _check(target.served, old["metadata"], options)
        kept = self._remove(target, old, options)
        if kept is None and target.served.storage_key not in _ANSWERED_WITH_THE_OBJECT:
            return _success(target, old["metadata"]["uid"])
        return old if kept is None else kept

    def delete_all(self, served: Served, bodies: Iterable[bytes], options: DeleteOptions) -> None:
        """Delete every object whose body is given, or mark it as going. Raises ApiError at the first that may not."""
        for body in bodies:
            listed = loaded(body, served.type)["metadata"]
            target = Target(served, listed.get("namespace", ""), listed["name"])
            there = self._writer.store.collection(served.storage_key).get(target.key)
            old = loaded(there, served.type) if there is not None else None
            if old is None or old["metadata"]["uid"] != listed["uid"]:
                continue  # an owner took it along
            _check(served, old["metadata"], options)
            self._remove(target, old, options)

    def _remove(self, target: Target, old: Json, options: DeleteOptions) -> Json | None:
        """Delete an object, or mark it where something holds it; return what is still there."""
        writer = self._writer
        writer.lifecycle.removing(target, old)
        metadata: dict[str, Any] = {**old["metadata"]}
        marked = "deletionTimestamp" in metadata
        grace_seconds = _grace_seconds(target, old, options)
        if marked and grace_seconds is None:
            grace_seconds = metadata.get("deletionGracePeriodSeconds", 0)
        if not marked:
            metadata = _with_finalizer(metadata, options.policy)
        held = metadata.get("finalizers") or writer.lifecycle.holds(target) or grace_seconds
        if not held:
            if not options.dry_run:
                writer.finish(target, old)
            return None
        if marked:
            return old
        gone_at = writer.clock() + timedelta(seconds=grace_seconds or 0)
        metadata.update(deletionTimestamp=meta.stamp(gone_at), deletionGracePeriodSeconds=grace_seconds or 0)
        if "generation" in metadata:
            metadata["generation"] += 1
        going = {**old, "metadata": metadata}
        writer.lifecycle.marking(target, going)
        if not options.dry_run:
            writer.store_document(target, going)
        return going


def _grace_seconds(target: Target, old: Json, options: DeleteOptions) -> int | None:
    """Return how long a pod on a node may take to stop; None where nothing takes time."""
    spec = old.get("spec") or {}
    if target.served.storage_key != _PODS or not spec.get("nodeName"):
        return None
    if (old.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return None
    asked = options.grace_seconds
    seconds = int(spec.get("terminationGracePeriodSeconds", _GRACE_SECONDS)) if asked is None else asked
    return min(seconds, _LONGEST_GRACE_SECONDS)


def _with_finalizer(metadata: Json, policy: str) -> Json:
    """Return the metadata with the finalizer by which a propagation policy is carried out."""
    finalizer = _FINALIZERS.get(policy)
    finalizers = metadata.get("finalizers", [])
    if finalizer is None or finalizer in finalizers:
        return metadata
    return {**metadata, "finalizers": [*finalizers, finalizer]}


def _check(served: Served, metadata: dict[str, Any], options: DeleteOptions) -> None:
    for field, wanted, there, hint in (
        ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "modified"),
    ):
        if wanted and wanted != there:
            of = served.type
            kind = f"{of.kind}.{of.group}" if of.group else of.kind
            message = (
                f'Operation cannot be fulfilled on {kind} "{metadata["name"]}": the {field} in the precondition '
                f"({wanted}) does not match the {field} in record ({there}). The object might have been {hint}"
            )
            details = {"name": metadata["name"], "group": of.group, "kind": of.kind}
            raise ApiError(409, "Conflict", message, details={k: v for k, v in details.items() if v})


def _success(target: Target, uid: str) -> Json:
    of = target.served.type
    details = {"name": target.name, "group": of.group, "kind": of.plural, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }

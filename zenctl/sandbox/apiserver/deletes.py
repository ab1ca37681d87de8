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

from zenctl.core.instants import read_instant
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

    uid: str | None = None
    resource_version: str | None = None
    dry_run: bool = False
    policy: str = ""
    grace_seconds: int | None = None
    follow: bool = False
    """Whether the old word for Background was used: then an object that is still there is answered with 202."""


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
        preconditions.uid,
        preconditions.resource_version,
        bool(dry_run),
        policy or ("Orphan" if orphan else ""),
        grace_seconds,
        orphan is False,
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


class Deleted(NamedTuple):
    """An object as it was last, or as it waits for what holds it; or the Status that says that it is gone."""

    document: Json
    gone: bool


class Deleter:
    """Deletes by means of a writer's store; not safe for threads."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def delete(self, target: Target, options: DeleteOptions) -> Deleted:
        """Delete an object, or mark it as going; return what to answer with."""
        old = loaded(self._writer.current(target), target.served.type)
        _check(target.served, old["metadata"], options)
        deleted = self._remove(target, old, options)
        if deleted.gone and target.served.storage_key not in _ANSWERED_WITH_THE_OBJECT:
            return Deleted(_success(target, old["metadata"]["uid"]), gone=True)
        return deleted

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

    def _remove(self, target: Target, old: Json, options: DeleteOptions) -> Deleted:
        """Delete an object, or mark it where something holds it."""
        writer = self._writer
        writer.lifecycle.removing(target, old)
        metadata: dict[str, Any] = {**old["metadata"]}
        marked, pending = "deletionTimestamp" in metadata, metadata.get("deletionGracePeriodSeconds", 0)
        grace_seconds = _grace_seconds(target, old, options)
        if marked and (grace_seconds is None or options.grace_seconds is None):
            grace_seconds = pending
        sooner = marked and (grace_seconds or 0) < pending
        if marked and pending and not sooner:
            return Deleted(old, gone=False)
        finalizers = metadata.get("finalizers", [])
        metadata["finalizers"] = _finalizers(finalizers, options)
        held = metadata["finalizers"] or writer.lifecycle.holds(target) or grace_seconds
        if not held and target.served.storage_key != _PODS:
            if not options.dry_run:
                writer.finish(target, old)
            return Deleted(old, gone=True)
        going = {**old, "metadata": {key: value for key, value in metadata.items() if value != []}}
        if sooner or not marked:
            self._mark(target, going, grace_seconds or 0)
        if not options.dry_run and (sooner or not marked or set(finalizers) != set(metadata["finalizers"])):
            writer.store_document(target, going)
        if not held and not options.dry_run:
            writer.finish(target, going)  # a pod is marked first even if nothing holds it
        return Deleted(going, gone=not held)

    def _mark(self, target: Target, going: Json, grace_seconds: int) -> None:
        """Mark an object as going, or as going sooner than it was to."""
        metadata = going["metadata"]
        began = self._writer.clock()
        if "deletionTimestamp" in metadata:
            marked = read_instant(metadata["deletionTimestamp"]).instant or began
            began = marked - timedelta(seconds=metadata.get("deletionGracePeriodSeconds", 0))
        elif "generation" in metadata:
            metadata["generation"] += 1
        gone_at = began + timedelta(seconds=grace_seconds)
        metadata.update(deletionTimestamp=meta.stamp(gone_at), deletionGracePeriodSeconds=grace_seconds)
        self._writer.lifecycle.marking(target, going)


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


def _finalizers(there: list[str], options: DeleteOptions) -> list[str]:
    """Return the finalizers of an object that is deleted: its own, and the one by which the policy is carried out.

    Where no policy is asked for, the one that an object has is kept.
    """
    own = [each for each in there if each not in _FINALIZERS.values()]
    if options.policy or options.follow:
        wanted = [_FINALIZERS[options.policy]] if options.policy in _FINALIZERS else []
    else:
        wanted = [each for each in _FINALIZERS.values() if each in there]
    return there if set(there) == {*own, *wanted} else [*own, *wanted]


def _check(served: Served, metadata: dict[str, Any], options: DeleteOptions) -> None:
    for field, wanted, there, hint in (
        ("UID", options.uid, metadata["uid"], "deleted and then recreated"),
        ("ResourceVersion", options.resource_version, metadata["resourceVersion"], "modified"),
    ):
        if wanted is not None and wanted != there:
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

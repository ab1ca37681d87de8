"""What to do with one archived object, given what lives in the cluster under its name. Pure.

The cluster may hold objects that the running watcher re-created under the same deterministic names. A
live finding that nobody has triaged takes over the archived triage; everything else is left alone
unless the caller asked for updates.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import ResourceType
from zenctl.core.observation import Phase, text
from zenctl.core.provenance import original_uid
from zenctl.restore.compare import Content, content_of


class OnConflict(StrEnum):
    """What to do with an object that exists."""

    SKIP = "skip"
    UPDATE = "update"
    FAIL = "fail"


class Action(StrEnum):
    """What becomes of an archived object."""

    CREATE = "create"
    ADOPT = "adopt"
    """The live object stays and takes over the archived status."""
    UPDATE = "update"
    SKIP = "skip"
    UNCHANGED = "unchanged"
    """It exists and already has everything that the archive has."""
    CONFLICT = "conflict"
    """It exists, and the caller wants to fail then."""


class ObjectMetadata(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The part of metadata that the decision needs."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, frozen=True, gc=False):
    fingerprint: Any = None


class LiveFields(msgspec.Struct, frozen=True, gc=False):
    """The fields of a live or archived object that the decision needs; anything may stand in spec and status."""

    metadata: ObjectMetadata = ObjectMetadata()
    spec: _Spec | str | int | float | bool | list[Any] | None = None
    status: Any = None


class LiveState(NamedTuple):
    """What is remembered of a live object."""

    uid: str
    resource_version: str
    fingerprint: str
    original_uid: str
    """The uid it had first, where a restore brought it back; else ""."""
    triaged: bool
    bare: bool
    """It has no status at all."""
    content: Content | None = None
    """What it holds, where existing objects are to be updated; None where that decides nothing."""


def live_state(fields: LiveFields, content: Content | None = None) -> LiveState:
    """Reduce a live object to what deciding about its archived twin takes."""
    return LiveState(
        uid=fields.metadata.uid,
        resource_version=fields.metadata.resource_version,
        fingerprint=fingerprint_of(fields),
        original_uid=original_uid(fields.metadata.annotations, ""),
        triaged=triaged(fields.status),
        bare=not fields.status,
        content=content,
    )


def fingerprint_of(fields: LiveFields) -> str:
    """Return the fingerprint of a finding; "" where it has none."""
    return text(fields.spec.fingerprint) if isinstance(fields.spec, _Spec) else ""


def triaged(status: object) -> bool:
    """Say whether somebody has settled, acknowledged or reopened an object of this status.

    A phase other than Active shows it, and so does any condition: the watcher's own writes leave
    conditions alone, and even a reopened finding keeps the condition that it was reopened.
    """
    if not isinstance(status, Mapping):
        return False
    phase = text(status.get("phase")) or Phase.ACTIVE.value
    return phase != Phase.ACTIVE.value or bool(status.get("conditions")) or bool(status.get("resolvedAt"))


def restores_status(resource: ResourceType) -> bool:
    """Say whether objects have a status of their own to restore; a built-in kind's is the cluster's own account."""
    return resource.status_subresource and not resource.built_in


def judge(
    line: bytes, archived: LiveFields, live: LiveState | None, on_conflict: OnConflict, resource: ResourceType | None
) -> Action:
    """Decide about one archived object as decide does, and look whether an update would change anything.

    ``resource`` is what the object is of; None where nobody says, and then there is no live one either.
    """
    has_status = resource is not None and restores_status(resource)
    action = decide(archived, live, on_conflict, has_status=has_status)
    if action is Action.UPDATE and live is not None and live.content is not None and resource is not None:
        return Action.UNCHANGED if live.content.holds(content_of(line, resource)) else action
    return action


def decide(archived: LiveFields, live: LiveState | None, on_conflict: OnConflict, *, has_status: bool) -> Action:
    """Decide about one archived object. ``has_status``: its kind has a status of its own to restore."""
    if live is None:
        return Action.CREATE
    if has_status and _adopts(archived, live):
        return Action.ADOPT
    match on_conflict:
        case OnConflict.SKIP:
            return Action.SKIP
        case OnConflict.UPDATE:
            return Action.UPDATE
        case OnConflict.FAIL:
            return Action.CONFLICT


def _adopts(archived: LiveFields, live: LiveState) -> bool:
    """Say whether the live object should take over the archived status.

    Either it is the same finding, detected again and triaged by nobody since; or an earlier restore
    created it and was stopped before it had written the status.
    """
    fingerprint = fingerprint_of(archived)
    if fingerprint and fingerprint == live.fingerprint and not live.triaged and triaged(archived.status):
        return True
    first_uid = original_uid(archived.metadata.annotations, archived.metadata.uid)
    half_restored = live.bare and bool(live.original_uid) and live.original_uid == first_uid
    return half_restored and bool(archived.status)

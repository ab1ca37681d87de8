"""CRDs of a source beside those of the cluster: which to create, and which lack a version that is needed. Pure.

A live CRD is never deleted, and never loses a version: objects may be stored in it. One that lacks the version that
objects of the source are in gets that version added, served and not stored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import ResourceType
from zenctl.errors import Refused


class DefinitionPlan(NamedTuple):
    """A CRD in the source."""

    name: str
    exists: bool
    """It stays as it is, but for added versions: it is there, or another CRD of the cluster serves the same kind."""
    adds: tuple[str, ...] = ()
    """Versions that it gets."""


class _Names(msgspec.Struct, frozen=True):
    plural: str
    kind: str
    singular: str = ""


class _Version(msgspec.Struct, frozen=True):
    name: str
    served: bool = True
    subresources: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None


class _Conversion(msgspec.Struct, frozen=True):
    strategy: str = "None"


class _Spec(msgspec.Struct, frozen=True):
    group: str
    names: _Names
    versions: tuple[_Version, ...]
    scope: str = "Namespaced"
    conversion: _Conversion | None = None


class Definition(msgspec.Struct, frozen=True):
    """What a CRD says of the resources that it makes."""

    spec: _Spec

    @property
    def resources(self) -> tuple[ResourceType, ...]:
        """The resources that it makes, one a version."""
        spec = self.spec
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

    def schema(self, version: str) -> dict[str, Any] | None:
        """Return the schema of a version; None where it has none."""
        found = next((each.schema for each in self.spec.versions if each.name == version), None)
        schema = (found or {}).get("openAPIV3Schema")
        return schema if isinstance(schema, dict) else None


def read_definition(body: bytes | memoryview) -> Definition | None:
    """Return what a CRD says; None where it is not a usable one."""
    try:
        return msgspec.json.decode(body, type=Definition)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def versions_to_add(name: str, archived: Definition, live: Definition, needed: Collection[str]) -> tuple[str, ...]:
    """Return the versions that objects of the source need and the live CRD lacks.

    Raises Refused where it has one but does not serve it, or converts by webhook, which cannot know a new version.
    """
    served = {version.name: version.served for version in live.spec.versions}
    wanted = [version.name for version in archived.spec.versions if version.name in needed]
    hidden = [version for version in wanted if served.get(version) is False]
    if hidden:
        raise Refused(
            f"the CRD {name} of the cluster no longer serves version {hidden[0]}, which objects of the source are in",
            hint=f"serve it until the restore is done: kubectl edit crd {name}",
        )
    adds = tuple(version for version in wanted if version not in served)
    if adds and live.spec.conversion is not None and live.spec.conversion.strategy != "None":
        raise Refused(
            f"the CRD {name} of the cluster lacks version {adds[0]}, and converts by webhook, which does not know it",
            hint="restore into a cluster with the CRD of the backup, or install a CRD that has both versions",
        )
    return adds


def extended_body(live: Mapping[str, Any], archived: Mapping[str, Any], adds: Collection[str]) -> dict[str, Any]:
    """Return the live CRD with versions of the archived one added."""
    new = [
        {**version, "served": True, "storage": False}
        for version in archived["spec"]["versions"]
        if version["name"] in adds
    ]
    spec = {**live["spec"], "versions": [*live["spec"]["versions"], *new]}
    return {**live, "spec": spec}

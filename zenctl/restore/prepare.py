"""What a restore makes before its objects: CRDs until they are served, and namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from zenctl.core.objects import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    KeyFields,
    Metadata,
    ObjectKey,
    ResourceType,
)
from zenctl.errors import Conflict, NotFound, Unreachable
from zenctl.ports import ListQuery
from zenctl.restore.bodies import definition_body
from zenctl.restore.definitions import extended_body
from zenctl.restore.plan import BatchPlan, Plan
from zenctl.restore.read import RestorePorts, exists, live_resource

_ESTABLISH_SECONDS = 60.0
_POLL_SECONDS = 0.1


def create_definitions(ports: RestorePorts, plan: Plan) -> tuple[str, ...]:
    """Create the CRDs that are missing, and wait until each is served."""
    missing = {definition.name for definition in plan.definitions if not definition.exists}
    extended = {definition.name: definition.adds for definition in plan.definitions if definition.adds}
    for batch in plan.source.batches():
        if not batch.is_definitions:
            continue
        for line in plan.source.objects(batch):
            value = msgspec.json.decode(line)
            name = value.get("metadata", {}).get("name")
            if name in missing:
                _create_quietly(ports, CUSTOM_RESOURCE_DEFINITION, "", definition_body(batch.api_version, value))
            elif name in extended:
                _extend(ports, name, value, extended[name])
    for name in sorted(missing):
        _wait_until_established(ports, name)
    if missing or extended:
        ports.discovery.refresh()
    return tuple(sorted(missing))


def _extend(ports: RestorePorts, name: str, archived: dict[str, Any], adds: Sequence[str]) -> None:
    """Add versions to a live CRD, bound to the one that was just read. Raises Conflict where somebody else writes."""
    key = ObjectKey("", name)
    live = msgspec.json.decode(ports.reader.get(CUSTOM_RESOURCE_DEFINITION, key, KeyFields).body)
    body = msgspec.json.encode(extended_body(live, archived, adds))
    ports.writer.replace(CUSTOM_RESOURCE_DEFINITION, key, body)


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""


class _DefinitionStatus(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] | None = None


class _DefinitionFields(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()
    status: _DefinitionStatus = _DefinitionStatus()


def _wait_until_established(ports: RestorePorts, name: str) -> None:
    """Wait until a CRD is Established with its names accepted. Raises Unreachable after a minute."""
    deadline_seconds = ports.clock.monotonic() + _ESTABLISH_SECONDS
    while True:
        definition = ports.reader.get(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", name), _DefinitionFields)
        true = {c.type for c in definition.fields.status.conditions or () if c.status == "True"}
        if {"Established", "NamesAccepted"} <= true:
            return
        if ports.clock.monotonic() > deadline_seconds:
            raise Unreachable(
                f"the CRD {name} was created, but the API server does not establish it",
                hint=f"see kubectl describe crd {name}",
            )
        ports.clock.sleep(_POLL_SECONDS)


def served(ports: RestorePorts, plan: BatchPlan) -> ResourceType:
    """Return the resource of a batch once the server answers for it: discovery lags behind Established."""
    deadline_seconds = ports.clock.monotonic() + _ESTABLISH_SECONDS
    while True:
        resource = live_resource(ports.discovery, plan.batch)
        try:
            if resource is not None:
                next(ports.reader.pages(resource, KeyFields, ListQuery(field_selector="metadata.name=none")), None)
                return resource
        except NotFound:
            pass
        if ports.clock.monotonic() > deadline_seconds:
            raise Unreachable(
                f"the API server does not serve {plan.batch.kind} of {plan.batch.api_version}",
                hint="see kubectl get crd and the API server's log",
            )
        ports.clock.sleep(_POLL_SECONDS)
        ports.discovery.refresh()


def create_namespace(ports: RestorePorts, name: str) -> bool:
    """Create a namespace; False where somebody else made it meanwhile."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    return _create_quietly(ports, NAMESPACE, "", body)


def _create_quietly(ports: RestorePorts, resource: ResourceType, namespace: str, body: dict[str, Any]) -> bool:
    """Create an object; False where somebody else made it meanwhile."""
    try:
        ports.writer.create(resource, namespace, msgspec.json.encode(body))
    except Conflict:
        if not exists(ports.reader, resource, ObjectKey(namespace, body["metadata"]["name"])):
            raise
        return False
    return True

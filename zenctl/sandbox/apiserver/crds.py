"""CustomResourceDefinitions (apiextensions.k8s.io/v1): whether one may be accepted, what it makes the server serve,
and what its status says.

Documents are decoded JSON, and are never changed. Honest limits: conversion webhooks, CEL rules, and patterns and
formats that cannot be checked here are refused (422); a scale subresource may be declared, but is not served.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import ResourceType
from zenctl.sandbox.apiserver.causes import quoted
from zenctl.sandbox.apiserver.columns import NAME, Object, PrinterColumn, dig
from zenctl.sandbox.apiserver.crdrules import definition_causes
from zenctl.sandbox.apiserver.crdtypes import (
    Column,
    Condition,
    Definition,
    Names,
    Status,
    Version,
    read_definition,
    without_nulls,
)
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.jsonpath import JsonPathError, compile_json_path
from zenctl.sandbox.apiserver.kinds import FIELDS, NAME_FIELD, FieldReader, Served, SubResource
from zenctl.sandbox.apiserver.tables import custom_columns

Json = dict[str, Any]
Document = Mapping[str, Any]

_VERBS = frozenset(("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"))
_NAMES_ACCEPTED, _ESTABLISHED = "NamesAccepted", "Established"


# -- accepting ----------------------------------------------------------------------------------------


def with_defaults(document: Document) -> Json:
    """Return a CRD with what the server fills in: singular, listKind, conversion. Raises ApiError 400."""
    names = _complete(read_definition(document)).spec.names
    spec = document.get("spec") or {}
    filled = {"singular": names.singular, "listKind": names.list_kind}
    completed = {**(spec.get("names") or {}), **{key: value for key, value in filled.items() if value}}
    conversion = spec.get("conversion")
    return {
        **document,
        "spec": {
            **spec,
            "names": completed,
            "conversion": {"strategy": "None"} if conversion is None else conversion,
        },
    }


def _complete(crd: Definition) -> Definition:
    names = crd.spec.names
    singular = names.singular or names.kind.lower()
    list_kind = names.list_kind or (f"{names.kind}List" if names.kind else "")
    completed = msgspec.structs.replace(names, singular=singular, list_kind=list_kind)
    return msgspec.structs.replace(crd, spec=msgspec.structs.replace(crd.spec, names=completed))


def validate_crd(document: Document, old: Document | None = None) -> list[Cause]:
    """Return what is wrong with a CRD, its metadata included, in the server's order; ``old`` is what it replaces.

    What the server fills in may be there or not. Raises ApiError 400 where a value is of the wrong type.
    """
    previous = _complete(read_definition(old)) if old is not None else None
    return list(definition_causes(_complete(read_definition(document)), previous))


# -- serving ------------------------------------------------------------------------------------------


def described_versions(document: Document) -> tuple[tuple[Served, bool], ...]:
    """Return every version of an accepted CRD, and whether it is served; nothing before the CRD is established."""
    crd = _complete(read_definition(document))
    if not crd.status.is_true(_ESTABLISHED):
        return ()
    declared = {
        version["name"]: without_nulls(version["schema"]["openAPIV3Schema"])
        for version in document["spec"]["versions"]
    }
    return tuple((_served(crd, version, declared[version.name]), version.served) for version in crd.spec.versions)


def _served(crd: Definition, version: Version, schema: Document) -> Served:
    spec, names = crd.spec, crd.status.accepted_names
    status = version.subresources is not None and version.subresources.status is not None
    resource = ResourceType(
        spec.group,
        version.name,
        names.kind,
        names.plural,
        names.singular,
        tuple(names.short_names),
        spec.scope == "Namespaced",
        _VERBS,
        status,
    )
    of_status = {"status": SubResource(names.kind, frozenset(("get", "patch", "update")))}
    return Served(
        resource,
        schema,
        definitions={},
        columns=_columns(version.columns),
        list_kind=names.list_kind,
        categories=tuple(names.categories),
        subresources=of_status if status else {},
        generation=True,
        field_selectors={
            **(FIELDS if resource.namespaced else NAME_FIELD),
            **{each.json_path[1:]: _reader(each.json_path) for each in version.selectable_fields},
        },
        unconditional_update=False,
        builtin=False,
    )


def _columns(declared: list[Column]) -> tuple[PrinterColumn, ...]:
    """Return the printer columns: as on a real server, those before the first whose path cannot be read."""
    readable: list[Json] = []
    for column in declared:
        try:
            compile_json_path(column.json_path)
        except JsonPathError:
            break
        readable.append(msgspec.to_builtins(column))
    if declared and not readable:
        return (NAME,)
    return custom_columns(readable, compile_json_path)


def _reader(path: str) -> FieldReader:
    keys = path[1:].split(".")

    def read(obj: Object) -> str:
        value = dig(obj, *keys)
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return read


# -- status -------------------------------------------------------------------------------------------


class TakenNames(NamedTuple):
    """Names of one group that CRDs have been accepted with: those of resources, and kinds."""

    resources: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()


NOTHING_TAKEN = TakenNames()


def taken_names(documents: Iterable[Document], group: str) -> TakenNames:
    """Return the names that the CRDs of a group hold, accepted as they are; the one that asks may be among them."""
    accepted = [crd.status.accepted_names for crd in map(read_definition, documents) if crd.spec.group == group]
    resources = {name for names in accepted for name in (names.plural, names.singular, *names.short_names)}
    kinds = {name for names in accepted for name in (names.kind, names.list_kind)}
    return TakenNames(frozenset(resources - {""}), frozenset(kinds - {""}))


def established_status(
    document: Document, *, now: datetime, previous: Document | None = None, taken: TakenNames = NOTHING_TAKEN
) -> Json:
    """Return the status of a CRD after a create or an update of its spec.

    ``previous`` is the status that it had. Names that another CRD of the group holds are not accepted, and a CRD is
    established (for good) when all of its names are. A time is that of the last change of a condition.
    """
    crd = _complete(read_definition(document))
    was = _status(previous)
    names, conflict = _accepted(crd.spec.names, was.accepted_names, taken)
    accepted = (
        Condition(_NAMES_ACCEPTED, "True", "", "NoConflicts", "no conflicts found") if conflict is None else conflict
    )
    if was.is_true(_ESTABLISHED) or conflict is None:
        established = Condition(
            _ESTABLISHED, "True", "", "InitialNamesAccepted", "the initial names have been accepted"
        )
    else:
        established = Condition(_ESTABLISHED, "False", "", "NotAccepted", "not all names are accepted")
    conditions = list((previous or {}).get("conditions") or ())
    for condition in (accepted, established):
        conditions = _with(conditions, condition, now)
    storage = [version.name for version in crd.spec.versions if version.storage]
    return {
        **(previous or {}),
        "conditions": conditions,
        "acceptedNames": {"plural": "", "kind": "", **msgspec.to_builtins(names)},
        "storedVersions": list(dict.fromkeys([*was.stored_versions, *storage])),
    }


def _status(previous: Document | None) -> Status:
    return read_definition({"status": previous}).status


def _accepted(wanted: Names, had: Names, taken: TakenNames) -> tuple[Names, Condition | None]:
    """Return the names that are accepted now, and the last conflict, as the server has it."""
    # A name that this CRD itself holds already is in use as well, unless it is still used for the same.
    resources = taken.resources | {had.plural, had.singular, *had.short_names} - {""}
    kinds = taken.kinds | {had.kind, had.list_kind} - {""}
    accepted, conflict = msgspec.structs.replace(had, categories=wanted.categories), None
    for field, reason, held in (
        ("plural", "PluralConflict", resources),
        ("singular", "SingularConflict", resources),
        ("short_names", "ShortNamesConflict", resources),
        ("kind", "KindConflict", kinds),
        ("list_kind", "ListKindConflict", kinds),
    ):
        new, old = getattr(wanted, field), getattr(had, field)
        names = [new] if isinstance(new, str) else [name for name in new if name not in old]
        clashes = [] if new == old else list(dict.fromkeys(name for name in names if name in held))
        if clashes:
            conflict = Condition(_NAMES_ACCEPTED, "False", "", reason, _in_use(clashes))
        else:
            accepted = msgspec.structs.replace(accepted, **{field: new})
    return accepted, conflict


def _in_use(names: list[str]) -> str:
    said = [f"{quoted(name)} is already in use" for name in names]
    return said[0] if len(said) == 1 else f"[{', '.join(said)}]"


def _with(conditions: list[Json], condition: Condition, now: datetime) -> list[Json]:
    """Return the conditions with one set; its time changes only with its status."""
    place = next((i for i, each in enumerate(conditions) if each.get("type") == condition.type), len(conditions))
    before = conditions[place] if place < len(conditions) else {}
    since = before.get("lastTransitionTime")
    if before.get("status") != condition.status or not since:
        since = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    new = msgspec.to_builtins(msgspec.structs.replace(condition, last_transition_time=since))
    return [*conditions[:place], new, *conditions[place + 1 :]]

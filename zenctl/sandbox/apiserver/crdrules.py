"""Whether a CustomResourceDefinition may be accepted, but for the schemas in it.

The rules, their order and their words are those of apiextensions-apiserver, which looks at what all versions have in
common as if it stood in ``spec`` itself: hence paths such as ``spec.validation.openAPIV3Schema``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar
from urllib.parse import urlsplit

from zenctl.core.names import Problems, dns_1035_label, dns_subdomain
from zenctl.sandbox.apiserver.causes import duplicate, invalid_value, not_allowed, not_supported, required, too_many
from zenctl.sandbox.apiserver.crdtypes import (
    Column,
    Conversion,
    Definition,
    JsonSchema,
    Names,
    Scale,
    SelectableField,
    Spec,
    Status,
    Subresources,
    Version,
)
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.names import validate_metadata
from zenctl.sandbox.apiserver.structural import schema_causes

_APPROVAL = "api-approved.kubernetes.io"
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_MOST_SELECTABLE = 8

_Value = TypeVar("_Value")


def definition_causes(crd: Definition, old: Definition | None) -> Iterator[Cause]:
    """Yield what is wrong with a CRD whose defaults are filled in; ``old`` is the one that it replaces."""
    spec = crd.spec
    yield from _metadata(crd)
    yield from _group(spec.group)
    yield from _one_of("spec.scope", spec.scope, ("Cluster", "Namespaced"))
    yield from _schemas_are_there(spec.versions)
    yield from _each_version(spec.versions)
    yield from _all_versions(spec.versions)
    yield from _spec_names(spec.names)
    yield from _in_common(spec.versions)
    yield from _conversion(spec.conversion)
    if old is not None:
        yield from _immutable(spec, old)
    yield from _stored_versions(spec.versions, old.status if old else None)
    yield from _approval(crd)
    if spec.preserve_unknown_fields:
        why = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield invalid_value("spec.preserveUnknownFields", value=True, why=why)


def _metadata(crd: Definition) -> Iterator[Cause]:
    name, wanted = crd.metadata.get("name"), f"{crd.spec.names.plural}.{crd.spec.group}"
    causes = validate_metadata(crd.metadata, namespaced=False, name_rule="subdomain")
    about_name = sum(cause.field in ("metadata.name", "metadata.generateName") for cause in causes)
    yield from causes[:about_name]
    if name and name != wanted:
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    yield from causes[about_name:]


def _group(group: str) -> Iterator[Cause]:
    problems = dns_subdomain(group)
    if not group:
        yield required("spec.group")
    elif problems:
        yield invalid_value("spec.group", group, ",".join(problems))
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")


def _one_of(field: str, value: str, supported: Iterable[str]) -> Iterator[Cause]:
    if not value:
        yield required(field)
    elif value not in supported:
        yield not_supported(field, value, supported)


def _form(field: str, value: str, problems: Problems, *, before: str = "") -> Iterator[Cause]:
    if value and problems:
        yield invalid_value(field, value, before + ",".join(problems))


# -- names --------------------------------------------------------------------------------------------


def _spec_names(names: Names) -> Iterator[Cause]:
    field = "spec.names"
    kinds = (("kind", names.kind), ("listKind", names.list_kind))
    for word, value in (("plural", names.plural), ("singular", names.singular), *kinds):
        if not value:
            yield required(f"{field}.{word}")
    for word, value in (("plural", names.plural), ("singular", names.singular)):
        yield from _form(f"{field}.{word}", value, dns_1035_label(value))
    for word, value in kinds:
        mixed = "may have mixed case, but should otherwise match: "
        yield from _form(f"{field}.{word}", value, dns_1035_label(value.lower()), before=mixed)
    yield from _labels(f"{field}.shortNames", names.short_names)
    if names.kind and names.kind == names.list_kind:
        yield invalid_value(f"{field}.listKind", names.list_kind, "kind and listKind may not be the same")
    yield from _labels(f"{field}.categories", names.categories)


def _labels(field: str, labels: list[str]) -> Iterator[Cause]:
    for place, label in enumerate(labels):
        problems = dns_1035_label(label)
        if problems:
            yield invalid_value(f"{field}[{place}]", label, ",".join(problems))


def _immutable(spec: Spec, old: Definition) -> Iterator[Cause]:
    fields = [
        ("spec.group", spec.group, old.spec.group),
        ("spec.names.plural", spec.names.plural, old.spec.names.plural),
    ]
    if old.status.is_true("Established"):
        fields[:0] = [
            ("spec.scope", spec.scope, old.spec.scope),
            ("spec.names.kind", spec.names.kind, old.spec.names.kind),
        ]
    for field, new, was in fields:
        if new != was:
            yield invalid_value(field, new, "field is immutable")


def _approval(crd: Definition) -> Iterator[Cause]:
    """Yield what is wrong where a group belongs to Kubernetes itself, and nobody there has approved the API."""
    if not f".{crd.spec.group}".endswith((".k8s.io", ".kubernetes.io")):
        return
    said = (crd.metadata.get("annotations") or {}).get(_APPROVAL) or ""
    field, see = f"metadata.annotations[{_APPROVAL}]", "see https://github.com/kubernetes/enhancements/pull/1111"
    why = f'protected groups must have approval annotation "{_APPROVAL}"'
    if not said:
        yield required(field, f"{why}, {see}")
    elif not said.startswith("unapproved") and not _is_address(said):
        yield invalid_value(field, said, f'{why} with either a URL or a reason starting with "unapproved", {see}')


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


# -- versions -----------------------------------------------------------------------------------------


def _schema(version: Version) -> JsonSchema | None:
    return version.schema.open_api_schema if version.schema else None


def _has_status(version: Version) -> bool:
    return version.subresources is not None and version.subresources.status is not None


def _alike(versions: list[Version], part: Callable[[Version], _Value]) -> bool:
    return all(part(version) == part(versions[0]) for version in versions)


def _subresources(version: Version) -> Subresources | None:
    return version.subresources


def _columns(version: Version) -> list[Column]:
    return version.columns


def _selectable(version: Version) -> tuple[JsonSchema | None, list[SelectableField]]:
    return _schema(version), version.selectable_fields


def _schemas_are_there(versions: list[Version]) -> Iterator[Cause]:
    for place, version in enumerate(versions):
        if _schema(version) is None:
            yield required(f"spec.versions[{place}].schema.openAPIV3Schema", "schemas are required")


def _each_version(versions: list[Version]) -> Iterator[Cause]:
    """Yield what is wrong with each version, but for what all have in common."""
    apart = {part: not _alike(versions, part) for part in (_schema, _subresources, _columns, _selectable)}
    for place, version in enumerate(versions):
        field = f"spec.versions[{place}]"
        problems = dns_1035_label(version.name)
        if problems:
            yield invalid_value(f"{field}.name", version.name, ",".join(problems))
        yield from _deprecation(version, f"{field}.deprecationWarning")
        if apart[_schema]:
            yield from _schema_of([version], version, f"{field}.schema")
        if apart[_subresources]:
            yield from _scale(version.subresources, f"{field}.subresources")
        if apart[_columns]:
            yield from _each_column(version.columns, f"{field}.additionalPrinterColumns")
        if apart[_selectable]:
            yield from _each_selectable(version, f"{field}.selectableFields")


def _in_common(versions: list[Version]) -> Iterator[Cause]:
    """Yield what is wrong with what all versions have in common, and with one version alone."""
    if not versions:
        return
    first = versions[0]
    if _alike(versions, _schema):
        yield from _schema_of(versions, first, "spec.validation")
    if _alike(versions, _subresources):
        yield from _scale(first.subresources, "spec.subresources")
    if _alike(versions, _columns):
        yield from _each_column(first.columns, "spec.additionalPrinterColumns")
    if _alike(versions, _selectable):
        yield from _each_selectable(first, "spec.selectableFields")


def _schema_of(versions: list[Version], version: Version, field: str) -> Iterable[Cause]:
    schema = _schema(version)
    if schema is None:
        return ()
    return schema_causes(schema, f"{field}.openAPIV3Schema", status=any(map(_has_status, versions)))


def _all_versions(versions: list[Version]) -> Iterator[Cause]:
    field, names = "spec.versions", [version.name for version in versions]
    listed = [{"name": each.name, "served": each.served, "storage": each.storage} for each in versions]
    if len(set(names)) < len(names):
        yield invalid_value(field, listed, "must contain unique version names")
    if sum(version.storage for version in versions) != 1:
        yield invalid_value(field, listed, "must have exactly one version marked as storage version")
    for name in names[:1]:
        yield from _form("spec.version", name, dns_1035_label(name))


def _deprecation(version: Version, field: str) -> Iterator[Cause]:
    warning = version.deprecation_warning
    if warning is None:
        return
    problems: Problems = []
    if not version.deprecated:
        problems.append("can only be set for deprecated versions")
    else:
        if len(warning.encode()) > 256:
            problems.append("must be <= 256 characters long")
        if not warning:
            problems.append("must not be an empty string")
        if not warning.isprintable():
            place = len(warning[: next(i for i, char in enumerate(warning) if not char.isprintable())].encode())
            only = "must only contain printable UTF-8 characters"
            problems.append(f"{only}; non-printable character found at index {place}")
    yield from (invalid_value(field, warning, problem) for problem in problems)


def _stored_versions(versions: list[Version], old: Status | None) -> Iterator[Cause]:
    """Yield what is wrong with the versions that objects are, or may still be, stored in."""
    field = "status.storedVersions"
    storage = [version.name for version in versions if version.storage][:1]
    stored = list(dict.fromkeys([*(old.stored_versions if old else []), *storage]))
    if not stored:
        yield invalid_value(field, stored, "must have at least one stored version")
    for version in versions:
        if version.storage and version.name not in stored:
            yield invalid_value(field, stored, f"must have the storage version {version.name}")
    known = {version.name for version in versions}
    for place, name in enumerate(stored):
        if name not in known:
            why = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid_value(f"{field}[{place}]", name, why)


# -- what a version has beside its schema ---------------------------------------------------------------


def _path(field: str, path: str, *, below: tuple[str, ...] = (), where: str = "") -> Iterator[Cause]:
    if not path.startswith("."):
        yield invalid_value(field, path, "must be a simple json path starting with .")
    elif below and not path.startswith(below):
        yield invalid_value(field, path, f"should be a json path under {where}")


def _scale(subresources: Subresources | None, field: str) -> Iterator[Cause]:
    scale: Scale | None = subresources.scale if subresources else None
    if scale is None:
        return
    for word, path, top in (
        ("specReplicasPath", scale.spec_replicas_path, ".spec"),
        ("statusReplicasPath", scale.status_replicas_path, ".status"),
    ):
        if path:
            yield from _path(f"{field}.scale.{word}", path, below=(f"{top}.",), where=top)
        else:
            yield required(f"{field}.scale.{word}")
    if scale.label_selector_path:
        at, both = f"{field}.scale.labelSelectorPath", "either .spec or .status"
        yield from _path(at, scale.label_selector_path, below=(".spec.", ".status."), where=both)


def _each_column(columns: list[Column], field: str) -> Iterator[Cause]:
    for place, column in enumerate(columns):
        at, known = f"{field}[{place}]", f"must be one of {','.join(_COLUMN_TYPES)}"
        if not column.name:
            yield required(f"{at}.name")
        if not column.type:
            yield required(f"{at}.type", known)
        elif column.type not in _COLUMN_TYPES:
            yield invalid_value(f"{at}.type", column.type, known)
        if column.format and column.format not in _COLUMN_FORMATS:
            yield invalid_value(f"{at}.format", column.format, f"must be one of {','.join(_COLUMN_FORMATS)}")
        if column.json_path:
            yield from _path(f"{at}.JSONPath", column.json_path)
        else:
            yield required(f"{at}.JSONPath")


def _each_selectable(version: Version, field: str) -> Iterator[Cause]:
    schema, seen = _schema(version), set[str]()
    for place, selectable in enumerate(version.selectable_fields):
        at, path = f"{field}[{place}].jsonPath", selectable.json_path
        if not path:
            yield required(at)
            continue
        found = _look_up(schema, path)
        if found is None:
            yield invalid_value(at, path, "is an invalid path: no field of the schema is there")
            continue
        if path.split(".")[1] == "metadata":
            yield invalid_value(at, path, "must not point to fields in metadata")
        if found.type not in ("string", "boolean", "integer"):
            why = "must point to a field of type string, boolean or integer."
            yield invalid_value(at, path, f"{why} Enum string fields and strings with formats are allowed.")
        if path in seen:
            yield duplicate(at, path)
        seen.add(path)
    if len(seen) > _MOST_SELECTABLE:
        yield too_many(field, len(seen), _MOST_SELECTABLE)


def _look_up(schema: JsonSchema | None, path: str) -> JsonSchema | None:
    """Return the schema of the field at a path of dots and names; None where there is none."""
    empty, *names = path.split(".")
    if empty or not names:
        return None
    for name in names:
        schema = schema.properties.get(name) if schema else None
    return schema


def _conversion(conversion: Conversion | None) -> Iterator[Cause]:
    if conversion is None:
        return
    field, webhook = "spec.conversion", conversion.webhook or {}
    if conversion.strategy == "Webhook":
        yield invalid_value(f"{field}.strategy", "Webhook", "this server has no conversion webhooks, only None")
        return
    yield from _one_of(f"{field}.strategy", conversion.strategy, ("None", "Webhook"))
    why = "should not be set when strategy is not set to Webhook"
    if webhook.get("clientConfig") is not None:
        yield not_allowed(f"{field}.webhookClientConfig", why)
    if webhook.get("conversionReviewVersions"):
        yield not_allowed(f"{field}.conversionReviewVersions", why)

"""The parts of a CustomResourceDefinition (apiextensions.k8s.io/v1) that this server acts on, typed.

Nothing is judged here but types. Fields that are not listed are left to whoever keeps the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from zenctl.sandbox.apiserver.errors import bad_request


class JsonSchema(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A schema as a CRD may write it (JSONSchemaProps), with the constructs that it may not contain."""

    type: str = ""
    nullable: bool = False
    title: str = ""
    description: str = ""
    format: str = ""
    default: Any = None
    properties: dict[str, JsonSchema] = {}
    additional_properties: JsonSchema | bool | None = None
    items: JsonSchema | list[JsonSchema] | None = None
    required: list[str] = []
    enum: list[Any] = []
    pattern: str = ""
    maximum: int | float | None = None
    exclusive_maximum: bool = False
    minimum: int | float | None = None
    exclusive_minimum: bool = False
    multiple_of: int | float | None = None
    max_length: int | None = None
    min_length: int | None = None
    max_items: int | None = None
    min_items: int | None = None
    unique_items: bool = False
    max_properties: int | None = None
    min_properties: int | None = None
    all_of: list[JsonSchema] = []
    any_of: list[JsonSchema] = []
    one_of: list[JsonSchema] = []
    not_: JsonSchema | None = msgspec.field(default=None, name="not")
    preserve: bool | None = msgspec.field(default=None, name="x-kubernetes-preserve-unknown-fields")
    embedded: bool = msgspec.field(default=False, name="x-kubernetes-embedded-resource")
    int_or_string: bool = msgspec.field(default=False, name="x-kubernetes-int-or-string")
    list_type: str | None = msgspec.field(default=None, name="x-kubernetes-list-type")
    list_map_keys: list[str] = msgspec.field(default=[], name="x-kubernetes-list-map-keys")
    map_type: str | None = msgspec.field(default=None, name="x-kubernetes-map-type")
    validations: list[Any] = msgspec.field(default=[], name="x-kubernetes-validations")
    external_docs: Any = None
    example: Any = None
    id: str = ""
    schema: str = msgspec.field(default="", name="$schema")
    ref: str | None = msgspec.field(default=None, name="$ref")
    pattern_properties: dict[str, JsonSchema] = {}
    definitions: dict[str, JsonSchema] = {}
    dependencies: dict[str, Any] | None = None
    additional_items: JsonSchema | bool | None = None

    def words(self) -> dict[str, Any]:
        """Return the schema as JSON: the keywords that are set, with their values."""
        return cast("dict[str, Any]", msgspec.to_builtins(self))


class Validation(msgspec.Struct, frozen=True, rename="camel"):
    """What ``schema`` of a version holds."""

    open_api_schema: JsonSchema | None = msgspec.field(default=None, name="openAPIV3Schema")


class Scale(msgspec.Struct, frozen=True, rename="camel"):
    """Where the numbers of the scale subresource are."""

    spec_replicas_path: str = ""
    status_replicas_path: str = ""
    label_selector_path: str = ""


class Subresources(msgspec.Struct, frozen=True):
    """Which subresources a version has."""

    status: dict[str, Any] | None = None
    scale: Scale | None = None


class Column(msgspec.Struct, frozen=True, rename="camel"):
    """One of ``additionalPrinterColumns``."""

    name: str = ""
    type: str = ""
    json_path: str = ""
    format: str = ""
    description: str = ""
    priority: int = 0


class SelectableField(msgspec.Struct, frozen=True, rename="camel"):
    """A field that field selectors may name."""

    json_path: str = ""


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """One version of the resource."""

    name: str = ""
    served: bool = False
    storage: bool = False
    deprecated: bool = False
    deprecation_warning: str | None = None
    schema: Validation | None = None
    subresources: Subresources | None = None
    columns: list[Column] = msgspec.field(default=[], name="additionalPrinterColumns")
    selectable_fields: list[SelectableField] = []


class Names(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How the resource is called, in ``spec.names`` and ``status.acceptedNames``."""

    plural: str = ""
    singular: str = ""
    short_names: list[str] = []
    kind: str = ""
    list_kind: str = ""
    categories: list[str] = []


class Conversion(msgspec.Struct, frozen=True):
    """How objects of one version become those of another."""

    strategy: str = ""
    webhook: dict[str, Any] | None = None


class Spec(msgspec.Struct, frozen=True, rename="camel"):
    """What is wanted."""

    group: str = ""
    scope: str = ""
    names: Names = Names()
    versions: list[Version] = []
    conversion: Conversion | None = None
    preserve_unknown_fields: bool = False


class Condition(msgspec.Struct, frozen=True, rename="camel"):
    """One of ``status.conditions``."""

    type: str
    status: str
    last_transition_time: str = ""
    reason: str = ""
    message: str = ""


class Status(msgspec.Struct, frozen=True, rename="camel"):
    """What is."""

    conditions: list[Condition] = []
    accepted_names: Names = Names()
    stored_versions: list[str] = []

    def is_true(self, condition: str) -> bool:
        """Say whether there is a condition and it is true."""
        return any((each.type, each.status) == (condition, "True") for each in self.conditions)


class Definition(msgspec.Struct, frozen=True):
    """A CRD."""

    metadata: dict[str, Any] = {}
    spec: Spec = Spec()
    status: Status = Status()


def read_definition(document: Mapping[str, Any]) -> Definition:
    """Return a CRD typed; null counts as absent. Raises ApiError 400 for a value of the wrong type."""
    kind = "CustomResourceDefinition"
    try:
        return msgspec.convert(without_nulls(document), Definition)
    except (msgspec.ValidationError, RecursionError) as error:
        raise bad_request(f'{kind} in version "v1" cannot be handled as a {kind}: {error}') from None


_VALUES = frozenset(("default", "enum", "example"))
"""Keywords of schemas whose values are not schemas: a null in them means null."""
_BY_NAME = frozenset(("properties", "patternProperties", "definitions", "dependencies"))
"""Keywords of schemas whose keys are no keywords."""


def without_nulls(value: Any) -> Any:
    """Return a CRD, or a schema in one, without what is null, which counts as absent."""
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    kept: dict[str, Any] = {}
    for key, item in value.items():
        if key in _BY_NAME and isinstance(item, Mapping):
            kept[key] = {name: without_nulls(each) for name, each in item.items() if each is not None}
        elif item is not None:
            kept[key] = item if key in _VALUES else without_nulls(item)
    return kept

"""Names, labels, annotations, finalizers and owner references of an object: what they may be.

Who fills metadata in, and what may not change in it, is not decided here; nor is any kind known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

from zenctl.core.names import (
    Problems,
    dns_1035_label,
    dns_label,
    dns_subdomain,
    label_value,
    path_segment,
    qualified_name,
)
from zenctl.sandbox.apiserver.causes import invalid_value, not_allowed, required, too_long
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.kinds import NameRule

LARGEST_ANNOTATIONS_BYTES = 256 * 1024
_SUFFIX_LENGTH, _LONGEST_PREFIX = 5, 58
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Without vowels, and without digits that look like them, so that no words come about."""

_ORPHAN, _FOREGROUND = "orphan", "foregroundDeletion"
_STANDARD_FINALIZERS = frozenset(("kubernetes", _ORPHAN, _FOREGROUND))

_RULES: Mapping[NameRule, Callable[[str], Problems]] = {
    "subdomain": dns_subdomain,
    "label": dns_label,
    "service": dns_1035_label,
    "path-segment": path_segment,
}


def name_problems(name: str, rule: NameRule, *, prefix: bool = False) -> Problems:
    """Say why a name does not keep a rule; a prefix of a name may also end with a dash."""
    if prefix and rule != "path-segment" and len(name) > 1 and name.endswith("-"):
        name = name[:-2] + "a"  # the server looks at it like this, without the character before the dash
    return _RULES[rule](name)


def generated_name(prefix: str, random: Random) -> str:
    """Return the prefix with five characters by chance behind it, the prefix cut so that 63 are not exceeded."""
    return prefix[:_LONGEST_PREFIX] + "".join(random.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))


def validate_metadata(
    metadata: Mapping[str, Any], *, namespaced: bool, name_rule: NameRule, standard_finalizers: bool = False
) -> list[Cause]:
    """Return what is wrong with the metadata of an object, in the server's order.

    Types are those of ObjectMeta, and a generated name is already there. Built-in kinds know what finalizers without
    a domain there are; ``standard_finalizers`` asks for it.
    """
    return [
        *_name(metadata, name_rule),
        *_namespace(metadata.get("namespace") or "", namespaced=namespaced),
        *_generation(metadata.get("generation") or 0),
        *_labels(metadata.get("labels") or {}),
        *_annotations(metadata.get("annotations") or {}),
        *_owners(metadata.get("ownerReferences") or ()),
        *_finalizers(metadata.get("finalizers") or (), standard=standard_finalizers),
    ]


def _name(metadata: Mapping[str, Any], rule: NameRule) -> Iterable[Cause]:
    prefix, name = metadata.get("generateName") or "", metadata.get("name") or ""
    if prefix:
        yield from _each("metadata.generateName", prefix, name_problems(prefix, rule, prefix=True))
    if name:
        yield from _each("metadata.name", name, name_problems(name, rule))
    else:
        yield required("metadata.name", "name or generateName is required")


def _namespace(namespace: str, *, namespaced: bool) -> Iterable[Cause]:
    field = "metadata.namespace"
    if namespaced and namespace:
        yield from _each(field, namespace, dns_label(namespace))
    elif namespaced:
        yield required(field)
    elif namespace:
        yield not_allowed(field, "not allowed on this type")


def _generation(generation: int) -> Iterable[Cause]:
    if generation < 0:
        yield invalid_value("metadata.generation", generation, "must be greater than or equal to 0")


def _labels(labels: Mapping[str, str | None]) -> Iterable[Cause]:
    for key, value in labels.items():
        yield from _each("metadata.labels", key, qualified_name(key))
        yield from _each("metadata.labels", value or "", label_value(value or ""))


def _annotations(annotations: Mapping[str, str | None]) -> Iterable[Cause]:
    total = 0
    for key, value in annotations.items():
        yield from _each("metadata.annotations", key, qualified_name(key.lower()))
        total += len(key.encode()) + len((value or "").encode())
    if total > LARGEST_ANNOTATIONS_BYTES:
        yield too_long("metadata.annotations", LARGEST_ANNOTATIONS_BYTES)


def _owners(owners: Sequence[Mapping[str, Any]]) -> Iterable[Cause]:
    field, controller = "metadata.ownerReferences", ""
    for owner in owners:
        version, kind, name, uid = (owner.get(key) or "" for key in ("apiVersion", "kind", "name", "uid"))
        if version.count("/") > 1 or not version.rpartition("/")[2]:
            yield invalid_value(f"{field}.apiVersion", version, "version must not be empty")
        for key, value in (("kind", kind), ("name", name), ("uid", uid)):
            if not value:
                yield invalid_value(f"{field}.{key}", value, f"{key} must not be empty")
        if (version, kind) == ("v1", "Event"):
            yield invalid_value(field, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.get("controller") is not True:
            continue
        if controller:
            yield invalid_value(
                field,
                owners,
                "Only one reference can have Controller set to true. "
                f'Found "true" in references for {controller} and {kind}/{name}',
            )
        controller = controller or f"{kind}/{name}"


def _finalizers(finalizers: Sequence[str], *, standard: bool) -> Iterable[Cause]:
    field = "metadata.finalizers"
    for finalizer in finalizers:
        yield from _each(field, finalizer, qualified_name(finalizer))
    if _ORPHAN in finalizers and _FOREGROUND in finalizers:
        yield invalid_value(field, list(finalizers), f"finalizer {_ORPHAN} and {_FOREGROUND} cannot be both set")
    for place, finalizer in enumerate(finalizers):
        if standard and "/" not in finalizer and finalizer not in _STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid_value(f"{field}[{place}]", finalizer, why)


def _each(field: str, value: str, problems: Problems) -> list[Cause]:
    return [invalid_value(field, value, problem) for problem in problems]

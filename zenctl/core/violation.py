"""What a value violates of a schema: which rule, where, and our words for it.

The rules are keywords of schemas, so that others can put them into words of their own. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from zenctl.core.schemawords import EMBEDDED, LIST_KEYS


class Entry(NamedTuple):
    """A step into a map: its key, which no schema names."""

    key: str


Step = str | int | Entry
"""A step into a value: the name of a field, the place in a list, or an entry of a map."""
Path = tuple[Step, ...]


class Violation(NamedTuple):
    """One rule that one value breaks."""

    rule: str
    """The keyword: ``type``, ``minLength``, ``required``… Duplicates in lists of any type break ``uniqueItems``."""
    value: Any
    """What breaks it; None for what is not there. Of two items that are equal by their keys it is those keys."""
    bound: Any = None
    """What the rule asks for: a limit, a pattern, the values of an enumeration.

    For ``type`` its name, ``integer,string`` for either, or that of a format that only texts have; for anyOf, oneOf
    and allOf two numbers: how many alternatives fit, and of how many.
    """
    path: Path = ()
    """From the value that was checked; for ``required`` and ``additionalProperties`` down to the field itself."""
    beneath: tuple[Violation, ...] = ()
    """What was wrong with alternatives: with all of them for allOf, with the nearest one else. Paths from here."""

    def under(self, step: Step) -> Violation:
        """Return the violation as it is seen from one level above."""
        return self._replace(path=(step, *self.path))


def described(violations: Iterable[Violation]) -> list[str]:
    """Return violations in our words, as "spec.severity: is required"."""
    return [f"{path.removeprefix('.') or 'object'}: {reason}" for path, reason in map(_said, _each(violations))]


def _each(violations: Iterable[Violation]) -> Iterator[Violation]:
    """Yield violations as somebody reads them: those of allOf stand for themselves."""
    for violation in violations:
        if violation.rule == "allOf":
            yield from _each(inner._replace(path=violation.path + inner.path) for inner in violation.beneath)
        else:
            yield violation


def _said(violation: Violation) -> tuple[str, str]:
    return "".join(map(_step, violation.path)), _WORDS[violation.rule](violation)


def _step(step: Step) -> str:
    if isinstance(step, str):
        return f".{step}"
    return f"[{step.key}]" if isinstance(step, Entry) else f"[{step}]"


_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a fraction",
    type(None): "null",
}
_WANTED: Mapping[str, str] = {
    "object": "an object",
    "array": "an array",
    "integer": "an integer",
    "integer,string": "an integer or a string",
}


def _type(violation: Violation) -> str:
    wanted, kind = _WANTED.get(violation.bound, f"a {violation.bound}"), type(violation.value)
    if kind is int and violation.bound.startswith("integer"):
        return f"must be {wanted}, and fit in 64 bits"
    return f"must be {wanted}, not {_KINDS.get(kind, kind.__name__)}"


def _size(side: str, noun: str) -> Callable[[Violation], str]:
    return lambda broken: f"must have at {side} {broken.bound} {noun}, not {len(broken.value)}"


def _is_required(_violation: Violation) -> str:
    return "is required"


_WORDS: Mapping[str, Callable[[Violation], str]] = {
    "type": _type,
    "enum": lambda broken: f"must be one of {', '.join(map(str, broken.bound))}",
    "minimum": lambda broken: f"must be at least {broken.bound}",
    "maximum": lambda broken: f"must be at most {broken.bound}",
    "exclusiveMinimum": lambda broken: f"must be greater than {broken.bound}",
    "exclusiveMaximum": lambda broken: f"must be less than {broken.bound}",
    "multipleOf": lambda broken: f"must be a multiple of {broken.bound}",
    "minLength": _size("least", "characters"),
    "maxLength": _size("most", "characters"),
    "pattern": lambda broken: f"must match {broken.bound!r}",
    "format": lambda broken: f"must be a {broken.bound}",
    "minItems": _size("least", "items"),
    "maxItems": _size("most", "items"),
    "uniqueItems": lambda _: "is a duplicate",
    LIST_KEYS: lambda _: "must be an object, to have the keys of the list",
    "minProperties": _size("least", "properties"),
    "maxProperties": _size("most", "properties"),
    "required": _is_required,
    "additionalProperties": lambda _: "is not allowed",
    EMBEDDED: _is_required,
    "anyOf": lambda broken: f"must fit one of {broken.bound[1]} alternatives",
    "oneOf": lambda broken: f"must fit exactly one of {broken.bound[1]} alternatives, not {broken.bound[0]}",
    "not": lambda _: "must not fit the excluded schema",
}

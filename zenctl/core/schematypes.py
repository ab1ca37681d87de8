"""Which values the type of a schema accepts, as the API server has it.

A server tells integers from numbers by their text: one beyond 64 bits is a number, and a number without a fraction
is an integer too. Where a format of texts is asked for as well, it accepts any text and any array, whatever the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from zenctl.core.schemawords import INT_OR_STRING, Schema
from zenctl.core.strforms import is_text_format

_ACCEPTED: Mapping[str, frozenset[type]] = {
    "object": frozenset((dict,)),
    "array": frozenset((list,)),
    "string": frozenset((str,)),
    "boolean": frozenset((bool,)),
    "integer": frozenset((int,)),
    "number": frozenset((int, float)),
    "integer,string": frozenset((int, str)),
}
_TEXT_OR_ARRAY = frozenset((str, list))
_INT64 = 2**63
_LARGEST_WHOLE, _NEARLY = 2**53 - 1, 1e-9


class Expected(NamedTuple):
    """What a schema accepts: types of Python, and what a server calls them."""

    accepts: frozenset[type]
    type_name: str
    """A type of JSON schemas, ``integer,string`` for either, or nothing where only a format is asked for."""
    text_format: str = ""

    @property
    def name(self) -> str:
        """What a server says that a value should have been."""
        return self.text_format or self.type_name

    def fits(self, value: Any) -> bool:
        """Say whether a value that is not null is accepted."""
        kind = type(value)
        if kind is int and float not in self.accepts:
            return int in self.accepts and -_INT64 <= value < _INT64
        return kind in self.accepts or (kind is float and int in self.accepts and is_whole(value))


def expected(schema: Schema) -> Expected | None:
    """Return what a schema accepts; None where it accepts every type."""
    name, form = schema.get("type"), schema.get("format")
    if schema.get(INT_OR_STRING) is True:
        name = "integer,string"
    if not (isinstance(name, str) and name in _ACCEPTED):
        name = ""
    accepts = _ACCEPTED.get(name, frozenset())
    if isinstance(form, str) and is_text_format(form) and not accepts & {int}:
        return Expected(accepts | _TEXT_OR_ARRAY, name, form)
    return Expected(accepts, name) if name else None


def is_whole(number: float) -> bool:
    """Say whether a number is as good as whole, in the server's reckoning, which rounds towards zero."""
    if not abs(number) <= _LARGEST_WHOLE:
        return False
    whole = int(number)
    return number == whole or (number > 0 and (number - whole) / (number + whole) < _NEARLY)

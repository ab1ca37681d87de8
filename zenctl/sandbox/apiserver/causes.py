"""What is wrong with one field, in the words of the server: each function makes one Cause.

Paths are the server's too: ``spec.names.plural``, ``spec.versions[0].name``, ``metadata.annotations[key]``.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zenctl.sandbox.apiserver.errors import Cause

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def invalid_value(field: str, value: object, why: str) -> Cause:
    """Return the cause for a value that breaks a rule. Objects are shown as JSON, where a real server prints Go."""
    return Cause(f"Invalid value: {shown(value)}: {why}", field)


def required(field: str, why: str = "") -> Cause:
    """Return the cause for a value that is absent or empty."""
    return Cause(f"Required value: {why}" if why else "Required value", field, "FieldValueRequired")


def not_allowed(field: str, why: str) -> Cause:
    """Return the cause for a value that may not stand here at all."""
    return Cause(f"Forbidden: {why}", field, "FieldValueForbidden")


def not_supported(field: str, value: object, supported: Iterable[str]) -> Cause:
    """Return the cause for a value that is none of those that are known."""
    known = ", ".join(map(quoted, supported))
    return Cause(f"Unsupported value: {shown(value)}: supported values: {known}", field, "FieldValueNotSupported")


def duplicate(field: str, value: object) -> Cause:
    """Return the cause for a value that stands twice where it may stand once."""
    return Cause(f"Duplicate value: {shown(value)}", field, "FieldValueDuplicate")


def too_long(field: str, most_bytes: int) -> Cause:
    """Return the cause for a text beyond a length; it does not repeat the text."""
    return Cause(f"Too long: may not be more than {most_bytes} bytes", field, "FieldValueTooLong")


def too_many(field: str, count: int, most: int) -> Cause:
    """Return the cause for a list with too many items."""
    return Cause(f"Too many: {count}: must have at most {most} items", field, "FieldValueTooMany")


def shown(value: object) -> str:
    """Return a value as messages show it: texts quoted, lists of texts as Go prints them, the rest as JSON."""
    if value is None:
        return quoted("null")
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return f"[]string{{{', '.join(map(quoted, value))}}}"
    return msgspec.json.encode(value).decode()


def quoted(text: str) -> str:
    """Return text in double quotes as Go writes it (%q): what cannot be printed is escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

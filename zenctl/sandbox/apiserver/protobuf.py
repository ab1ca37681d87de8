"""Reading bodies in the protobuf form, in which clients send the built-in kinds since release 1.32.

It owns one direction: from bytes to the document that the JSON form of the same object decodes to. It writes no
protobuf, and judges no values: what a kind demands is the business of those who write it.

Everything that depends on a kind stands in ``protobuf.json``, which ``python -m tests.protobuf_fields`` writes: the
message of each kind, and of each message the fields by number, as "NAME TYPE". The name is the one in JSON; "..."
says that the fields of that message stand in its place. A type is string, bool, int32, int64, double, bytes (base64
in JSON), json (bytes that are JSON), data (bytes that stay bytes) or the name of a message; ``[T]`` is a list, and
``{T}`` a map from strings. Clients write zeros too: ``?`` behind a type says that JSON has no such field then. The
others keep their zeros: Go's JSON has them, or they are pointers, for which zero is not the same as absent.

Unlike a real server, which skips fields that it does not know, this one refuses them: nothing is lost in silence.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from zenctl.sandbox.apiserver.errors import ApiError, bad_request
from zenctl.sandbox.apiserver.objects import Json

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAX_DEPTH = 100
"""How many messages may stand in one another."""

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_SIZES = {_FIXED64: 8, _FIXED32: 4}
_LONGEST_VARINT = 10
_SPREAD = "..."
_OPTIONS = "DeleteOptions"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all times here are UTC, and are written with a Z


class _Unreadable(Exception):
    """The bytes are not what they should be; the text says why."""


class _Table(msgspec.Struct, frozen=True):
    """What protobuf.json holds."""

    kinds: dict[str, str]
    messages: dict[str, dict[int, str]]


class Field(NamedTuple):
    """One field of a message."""

    name: str
    type: str
    is_list: bool
    is_map: bool
    omits_zero: bool


class _Value(NamedTuple):
    """One field as it came: a number in ``varint`` or bytes in ``data``, depending on the wire type."""

    message: str
    number: int
    wire: int
    varint: int = 0
    data: memoryview = memoryview(b"")

    @property
    def where(self) -> str:
        return f"field {self.number} of {self.message}"


def decode(body: bytes) -> Json:
    """Return the document in a body, with apiVersion and kind.

    Raises ApiError: 400 for bytes that are no object in this form or hold fields that are not known here, 415 for a
    kind that is not known here.
    """
    if not body.startswith(_MAGIC):
        raise _unrecognized("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        envelope = _message("runtime.Unknown", memoryview(body)[len(_MAGIC) :], 0)
    except _Unreadable as error:
        raise _unrecognized(str(error)) from None
    meta = envelope.get("typeMeta", {})
    api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
    name = _message_of(api_version, kind)
    for field, accepted in (("contentEncoding", ("",)), ("contentType", ("", MEDIA_TYPE))):
        if envelope.get(field, "") not in accepted:
            raise _unrecognized(f"{field} {envelope[field]!r} is not supported")
    try:
        fields = _message(name, envelope.get("raw", memoryview(b"")), 0)
    except _Unreadable as error:
        version = api_version.rpartition("/")[2]
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {error}') from None
    return {"apiVersion": api_version, "kind": kind, **fields}


def _unrecognized(why: str) -> ApiError:
    return bad_request(f"the object provided is unrecognized (must be of type Object): {why}")


def _message_of(api_version: str, kind: str) -> str:
    """Return the name of a kind's message. Raises ApiError."""
    for field, value in (("Kind", kind), ("apiVersion", api_version)):
        if not value:
            raise _unrecognized(f"Object '{field}' is missing")
    # Options belong to every version of every group.
    name = _table().kinds.get(kind if kind == _OPTIONS else f"{api_version} {kind}")
    if name is None:
        raise ApiError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            f"application/json, application/yaml (not {MEDIA_TYPE} for {kind} of {api_version})",
        )
    return name


@cache
def _table() -> _Table:
    text = resources.files(__package__).joinpath("protobuf.json").read_bytes()
    return msgspec.json.decode(text, type=_Table)


def message_of_kind(api_version: str, kind: str) -> str:
    """Return the name of a kind's message; "" for a kind that has none."""
    return _table().kinds.get(f"{api_version} {kind}", "")


@cache
def json_fields(message: str) -> Mapping[str, Field]:
    """Return the fields that the JSON of a message has, by their names; none where its JSON is no object of them."""
    if message in _FORMS or message not in _table().messages:
        return {}
    found: dict[str, Field] = {}
    for field in _fields(message).values():
        found |= json_fields(field.type) if field.name == _SPREAD else {field.name: field}
    return found


@cache
def _fields(message: str) -> Mapping[int, Field]:
    return {number: _field(text) for number, text in _table().messages[message].items()}


def _field(text: str) -> Field:
    name, _, shape = text.partition(" ")
    return Field(name, shape.strip("[]{}?"), shape[0] == "[", shape[0] == "{", shape[-1] == "?")


# -- messages --------------------------------------------------------------------------------------------


def _message(name: str, data: memoryview, depth: int, known: Json | None = None) -> Json:
    """Return the fields of a message, added to those that are known already."""
    if depth > MAX_DEPTH:
        raise _Unreadable(f"{name} is nested more than {MAX_DEPTH} messages deep")
    found = {} if known is None else known
    fields = _fields(name)
    for value in _values(name, data):
        field = fields.get(value.number)
        if field is None:
            raise _Unreadable(f"{value.where} is not known")
        _put(found, field, value, depth)
    return found


def _put(found: Json, field: Field, value: _Value, depth: int) -> None:
    """Add a field to those of its message; one that comes twice is merged, as protobuf demands."""
    if field.name == _SPREAD:
        _message(field.type, _checked(value, _LENGTH).data, depth + 1, found)
    elif field.is_list:
        found.setdefault(field.name, []).extend(_items(field.type, value, depth))
    elif field.is_map:
        key, item = _entry(field, value, depth)
        found.setdefault(field.name, {})[key] = item
    else:
        read = _read(field.type, value, depth, found.get(field.name))
        if read is None or (field.omits_zero and not read):
            found.pop(field.name, None)
        else:
            found[field.name] = read


def _items(kind: str, value: _Value, depth: int) -> Iterator[Any]:
    """Yield what one occurrence of a list holds: an item, or many numbers in a packed one."""
    if value.wire != _LENGTH or _WIRES.get(kind) != _VARINT:
        yield _read(kind, value, depth)
        return
    place = 0
    while place < len(value.data):
        number, place = _varint(value.message, value.data, place)
        yield _read(kind, value._replace(wire=_VARINT, varint=number), depth)


def _entry(field: Field, value: _Value, depth: int) -> tuple[str, Any]:
    """Return key and value of a map's entry; what is absent is zero."""
    name = f"an entry of {value.message}.{field.name}"
    key, item = _Value(name, 1, _LENGTH), _Value(name, 2, _WIRES.get(field.type, _LENGTH))
    for part in _values(name, _checked(value, _LENGTH).data):
        if part.number == key.number:
            key = part
        elif part.number == item.number:
            item = part
        else:
            raise _Unreadable(f"{part.where} is not known")
    return _read("string", key, depth), _read(field.type, item, depth)


def _read(kind: str, value: _Value, depth: int, known: Json | None = None) -> Any:
    """Return a value as JSON has it; None for one that has no JSON, such as the zero time."""
    _checked(value, _WIRES.get(kind, _LENGTH))
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return scalar(value)
    form = _FORMS.get(kind)
    if form is not None:
        return form(_message(kind, value.data, depth + 1))
    return _message(kind, value.data, depth + 1, known)


def _checked(value: _Value, wire: int) -> _Value:
    if value.wire != wire:
        raise _Unreadable(f"{value.where} has wire type {value.wire} and not {wire}")
    return value


# -- the wire --------------------------------------------------------------------------------------------


def _values(message: str, data: memoryview) -> Iterator[_Value]:
    """Yield the fields in the bytes of a message, in their order."""
    place = 0
    while place < len(data):
        tag, place = _varint(message, data, place)
        number, wire = tag >> 3, tag & 7
        size = _SIZES.get(wire, 0)
        if wire == _VARINT:
            varint, place = _varint(message, data, place)
            yield _Value(message, number, wire, varint)
            continue
        if wire == _LENGTH:
            size, place = _varint(message, data, place)
        elif not size:
            raise _Unreadable(f"field {number} of {message} has wire type {wire}, which is none of this form")
        if size > len(data) - place:
            raise _Unreadable(f"unexpected EOF in field {number} of {message}")
        yield _Value(message, number, wire, data=data[place : place + size])
        place += size


def _varint(message: str, data: memoryview, place: int) -> tuple[int, int]:
    """Return the number at a place, and the place behind it."""
    number = 0
    group = data[place : place + _LONGEST_VARINT]
    for count, byte in enumerate(group, 1):
        number |= (byte & 0x7F) << (7 * (count - 1))
        if byte < 0x80 and not number >> 64:
            return number, place + count
        if byte < 0x80:
            break
    why = "integer overflow" if len(group) == _LONGEST_VARINT else "unexpected EOF"
    raise _Unreadable(f"{why} in {message}")


# -- values ----------------------------------------------------------------------------------------------


def _string(value: _Value) -> str:
    try:
        return str(value.data, "utf-8")
    except UnicodeDecodeError as error:
        raise _Unreadable(f"{value.where} is no UTF-8: {error.reason}") from None


def _signed(bits: int) -> Callable[[_Value], int]:
    def read(value: _Value) -> int:
        number = value.varint & ((1 << bits) - 1)
        return number - (1 << bits) if number >> (bits - 1) else number

    return read


def _double(value: _Value) -> float:
    number: float = struct.unpack("<d", value.data)[0]
    if not isfinite(number):
        raise _Unreadable(f"{value.where} is {number}, which JSON cannot say")
    # JSON has one kind of number: 5.0 is written 5, up to where Go changes to exponents.
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


def _json(value: _Value) -> Any:
    try:
        return msgspec.json.decode(value.data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _Unreadable(f"{value.where} is no JSON: {error}") from None


_SCALARS: Mapping[str, Callable[[_Value], Any]] = {
    "string": _string,
    "bool": lambda value: value.varint != 0,
    "int32": _signed(32),
    "int64": _signed(64),
    "double": _double,
    "bytes": lambda value: b64encode(value.data).decode(),
    "json": _json,
    "data": lambda value: value.data,
}
_WIRES = {"bool": _VARINT, "int32": _VARINT, "int64": _VARINT, "double": _FIXED64}
"""Wire types of what is not length-delimited."""


def _time(fields: Json) -> str | None:
    # A time without fields is Go's zero time. Fractions are dropped, as in JSON.
    return _instant(fields, 0, "seconds") if fields else None


def _micro_time(fields: Json) -> str | None:
    return _instant(fields, fields.get("nanos", 0), "microseconds") if fields else None


def _instant(fields: Json, nanos: int, timespec: str) -> str:
    try:
        instant = _EPOCH + timedelta(seconds=fields.get("seconds", 0), microseconds=nanos // 1000)
    except OverflowError:
        raise _Unreadable("a time lies outside the years 1 to 9999") from None
    return f"{instant.isoformat(timespec=timespec)}Z"


def _int_or_string(fields: Json) -> int | str:
    kind = fields.get("type", 0)
    if kind not in (0, 1):
        raise _Unreadable(f"{kind} is no type of an IntOrString")
    found: int | str = fields.get("strVal", "") if kind else fields.get("intVal", 0)
    return found


_FORMS: Mapping[str, Callable[[Json], Any]] = {
    "apiextensions.v1.JSON": lambda fields: fields.get("raw"),
    "apiextensions.v1.JSONSchemaPropsOrArray": lambda fields: fields.get("jSONSchemas") or fields.get("schema"),
    "apiextensions.v1.JSONSchemaPropsOrBool": lambda fields: fields.get("schema", fields.get("allows", False)),
    "apiextensions.v1.JSONSchemaPropsOrStringArray": lambda fields: fields.get("property") or fields.get("schema"),
    "authentication.v1.ExtraValue": lambda fields: fields.get("items", []),
    "authorization.v1.ExtraValue": lambda fields: fields.get("items", []),
    "intstr.IntOrString": _int_or_string,
    "meta.v1.FieldsV1": lambda fields: fields.get("Raw"),
    "meta.v1.MicroTime": _micro_time,
    "meta.v1.Time": _time,
    "resource.Quantity": lambda fields: fields.get("string", "0"),
}
"""Messages whose JSON is no object of their fields."""

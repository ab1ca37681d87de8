"""What a Go program knows of protobuf messages: the descriptors that the generated code carries, one a file, gzipped.

It reads programs as bytes and runs nothing. The notation is the one of protobuf.json, without marks for zeros.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.protobuf_fields import Messages, short_name

_GZIP = b"\x1f\x8b\x08"
_LARGEST = 1 << 20
_SCALARS = {1: "double", 3: "int64", 5: "int32", 8: "bool", 9: "string", 12: "bytes"}
_MESSAGE, _REPEATED = 11, 3

Fields = dict[int, list[int | bytes]]
"""The fields of one message by number, as they stand on the wire."""


def messages_in(program: Path) -> Messages:
    """Return the messages of Kubernetes that a program knows."""
    data = program.read_bytes()
    found: Messages = {}
    for match in re.finditer(re.escape(_GZIP), data):
        try:
            file = zlib.decompressobj(31).decompress(data[match.start() : match.start() + _LARGEST])
        except zlib.error:
            continue
        if b"k8s.io/" in file[:20] and b"generated.proto" in file[:200]:
            found |= _file(_fields(file))
    return found


def _file(file: Fields) -> Messages:
    package = _text(file, 2)
    return {
        short_name(f"{package}.{_text(message, 1)}"): _message(message) for message in map(_fields, _parts(file, 4))
    }


def _message(message: Fields) -> dict[int, str]:
    # A map is a list of entries, each a message that is declared inside; its second field is the value.
    entries = {
        _text(entry, 1): _shape(
            _fields(next(part for part in _parts(entry, 2) if _number(_fields(part), 3) == 2)), {}
        )
        for entry in map(_fields, _parts(message, 3))
    }
    fields = map(_fields, _parts(message, 2))
    return {_number(field, 3): f"{_text(field, 1)} {_shape(field, entries)}" for field in fields}


def _shape(field: Fields, entries: Mapping[str, str]) -> str:
    kind = _number(field, 5)
    name = _text(field, 6).lstrip(".") if kind == _MESSAGE else _SCALARS[kind]
    entry = entries.get(name.rpartition(".")[2])
    if entry is not None:
        return f"{{{entry}}}"
    shape = short_name(name) if kind == _MESSAGE else name
    return f"[{shape}]" if _number(field, 4) == _REPEATED else shape


def _fields(data: bytes) -> Fields:
    found: Fields = {}
    for number, value in _wire(data):
        found.setdefault(number, []).append(value)
    return found


def _wire(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        value, place = _varint(data, place)
        if tag & 7 == 2:
            yield tag >> 3, data[place : place + value]
            place += value
        else:
            yield tag >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while data[place] > 0x7F:
        number |= (data[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return number | data[place] << shift, place + 1


def _parts(fields: Fields, number: int) -> Iterator[bytes]:
    yield from (part for part in fields.get(number, []) if isinstance(part, bytes))


def _text(fields: Fields, number: int) -> str:
    return next(_parts(fields, number)).decode()


def _number(fields: Fields, number: int) -> int:
    return next(part for part in fields[number] if isinstance(part, int))

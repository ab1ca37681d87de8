"""Reading Kubernetes objects from the text that people and tools write: JSON values, YAML documents, Lists.

YAML is read as Kubernetes reads it: a time stays the text that it is, and so does 12:30:00. Bytes come
in, plain objects go out; nothing is read from disk here.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

_MAX_DEPTH = 8
_MAX_NESTING = 500
_INDENTED = re.compile(rf"^[ ?:-]{{{_MAX_NESTING}}}", re.MULTILINE)
_BRACKETS = re.compile(r"(?:^|[\s,\[{])[\[{](?!\s*[\]}])", re.MULTILINE)
"""Brackets that may begin a collection with something in it."""
_SPACE = re.compile(r"[\s,]*")
_NUMBER_STARTS = "-+.0123456789"
_PLAIN_SCALARS = (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("float", r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", _NUMBER_STARTS),
    ("int", r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+|0[0-7]+)", _NUMBER_STARTS),
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
)


class NotADocument(ValueError):
    """The text is neither JSON nor YAML; the message says where and why, and fits behind "it is"."""


class Loader(yaml.CSafeLoader):
    """Safe YAML without the resolvers that turn text into dates and sexagesimal numbers."""


Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _PLAIN_SCALARS:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


def documents(data: bytes) -> list[Any]:
    """Return the documents in a text: JSON values one after the other, or YAML documents.

    Empty YAML documents are left out. Raises NotADocument, and nothing else.
    """
    text = utf_text(data)
    if text.lstrip()[:1] not in ("{", "["):
        return [document for document in _yaml_documents(text) if document is not None]
    try:
        return [msgspec.json.decode(text)]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _json_values(text)


def objects_in(document: Any, *, depth: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the Kubernetes objects of a document: itself, or the items of Lists and arrays in it.

    What is no object (no kind) is left out; the caller compares counts where that matters. Raises
    NotADocument where lists stand in lists without end, as a YAML alias can make them.
    """
    if depth > _MAX_DEPTH:
        raise NotADocument("nested too deeply")
    if isinstance(document, list):
        for item in document:
            yield from objects_in(item, depth=depth + 1)
    elif isinstance(document, dict):
        items, kind = document.get("items"), document.get("kind")
        if isinstance(items, list) and (kind is None or str(kind).endswith("List")):
            for item in items:
                yield from objects_in(typed(item, document), depth=depth + 1)
        elif isinstance(kind, str) and isinstance(document.get("apiVersion"), str):
            yield document


def is_empty_list(document: Any) -> bool:
    """Return whether a document is a list, and right to hold no objects."""
    return isinstance(document, dict) and document.get("items") == []


def typed(item: Any, parent: dict[Any, Any]) -> Any:
    """Give an item of a typed list its kind; built-in lists leave it out of their items."""
    kind = str(parent.get("kind") or "").removesuffix("List")
    if isinstance(item, dict) and "kind" not in item and kind:
        return {"apiVersion": parent.get("apiVersion"), "kind": kind, **item}
    return item


def utf_text(data: bytes) -> str:
    """Return bytes as the text that they are. Raises NotADocument."""
    # A redirect in PowerShell writes UTF-16 with a byte order mark.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise NotADocument(f"not {encoding.removesuffix('-sig')} text: {error.reason}") from error


def _json_values(text: str) -> list[Any]:
    decoder = json.JSONDecoder()
    values: list[Any] = []
    position = _after_space(text, 0)
    try:
        while position < len(text):
            value, position = decoder.raw_decode(text, position)
            values.append(value)
            position = _after_space(text, position)
    except json.JSONDecodeError as error:
        raise NotADocument(f"not valid JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise NotADocument(f"not usable JSON: {_reason(error)}") from error
    return values


def _after_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _yaml_documents(text: str) -> list[Any]:
    try:
        refuse_bottomless(text)
        return list(yaml.load_all(text, Loader=Loader))
    except yaml.YAMLError as error:
        raise NotADocument(f"not valid YAML: {' '.join(str(error).split())}") from error
    # Explicit tags reach constructors that raise what they like on text that is not theirs.
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise NotADocument(f"not usable YAML: {_reason(error)}") from error


def refuse_bottomless(text: str) -> None:
    """Refuse nesting that overflows the stack of the C loader, which would end the process.

    Events come without recursion, but cost time; so they are only looked at where the text could be that deep.
    """
    if _INDENTED.search(text) is None and len(_BRACKETS.findall(text)) < _MAX_NESTING:
        return
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_NESTING:
            raise NotADocument("not usable YAML: it is nested too deeply")


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error) or "no reason given"

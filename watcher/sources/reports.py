"""From the bytes of a file to report objects, in all the shapes in which people and tools keep them.

One object; a List as kubectl prints it; a bare array; an object of lists; several YAML documents, or
JSON values one after the other. Nothing here knows what a report says, nor opens a file.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from watcher.sources.values import one_line

_MAX_DEPTH = 8
_MAX_REPORTS = 100_000
_SPACE = re.compile(r"[\s,]*")


class UnreadableInput(ValueError):
    """The bytes are neither JSON nor YAML; the message says where and why."""


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a time stays the text that it is, and so does 12:30:00."""


_NUMBER_STARTS = "-+.0123456789"
_PLAIN_SCALARS = (
    ("bool", r"yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", _NUMBER_STARTS),
    ("int", r"[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+|0[0-7]+)", _NUMBER_STARTS),
    ("merge", r"<<", "<"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
)

_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _PLAIN_SCALARS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


def load(data: bytes) -> tuple[dict[Any, Any], ...]:
    """Return the objects in a file, in their order. Raises UnreadableInput, and nothing else."""
    content = _decode(data)
    if not content.strip():
        raise UnreadableInput("the input is empty")
    documents = _json_values(content) if content.lstrip()[:1] in ("{", "[") else _yaml_documents(content)
    found: list[dict[Any, Any]] = []
    for document in documents:
        for report in _flatten(document, 0):
            found.append(report)
            if len(found) > _MAX_REPORTS:
                raise UnreadableInput(f"the input holds more than {_MAX_REPORTS} objects")
    return tuple(found)


def _decode(data: bytes) -> str:
    # A redirect in PowerShell writes UTF-16 with a byte order mark.
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableInput(f"the input is not {encoding.removesuffix('-sig')} text: {error.reason}") from error


def _json_values(content: str) -> list[object]:
    decoder = json.JSONDecoder()
    values: list[object] = []
    position = _after_space(content, 0)
    try:
        while position < len(content):
            value, position = decoder.raw_decode(content, position)
            values.append(value)
            position = _after_space(content, position)
    except json.JSONDecodeError as error:
        raise UnreadableInput(f"not valid JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"not usable JSON: {_reason(error)}") from error
    return values


def _after_space(content: str, position: int) -> int:
    match = _SPACE.match(content, position)
    return match.end() if match else position


def _yaml_documents(content: str) -> list[object]:
    try:
        return list(yaml.load_all(content, Loader=_Loader))
    except yaml.YAMLError as error:
        raise UnreadableInput(f"not valid YAML: {' '.join(str(error).split())}") from error
    # Explicit tags reach constructors that raise what they like on text that is not theirs.
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise UnreadableInput(f"not usable YAML: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (
        "it is nested too deeply" if isinstance(error, RecursionError) else one_line(str(error)) or "no reason given"
    )


def _flatten(value: object, depth: int) -> Iterator[dict[Any, Any]]:
    """Yield the objects that a document stands for; an item of a typed list inherits what it lacks."""
    if value is None:
        return
    if depth > _MAX_DEPTH or not isinstance(value, dict | list):
        what = "lists nested too deeply" if depth > _MAX_DEPTH else f"a {type(value).__name__}"
        raise UnreadableInput(f"the input holds {what} where a report should be")
    if isinstance(value, list):
        for entry in value:
            yield from _flatten(entry, depth + 1)
    elif isinstance(items := value.get("items"), list) and one_line(value.get("kind")).endswith("List"):
        for item in items:
            yield from (_inherit(report, value) for report in _flatten(item, depth + 1))
    elif "kind" not in value and value and all(isinstance(entry, list) for entry in value.values()):
        for entry in value.values():
            yield from _flatten(entry, depth + 1)
    else:
        yield value


def _inherit(report: dict[Any, Any], parent: dict[Any, Any]) -> dict[Any, Any]:
    kind = one_line(parent.get("kind")).removesuffix("List")
    if not kind or "kind" in report:
        return report
    return {"apiVersion": parent.get("apiVersion"), "kind": kind, **report}

"""From the bytes of a file to report objects, in all the shapes in which people and tools keep them.

One object; a List as kubectl prints it; a bare array; an object of lists; several YAML documents, or
JSON values one after the other. Nothing here knows what a report says, nor opens a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from watcher.sources.values import one_line
from zenctl.core.documents import NotADocument, documents, typed

_MAX_DEPTH = 8
_MAX_REPORTS = 100_000


class UnreadableInput(ValueError):
    """The bytes are neither JSON nor YAML; the message says where and why."""


def load(data: bytes) -> tuple[dict[Any, Any], ...]:
    """Return the objects in a file, in their order. Raises UnreadableInput, and nothing else."""
    if not data.strip():
        raise UnreadableInput("the input is empty")
    try:
        parsed = documents(data)
    except NotADocument as error:
        raise UnreadableInput(one_line(str(error))) from error
    found: list[dict[Any, Any]] = []
    for document in parsed:
        for report in _flatten(document, 0):
            found.append(report)
            if len(found) > _MAX_REPORTS:
                raise UnreadableInput(f"the input holds more than {_MAX_REPORTS} objects")
    return tuple(found)


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
            yield from (typed(report, value) for report in _flatten(item, depth + 1))
    elif "kind" not in value and value and all(isinstance(entry, list) for entry in value.values()):
        for entry in value.values():
            yield from _flatten(entry, depth + 1)
    else:
        yield value

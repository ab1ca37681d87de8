"""YAML that people write by hand, read with the line of every value, so that an error can say where it is.

Read as Kubernetes reads YAML, like zenctl.core.documents: a time stays the text that it is. Bytes come in, plain
values go out; nothing is read from disk here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from zenctl.core.documents import Loader, NotADocument, refuse_bottomless, utf_text

Path = tuple[str | int, ...]
T = TypeVar("T")

_MAX_DEPTH = 32
_MAX_VALUES = 100_000
_AT = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"object contains unknown field `(.*)`", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")


class Marked(NamedTuple):
    """A document, and for each value of it, by its path, the line that it stands on, counted from 1."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Return the line of a value, or of what is nearest around it where it is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class BadValue(ValueError):
    """A document that is not what it should be; the message begins with the line."""


def read_marked(data: bytes) -> Marked:
    """Read one YAML document. Raises BadValue."""
    try:
        text = utf_text(data)
        refuse_bottomless(text)
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            lines: dict[Path, int] = {}
            return Marked(_Reader(loader, lines).value(node, ()) if node is not None else None, lines)
        finally:
            loader.dispose()
    except NotADocument as error:
        raise BadValue(f"it is {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadValue(f"line {mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except BadValue:
        raise
    # Explicit tags reach constructors that raise what they like on text that is not theirs.
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        raise BadValue(f"it is no usable YAML: {' '.join(str(error).split())}") from None


def convert(marked: Marked, kind: type[T]) -> T:
    """Return a document as a typed value. Raises BadValue, naming line, field and what should stand there."""
    try:
        return msgspec.convert(marked.value, kind)
    except msgspec.ValidationError as error:
        match = _AT.fullmatch(str(error))
        assert match is not None
        path = _path(match["path"] or "")
        what = match["what"][:1].lower() + match["what"][1:]
        unknown = _UNKNOWN.fullmatch(what)
        if unknown is not None:
            raise bad(marked, (*path, unknown[1]), f"{_name(path)} has no field {unknown[1]}") from None
        raise bad(marked, path, f"{_name(path)}: {what}") from None


def bad(marked: Marked, path: Path, what: str) -> BadValue:
    """Return an error about a value of a document."""
    return BadValue(f"line {marked.line(path)}: {what}")


def _path(text: str) -> Path:
    return tuple(int(index) if index else name for name, index in _STEP.findall(text) if name or index)


def _name(path: Path) -> str:
    return (
        "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
        or "the document"
    )


class _Reader:
    """Turns nodes into values, and notes lines on the way."""

    def __init__(self, loader: Loader, lines: dict[Path, int]) -> None:
        self._loader, self._lines = loader, lines

    def value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        if len(path) > _MAX_DEPTH or len(self._lines) > _MAX_VALUES:
            raise BadValue(f"line {line}: it is nested too deeply, or has too many values")
        self._lines.setdefault(path, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*path, place)) for place, child in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, child in node.value:
            line = name.start_mark.line + 1
            key = self._loader.construct_object(name)
            if not isinstance(key, str):
                raise BadValue(f"line {line}: {key!r} is no text, and so no name of a field")
            if key in found:
                raise BadValue(f"line {line}: {key} is there twice")
            self._lines[(*path, key)] = line
            found[key] = self.value(child, (*path, key))
        return found

"""YAML: the same document as JSON, for people who keep it in files.

Strings that any YAML reader, 1.1 or 1.2, might take for something else are quoted, and so is text that a
terminal would obey or hide, with escapes. Nothing is folded, aliased or sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import yaml

from zenctl.core.report import SCHEMA_VERSION, Report, Row, RowStream, document, plain
from zenctl.core.text import escape_unsafe, printable
from zenctl.render import View

if TYPE_CHECKING:
    _Base = yaml.SafeDumper
else:
    _Base = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # PyYAML may be built without libyaml

# PyYAML knows YAML 1.1 and quotes what that resolves; these are numbers and booleans to others only.
_OTHER_TYPES = re.compile(
    r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?0[oO][0-7]+|[-+]?0[xX][0-9a-fA-F]+|[-+]?0[bB][01]+|[yYnN]",
    re.ASCII,
)


_NEVER_FOLD = 2**31 - 1  # libyaml counts in C integers


class _Dumper(_Base):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write equal values out each time: an anchor is a riddle to most readers."""
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if printable(text) != text:
        style: str | None = '"'
    else:
        style = "'" if _OTHER_TYPES.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def report(report: Report, view: View, /) -> Iterator[str]:  # noqa: ARG001 - a document looks the same everywhere
    """Draw a report as its document."""
    yield _encode(document(report))


def rows(stream: RowStream[Row], view: View, /) -> Iterator[str]:  # noqa: ARG001
    """Draw rows as one document, item by item."""
    head = _encode({"kind": stream.kind, "schemaVersion": SCHEMA_VERSION})
    for row in stream.rows:
        yield (f"{head}items:\n" if head else "") + _encode([plain(row)])
        head = ""
    if head:
        yield f"{head}items: []\n"


def _encode(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=_NEVER_FOLD
    )
    # What is unsafe and still there stands in double quotes, by _string, where YAML has an escape for it.
    return "\n".join(escape_unsafe(line, _escape) for line in text.split("\n"))


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""Writing plain values as YAML that every reader takes for the same values; zenctl.core.documents reads.

Strings that any YAML reader, 1.1 or 1.2, might take for something else are quoted, and so is text that a
terminal would obey or hide, with escapes. Nothing is folded, aliased or sorted. What comes out is text;
where it goes is the caller's business.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from zenctl.core.text import escape_unsafe, printable

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


class _BlockDumper(_Dumper):
    """The same, with text of several lines as a block: for files that people edit."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if printable(text) != text:
        style: str | None = '"'
    else:
        style = "'" if _OTHER_TYPES.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if "\n" in text and all(line == printable(line) for line in text.split("\n")):
        # libyaml falls back to quotes where a block would lose something, such as spaces at the end of a line.
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    return _string(dumper, text)


_Dumper.add_representer(str, _string)
_BlockDumper.add_representer(str, _block)


def yaml_text(value: Any, *, blocks: bool = False) -> str:
    """Return a value of dicts, lists and scalars as a YAML document; ``blocks`` writes text of several lines as such.

    Raises RecursionError where it is nested some hundred levels deep.
    """
    text: str = yaml.dump(
        value,
        Dumper=_BlockDumper if blocks else _Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_NEVER_FOLD,
    )
    # What is unsafe and still there stands in double quotes, by _string, where YAML has an escape for it.
    return "\n".join(escape_unsafe(line, _escape) for line in text.split("\n"))


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

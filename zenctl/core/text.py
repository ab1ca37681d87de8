"""Text for people: making foreign text safe to show, and measuring it in terminal columns.

Whatever a cluster says is data. It must not move a cursor, change a colour, turn the reading direction
round or hide itself, so everything invisible becomes a visible escape. Layout and colour are the
renderers' business; nothing here knows a terminal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

ELLIPSIS = "…"
_TAB = 4
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Letters and marks by category that nevertheless draw nothing: grapheme joiner, Hangul fillers, Khmer
# inherent vowels, variation selectors. The two selectors that emoji really use (FE0E, FE0F) may stay.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def printable(text: str, *, keep_lines: bool = False) -> str:
    r"""Return the text with everything that a terminal obeys or hides written as an escape such as \x1b.

    That is control and format characters (bidi overrides, zero-width ones), line separators, surrogates,
    private and unassigned characters. A backslash stays as it is: this is for eyes, not for parsing back.
    With ``keep_lines`` newlines stay and tabs become spaces, for paragraphs.
    """
    if keep_lines:
        text = text.replace("\r\n", "\n").expandtabs(_TAB)
        return "\n".join(escape_unsafe(line, _escape) for line in text.split("\n"))
    return escape_unsafe(text, _escape)


def escape_unsafe(text: str, escape: Callable[[str], str]) -> str:
    """Return the text with each character that is not safe to show replaced by what ``escape`` makes of it."""
    if text.isprintable():
        return text if text.isascii() else _INVISIBLE.sub(lambda match: escape(match.group()), text)
    return "".join(char if _shows(char) else escape(char) for char in text)


def well_formed(text: str) -> str:
    """Return text that UTF-8 can hold: a lone surrogate, as odd file names bring, becomes an escape."""
    return text if text.isascii() else _SURROGATE.sub(lambda match: _escape(match.group()), text)


def display_width(text: str) -> int:
    """Return how many terminal columns printable text takes."""
    return len(text) if text.isascii() else sum(map(_char_width, text))


def shorten(text: str, width: int) -> str:
    """Return the text cut to so many columns, with an ellipsis in the last of them where it was cut."""
    if display_width(text) <= width:
        return text
    if width < 1:
        return ""
    used, end = 0, 0
    for end, char in enumerate(text):  # noqa: B007 - the place of the cut is read after the loop
        used += _char_width(char)
        if used > width - 1:
            break
    return text[:end].rstrip() + ELLIPSIS


def format_bytes(count: int) -> str:
    """Return a size for people, in binary units to one decimal: 512 B, 12.3 MiB."""
    if abs(count) < 1024:
        return f"{int(count)} B"
    size, unit = float(count), 0
    while abs(size) >= 1023.95 and unit < len(_UNITS) - 1:  # 1023.95 would print as 1024.0
        size, unit = size / 1024, unit + 1
    return f"{size:,.1f} {_UNITS[unit]}"


def _shows(char: str) -> bool:
    # Spaces other than the ASCII one count as unprintable in Python, but CJK and French text needs them.
    if char.isprintable():
        return char.isascii() or not _INVISIBLE.match(char)
    return unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@lru_cache(maxsize=4096)
def _char_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf", "Cc") or "\u1160" <= char <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1

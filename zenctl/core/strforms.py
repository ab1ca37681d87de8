"""Strings as schemas restrict them: the formats that an API server checks, and its patterns (RE2) in ``re``.

What cannot be judged exactly as the server does is not judged at all. Patterns are those of CRDs that a
server admitted: ``re`` can be made to take very long by one that was written for that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import date

Test = Callable[[str], bool]

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATE_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})t(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:.\d+)?(?:z|[+-]\d{2}:\d{2})",
    re.ASCII | re.IGNORECASE,
)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_PREFIX_LENGTH = re.compile(r"0|[1-9]\d{0,2}", re.ASCII)


def format_test(name: str) -> Test | None:
    """Return the test of a format; None for one that is not checked. Dashes in names do not count."""
    return _FORMATS.get(name.replace("-", ""))


def is_text_format(name: str) -> bool:
    """Say whether only a text can have a format: one that is checked, or "password", which any text keeps."""
    return name == "password" or format_test(name) is not None


def _is_date(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    match = _DATE_TIME.fullmatch(text)
    return match is not None and _is_date(match[1])


def _is_address(text: str, mark: str) -> bool:
    try:
        return mark in text and "%" not in text and bool(ipaddress.ip_address(text).packed)
    except ValueError:
        return False


def _is_cidr(text: str) -> bool:
    address, _, length = text.partition("/")
    try:
        bits = ipaddress.ip_address(address).max_prefixlen
    except ValueError:
        return False
    return "%" not in address and _PREFIX_LENGTH.fullmatch(length) is not None and int(length) <= bits


_FORMATS: dict[str, Test] = {
    "datetime": _is_date_time,
    "date": _is_date,
    "byte": lambda text: _BASE64.fullmatch(text) is not None,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "ipv4": lambda text: _is_address(text, "."),
    "ipv6": lambda text: _is_address(text, ":"),
    "cidr": _is_cidr,
}

# RE2 knows these and re does not, or reads them in another way: classes by Unicode property, quotation,
# octal and braced code points, multi-line mode, an open lower bound. The last are errors in RE2.
_BEYOND = re.compile(r"\\[pPQECZ1-9]|\\x\{|\[:|\(\?[a-zA-Z]*[mU]|\{,|\(\?<?[=!]|\(\?>|[*+?}]\+|\[[^\]]*--")
_END, _END_RE2 = r"\Z", r"\z"
_PIECE = re.compile(r"\\.?|\[\^?\]?|\]|\$|[\[&~|]|[^\\\[\]$&~|]+", re.DOTALL)


def compile_pattern(pattern: str) -> Test | None:
    """Return the unanchored search that a server would do with a pattern; None where ``re`` cannot do the same."""
    if _BEYOND.search(pattern):
        return None
    try:
        search = re.compile(_translated(pattern), re.ASCII).search
    except (re.error, OverflowError, RecursionError):
        return None
    return lambda text: search(text) is not None


def why_malformed(pattern: str) -> str:
    """Say why a pattern is no regular expression; nothing where it is one, or where ``re`` cannot tell."""
    if _BEYOND.search(pattern):
        return ""
    try:
        re.compile(_translated(pattern), re.ASCII)
    except re.error as error:
        return str(error)
    except (OverflowError, RecursionError):
        return ""
    return ""


def _translated(pattern: str) -> str:
    """Return the pattern with the end of text as re spells it, and set operators in classes escaped."""
    parts: list[str] = []
    inside = False
    for piece in _PIECE.findall(pattern):
        if not inside:
            inside = piece[0] == "["
            parts.append(_END if piece in (_END_RE2, "$") else piece)
        elif piece[0] in "[&~|":
            inside = not piece.endswith("]")
            parts.append("".join("\\" + char if char in "[&~|" else char for char in piece))
        else:
            inside = piece != "]"
            parts.append(piece)
    return "".join(parts)

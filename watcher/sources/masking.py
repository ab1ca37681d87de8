"""Keeping secrets out of what tools quote: command lines, outputs and fields. It errs on the side of hiding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from watcher.sources.values import one_line
from zenctl.core.text import ELLIPSIS

MASK = "***"

_MOST_TEXT = 8_200
"""A little more than an Observation keeps of a text, so that cutting it there still shows."""

_WORD = r"(?:password|passwd|passphrase|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key)s?"
_MOST_FIELDS = 65_536
_SECRET_KEY = re.compile(rf"{_WORD}|authorization|cookie", re.IGNORECASE)
_PAIR = re.compile(
    rf"""((?:{_WORD}[\w-]{{0,64}}["']?|authorization)\s{{0,8}}[=:]\s{{0,8}}(?:(?:bearer|basic)\s{{1,8}})?|
        (?<!\w)--?(?:\w{{1,32}}-){{0,4}}{_WORD}[\w-]{{0,64}}\s{{1,8}}|\b(?:bearer|basic)\s{{1,8}})
        ("[^"]*"|'[^']*'|[^\s"',;&)]+)""",
    re.IGNORECASE | re.VERBOSE,
)
_IN_ADDRESS = re.compile(r"(://[^\s/:@]{1,256}:)[^\s/@]+(@)")
_SHORT_OPTION = re.compile(r"(\b(?:mysql|mysqldump|sshpass|mariadb)\b[^|;&]{0,256}?\s-p)([^\s]+)")


def mask(text: str) -> str:
    """Return text with the values that follow words such as "password=" or "--token" masked.

    Time grows with the square of the length at worst, so what is longer than any command line is cut.
    """
    masked = _PAIR.sub(lambda found: found.group(1) + MASK, text[:_MOST_TEXT])
    return _SHORT_OPTION.sub(r"\1" + MASK, _IN_ADDRESS.sub(r"\1" + MASK + r"\2", masked))


def masked_fields(fields: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a flat object with its texts masked, and the values of keys that name a secret masked whole.

    Texts beyond what an Observation keeps become an ellipsis: nobody is to wait for them to be searched.
    """
    masked: dict[Any, Any] = {}
    room = _MOST_FIELDS
    for key, value in fields.items():
        if _SECRET_KEY.search(one_line(key)):
            masked[key] = MASK
        elif not isinstance(value, str):
            masked[key] = value
        elif room > 0:
            masked[key] = mask(value)
            room -= min(len(value), _MOST_TEXT)
        else:
            masked[key] = ELLIPSIS
    return masked

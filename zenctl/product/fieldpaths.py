"""Paths to fields of an object: .a.b[0]['c.d'], a dot or brackets for each step, and nothing cleverer."""

from __future__ import annotations

import re
from typing import Any

Steps = tuple[str | int, ...]
_STEP = re.compile(r"""\.([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)+)'\]|\["((?:[^"\\]|\\.)+)"\]""", re.ASCII)
_MOST_STEPS = 32


def parse_path(text: str) -> Steps:
    """Return the steps of a path; "." is the object itself.

    Raises ValueError that says at which character the path stops making sense.
    """
    if text == ".":
        return ()
    steps: list[str | int] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            expected = (
                "a path begins with a dot, such as .a.b[0]['c.d']" if not position else "expected .name or [...]"
            )
            raise ValueError(f"{text!r} is not a path: {expected}, at character {position + 1}")
        name, index, single, double = found.groups()
        quoted = single if single is not None else double
        steps.append(
            int(index) if index is not None else name if name is not None else re.sub(r"\\(.)", r"\1", quoted)
        )
        position = found.end()
    if not 0 < len(steps) <= _MOST_STEPS:
        raise ValueError(f"{text!r} is not a path: it has {len(steps)} steps, not 1 to {_MOST_STEPS}")
    return tuple(steps)


def look_up(value: Any, steps: Steps) -> Any:
    """Return what a path leads to; None where it leads nowhere."""
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return None
            value = value[step]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value

"""Colour: the only place that knows escape sequences, and the only importer of rich.

Painting happens after layout, so that colour never changes a width, and rich is imported only where a
terminal wants colour. Sixteen colours, so that the user's own theme decides how they look.
"""

from __future__ import annotations

from collections.abc import Callable

from zenctl.core.report import Tone

TITLE = "title"
LABEL = "label"
_STYLES = {
    Tone.GOOD: "green",
    Tone.WARN: "yellow",
    Tone.BAD: "red",
    Tone.MUTED: "dim",
    TITLE: "bold",
    LABEL: "dim",
}

Paint = Callable[[str, str | None], str]
"""Text and a tone, TITLE, LABEL or None; the text with escape sequences around it, or as it was."""


def painter(*, colour: bool) -> Paint:
    """Return how to paint."""
    if not colour:
        return _leave
    # rich.table would lay out as well, but it needs all rows at once and takes 0.2 ms for each of them.
    from rich.color import ColorSystem
    from rich.style import Style

    styles = {name: Style.parse(definition) for name, definition in _STYLES.items()}

    def paint(text: str, style: str | None) -> str:
        if style is None or not text:
            return text
        return styles[style].render(text, color_system=ColorSystem.STANDARD)

    return paint


def _leave(text: str, style: str | None) -> str:  # noqa: ARG001
    return text

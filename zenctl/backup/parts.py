"""The parts of a backup that may be left out on purpose, and the words for them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Part(StrEnum):
    """A part by the word that manifests, footers and options use for it."""

    HELM = "helm"
    """The revisions of Helm's releases."""


_WORDS: dict[str, str] = {Part.HELM: "Helm data"}


def in_words(parts: Iterable[str]) -> str:
    """Return parts for people; one that a newer version named is called by its own word."""
    return ", ".join(_WORDS.get(part, part) for part in parts)

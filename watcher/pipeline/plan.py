"""What the pipeline hands on: writes, and what became of every event that makes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from watcher.pipeline.live import Key


class Drop(StrEnum):
    """Why an event makes no write, beside the reasons of the filter."""

    DUPLICATE = "duplicate"
    """A repeat within the window: it is counted, and written later with others."""
    REDELIVERED = "redelivered"
    """The same sighting once more: it is not counted."""
    RATE_LIMITED = "rate_limited"
    OVERFLOW = "overflow"
    """The source has as many live Observations as it may have."""
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Create:
    """Create an Observation. Where it exists, its status becomes ``status.after_sightings`` of this sighting."""

    key: Key
    object: Mapping[str, Any]
    time: str | None
    listed: bool
    count: int = 1


@dataclass(frozen=True, slots=True)
class Repeat:
    """Count further sightings of a live Observation, by ``status.after_sightings``."""

    key: Key
    count: int
    time: str | None
    listed: bool


@dataclass(frozen=True, slots=True)
class Resolve:
    """Resolve an Observation that its source is clear of, by ``status.after_clearing``."""

    key: Key
    report: str


Write = Create | Repeat | Resolve


@dataclass(slots=True)
class Plan:
    """What one report comes to. ``dropped`` counts by reason; each event is in one write or one reason."""

    writes: list[Write] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    """One line for each invalid event."""

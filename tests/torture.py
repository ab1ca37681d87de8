"""How much of the long suites runs: all of it, or the seeded part that ZENCTL_TORTURE_FRACTION names."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")

SEED = int(os.environ.get("ZENCTL_TORTURE_SEED", "1"))
FRACTION = float(os.environ.get("ZENCTL_TORTURE_FRACTION", "1"))


def part(items: Sequence[Item]) -> list[Item]:
    """Return the part of the items that this run takes, in their order, and at least one."""
    count = max(1, round(len(items) * FRACTION))
    return [items[place] for place in sorted(random.Random(SEED).sample(range(len(items)), count))]

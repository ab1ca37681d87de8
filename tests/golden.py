"""Golden files: texts that are compared byte by byte with what was approved by eye.

``ZENCTL_GOLDEN=renew`` writes them anew; look at the diff before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

_TESTS = Path(__file__).parent


def check(name: str, text: str) -> None:
    """Compare text with the golden file of an area: "render/facts.txt" is tests/render/golden/facts.txt."""
    area, _, file = name.rpartition("/")
    path = _TESTS / area / "golden" / file
    if os.environ.get("ZENCTL_GOLDEN") == "renew":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    assert path.exists(), f"no golden file {path}; run with ZENCTL_GOLDEN=renew to write it"
    assert text == path.read_bytes().decode(), f"{name} differs; ZENCTL_GOLDEN=renew if that is right"

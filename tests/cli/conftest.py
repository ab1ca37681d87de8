"""Fixtures for tests of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.world import World, a_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Give a cluster behind a socket, and a store that does not exist yet."""
    with a_world(tmp_path) as made:
        yield made

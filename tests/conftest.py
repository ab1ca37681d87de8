"""Plugins of the whole suite: the real API server is started once, whichever folders use it."""

from __future__ import annotations

pytest_plugins = ["tests.cluster.servers"]

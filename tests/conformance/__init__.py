"""The conformance suite: what a client may rely on, proved on a real API server and held against the sandbox."""

import pytest

for _name in ("cases", "expect", "grants", "place", "watching"):
    pytest.register_assert_rewrite(f"tests.conformance.{_name}")

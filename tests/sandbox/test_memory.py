"""The memory of a backup, whole process, does not grow with the number of objects; each reading is one stream."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.bench.measure import run
from tests.bench.sandbox import bodies, sandbox, zenctl

FEW, MANY = 10_000, 100_000
MOST_GROWTH_BYTES = 10e6


@pytest.mark.torture
@pytest.mark.timeout(600)
def test_ten_times_the_objects_take_no_more_memory(tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "ZENCTL_SANDBOX_DIR": str(tmp_path / "box"),
               "KUBECONFIG": str(tmp_path / "box" / "kubeconfig"), "ZENCTL_CLUSTER": "memory"}  # fmt: skip
    peaks = []
    with sandbox(tmp_path, environ):
        for count in (FEW, MANY):  # the second load replaces the first one's objects and adds to them
            source = tmp_path / "objects.ndjson"
            source.write_bytes(b"\n".join(bodies(count)))
            zenctl(environ, "sandbox", "load", str(source))
            command = [sys.executable, "-m", "zenctl", "backup", "--store", str(tmp_path / "store"), "-v"]
            peaks.append(run(command, environ, tmp_path).peak_bytes)
    few, many = peaks
    assert many - few < MOST_GROWTH_BYTES, f"{few / 2**20:.0f} MiB, then {many / 2**20:.0f} MiB"

"""The real kubectl as a test tool: one kubeconfig, one discovery cache, text in and out.

It owns how tests call kubectl; it asserts nothing about the answers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.controlplane import ASSETS_VARIABLE

_TIMEOUT_SECONDS = 90


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it said."""


def find_kubectl() -> str | None:
    """Return the program from KUBEBUILDER_ASSETS, else from PATH; None where there is none."""
    assets = os.environ.get(ASSETS_VARIABLE)
    return (shutil.which("kubectl", path=assets) if assets else None) or shutil.which("kubectl")


class Kubectl:
    """Calls kubectl with one kubeconfig. The program comes from KUBEBUILDER_ASSETS, else from PATH."""

    def __init__(self, kubeconfig: Path, cache: Path) -> None:
        program = find_kubectl()
        if program is None:
            raise KubectlError(f"no kubectl in {ASSETS_VARIABLE} or on PATH")
        # A cache of our own: the default one is keyed by address, and test servers take each other's ports.
        self._command = [program, f"--kubeconfig={kubeconfig}", f"--cache-dir={cache}"]

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run it and return code, stdout and stderr, whatever they are."""
        return subprocess.run(
            [*self._command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_SECONDS,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """Run it and return stdout. Raises KubectlError where it failed."""
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run it with ``-o json`` and return what it printed."""
        return json.loads(self(*arguments, "-o", "json"))

    def apply(self, *manifests: dict[str, Any]) -> None:
        """Create or update these objects."""
        self("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)}))

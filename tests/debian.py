"""Programs out of Debian's packages, for tests that need the real ones: fetched without root, beside the project.

``python -m tests.debian age`` fetches; ``program`` only looks. Where a package cannot be had the tests that need it
are skipped by name.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / ".work" / "debian"


def program(name: str) -> str | None:
    """Return the path of a program: the machine's own, or the one that was fetched; None where there is neither."""
    fetched = FOLDER / "usr" / "bin" / name
    return shutil.which(name) or (str(fetched) if fetched.is_file() else None)


def needs(*names: str) -> pytest.MarkDecorator:
    """Return the mark of a test that runs only where all these programs are to be had."""
    missing = [name for name in names if program(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}, which Debian's packages have")


def fetch(package: str) -> str:
    """Unpack a package beside the project, and return in words what became of it."""
    if program(package):
        return f"{package} is there"
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return f"{package} cannot be had: this is no Debian"
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True, timeout=120)
            (found,) = Path(folder).glob("*.deb")
            FOLDER.mkdir(parents=True, exist_ok=True)
            subprocess.run(["dpkg", "-x", str(found), str(FOLDER)], check=True, capture_output=True, timeout=120)
        except (subprocess.SubprocessError, ValueError) as error:
            return f"{package} cannot be had: {error}"
    return f"{package} was fetched"


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        sys.stdout.write(fetch(wanted) + "\n")

"""The project's own files: Makefile, lock files, entry points, version, docstrings, what no file may mention.

It looks at files only; how the code behaves is tested elsewhere.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zenctl

ROOT = Path(__file__).parents[1]
CI = ".ci/run"
LOCKS = ("requirements.lock", "requirements-dev.lock")

# Spelled in two parts, since this file is among those that are searched.
ONLY_CI_MAY_MENTION = ("../" + "shared", "kube-" + "assets")


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources() -> list[Path]:
    return [path for package in ("zenctl", "watcher") for path in sorted((ROOT / package).rglob("*.py"))]


def project_files() -> list[str]:
    """Return what is in git, or would be after ``git add``: a mistake shows before it is committed."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def text_files() -> Iterator[tuple[str, str]]:
    for name in project_files():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data[:8192]:
            yield name, data.decode(errors="replace")


# --- Makefile and CI


def phony_targets() -> list[str]:
    names: str
    (names,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return names.split()


def test_help_lists_every_target():
    if shutil.which("make") is None:
        pytest.skip("no make")
    shown = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    described = {
        words[0]: words[1] for words in (line.split(None, 1) for line in shown.splitlines()) if len(words) > 1
    }
    assert list(described) == phony_targets()


def test_every_target_is_declared():
    targets = re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(targets) == sorted(phony_targets())


def test_ci_runs_targets_that_exist():
    text = (ROOT / CI).read_text()
    used = re.findall(r"\bmake ([a-z-]+)", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    assert {"test", "lint", "demo", "test-cluster", "torture"} == set(used)
    assert set(used) <= set(phony_targets())


def test_ci_is_a_strict_script():
    assert os.access(ROOT / CI, os.X_OK)
    text = (ROOT / CI).read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text


# --- dependencies


def locked(name: str) -> dict[str, str]:
    """Return the requirements of a lock file: project name to the whole entry with its hashes."""
    entries = re.split(r"\n(?=[A-Za-z0-9])", (ROOT / name).read_text())
    return {re.split(r"[=\s;\[]", entry, maxsplit=1)[0]: entry for entry in entries}


def normalized(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_is_pinned_and_hashed(name):
    loose = [
        requirement
        for requirement, entry in locked(name).items()
        if not re.match(r"[a-z0-9-]+==[^\s;]+( ;[^\n]*)? \\\n    --hash=sha256:[0-9a-f]{64}", entry)
    ]
    assert loose == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_index(name):
    assert not re.search(r"://|index-url|find-links|trusted-host|file:| @ ", (ROOT / name).read_text())


def test_what_is_declared_is_locked():
    run = {normalized(requirement) for requirement in project()["project"]["dependencies"]}
    develop = {normalized(requirement) for requirement in project()["dependency-groups"]["dev"]}
    assert run <= set(locked(LOCKS[0]))
    assert run | develop <= set(locked(LOCKS[1]))


def test_development_tests_what_users_install():
    develop = {name: entry.splitlines()[0] for name, entry in locked(LOCKS[1]).items()}
    for name, entry in locked(LOCKS[0]).items():
        assert develop[name] == entry.splitlines()[0]


# --- the package


@pytest.mark.parametrize("target", sorted(set(project()["project"]["scripts"].values())))
def test_an_entry_point_resolves(target):
    module, _, attribute = target.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_the_version_is_stated_once():
    assert "version" in project()["project"]["dynamic"]
    assert project()["tool"]["hatch"]["version"]["path"] == "zenctl/__init__.py"
    stating = [path for path in sources() if re.search(r"^__version__\s*[:=]", path.read_text(), re.MULTILINE)]
    assert stating == [ROOT / "zenctl" / "__init__.py"]
    repeating = [path for path in sources() if f'"{zenctl.__version__}"' in path.read_text()]
    assert repeating == stating


def test_every_module_says_what_it_is():
    silent = [str(path.relative_to(ROOT)) for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


# --- what no file may mention


@pytest.mark.parametrize("phrase", ONLY_CI_MAY_MENTION)
def test_only_ci_knows_what_lies_beside_the_project(phrase):
    assert {name for name, text in text_files() if phrase in text} <= {CI}


def test_no_file_names_the_folder_it_was_written_in():
    assert [name for name, text in text_files() if f"{ROOT}/" in text] == []

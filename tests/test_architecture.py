"""The import contracts hold, and each of them bites: violations are planted in a copy of the tree, one at a time.

It owns the proof that ``.importlinter`` says what the design says; the contracts themselves are stated there only.
"""

from __future__ import annotations

import ast
import configparser
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = ROOT / ".importlinter"
PACKAGES = ("zenctl", "watcher")

# What the daemon may use of zenctl; of cleanup, only its plan.
DAEMON_MAY_USE = {"core", "product", "access", "ports", "errors", "kube", "cleanup"}

PURE = (
    "zenctl/core",
    "zenctl/access",
    "zenctl/product",
    "zenctl/sandbox/apiserver",
    "zenctl/sandbox/snapshot.py",
    "zenctl/backup/retention.py",
    "zenctl/errors.py",
    "zenctl/ports.py",
    "watcher/sources",
    "watcher/pipeline",
)
# I/O and clocks that need no import of their own, or come with modules that pure code may import.
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "__import__", "breakpoint"}
IMPURE_METHODS = {"now", "utcnow", "today"}

_LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


class Planted(NamedTuple):
    """A module that must not be, and the contract that has to say so."""

    module: str
    code: str
    contract: str

    @property
    def path(self) -> str:
        """Where the module lies in the tree."""
        return self.module.replace(".", "/") + ".py"


PURITY = "pure"
LAYERS = "zenctl-layers"
VIOLATIONS = {
    "core uses an HTTP library": Planted("zenctl.core.planted", "import urllib3", PURITY),
    "core reads the environment": Planted("zenctl.core.planted", "import os", PURITY),
    "core reads a clock": Planted("zenctl.core.planted", "from time import monotonic", PURITY),
    "core imports product": Planted("zenctl.core.planted", "import zenctl.product.planted", LAYERS),
    "product opens files": Planted("zenctl.product.planted", "from pathlib import Path", PURITY),
    "access asks a clock": Planted("zenctl.access.planted", "import time", PURITY),
    "access imports product": Planted("zenctl.access.planted", "import zenctl.product.planted", LAYERS),
    "the sandbox's core reads a clock": Planted("zenctl.sandbox.apiserver.planted", "import time", "sandbox-core"),
    "the sandbox's core has a socket": Planted(
        "zenctl.sandbox.apiserver.planted", "import zenctl.sandbox.http", "sandbox-core"
    ),
    "the sandbox asks a cluster": Planted("zenctl.sandbox.planted", "import zenctl.kube.planted", "kube-importers"),
    "kube knows the sandbox": Planted("zenctl.kube.planted", "import zenctl.sandbox.planted", LAYERS),
    "aiohttp in a slice": Planted("zenctl.events.planted", "import aiohttp", "client-libraries"),
    "a restore drills": Planted("zenctl.restore.planted", "import zenctl.drill.planted", LAYERS),
    "a drill opens a connection": Planted("zenctl.drill.planted", "import zenctl.kube.planted", "kube-importers"),
    "watcher drills": Planted("watcher.sources.planted", "import zenctl.drill.planted", "watcher-is-small"),
    "watcher has a sandbox": Planted("watcher.sources.planted", "import zenctl.sandbox.planted", "watcher-is-small"),
    "a port has threads": Planted("zenctl.ports", "import threading", PURITY),
    "a plan is random": Planted("zenctl.cleanup.plan", "import random", PURITY),
    "retention reads a clock": Planted("zenctl.backup.retention", "import time", PURITY),
    "sources log": Planted("watcher.sources.planted", "import logging", PURITY),
    "errors are no leaf": Planted("zenctl.errors", "import zenctl.core.planted", LAYERS),
    "a slice imports an adapter": Planted("zenctl.backup.planted", "import zenctl.kube.planted", "kube-importers"),
    "a slice imports the store": Planted("zenctl.backup.planted", "import zenctl.blob.planted", "blob-importers"),
    "a slice renders": Planted("zenctl.events.planted", "import zenctl.render.planted", "render-importers"),
    "slices sideways": Planted("zenctl.backup.planted", "import zenctl.cleanup.planted", LAYERS),
    "a slice imports the command line": Planted("zenctl.events.planted", "import zenctl.cli.planted", LAYERS),
    "render asks the cluster": Planted("zenctl.render.planted", "import zenctl.kube.planted", LAYERS),
    "the archive knows Kubernetes": Planted("zenctl.archive.planted", "import zenctl.kube.planted", LAYERS),
    "the archive chooses its store": Planted("zenctl.archive.planted", "import zenctl.blob.planted", LAYERS),
    "a port knows the archive": Planted("zenctl.ports", "import zenctl.archive.planted", LAYERS),
    "an unlisted module": Planted("zenctl.planted", "", LAYERS),
    "an unlisted module of the daemon": Planted("watcher.planted", "", "watcher-layers"),
    "zenctl imports watcher": Planted(
        "zenctl.cli.planted", "import watcher.sources.planted", "zenctl-without-watcher"
    ),
    "a lazy import of watcher": Planted(
        "zenctl.cli.planted", "def f():\n    import watcher.sources.planted", "zenctl-without-watcher"
    ),
    "watcher prints tables": Planted("watcher.sources.planted", "import rich", "watcher-is-small"),
    "watcher renders": Planted("watcher.sources.planted", "import zenctl.render.planted", "watcher-is-small"),
    "watcher backs up": Planted("watcher.sources.planted", "import zenctl.backup.planted", "watcher-is-small"),
    "watcher runs a cleanup": Planted(
        "watcher.sources.planted", "import zenctl.cleanup.planted", "watcher-plans-only"
    ),
    "sources ask the cluster": Planted("watcher.sources.planted", "import zenctl.kube.planted", "kube-importers"),
    "a command file opens a connection": Planted(
        "zenctl.cli.planted", "import zenctl.kube.planted", "kube-importers"
    ),
    "a command file opens a store": Planted("zenctl.cli.planted", "import zenctl.blob.planted", "blob-importers"),
    "a slice pushes metrics by itself": Planted(
        "zenctl.unattended.planted", "import zenctl.prom.planted", "prom-importers"
    ),
    "kubernetes outside kube": Planted("zenctl.cli.planted", "import kubernetes.client", "client-libraries"),
    "urllib3 in the archive": Planted("zenctl.archive.planted", "import urllib3", "client-libraries"),
    "an object store's client in a slice": Planted("zenctl.backup.planted", "import obstore", "client-libraries"),
    "an object store's client beside its adapter": Planted(
        "zenctl.blob.planted", "import obstore", "client-libraries"
    ),
    "typer in a slice": Planted("zenctl.events.planted", "import typer", "terminal-libraries"),
    "rich in a slice": Planted("zenctl.backup.planted", "import rich.console", "terminal-libraries"),
    "click in the command line": Planted("zenctl.cli.planted", "import click", "never"),
    "asyncio in an adapter": Planted("zenctl.kube.planted", "import asyncio", "never"),
    "the root package imports": Planted("zenctl.__init__", "import zenctl.core.planted", "bare-roots"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a copy of the packages and contracts, with an empty module ``planted`` in each package to aim at."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
        for inner in (tmp_path / package).glob("*/__init__.py"):
            (inner.parent / "planted.py").touch()
    shutil.copy(CONTRACTS, tmp_path)
    return tmp_path


def lint(tree: Path, *contracts: str) -> tuple[int, str]:
    """Check the tree in a process of its own, which knows no other zenctl; returns exit code and output."""
    only = [part for contract in contracts for part in ("--contract", contract)]
    done = subprocess.run(
        [sys.executable, "-c", _LINT, "--config", str(tree / CONTRACTS.name), "--no-cache", "--no-logo", *only],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def read_contracts() -> configparser.ConfigParser:
    """Return the contracts as written."""
    parser = configparser.ConfigParser()
    parser.read(CONTRACTS)
    return parser


def name_of(contract: str) -> str:
    """Return the title under which a contract is reported."""
    return read_contracts()[f"importlinter:contract:{contract}"]["name"]


def test_the_tree_keeps_every_contract(tree):
    code, output = lint(tree)
    assert code == 0, output
    assert f"{len(read_contracts().sections()) - 1} kept, 0 broken" in output


@pytest.mark.parametrize("planted", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_planted_violation_is_caught(tree, planted):
    path = tree / planted.path
    before = path.read_text() if path.exists() else ""
    # Last, and on lines of its own, so that a module that exists stays valid.
    path.write_text(f"{before}\n{planted.code}\n")
    code, output = lint(tree, planted.contract)
    assert code == 1, output
    assert f"{name_of(planted.contract)} BROKEN" in output
    assert planted.module.removesuffix(".__init__") in output.partition("Broken contracts")[2]


def test_every_contract_is_proved_by_a_violation():
    contracts = {section.rpartition(":")[2] for section in read_contracts().sections() if ":" in section}
    assert contracts == {planted.contract for planted in VIOLATIONS.values()}


def test_it_is_decided_for_every_module_whether_the_daemon_may_use_it():
    forbidden = read_contracts()["importlinter:contract:watcher-is-small"]["forbidden_modules"].split()
    decided = DAEMON_MAY_USE | {name.removeprefix("zenctl.") for name in forbidden}
    there = {
        path.stem for path in (ROOT / "zenctl").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert there - decided == {"__init__"}


def test_pure_modules_call_nothing_impure():
    found = [
        f"{path.relative_to(ROOT)}:{line} {what}" for path in _pure_files() for line, what in _impure_calls(path)
    ]
    assert found == []


@pytest.mark.parametrize("code", ["open('f')", "datetime.now(UTC)", "date.today()", "print('x')"])
def test_impure_calls_are_recognized(tmp_path, code):
    path = tmp_path / "planted.py"
    path.write_text(code)
    assert len(list(_impure_calls(path))) == 1


def _pure_files() -> Iterator[Path]:
    for name in PURE:
        path = ROOT / name
        yield from path.rglob("*.py") if path.is_dir() else [path] if path.exists() else []
    yield from (ROOT / "zenctl").glob("*/plan.py")


def _impure_calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
            yield node.lineno, node.func.id
        if isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_METHODS:
            yield node.lineno, node.func.attr

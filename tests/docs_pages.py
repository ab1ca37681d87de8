"""The generated pages of docs/: what they hold comes from the program, and a test keeps them in step.

``make docs`` writes them; tests/test_docs.py compares. Nothing else in docs/ is generated.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from tests.triage_page import triage_page
from tests.watcher.docs_page import sources_page
from zenctl.cli.app import COMMANDS, run
from zenctl.core.findings import catalogue
from zenctl.errors import ExitCode

DOCS = Path(__file__).resolve().parent.parent / "docs"
_WRITTEN_BY = "<!-- written by `make docs`; change the program, not this page -->\n"


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words of every command and group, as they are typed, parents first."""
    yield ()
    for name, group in COMMANDS.items():
        yield (name,)
        found: Any = typer.main.get_command(import_module(group.module).app)
        for child in getattr(found, "commands", {}):
            yield (name, child)


def help_of(words: tuple[str, ...]) -> str:
    """Return the help of a command at a fixed width."""
    out = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(out):
            code = run([*words, "--help"])
    finally:
        if before is None:
            os.environ.pop("COLUMNS", None)
        else:
            os.environ["COLUMNS"] = before
    if code != ExitCode.GOOD:
        raise RuntimeError(f"zenctl {' '.join(words)} --help answers {code}")
    return out.getvalue().rstrip() + "\n"


def commands_page() -> str:
    """Return docs/commands.md: the help of every command."""
    parts = [
        _WRITTEN_BY,
        "# Commands\n",
        "What every command says to `--help`. Global options stand in the first one.\n",
    ]
    for words in commands():
        parts += [f"## {' '.join(('zenctl', *words))}\n", f"```text\n{help_of(words)}```\n"]
    return "\n".join(parts)


def exit_codes_page() -> str:
    """Return docs/exit-codes.md: every code and its meaning."""
    rows = [f"| {int(code)} | {code.meaning} |" for code in ExitCode]
    return "\n".join(
        [
            _WRITTEN_BY,
            "# Exit codes\n",
            "| code | meaning |\n|---:|---|",
            *rows,
            "",
            "Where several apply, the first of 130, 70, 8, 6, 5, 4, 2, 3, 1, 7, 0 wins.",
            "The help of each command lists the ones that it may answer.\n",
        ]
    )


def findings_page() -> str:
    """Return docs/findings.md: every code of the catalogue."""
    rows = [f"| {code.code} | {code.severity} | {code.title} | {code.remedy} |" for code in catalogue()]
    head = "| code | severity | what it is | what to do |\n|---|---|---|---|"
    return "\n".join([_WRITTEN_BY, "# Findings\n", "Codes are permanent and never used again.\n", head, *rows, ""])


def day_page() -> str:
    """Return docs/triage.md: a day at the triage desk, as it was run."""
    return f"{_WRITTEN_BY}\n{triage_page()}"


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "exit-codes.md": exit_codes_page,
    "findings.md": findings_page,
    "sources.md": partial(sources_page, _WRITTEN_BY),
    "triage.md": day_page,
}


def main() -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")


if __name__ == "__main__":
    main()

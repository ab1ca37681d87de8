"""The documentation is true: generated pages are current, commands and files that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs_pages import DOCS, PAGES, commands, help_of

ROOT = DOCS.parent
WRITTEN = sorted(path for path in [ROOT / "README.md", *DOCS.rglob("*.md")] if path.name not in PAGES)
WORDS = {words for words in commands() if words}


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_what_the_program_says_now(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run make docs"


@pytest.mark.parametrize("words", sorted(WORDS), ids=" ".join)
def test_every_command_is_documented_and_every_option_explained(words: tuple[str, ...]) -> None:
    text = help_of(words)
    assert f"## zenctl {' '.join(words)}\n" in (DOCS / "commands.md").read_text(encoding="utf-8")
    options = text.partition("Options:\n")[2].partition("\n\n")[0]
    for line in re.findall(r"^  (-.*)$", options, re.MULTILINE):
        assert re.search(r"\S  +\S", line), f"an option without help: {line}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", prose):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: path.name)
def test_commands_that_a_page_shows_exist_with_their_options(page: Path) -> None:
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in re.findall(r"^\$? ?(zenctl .*)$", block, re.MULTILINE):
            for call in re.split(r"\||&&|;", line):
                _check(call.split(), line)


def _check(call: list[str], line: str) -> None:
    if not call or call[0] != "zenctl":
        return
    words = tuple(word for word in call[1:3] if not word.startswith("-"))
    known = next((words[:count] for count in (2, 1) if words[:count] in WORDS), None)
    assert known is not None, f"no such command: {line}"
    helps = help_of(known) + help_of(())
    for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", " ".join(call)):
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", helps), f"{option} is no option of: {line}"


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"`make ([a-z-]+)", "\n".join(p.read_text() for p in WRITTEN))))
)
def test_make_targets_that_the_documentation_names_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

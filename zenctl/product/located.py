"""Configuration as people write it, with the line of everything in it, so that an error can say where.

YAML or JSON text in, plain objects and problems out. Nothing here knows what a setting means.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from zenctl.core.marked import BadValue, Path, read_marked
from zenctl.core.text import printable


class Problem(NamedTuple):
    """One thing that is wrong; line counts from 1, and is 0 for what stands in no file."""

    line: int
    field: str
    text: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return printable(f"{where}{self.field}: {self.text}" if self.field else f"{where}{self.text}")


class ConfigurationError(ValueError):
    """Configuration that cannot be used; ``problems`` has all that is wrong, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("; ".join(map(str, self.problems)))


class Located:
    """A document, where its parts stand, and what was found to be wrong with it."""

    def __init__(self, value: Any, lines: Mapping[Path, int]) -> None:
        self.value = value
        self.problems: list[Problem] = []
        self._lines = lines

    def problem(self, path: Path, text: str) -> None:
        """Note that something is wrong; what is missing counts at the line of what it is missing in."""
        at = path
        while at and at not in self._lines:
            at = at[:-1]
        self.problems.append(Problem(self._lines.get(at, 0), spelled(path), text))

    def elsewhere(self, name: str, text: str) -> None:
        """Note that something is wrong that stands in no file, such as a variable of the environment."""
        self.problems.append(Problem(0, name, text))

    def object(self, value: Any, path: Path, known: Iterable[str]) -> Mapping[str, Any]:
        """Return an object with known keys only; notes what else there is."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(path, f"is {described(value)}, not an object")
            return {}
        names = sorted(known)
        for key in value:
            if key not in names:
                close = difflib.get_close_matches(str(key), names, 1)
                hint = f"; did you mean {close[0]}?" if close else f" (known are {', '.join(names)})"
                self.problem((*path, str(key)), f"is not known{hint}")
        return {key: entry for key, entry in value.items() if key in names}

    def list(self, value: Any, path: Path) -> list[Any]:
        """Return a list; notes what is none."""
        if value is None or isinstance(value, list):
            return value or []
        self.problem(path, f"is {described(value)}, not a list")
        return []

    def done(self) -> None:
        """Raise ConfigurationError if anything was noted."""
        if self.problems:
            raise ConfigurationError(self.problems)


def read(data: bytes) -> Located:
    """Return the one document in a text. Raises ConfigurationError for what is neither JSON nor YAML."""
    try:
        marked = read_marked(data)
    except BadValue as error:
        raise ConfigurationError([Problem(0, "", str(error))]) from None
    return Located({} if marked.value is None else marked.value, marked.lines)


def spelled(path: Path) -> str:
    """Return a path as people write it: sources.trivy.namespaces[0]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def described(value: Any) -> str:
    """Return what a wrong value is, for messages."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "empty" if value is None else repr(value)[:80]

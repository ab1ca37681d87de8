"""The list of cases: a decorator that registers one, with the first release whose behaviour it describes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.place import Place

Run = Callable[[Place], None]


class Case(NamedTuple):
    """One behaviour of a Kubernetes API server."""

    topic: str
    name: str
    since: tuple[int, int]
    run: Run

    @property
    def id(self) -> str:
        return f"{self.topic}-{self.name}"


_CASES: dict[str, Case] = {}


def case(*, since: str = "1.20") -> Callable[[Run], Run]:
    """Register a case; on a server older than ``since`` it is skipped."""

    def register(run: Run) -> Run:
        topic = run.__module__.rpartition(".")[2]
        made = Case(topic, run.__name__, release(since), run)
        if made.id in _CASES:
            raise ValueError(f"two cases named {made.id}")
        _CASES[made.id] = made
        return run

    return register


def release(text: str) -> tuple[int, int]:
    """Read a release such as "1.20"."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def all_cases() -> list[Case]:
    """Return every case of the folder ``cases``, by topic and in the order in which they are written."""
    from tests.conformance import cases

    for module in sorted(found.name for found in pkgutil.iter_modules(cases.__path__)):
        importlib.import_module(f"{cases.__name__}.{module}")
    return list(_CASES.values())

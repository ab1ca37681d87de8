"""The sample reports in tests/data, and short ways to read them in tests. It checks nothing itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from watcher.sources import kube_bench, kyverno, trivy
from watcher.sources.event import Event, Parser
from watcher.sources.observation import observation
from watcher.sources.registry import PARSERS
from watcher.sources.reports import load
from zenctl.core.observation import Severity

DATA = Path(__file__).parents[1] / "data"
SYSTEM = "zen-system"
EVERY = frozenset(Severity)
NONE: frozenset[Severity] = frozenset()

WAYS: dict[str, tuple[Parser, ...]] = {
    "trivy": (trivy.parse, partial(trivy.parse, individually=EVERY), partial(trivy.parse, individually=NONE)),
    "kube-bench": (kube_bench.parse, partial(kube_bench.parse, node="node-a")),
    **{source: (parse,) for source, parse in PARSERS.items() if source not in ("trivy", "kube-bench")},
}
"""Every parser in every way in which it can be set."""


def files() -> list[Path]:
    """Return every sample file."""
    return [path for source in sorted(PARSERS) for path in sorted((DATA / source).iterdir())]


def reports(name: str) -> list[dict[str, Any]]:
    """Return the objects in a file of tests/data, named as source/file."""
    return [copy.deepcopy(report) for report in load((DATA / name).read_bytes())]


def report(name: str, index: int = 0) -> dict[str, Any]:
    """Return one object in a file of tests/data, free to be changed."""
    return reports(name)[index]


def events(name: str, index: int = 0) -> tuple[Event, ...]:
    """Return the findings of one object in a file of tests/data."""
    return PARSERS[name.partition("/")[0]](report(name, index))


def trivy_observations(value: object) -> list[dict[str, Any]]:
    """Return the Observations of a Trivy report."""
    return [observation(event, default_namespace=SYSTEM) for event in trivy.parse(value)]


def kyverno_observations(value: object) -> list[dict[str, Any]]:
    """Return the Observations of a policy report."""
    return [observation(event, default_namespace=SYSTEM) for event in kyverno.parse(value)]


def places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield the path of every node below a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield (*path, key)
        yield from places(entry, (*path, key))


def replaced(value: Any, path: tuple[object, ...], new: object) -> Any:
    """Return a copy of a value with another node at a path."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed

"""Sources that need no code: what to read, and where in it the fields of an Observation stand.

This is the model and its reading; who maps by it is the watcher's. Everything wrong is found at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zenctl.core.marked import Path
from zenctl.core.observation import Severity
from zenctl.product.fieldpaths import Steps, parse_path
from zenctl.product.located import Located, described

CATEGORIES = ("security", "compliance", "performance", "operations", "cost")
COLLECTORS = ("webhook", "informer", "configMap")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?", re.ASCII)
_EVENT_TYPE = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?", re.ASCII)
_KEYS = (
    "name", *COLLECTORS, "category", "eventType", "items", "when", "message", "severity", "severityMap", "time",
    "resource", "identity", "details",
)  # fmt: skip
_RESOURCE = ("kind", "name", "namespace", "apiVersion")
_COLLECTOR_KEYS: Mapping[str, tuple[str, ...]] = {
    "webhook": (),
    "informer": ("group", "version", "resource", "namespace", "labelSelector"),
    "configMap": ("namespace", "labelSelector", "key"),
}
_NEEDED = {"webhook": (), "informer": ("version", "resource"), "configMap": ("labelSelector", "key")}


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same for every event."""

    value: str


Field = Constant | Steps
"""A field is a path where it begins with "." or "[", else a constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomSource:
    """One source; ``collector`` is one of COLLECTORS, ``settings`` its own, ``when`` what an item must equal."""

    name: str
    collector: str
    settings: Mapping[str, str]
    category: str
    event_type: str
    message: Field
    severity: Field
    severity_map: Mapping[str, Severity]
    resource: Mapping[str, Field]
    identity: tuple[Steps, ...]
    details: Mapping[str, Field]
    items: Steps = ()
    when: tuple[tuple[Steps, tuple[str, ...]], ...] = ()
    time: Steps | None = None


def read_custom(document: Located, value: Any, path: Path, taken: frozenset[str]) -> CustomSource | None:
    """Return one source, or None; what is wrong is noted in the document. ``taken`` are names in use."""
    before = len(document.problems)
    body = document.object(value, path, _KEYS)
    reader = _Reader(document, path)
    collectors = [name for name in COLLECTORS if name in body]
    if len(collectors) != 1:
        document.problem(path, f"needs exactly one of {', '.join(COLLECTORS)}, and has {len(collectors)}")
    collector = collectors[0] if collectors else "webhook"
    name = reader.name(body.get("name"), taken)
    resource = document.object(body.get("resource"), (*path, "resource"), _RESOURCE)
    details = body.get("details") or {}
    if not isinstance(details, dict):
        document.problem((*path, "details"), f"is {described(details)}, not an object")
        details = {}
    found = CustomSource(
        name=name,
        collector=collector,
        settings=reader.settings(collector, body.get(collector)),
        category=reader.choice(body.get("category", "security"), "category", CATEGORIES),
        event_type=reader.event_type(body.get("eventType")),
        message=reader.field(body.get("message"), "message"),
        severity=reader.field(body.get("severity", "MEDIUM"), "severity"),
        severity_map=reader.severities(body.get("severityMap")),
        resource={key: reader.field(entry, "resource", key) for key, entry in resource.items()},
        identity=reader.identity(body.get("identity")),
        details={str(key): reader.field(entry, "details", str(key)) for key, entry in details.items()},
        items=reader.steps(body["items"], "items") if "items" in body else (),
        when=reader.when(body.get("when")),
        time=reader.steps(body["time"], "time") if "time" in body else None,
    )
    for key in ("kind", "name"):
        if key not in resource:
            document.problem((*path, "resource", key), "is missing: what is an event about?")
    return found if len(document.problems) == before else None


class _Reader:
    """Reads the fields of one source and notes what is wrong with them."""

    def __init__(self, document: Located, path: Path) -> None:
        self._document = document
        self._path = path

    def _wrong(self, text: str, *where: str | int) -> None:
        self._document.problem((*self._path, *where), text)

    def name(self, value: Any, taken: frozenset[str]) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            self._wrong(f"is {described(value)}, not 1 to 30 of a-z, 0-9 and -", "name")
        elif value in taken:
            self._wrong(f"{value} is the name of another source", "name")
        return str(value)

    def event_type(self, value: Any) -> str:
        if not isinstance(value, str) or not _EVENT_TYPE.fullmatch(value):
            self._wrong(f"is {described(value)}, not 1 to 63 of a-z, 0-9, _ and -", "eventType")
        return str(value)

    def choice(self, value: Any, where: str, choices: tuple[str, ...]) -> str:
        if value not in choices:
            self._wrong(f"is {described(value)}, not one of {', '.join(choices)}", where)
        return str(value)

    def steps(self, value: Any, *where: str | int) -> Steps:
        if not isinstance(value, str):
            self._wrong(f"is {described(value)}, not a path such as .a.b", *where)
            return ()
        try:
            return parse_path(value)
        except ValueError as error:
            self._wrong(str(error), *where)
            return ()

    def field(self, value: Any, *where: str | int) -> Field:
        if not isinstance(value, str) or not value:
            self._wrong(f"is {described(value)}, not a path or a text", *where)
            return Constant("")
        return self.steps(value, *where) if value[0] in ".[" else Constant(value)

    def identity(self, value: Any) -> tuple[Steps, ...]:
        listed = self._document.list(value, (*self._path, "identity"))
        if not listed:
            self._wrong("is missing: which paths tell one finding about a resource from another?", "identity")
        return tuple(self.steps(entry, "identity", index) for index, entry in enumerate(listed))

    def severities(self, value: Any) -> Mapping[str, Severity]:
        if value is not None and not isinstance(value, dict):
            self._wrong(f"is {described(value)}, not an object", "severityMap")
            return {}
        found = {}
        for word, meant in (value or {}).items():
            try:
                found[str(word).strip().lower()] = Severity(str(meant).upper())
            except ValueError:
                self._wrong(f"is {described(meant)}, not one of {', '.join(Severity)}", "severityMap", str(word))
        return found

    def when(self, value: Any) -> tuple[tuple[Steps, tuple[str, ...]], ...]:
        if value is not None and not isinstance(value, dict):
            self._wrong(f"is {described(value)}, not an object of paths and values", "when")
            return ()
        return tuple(
            (self.steps(key, "when", str(key)), tuple(map(str, entry if isinstance(entry, list) else [entry])))
            for key, entry in (value or {}).items()
        )

    def settings(self, collector: str, value: Any) -> Mapping[str, str]:
        body = self._document.object(value, (*self._path, collector), _COLLECTOR_KEYS[collector])
        for key in _NEEDED[collector]:
            if key not in body:
                self._wrong("is missing", collector, key)
        for key, entry in body.items():
            if not isinstance(entry, str):
                self._wrong(f"is {described(entry)}, not a text", collector, key)
        return {key: str(entry) for key, entry in body.items()}

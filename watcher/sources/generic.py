"""Reports of tools that no code here knows, by the field paths of their configuration, to Events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from watcher.sources.event import UNRATED, Event, ReportError, Subject, UnknownReport, severity_from
from watcher.sources.merge import merge
from watcher.sources.values import bounded, instant, one_line
from zenctl.core.observation import Severity
from zenctl.product.custom import Constant, CustomSource, Field
from zenctl.product.fieldpaths import look_up

_MOST_ITEMS = 10_000


class CustomParser:
    """Reads the reports of one configured source."""

    def __init__(self, source: CustomSource) -> None:
        self._source = source

    def __call__(self, report: object) -> tuple[Event, ...]:
        """Return the findings of one report.

        Raises UnknownReport for what is no object, ReportError for one that lacks what the configuration names.
        """
        if not isinstance(report, dict):
            raise UnknownReport(f"a {type(report).__name__} is no report of {self._source.name}")
        return merge(self._event(item) for item in self._items(report) if self._wanted(item))

    def _items(self, report: object) -> Iterator[object]:
        if not self._source.items:
            yield report
            return
        items = look_up(report, self._source.items)
        if not isinstance(items, list):
            raise ReportError(f"{self._source.name}: items is not a list in this report")
        if len(items) > _MOST_ITEMS:
            raise ReportError(f"{self._source.name}: the report has more than {_MOST_ITEMS} items")
        yield from items

    def _wanted(self, item: object) -> bool:
        return all(_plain(look_up(item, path)) in values for path, values in self._source.when)

    def _event(self, item: object) -> Event:
        source = self._source
        about = {key: one_line(_get(item, field)) for key, field in source.resource.items()}
        if not about["kind"] or not about["name"]:
            raise ReportError(
                f"{source.name}: resource.{'name' if about['kind'] else 'kind'} is empty in this report"
            )
        identity = tuple(one_line(_plain(look_up(item, path))) for path in source.identity)
        if not any(identity):
            raise ReportError(f"{source.name}: every field of identity is empty in this report")
        severity, word = self._severity(item)
        details = {key: _get(item, field) for key, field in source.details.items()}
        if severity is None:
            details["reportedSeverity"] = word or "none"
        return Event(
            source=source.name,
            category=source.category,
            event_type=source.event_type,
            severity=severity or UNRATED,
            message=one_line(_get(item, source.message), 1024) or source.event_type,
            subject=Subject(about["kind"], about["name"], about.get("namespace", ""), about.get("apiVersion", "")),
            identity=(source.event_type, *identity),
            time=instant(look_up(item, source.time)) if source.time is not None else None,
            details=bounded(details),
        )

    def _severity(self, item: object) -> tuple[Severity | None, str]:
        word = one_line(_plain(_get(item, self._source.severity)))
        return self._source.severity_map.get(word.lower()) or severity_from(word), word


def _get(item: object, field: Field) -> Any:
    return field.value if isinstance(field, Constant) else look_up(item, field)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else one_line(value)

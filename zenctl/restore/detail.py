"""The details of a plan, object by object: what its schema says against it, and which fields an update would change.

Only plans that somebody will read or keep are made in detail: it takes a request for each object that differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import KeyFields, ObjectKey, ResourceType
from zenctl.core.schema import compile_schema
from zenctl.errors import NotFound
from zenctl.ports import ObjectReader
from zenctl.restore.batch import Batch
from zenctl.restore.compare import Difference, differences
from zenctl.restore.decide import Action, LiveState
from zenctl.restore.plan import NAMED
from zenctl.restore.record import Decision

_MOST_FLAWS = 5
_WRITES = (Action.CREATE, Action.UPDATE)


class Listed(NamedTuple):
    """Where live objects are read."""

    reader: ObjectReader
    resource: ResourceType


class Detail:
    """Completes the decisions about one batch and hands them on."""

    def __init__(
        self, batch: Batch, schema: dict[str, Any] | None, hand_on: Callable[[Decision], None], listed: Listed | None
    ) -> None:
        self._batch = batch
        self._validate = compile_schema(schema) if schema is not None else None
        self._hand_on = hand_on
        self._listed = listed
        self.invalid = 0
        self.invalid_named: list[tuple[ObjectKey, str]] = []

    def note(self, key: ObjectKey, line: bytes, action: Action, live: LiveState | None, *, status: bool) -> None:
        """Take a decision."""
        flaws = self._flaws(key, line) if action in _WRITES else ()
        self._hand_on(
            Decision(
                kind=self._batch.kind,
                api_version=self._batch.api_version,
                namespace=key.namespace,
                name=key.name,
                action=action,
                uid=live.uid if live else "",
                resource_version=live.resource_version if live else "",
                differences=self._differences(key, line, status=status) if action is Action.UPDATE else (),
                invalid=flaws,
            )
        )

    def _flaws(self, key: ObjectKey, line: bytes) -> tuple[str, ...]:
        found = self._validate(msgspec.json.decode(line)) if self._validate else []
        if found:
            self.invalid += 1
            if len(self.invalid_named) < NAMED:
                self.invalid_named.append((key, found[0]))
        return tuple(found[:_MOST_FLAWS])

    def _differences(self, key: ObjectKey, line: bytes, *, status: bool) -> tuple[Difference, ...]:
        if self._listed is None:
            return ()
        try:
            live = self._listed.reader.get(self._listed.resource, key, KeyFields)
            return differences(line, live.body, self._listed.resource, status=status)
        except NotFound:
            return ()  # it went meanwhile; applying will find out

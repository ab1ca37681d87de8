"""Choosing a part of a source, and moving it to other namespaces on the way. Knows no cluster.

What is chosen is the same each time the source is read, so that a plan and its execution see the same objects. A
choice that finds nothing is an error: whoever names something wants it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from zenctl.core.names import dns_label
from zenctl.core.objects import ObjectKey
from zenctl.core.observation import ObservationFields, age_of
from zenctl.core.selectors import LabelSelector
from zenctl.errors import Refused, UsageError
from zenctl.restore.batch import Batch, LeftOut, Share, Source

_FIELDS = msgspec.json.Decoder(ObservationFields)


class Selection(NamedTuple):
    """What is wanted of a source; what is empty or None asks for nothing."""

    kinds: frozenset[str] = frozenset()
    """Kinds or plurals, with their group or without, in lower case."""
    names: frozenset[str] = frozenset()
    """NAMESPACE/NAME, or NAME in whatever namespace."""
    namespace: str = ""
    """The namespace in the source."""
    labels: LabelSelector | None = None
    since: datetime | None = None
    """Of the time that an Observation's age is counted from; included."""
    until: datetime | None = None
    """Not included."""

    @property
    def everything(self) -> bool:
        """Say that nothing is asked for."""
        return self == Selection()

    @property
    def keys(self) -> tuple[str, ...] | None:
        """The exact keys, where nothing but a few objects by namespace and name are asked for."""
        alone = self._replace(kinds=frozenset(), names=frozenset()).everything
        return tuple(sorted(self.names)) if alone and self.names and all("/" in n for n in self.names) else None


class Chosen:
    """The part of a source that a selection asks for, with namespaces mapped; satisfies Source."""

    def __init__(self, source: Source, selection: Selection, namespaces: Mapping[str, str]) -> None:
        self._source = source
        self._selection = selection
        self._namespaces = dict(namespaces)
        self._met: set[str] = set()
        self._found = 0
        self._untimed: set[str] = set()
        _require_kinds(source, selection.kinds)
        if any(batch.share is Share.HELM for batch in source.batches()):
            _require_whole_releases(selection, self._namespaces)

    @property
    def label(self) -> str:
        """What a person calls the source."""
        return self._source.label

    @property
    def identity(self) -> str:
        """The source's own; what was chosen of it is for the plan to record."""
        return self._source.identity

    @property
    def on_request(self) -> Sequence[str]:
        """The source's own."""
        return self._source.on_request

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What is in it that a restore does not touch."""
        untimed = tuple(LeftOut(key, "its time is not known") for key in sorted(self._untimed))
        return (*self._source.left_out, *untimed)

    def batches(self) -> Sequence[Batch]:
        """Return the batches of the wanted kinds, and the CRDs that they may need."""
        found = [batch for batch in self._source.batches() if batch.is_definitions or self._is_wanted(batch)]
        needs_definitions = any(batch.is_custom for batch in found)
        return tuple(
            batch for batch in found if not batch.is_definitions or needs_definitions or self._is_wanted(batch)
        )

    def _is_wanted(self, batch: Batch) -> bool:
        return not self._selection.kinds or not batch.called.isdisjoint(self._selection.kinds)

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the chosen objects of a batch. Raises Refused where two would become one by the mapping."""
        if batch.is_definitions:
            yield from self._source.objects(batch)
            return
        seen: set[ObjectKey] = set()
        for line in self._lines(batch):
            try:
                fields = _FIELDS.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                if self._selection.everything:
                    yield line  # it is for the plan to call it unreadable
                continue
            if not self._fits(batch, fields):
                continue
            self._found += 1
            yield self._mapped(line, fields, seen)

    def _lines(self, batch: Batch) -> Iterator[bytes]:
        keys = self._selection.keys
        return self._source.objects(batch) if keys is None else self._source.find(batch, keys)

    def _fits(self, batch: Batch, fields: ObservationFields) -> bool:
        wanted, metadata = self._selection, fields.metadata
        if wanted.namespace and metadata.namespace != wanted.namespace:
            return False
        key = f"{metadata.namespace}/{metadata.name}"
        if wanted.names and wanted.names.isdisjoint((metadata.name, key)):
            return False
        if wanted.labels is not None and not wanted.labels.matches(metadata.labels or {}):
            return False
        return self._in_time(batch, key, fields)

    def _in_time(self, batch: Batch, key: str, fields: ObservationFields) -> bool:
        since, until = self._selection.since, self._selection.until
        if since is None and until is None:
            return True
        instant = age_of(fields).reading.instant
        if instant is None:
            self._untimed.add(f"{batch.kind} {key}")
            return False
        return (since is None or instant >= since) and (until is None or instant < until)

    def _mapped(self, line: bytes, fields: ObservationFields, seen: set[ObjectKey]) -> bytes:
        if not self._namespaces:
            return line
        name, namespace = fields.metadata.name, fields.metadata.namespace
        target = self._namespaces.get(namespace, namespace)
        key = ObjectKey(target, name)
        if key in seen:
            raise Refused(
                f"two objects of the source would both become {key} by --map-namespace",
                hint="map to a namespace of its own, or choose one of them with -n",
            )
        seen.add(key)
        if target == namespace:
            return line
        self._met.add(namespace)
        value: dict[str, Any] = msgspec.json.decode(line)
        value["metadata"]["namespace"] = target
        return msgspec.json.encode(value)

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the chosen objects of these keys."""
        wanted = frozenset(keys)
        for line in self.objects(batch):
            metadata = _FIELDS.decode(line).metadata
            if f"{metadata.namespace}/{metadata.name}" in wanted:
                yield line

    def require_found(self) -> None:
        """Raise Refused or UsageError where the source, read once, held nothing of what was asked for."""
        if not self._found and not self._selection.everything:
            raise Refused(
                f"nothing in {self.label} matches the selection",
                hint="zenctl backup show says what is in it; names are NAMESPACE/NAME as in the backup",
            )
        unmet = sorted(self._namespaces.keys() - self._met)
        if unmet:
            raise UsageError(
                f"--map-namespace: nothing in the selection is in namespace {', '.join(unmet)}",
                hint="write it as FROM=TO, with the namespace of the backup first",
            )


def _require_kinds(source: Source, kinds: frozenset[str]) -> None:
    """Raise UsageError for a kind that the source does not have."""
    batches = source.batches()
    had = sorted({batch.kind for batch in batches if not batch.share})
    unknown = [kind for kind in sorted(kinds) if not any(kind in batch.called for batch in batches)]
    if unknown:
        raise UsageError(
            f"--only: {source.label} holds nothing to restore of kind {', '.join(unknown)}",
            hint=f"it has {', '.join(dict.fromkeys((*had, *source.on_request))) or 'nothing'} to restore",
        )


def _require_whole_releases(selection: Selection, namespaces: Mapping[str, str]) -> None:
    """Raise UsageError where a part of a Helm release would come back, or one in another namespace."""
    if selection._replace(kinds=frozenset(), namespace="") != Selection():
        raise UsageError(
            "--only helm does not go with --name, -l, --since or --until: a release has all of its revisions or none",
            hint="choose its namespace with -n, and restore other kinds in a run of their own",
        )
    if namespaces:
        raise UsageError(
            "--only helm does not go with --map-namespace: a release says itself which namespace it is in",
            hint="restore it where it was, or install it there with helm",
        )


def parse_mapping(texts: Sequence[str]) -> dict[str, str]:
    """Read FROM=TO pairs. Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        source, _, target = text.partition("=")
        if not source or dns_label(target) or source in found:
            raise UsageError(
                f"--map-namespace: {text!r} is no pair of namespaces, or the first of them was given before",
                hint="write it as FROM=TO, once for each FROM",
            )
        found[source] = target
    return found

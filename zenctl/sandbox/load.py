"""What is put into a sandbox: objects out of files, folders and archives, and logs by the names of their files.

A log lies in ``logs/NAMESPACE/POD/CONTAINER.log``, or ``CONTAINER.previous.log`` for the run before. How bytes
reach the sandbox is the business of the port.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec

from zenctl.archive.reader import Archive
from zenctl.core.documents import NotADocument, documents, is_empty_list, objects_in
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION
from zenctl.core.report import Cell, Column, Facts, Report, Result, Table, Text, Tone
from zenctl.errors import ExitCode, UsageError

SUFFIXES = (".yaml", ".yml", ".json", ".ndjson", ".jsonl")
LOG_SUFFIX = ".log"
_PREVIOUS = ".previous"
_BATCH_OBJECTS, _BATCH_BYTES = 500, 4 * 1024 * 1024
_SHOWN = 20

_Told = TypeVar("_Told")


class Log(NamedTuple):
    """A container's log."""

    namespace: str
    pod: str
    container: str
    previous: bool
    text: bytes


class Rejected(Result, frozen=True):
    """An object that was not loaded, and why."""

    object: str
    why: str


class Accepted(msgspec.Struct, frozen=True):
    """What the sandbox says of one batch."""

    kinds: dict[str, int]
    refused: tuple[Rejected, ...] = ()


class Sandbox(Protocol):
    """A way to a sandbox's own paths."""

    def post(self, path: str, body: bytes, kind: type[_Told], *, doing: str) -> _Told:
        """Put something in; return the answer as a value of this type."""


class Loaded(Result, frozen=True):
    """What was put in."""

    source: str
    objects: int
    kinds: dict[str, int]
    logs: int
    refused: tuple[Rejected, ...]


def objects_of_files(files: Mapping[str, bytes]) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Return every object in files, CRDs first, the items of Lists one by one; and the documents that hold none.

    Raises UsageError, naming the file.
    """
    found: list[dict[str, Any]] = []
    others: list[Rejected] = []
    for name, content in files.items():
        try:
            for document in documents(content):
                objects = list(objects_in(document))
                found += objects
                if not objects and not is_empty_list(document):
                    others.append(Rejected(object=f"a document in {name}", why="it has no apiVersion and kind"))
        except NotADocument as error:
            raise UsageError(f"{name} is {error}", hint="give YAML or JSON of Kubernetes objects") from None
    return sorted(found, key=lambda each: each["kind"] != CUSTOM_RESOURCE_DEFINITION.kind), others


def objects_of_archive(archive: Archive) -> Iterator[dict[str, Any]]:
    """Yield every object of an archive in its order, CRDs first, each checked as it is read. Raises Damaged."""
    for collection in archive.manifest.collections:
        if collection.derived:
            continue  # documents for people, of a kind that no server knows
        resource = collection.resource.resource_type
        for _, line in archive.objects(collection):
            yield {"apiVersion": resource.api_version, "kind": resource.kind, **msgspec.json.decode(line)}


def log_of(path: PurePath, text: bytes) -> Log | None:
    """Return the log that a file holds by its place; None where it is in no place of a log."""
    parts = path.parts
    if len(parts) < 4 or parts[-4] != "logs" or path.suffix != LOG_SUFFIX:
        return None
    container = path.name.removesuffix(LOG_SUFFIX)
    previous = container.endswith(_PREVIOUS)
    return Log(parts[-3], parts[-2], container.removesuffix(_PREVIOUS), previous, text)


def load(
    sandbox: Sandbox,
    source: str,
    objects: Iterable[dict[str, Any]],
    logs: Iterable[Log] = (),
    rejected: Iterable[Rejected] = (),
) -> Report:
    """Put objects, in an order in which each can be, and logs in; report what became of them all."""
    kinds: Counter[str] = Counter()
    refused = list(rejected)
    for lines in _batches(objects):
        accepted = sandbox.post("load", lines, Accepted, doing="load objects into the sandbox")
        kinds.update(accepted.kinds)
        refused += accepted.refused
    given = list(logs)
    for log in given:
        _put(sandbox, log)
    return _report(Loaded(source=source, objects=kinds.total(), kinds=dict(sorted(kinds.items())), logs=len(given),
                          refused=tuple(refused)))  # fmt: skip


def _put(sandbox: Sandbox, log: Log) -> None:
    place = {"namespace": log.namespace, "pod": log.pod, "container": log.container}
    query = urlencode({**place, "previous": str(log.previous).lower()})
    sandbox.post(f"logs?{query}", log.text, dict, doing="load a log into the sandbox")


def _batches(objects: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    lines: list[bytes] = []
    size = 0
    for each in objects:
        lines.append(msgspec.json.encode(each))
        size += len(lines[-1])
        if len(lines) >= _BATCH_OBJECTS or size >= _BATCH_BYTES:
            yield b"\n".join(lines)
            lines, size = [], 0
    if lines:
        yield b"\n".join(lines)


def _report(data: Loaded) -> Report:
    facts: list[tuple[str, Cell]] = [("source", data.source), ("objects", data.objects)]
    facts += [(kind, count) for kind, count in data.kinds.items()] if len(data.kinds) > 1 else []
    if data.logs:
        facts.append(("logs", data.logs))
    blocks: list[Facts | Table | Text] = [Facts(tuple(facts))]
    if data.refused:
        blocks.append(Text(f"Not loaded: {len(data.refused)}", Tone.BAD))
        rows = tuple((each.object, each.why) for each in data.refused[:_SHOWN])
        columns = (Column("object"), Column("why", shrinks=True))
        blocks.append(Table(columns, rows, omitted=len(data.refused) - len(rows)))
    verdict = ExitCode.PARTIAL if data.refused else ExitCode.GOOD
    return Report(kind="SandboxLoad", data=data, verdict=verdict, blocks=tuple(blocks))

"""A restore's plan as a file: written whole before anybody agrees, read again to do exactly that. Pure.

JSON lines: what was planned from and for, then one decision for each object in the order of the source, then a
count with the SHA-256 of all lines before it. Applying plans anew and compares each decision with the file's: one
that differs means that archive or cluster have drifted, and nothing is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from zenctl.core.objects import ObjectKey
from zenctl.errors import Refused, UsageError
from zenctl.restore.compare import Difference
from zenctl.restore.decide import Action

_VERSION = 1
_KIND = "RestorePlanFile"
_NAMED = 5
_HINT = "plan again with zenctl restore --plan"


class Choice(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the plan was asked for, as texts of the command line."""

    on_conflict: str
    only: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespace: str = ""
    selector: str = ""
    since: str = ""
    """RFC 3339; a duration is turned into an instant when the plan is made."""
    until: str = ""
    map_namespace: tuple[str, ...] = ()
    api_group: str = ""


class Heading(msgspec.Struct, frozen=True, rename="camel"):
    """The first line: from which source, for which cluster."""

    kind: str
    schema_version: int
    source: str
    source_identity: str
    """Changes with any byte of the source."""
    cluster: str
    """uid of the namespace kube-system."""
    planned_at: str
    tool_version: str
    choice: Choice


class Decision(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What becomes of one object."""

    kind: str
    api_version: str
    namespace: str
    name: str
    action: Action
    uid: str = ""
    """Of the live object, where there is one."""
    resource_version: str = ""
    differences: tuple[Difference, ...] = ()
    invalid: tuple[str, ...] = ()
    """What its own schema says against it; the server has the last word."""

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey(self.namespace, self.name)


class _End(msgspec.Struct, frozen=True):
    decisions: int
    sha256: str


def heading(source: str, identity: str, cluster: str, *, at: str, tool_version: str, choice: Choice) -> Heading:
    """Return the first line of a plan."""
    return Heading(_KIND, _VERSION, source, identity, cluster, at, tool_version, choice)


class Recorder:
    """Makes the lines of a plan file."""

    def __init__(self, heading: Heading) -> None:
        self._digest = hashlib.sha256()
        self._count = 0
        self.first = self._line(heading)

    def _line(self, value: Any) -> bytes:
        line = msgspec.json.encode(value) + b"\n"
        self._digest.update(line)
        return line

    def decision(self, decision: Decision) -> bytes:
        """Return the line of a decision."""
        self._count += 1
        return self._line(decision)

    def end(self) -> bytes:
        """Return the last line."""
        return msgspec.json.encode(_End(self._count, self._digest.hexdigest())) + b"\n"


class Recorded(NamedTuple):
    """A plan file that is whole."""

    heading: Heading
    data: bytes
    """The file itself: the decisions may be many."""
    decided: int
    """How many decisions there are."""

    def decisions(self) -> Iterator[Decision]:
        """Yield the decisions. Raises UsageError for one that cannot be read."""
        for number, line in enumerate(islice(BytesIO(self.data), 1, 1 + self.decided), 2):
            try:
                yield msgspec.json.decode(line, type=Decision)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise UsageError(f"line {number} of the plan cannot be read: {error}", hint=_HINT) from None


def read(name: str, data: bytes) -> Recorded:
    """Read a plan file. Raises UsageError where it is none, or was cut off or changed."""
    try:
        found = msgspec.json.decode(BytesIO(data).readline(), type=Heading)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UsageError(f"{name} is no plan of a restore", hint="make one with zenctl restore --plan") from None
    if found.kind != _KIND or found.schema_version != _VERSION:
        raise UsageError(f"{name} is no plan that this version of zenctl can apply", hint=_HINT)
    begin = data.rfind(b"\n", 0, -1) + 1
    try:
        end = msgspec.json.decode(memoryview(data)[begin:], type=_End)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise UsageError(f"the plan {name} is cut off", hint=_HINT) from None
    count = data.count(b"\n", 0, begin) - 1
    digest = hashlib.sha256(memoryview(data)[:begin]).hexdigest()
    if not data.endswith(b"\n") or end != _End(count, digest):
        raise UsageError(f"the plan {name} was changed since it was written", hint=_HINT)
    return Recorded(found, data, count)


def require_same(heading: Heading, identity: str, cluster: str) -> None:
    """Raise Refused where source or cluster are not those that were planned for."""
    if heading.source_identity != identity:
        raise Refused(f"the plan is for another source: {heading.source} has changed, or this is not it", hint=_HINT)
    if heading.cluster != cluster:
        raise Refused(
            f"the plan is for the cluster {heading.cluster}, and this is {cluster}",
            hint="use the context that it was made with",
        )


class Drift:
    """Compares decisions as they are made anew with those of a plan."""

    def __init__(self, recorded: Iterable[Decision]) -> None:
        self._recorded = iter(recorded)
        self._drifted: list[str] = []
        self._count = 0

    def note(self, decision: Decision) -> None:
        """Take the next decision."""
        planned = next(self._recorded, None)
        if planned is None or _bare(planned) != _bare(decision):
            self._add(f"{decision.kind} {decision.key}", planned, decision)

    def _add(self, what: str, planned: Decision | None, decision: Decision) -> None:
        self._count += 1
        if len(self._drifted) >= _NAMED:
            return
        if planned is None or planned.key != decision.key or planned.kind != decision.kind:
            self._drifted.append(f"{what} was not planned at its place")
        elif planned.action != decision.action:
            self._drifted.append(f"{what}: planned {planned.action.value}, now {decision.action.value}")
        else:
            self._drifted.append(f"{what} has changed")

    def require_none(self) -> None:
        """Raise Refused where anything differs, or something that was planned did not come."""
        left = sum(1 for _ in self._recorded)
        if left:
            self._count += left
            self._drifted.append(f"{left:,} planned objects are no longer there")
        if self._count:
            more = f" and {self._count - len(self._drifted):,} more" if self._count > len(self._drifted) else ""
            raise Refused(f"the cluster has drifted since the plan: {'; '.join(self._drifted)}{more}", hint=_HINT)


def _bare(decision: Decision) -> tuple[object, ...]:
    return (
        decision.api_version,
        decision.kind,
        decision.key,
        decision.action,
        decision.uid,
        decision.resource_version,
    )

"""Plans that are kept: making one and writing it down, and making it again to do exactly what was written."""

from __future__ import annotations

from collections.abc import Callable

from zenctl.restore.batch import Source
from zenctl.restore.decide import OnConflict
from zenctl.restore.plan import Plan
from zenctl.restore.read import RestorePorts, read_and_plan
from zenctl.restore.record import Decision, Drift, Heading, Recorded, Recorder, require_same

_BUFFERED = 1_000


def record_plan(
    ports: RestorePorts, source: Source, on_conflict: OnConflict, heading: Heading, write: Callable[[bytes], None]
) -> Plan:
    """Plan in detail and write every decision down; ``write`` appends to the file."""
    recorder = Recorder(heading)
    write(recorder.first)
    waiting: list[bytes] = []

    def note(decision: Decision) -> None:
        waiting.append(recorder.decision(decision))
        if len(waiting) == _BUFFERED:
            write(b"".join(waiting))
            waiting.clear()

    plan = read_and_plan(ports, source, on_conflict, note)
    write(b"".join((*waiting, recorder.end())))
    return plan


def plan_again(ports: RestorePorts, source: Source, recorded: Recorded, cluster: str) -> Plan:
    """Make a recorded plan anew, strict. Raises Refused where the source or anything in the cluster has changed."""
    require_same(recorded.heading, source.identity, cluster)
    drift = Drift(recorded.decisions())
    plan = read_and_plan(ports, source, OnConflict(recorded.heading.choice.on_conflict), drift.note, detailed=False)
    drift.require_none()
    return plan._replace(strict=True)

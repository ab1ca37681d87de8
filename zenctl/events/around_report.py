"""What is around an Observation, as blocks for people. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from zenctl.core.durations import humanise
from zenctl.core.report import Block, Cell, Column, Facts, Table, Tone, Toned
from zenctl.events.around import Around, Existence, OtherObservations, RelatedResource
from zenctl.events.pods import PodState, PodSummary, Termination


def around_blocks(around: Around, now: datetime) -> Iterator[Block]:
    """Yield what there is to say; ``now`` is the API server's time."""
    yield Facts(tuple(_resource_facts(around.resource, now)), title="the resource that it is about")
    if around.resource.pods is not None and around.resource.pods.total:
        yield _pod_table(around.resource.pods, now)
    yield from _others(around.others)


def _resource_facts(found: RelatedResource, now: datetime) -> Iterator[tuple[str, Cell]]:
    yield "resource", "/".join(filter(None, (found.kind, found.namespace, found.name))) or None
    yield "is there", _existence(found, now)
    if found.existence != Existence.EXISTS:
        return
    if found.same_uid is False:
        yield "uid", Toned("another one than the Observation names: it was made again since", Tone.WARN)
    if found.owner:
        yield "owner", found.owner
    if found.pod is not None:
        yield from _pod_facts(found.pod, now)
    if found.pods is not None:
        yield "pods", _pods_in_words(found.pods)
    elif found.pods_unknown:
        yield "pods", Toned(f"unknown: {found.pods_unknown}", Tone.WARN)


def _existence(found: RelatedResource, now: datetime) -> Cell:
    if found.existence == Existence.GONE:
        return Toned("no, it is gone", Tone.MUTED)
    if found.existence == Existence.UNKNOWN:
        return Toned(f"unknown: {found.why}", Tone.WARN)
    made = f", made {humanise(now - found.created_at)} ago" if found.created_at else ""
    return Toned(f"yes, but it is going{made}", Tone.WARN) if found.going else f"yes{made}"


def _pod_facts(pod: PodState, now: datetime) -> Iterator[tuple[str, Cell]]:
    yield "pod phase", " ".join(filter(None, (pod.phase, pod.reason and f"({pod.reason})"))) or None
    ready = None if pod.ready is None or pod.containers is None else f"{pod.ready} of {pod.containers} containers"
    yield "ready", ready if ready is None or pod.all_ready else Toned(ready, Tone.WARN)
    yield "restarts", pod.restarts
    if pod.waiting:
        yield "waiting", Toned(pod.waiting, Tone.BAD)
    if pod.last_termination is not None:
        yield "last end", _end_in_words(pod.last_termination, now)
    if pod.node:
        yield "node", pod.node


def _end_in_words(end: Termination, now: datetime) -> str:
    code = "exit code unknown" if end.exit_code is None else f"exit code {end.exit_code}"
    when = f"{humanise(now - end.finished_at)} ago" if end.finished_at else "nobody knows when"
    container = f"container {end.container}" if end.container else None
    return ", ".join(filter(None, (end.reason or "reason unknown", code, container, when)))


def _last_end(pod: PodState, now: datetime) -> str:
    return _end_in_words(pod.last_termination, now) if pod.last_termination else ""


def _pods_in_words(pods: PodSummary) -> Cell:
    if not pods.total:
        return Toned("none", Tone.WARN)
    restarts = "restarts unknown" if pods.restarts is None else f"{pods.restarts:,} restarts"
    text = f"{pods.total:,} ({_counts(pods.by_phase)}), {pods.ready:,} ready, {restarts}"
    return text if pods.ready == pods.total else Toned(text, Tone.WARN)


def _pod_table(pods: PodSummary, now: datetime) -> Table:
    columns = (
        Column("pod"),
        Column("phase"),
        Column("ready", right=True),
        Column("restarts", right=True),
        Column("waiting; last end", shrinks=True),
    )
    rows = tuple(
        (
            pod.name,
            pod.phase,
            None if pod.ready is None or pod.containers is None else f"{pod.ready}/{pod.containers}",
            pod.restarts,
            "; ".join(filter(None, (pod.waiting, _last_end(pod, now)))),
        )
        for pod in pods.worst
    )
    return Table(columns, rows, omitted=pods.total - len(rows))


def _others(found: OtherObservations) -> Iterator[Block]:
    title = f"other Observations about it in {found.namespace}"
    if found.total is None:
        yield Facts((("count", Toned(f"unknown: {found.why}", Tone.WARN)),), title=title)
        return
    if not found.total:
        yield Facts((("count", 0),), title=title)
        return
    counts = f"{found.total:,} ({_counts(found.by_phase)}; {_counts(found.by_severity)})"
    yield Facts((("count", counts),), title=title)
    columns = (
        Column("name"),
        Column("severity"),
        Column("source", optional=True),
        Column("phase"),
        Column("age", right=True),
        Column("message", shrinks=True),
    )
    rows = tuple(
        (
            row.name,
            row.severity,
            row.source,
            row.phase,
            None if row.age_seconds is None else timedelta(seconds=row.age_seconds),
            " ".join((row.message or "").split()),
        )
        for row in found.newest
    )
    yield Table(columns, rows, omitted=found.total - len(rows))


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in counts.items())

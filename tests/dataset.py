"""Observations in any number for tests and benchmarks, with the truth about each of them.

Each is a real finding of a real report in tests/data, read by the real parsers: only the workload, its
namespace and its image tag are made up, so that names differ, and the times and the triage, so that
there is something to judge. Nothing is padded. Everything follows from the seed; no clock is read. Objects
share the inner parts of their details: change only copies of those.

Times: ``PLAIN_SHARE`` of the objects carry an ordinary time, the rest one of the awkward ones listed in
``TIMES``, in equal shares. Triage: a third is Resolved, a third Active, the rest Acknowledged, Archived
or without any status.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from watcher.sources import kyverno, trivy
from watcher.sources.event import Event, Parser, ReportError
from watcher.sources.observation import observation
from watcher.sources.reports import load
from zenctl.core.instants import format_instant
from zenctl.core.observation import Severity
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 23, 2, 0, 0, tzinfo=UTC)
"""Two at night, when the CronJob runs."""
DAY = timedelta(days=1)
PLAIN_SHARE = 0.70
AGES = 60 * DAY
"""Ages run from an hour to this, evenly."""
NEAR, NEAR_SHARE = 7 * DAY, 0.10
"""This share lies within three hours of the usual cutoff, where comparing times as text goes wrong."""

_EAST, _WEST = timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30))
_FRACTION = timedelta(microseconds=123_456)
_ORDINARY, _RICH, _POLICIES = 50, 10, 40
"""In a hundred: Trivy findings of old, Trivy findings with description, links and CVSS, policy results."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known about an object beforehand, so that a test need not ask the code under test.

    ``instant`` is when it happened as far as the object says so; where it does not, ``problem`` says why:
    absent (then only the server's creationTimestamp counts), malformed, zoneless, or future (where the
    instant is known and cannot be true).
    """

    namespace: str
    name: str
    phase: str
    """As it is written; "" where there is no status."""
    time: str
    """The key in TIMES."""
    instant: datetime | None
    problem: str | None
    last_seen: datetime | None

    @property
    def key(self) -> tuple[str, str]:
        """Return namespace and name."""
        return self.namespace, self.name

    def deleted_by(self, older_than: timedelta, *, now: datetime = NOW, phase: str = "Resolved") -> bool:
        """Say whether "PHASE and older than" must delete it from a cluster in which it was created just now."""
        cutoff = now - older_than
        if (self.phase or "Active") != phase or self.problem is not None or self.instant is None:
            return False
        return self.instant < cutoff and (self.last_seen is None or self.last_seen < cutoff)


class Sample(NamedTuple):
    """An Observation and the truth about it."""

    object: dict[str, Any]
    truth: Truth


class _Time(NamedTuple):
    """What a kind of time makes of an instant: the changes to spec, and what is then true."""

    spec: Mapping[str, str | None]
    instant: datetime | None
    problem: str | None = None
    annotations: Mapping[str, str] | None = None


def _text(kind: str, show: Callable[[datetime], str]) -> tuple[str, Callable[[datetime], _Time]]:
    return kind, lambda at: _Time({"timestamp": show(at), "detectedAt": show(at)}, at)


def _unusable(kind: str, show: Callable[[datetime], str], problem: str) -> tuple[str, Callable[[datetime], _Time]]:
    # detectedAt is good: a reader that passes over a bad timestamp to it deletes what it must keep.
    return kind, lambda at: _Time({"timestamp": show(at), "detectedAt": format_instant(at)}, None, problem)


TIMES: dict[str, Callable[[datetime], _Time]] = dict(
    [
        _text("plain", format_instant),
        _text("offset east", lambda at: at.astimezone(_EAST).isoformat()),
        _text("offset west", lambda at: at.astimezone(_WEST).isoformat()),
        ("fraction", lambda at: _Time({"timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")}, at + _FRACTION)),
        _text("lower case", lambda at: format_instant(at).lower()),
        ("detectedAt only", lambda at: _Time({"timestamp": None, "detectedAt": format_instant(at)}, at)),
        ("timestamp only", lambda at: _Time({"timestamp": format_instant(at), "detectedAt": None}, at)),
        ("absent", lambda _: _Time({"timestamp": None, "detectedAt": None}, None, "absent")),
        ("empty", lambda _: _Time({"timestamp": "", "detectedAt": ""}, None, "absent")),
        ("restored", lambda at: _Time({"timestamp": None, "detectedAt": None}, at, None, _restored(at))),
        _unusable("malformed", lambda at: at.strftime("%d.%m.%Y %H:%M"), "malformed"),
        _unusable("seconds", lambda at: str(int(at.timestamp())), "malformed"),
        _unusable("zoneless", lambda at: at.strftime("%Y-%m-%dT%H:%M:%S"), "zoneless"),
        ("future", lambda at: _Time({"timestamp": format_instant(at + 400 * DAY)}, at + 400 * DAY, "future")),
        ("seen again", lambda at: _Time({"timestamp": format_instant(at), "detectedAt": format_instant(at)}, at)),
    ]
)  # fmt: skip
"""Every kind of time by its name. Those without a problem say the same instant in different ways."""

_AWKWARD = tuple(kind for kind in TIMES if kind != "plain")


def _restored(at: datetime) -> dict[str, str]:
    return {ORIGINAL_CREATION: format_instant(at), ORIGINAL_UID: str(UUID(int=int(at.timestamp())))}


def observations(count: int, namespaces: int = 5, seed: int = 1, now: datetime = NOW) -> Iterator[dict[str, Any]]:
    """Yield so many Observations, each with a name of its own, in as many namespaces."""
    return (sample.object for sample in samples(count, namespaces, seed, now))


def samples(count: int, namespaces: int = 5, seed: int = 1, now: datetime = NOW) -> Iterator[Sample]:
    """Yield so many Observations, each with the truth about it."""
    rng = random.Random(seed)
    pools = _pools()
    for number in range(count):
        (pool,) = rng.choices(pools, weights=(_ORDINARY, _RICH, _POLICIES))
        event = _elsewhere(rng.choice(pool), number, namespace_name(number % namespaces))
        yield _sample(observation(event, default_namespace="zen-system"), rng, now)


def namespace_name(number: int) -> str:
    """Return the name of the namespace of that number, from 0."""
    return f"team-{number:02d}"


@lru_cache(maxsize=1)
def real_events() -> tuple[Event, ...]:
    """Return every finding in tests/data, each severity of its own rather than in a summary."""
    found: list[Event] = []
    parsers: dict[str, Parser] = {
        trivy.SOURCE: partial(trivy.parse, individually=frozenset(Severity)),
        kyverno.SOURCE: kyverno.parse,
    }
    for source, parse in parsers.items():
        for path in sorted((DATA / source).iterdir()):
            for report in load(path.read_bytes()):
                try:
                    found += parse(report)
                except ReportError:
                    continue  # the samples hold what is to be refused too; tests of the parsers say which
    return tuple(found)


@lru_cache(maxsize=1)
def _pools() -> tuple[tuple[Event, ...], ...]:
    events = real_events()
    policies = tuple(event for event in events if event.source == "kyverno")
    rich = tuple(event for event in events if "cvss" in event.details)
    ordinary = tuple(event for event in events if event.source == "trivy" and event not in rich)
    return ordinary, rich, policies


def _elsewhere(event: Event, number: int, namespace: str) -> Event:
    """Return the same finding about another workload: pod hashes and image tags as deployments give them."""
    name = f"{event.subject.name[:40]}-{number:07x}"
    uid = str(UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) & (2**128 - 1)))
    details = dict(event.details)
    report = dict(details.get("report", {}))
    if image := report.get("image"):
        report["image"] = f"{image.rpartition(':')[0]}:1.{number % 40}.{number % 7}"
    if report:
        details["report"] = report
    subject = replace(event.subject, name=name, namespace=namespace, uid=uid)
    return replace(event, subject=subject, details=details)


def _sample(found: dict[str, Any], rng: random.Random, now: datetime) -> Sample:
    kind = "plain" if rng.random() < PLAIN_SHARE else rng.choice(_AWKWARD)
    at = now - _age(rng)
    time = TIMES[kind](at)
    spec, metadata = found["spec"], found["metadata"]
    for key in ("timestamp", "detectedAt"):
        spec.pop(key, None)
    spec.update({key: value for key, value in time.spec.items() if value is not None})
    if time.annotations:
        metadata["annotations"] = dict(time.annotations)
    seen = now - timedelta(minutes=rng.randrange(1, 600)) if kind == "seen again" else at
    phase = rng.choice(("Resolved", "Resolved", "Active", "Active", "Acknowledged", rng.choice(("Archived", ""))))
    status = _status(phase, at, seen, rng)
    if status is None:
        del found["status"]
    else:
        found["status"] = status
    truth = Truth(
        namespace=metadata["namespace"],
        name=metadata["name"],
        phase=phase,
        time=kind,
        instant=time.instant,
        problem=time.problem,
        last_seen=seen if status else None,
    )
    return Sample(found, truth)


def _age(rng: random.Random) -> timedelta:
    if rng.random() < NEAR_SHARE:
        return NEAR + rng.choice((-1, 1)) * timedelta(seconds=rng.randrange(1, 3 * 3600))
    return timedelta(seconds=rng.randrange(3600, int(AGES.total_seconds())))


def _status(phase: str, first: datetime, seen: datetime, rng: random.Random) -> dict[str, Any] | None:
    if not phase:
        return None
    status: dict[str, Any] = {
        "phase": phase,
        "firstSeen": format_instant(first),
        "lastSeen": format_instant(seen),
        "count": rng.randrange(1, 40),
    }
    if phase in ("Resolved", "Acknowledged"):
        moment = format_instant(first + timedelta(minutes=rng.randrange(1, 55)))
        status["conditions"] = [{"type": phase, "status": "True", "reason": "Triaged", "lastTransitionTime": moment}]
        if phase == "Resolved":
            status["resolvedAt"] = moment
    return status


def as_served(found: Mapping[str, Any], number: int, created: datetime = NOW) -> dict[str, Any]:
    """Return an Observation as an API server gives it out, with what the server adds to it."""
    moment = format_instant(created.replace(microsecond=0))
    marks = {key: found["metadata"][key] for key in ("annotations", "labels") if key in found["metadata"]}
    managed = [_managed({"metadata": marks, "spec": found["spec"]}, moment)]
    if "status" in found:
        managed.append(_managed({"status": found["status"]}, moment) | {"subresource": "status"})
    metadata = {
        **found["metadata"],
        "creationTimestamp": moment,
        "generation": 1,
        "managedFields": managed,
        "resourceVersion": str(1000 + number),
        "uid": str(UUID(int=(number * 0xD6E8FEB86659FD93A5A5A5A5A5A5A5A5) & (2**128 - 1), version=4)),
    }
    return {**found, "metadata": metadata}


def _managed(fields: Mapping[str, Any], moment: str) -> dict[str, Any]:
    return {
        "apiVersion": "zen.kube-zen.io/v1alpha1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {f"f:{key}": _owned(value) for key, value in sorted(fields.items())},
        "manager": "zen-watcher",
        "operation": "Update",
        "time": moment,
    }


def _owned(value: object) -> dict[str, Any]:
    """Return a value as FieldsV1 names it: objects key by key, lists and scalars as one."""
    if not isinstance(value, dict):
        return {}
    return {".": {}} | {f"f:{key}": _owned(entry) for key, entry in sorted(value.items())}

"""What is told of a sandbox: how to use the one that came up, and how the one that runs is."""

from __future__ import annotations

from datetime import datetime

import msgspec

from zenctl.core.report import Cell, Column, Facts, Report, Result, Table, Text
from zenctl.sandbox.home import Home, Record


class Struck(msgspec.Struct, frozen=True):
    """How often a fault has struck."""

    fault: str
    struck: int


class Told(msgspec.Struct, frozen=True, rename="camel"):
    """What a sandbox says of itself."""

    version: str
    resource_version: str
    objects: dict[str, int]
    faults: tuple[Struck, ...] = ()


class Running(Result, frozen=True):
    """A sandbox that runs."""

    url: str
    pid: int
    kubeconfig: str
    started_at: str
    seed: int
    version: str | None = None
    resource_version: str | None = None
    objects: dict[str, int] = msgspec.field(default_factory=dict)
    faults: dict[str, int] = msgspec.field(default_factory=dict)


class Stopped(Result, frozen=True):
    """A sandbox that ran."""

    url: str
    pid: int


def up_report(home: Home, record: Record, *, foreground: bool) -> Report:
    """Return what a person has to know of a sandbox that has just come up."""
    data = Running(
        url=record.url,
        pid=record.pid,
        kubeconfig=str(home.kubeconfig),
        started_at=record.started_at,
        seed=record.seed,
    )
    facts: list[tuple[str, Cell]] = [("sandbox", data.url), ("kubeconfig", data.kubeconfig)]
    facts += [] if foreground else [("pid", str(data.pid)), ("log", str(home.log))]
    end = "Ctrl-C ends it." if foreground else "zenctl sandbox down ends it."
    text = (
        f"export KUBECONFIG={data.kubeconfig}\n"
        "zenctl manifests crd | kubectl apply -f -\n"
        f"Everything is in memory and on this machine only. {end}"
    )
    return Report(kind="SandboxUp", data=data, blocks=(Facts(tuple(facts)), Text(text)))


def status_report(home: Home, record: Record, told: Told, now: datetime) -> Report:
    """Return how a sandbox is."""
    objects = {".".join(reversed(name.split("/"))).rstrip("."): count for name, count in told.objects.items()}
    data = Running(
        url=record.url,
        pid=record.pid,
        kubeconfig=str(home.kubeconfig),
        started_at=record.started_at,
        seed=record.seed,
        version=told.version,
        resource_version=told.resource_version,
        objects=objects,
        faults={each.fault: each.struck for each in told.faults},
    )
    facts = (
        ("sandbox", data.url),
        ("pid", str(data.pid)),
        ("kubeconfig", data.kubeconfig),
        ("up for", now - datetime.fromisoformat(record.started_at)),
        ("version", told.version),
        ("revision", told.resource_version),
        ("seed", str(data.seed)),
    )
    columns = (Column("resource"), Column("objects", right=True))
    blocks: list[Facts | Table] = [Facts(facts), Table(columns, tuple(objects.items()))]
    if told.faults:
        struck = tuple((each.fault, each.struck) for each in told.faults)
        blocks.append(Table((Column("fault", shrinks=True), Column("struck", right=True)), struck))
    return Report(kind="SandboxStatus", data=data, blocks=tuple(blocks))


def down_report(record: Record) -> Report:
    """Return what was ended."""
    data = Stopped(url=record.url, pid=record.pid)
    return Report(kind="SandboxDown", data=data, blocks=(Facts((("ended", data.url),)),))

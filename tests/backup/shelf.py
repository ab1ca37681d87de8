"""Stores with many small archives, and stores that stop or change in the middle. No test belongs in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from tests.archive.fakes import OBSERVATION, MemoryStore, objects
from tests.fakes import NOW, FixedClock, SilentProgress
from zenctl.archive.age import Seal
from zenctl.archive.format import BACKUP, Cluster, Footer, Heading, Omission, Scope, archive_name
from zenctl.archive.reader import read_footer
from zenctl.archive.writer import ArchiveWriter
from zenctl.backup.notes import DrillRecord, VerifyRecord, record_verification
from zenctl.backup.prune import PrunePorts, PruneRequest
from zenctl.backup.retention import Period, Policy, Rule
from zenctl.ports import BlobInfo, BlobStore

CLUSTER = Cluster("uid-1", "prod-eu", "v1.32.4")
STAGING = Cluster("uid-2", "staging", "v1.32.4")
KEEP_TWO = Policy((Rule(Period.EACH, 2),), 1, UTC)


def add(
    store: BlobStore,
    number: int,
    *,
    age: timedelta = timedelta(0),
    complete: bool = True,
    namespaces: tuple[str, ...] | None = None,
    cluster: Cluster = CLUSTER,
    set_name: str = BACKUP,
    seal: Seal | None = None,
) -> str:
    """Write an archive; the number makes its id. Returns its name."""
    heading = Heading(
        archive_id=f"{number:08x}-0000-4000-8000-000000000000",
        set_name=set_name,
        cluster=cluster,
        created_at=NOW - age,
        tool_version="0.1.0",
        scope=Scope(namespaces),
    )
    name = archive_name(set_name, cluster.name, heading.created_at, heading.archive_id)
    with ArchiveWriter(store.put(name), heading, seal) as writer:
        writer.begin(OBSERVATION)
        writer.add(objects(2))
        writer.end(consistency="snapshot", resource_versions=("1",))
        writer.finish(complete=complete, omissions=() if complete else [Omission("configmaps", "forbidden")])
    return name


def daily(store: BlobStore, count: int) -> list[str]:
    """Write an archive a day; the newest comes first."""
    return [add(store, 0x1000 + number, age=timedelta(days=number)) for number in range(count)]


def footer_of(store: BlobStore, name: str) -> Footer:
    return read_footer(store, name, store.size(name))


def prove(store: BlobStore, name: str, *, level: int = 2, sound: bool = True, at: datetime = NOW) -> None:
    """Record a verification of an archive."""
    record = VerifyRecord(level=level, at=at, tool_version="0.1.0", sound=sound, problems=0 if sound else 3)
    record_verification(store, name, footer_of(store, name), verify=record)


def drill(store: BlobStore, name: str, *, equal: bool = True, sampled: bool = False, at: datetime = NOW) -> None:
    """Record a drill of an archive."""
    record = DrillRecord(at=at, equal=equal, sampled=sampled, seconds=1.5)
    record_verification(store, name, footer_of(store, name), drill=record)


def ports_of(store: BlobStore, clock: FixedClock | None = None) -> PrunePorts:
    return PrunePorts(store=store, clock=clock or FixedClock(), progress=SilentProgress())


def request(policy: Policy = KEEP_TWO, *, cluster: str | None = "prod-eu", set_name: str = BACKUP) -> PruneRequest:
    return PruneRequest(policy, set_name, cluster)


class WatchedStore(MemoryStore):
    """Shows every call to a hook before it is carried out; the hook may raise, or change the store."""

    def __init__(self, inner: MemoryStore, hook: Callable[[str, str], None]) -> None:
        super().__init__()
        self.blobs = inner.blobs
        self.calls: list[tuple[str, str]] = []
        self._hook = hook

    def _call(self, what: str, name: str) -> None:
        self.calls.append((what, name))
        self._hook(what, name)

    def size(self, name: str) -> int:
        self._call("size", name)
        return super().size(name)

    def get(self, name: str, offset: int, length: int) -> bytes:
        self._call("get", name)
        return super().get(name, offset, length)

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        self._call("list", prefix)
        return super().list(prefix, suffix)

    def delete(self, name: str) -> None:
        self._call("delete", name)
        super().delete(name)

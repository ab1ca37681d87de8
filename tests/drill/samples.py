"""Archives to drill, and the ports to do it with. No test belongs in here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tests.archive.fakes import HEADING, MemoryStore
from tests.backup.samples import a_cluster, back_up
from tests.fakes import FixedClock, SilentProgress
from zenctl.archive.reader import Archive, open_archive
from zenctl.archive.writer import ArchiveWriter
from zenctl.core.objects import KeyFields, Metadata, ObjectKey, RawObject
from zenctl.drill.run import Call, Drilled, DrillOptions, DrillPorts, EmbeddedCluster, drill
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.kube.transport import InProcess
from zenctl.kube.workers import Workers

Change = Callable[[str, dict[str, Any]], dict[str, Any] | None]


def connect(call: Call, token: str) -> EmbeddedCluster:
    """Join a server and the gateway, as the session does."""
    client = Client(InProcess(call, token=token), timeout_seconds=10, user_agent="zenctl/test")
    gateway = Gateway(client)
    return EmbeddedCluster(Discovery(client), gateway, gateway, gateway, Workers(client.pressure, most=1))


def ports_of(joined: Any = connect) -> DrillPorts:
    return DrillPorts(connect=joined, progress=SilentProgress(), clock=FixedClock())


def an_archive(observations: int = 5, **changes: Any) -> Archive:
    return back_up(a_cluster(observations=observations), MemoryStore(), **changes)[1]


def altered(archive: Archive, change: Change) -> Archive:
    """Write an archive anew with its objects changed, as its folder and itself; None leaves one out."""
    store = MemoryStore()
    with ArchiveWriter(store.put("altered.tar"), HEADING) as writer:
        for collection in archive.manifest.collections:
            writer.begin(collection.resource.resource_type)
            for _, line in archive.objects(collection):
                value = change(collection.folder, msgspec.json.decode(line))
                if value is not None:
                    writer.add([_raw(value)])
            writer.end(consistency="snapshot", resource_versions=())
        writer.finish(complete=True)
    return open_archive(store, "altered.tar")


def _raw(value: dict[str, Any]) -> RawObject[KeyFields]:
    name, namespace = value["metadata"]["name"], value["metadata"].get("namespace", "")
    return RawObject(ObjectKey(namespace, name), KeyFields(Metadata(name, namespace)), msgspec.json.encode(value))


def drilled(archive: Archive, joined: Any = connect, **options: Any) -> Drilled:
    return drill(ports_of(joined), archive, DrillOptions(**options))

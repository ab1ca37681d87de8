"""Creating a backup: which collections go in, streamed page by page from the reader into the archive.

Memory stays flat whatever the count. Nothing is visible in the store before the archive is whole; what
could not be read is named in it, and the archive then calls itself incomplete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from zenctl.archive.age import Seal
from zenctl.archive.format import Cluster, Heading, Omission, Scope, archive_name
from zenctl.archive.writer import ArchiveWriter, Written
from zenctl.backup.check import ObjectCheck
from zenctl.core.listing import Consistency, Page, consistency
from zenctl.core.objects import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    KeyFields,
    ObjectKey,
    RawObject,
    ResourceType,
)
from zenctl.errors import Denied, NotFound
from zenctl.ports import (
    BlobStore,
    Clock,
    ClusterInfo,
    Discovery,
    ListQuery,
    ObjectReader,
    Progress,
)
from zenctl.product.resources import served

MADE_BY_THE_CLUSTER = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})
"""ConfigMaps that every cluster makes itself in every namespace; another cluster's would be wrong."""


class BackupPorts(NamedTuple):
    """What a backup needs of the world."""

    discovery: Discovery
    reader: ObjectReader
    info: ClusterInfo
    store: BlobStore
    progress: Progress
    clock: Clock


class BackupRequest(NamedTuple):
    """What to back up, and how to call it."""

    group: str
    namespace: str | None
    """None is every namespace."""
    system_namespace: str
    cluster_name: str
    """"" calls the cluster by its uid."""
    archive_id: str
    tool_version: str
    set_name: str
    seal: Seal | None = None
    """None leaves the archive in clear."""


class Created(NamedTuple):
    """A backup that was written."""

    name: str
    written: Written
    denied: tuple[Omission, ...]
    seconds: float


def create_backup(ports: BackupPorts, request: BackupRequest) -> Created:
    """Back up the group's CRDs, all its objects, and the ConfigMaps of the system namespace.

    Raises Refused where the cluster does not serve the group, and whatever the reader or store raises;
    then the store is as it was before.
    """
    started = ports.clock.monotonic()
    resources = served(ports.discovery.group(request.group), request.group)
    heading = _heading(ports, request)
    name = archive_name(request.set_name, heading.cluster.name, heading.created_at, request.archive_id)
    check = ObjectCheck()
    with ArchiveWriter(ports.store.put(name), heading, request.seal, check) as writer:
        denied = _write_definitions(writer, ports.reader, resources, check)
        unread = [
            error
            for resource in resources
            if (error := _write_collection(writer, ports, resource, ListQuery(request.namespace))) is not None
        ]
        if len(unread) == len(resources):
            raise unread[0][1]  # without any of the objects it would be a backup in name only
        settings = _write_collection(writer, ports, CONFIG_MAP, ListQuery(request.system_namespace))
        denied += [_omission(*missing) for missing in (*unread, settings) if missing is not None]
        written = writer.finish(complete=not denied, omissions=denied)
    return Created(name, written, tuple(denied), ports.clock.monotonic() - started)


def _heading(ports: BackupPorts, request: BackupRequest) -> Heading:
    uid = ports.info.uid()
    cluster = Cluster(id=uid, name=request.cluster_name or uid, server_version=ports.info.server_version())
    namespaces = (request.namespace,) if request.namespace else None
    return Heading(
        archive_id=request.archive_id,
        set_name=request.set_name,
        cluster=cluster,
        created_at=ports.clock.now(),
        tool_version=request.tool_version,
        scope=Scope(namespaces=namespaces),
    )


def _write_definitions(
    writer: ArchiveWriter, reader: ObjectReader, resources: Sequence[ResourceType], check: ObjectCheck
) -> list[Omission]:
    """Write the CRD of each resource; return what may not be read.

    A resource without a CRD is served by an extension server.
    """
    writer.begin(CUSTOM_RESOURCE_DEFINITION)
    found: list[RawObject[KeyFields]] = []
    denied: list[Omission] = []
    for name in sorted(resource.full_name for resource in resources):
        try:
            definition = reader.get(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", name), KeyFields)
        except NotFound:
            continue
        except Denied as error:
            denied.append(Omission(what=f"{CUSTOM_RESOURCE_DEFINITION.full_name}/{name}", why=error.message))
            continue
        found.append(definition)
    check.learn(definition.body for definition in found)
    writer.add(found)
    # Each was read by itself, so together they are no snapshot.
    versions = [definition.fields.metadata.resource_version for definition in found]
    writer.end(consistency=Consistency.MIXED, resource_versions=versions)
    return denied


def _omission(resource: ResourceType, denied: Denied) -> Omission:
    return Omission(what=resource.full_name, why=denied.message)


def _write_collection(
    writer: ArchiveWriter, ports: BackupPorts, resource: ResourceType, query: ListQuery
) -> tuple[ResourceType, Denied] | None:
    """Write one collection; return why not, where it may not be read."""
    pages = ports.reader.pages(resource, KeyFields, query, whole=True)
    try:
        first = next(pages, None)
    except Denied as denied:
        return resource, denied
    writer.begin(resource)
    if first is not None:
        total = None if first.remaining is None else len(first.objects) + first.remaining
        ports.progress.begin(f"backing up {resource.plural}", total)
        _write_pages(writer, ports.progress, chain((first,), pages))
        ports.progress.end()
    else:
        writer.end(consistency=Consistency.SNAPSHOT, resource_versions=())
    return None


def _write_pages(writer: ArchiveWriter, progress: Progress, pages: Iterator[Page[KeyFields]]) -> None:
    versions: list[str] = []
    restarts, mixed = 0, False
    for page in pages:
        if page.restarted:
            restarts += 1
            versions, mixed = [], False
            if not writer.restart():
                raise RuntimeError("this store cannot take back what was written; read without restarts")
        mixed = mixed or page.mixed
        if page.resource_version not in ("", *versions):
            versions.append(page.resource_version)
        writer.add([item for item in page.objects if item.key.name not in MADE_BY_THE_CLUSTER])
        progress.advance(len(page.objects))
    writer.end(consistency=consistency(restarts=restarts, mixed=mixed), resource_versions=versions, restarts=restarts)

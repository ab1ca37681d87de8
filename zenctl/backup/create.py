"""Creating a backup: which collections go in, streamed page by page from the reader into the archive.

Memory stays flat whatever the count. Nothing is visible in the store before the archive is whole; what
could not be read is named in it, and the archive then calls itself incomplete. What holds secrets in clear
is read only where the archive is encrypted, or where somebody said that it need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zenctl.archive.age import Seal
from zenctl.archive.format import Cluster, Heading, Omission, Scope, archive_name
from zenctl.archive.writer import ArchiveWriter, Written
from zenctl.backup.check import ObjectCheck
from zenctl.backup.collect import AT_FIRST, Collector, MustBeginAgain, Reading
from zenctl.backup.helm import ConfigMaps, Revision, Revisions, Secrets, has_releases
from zenctl.backup.installation import collect_installation
from zenctl.backup.parts import Part
from zenctl.core.listing import Consistency
from zenctl.core.objects import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    KeyFields,
    ObjectKey,
    RawObject,
    ResourceType,
)
from zenctl.errors import Denied, NotFound, Refused
from zenctl.ports import (
    BlobStore,
    Clock,
    ClusterInfo,
    Discovery,
    ListQuery,
    ObjectReader,
    Progress,
)
from zenctl.product.installation import SECRET
from zenctl.product.resources import served


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
    include_secrets: bool = False
    """All Secrets of the system namespace, not only those of Helm."""
    plaintext: bool = False
    """Secrets may lie in the archive in clear."""
    required: frozenset[Part] = frozenset()
    """What the backup must not be without."""

    @property
    def keeps_secrets(self) -> bool:
        """Say whether what holds secrets in clear may go in."""
        return self.seal is not None or self.plaintext

    @property
    def left_out(self) -> tuple[Part, ...]:
        """What is knowingly not read."""
        return () if self.keeps_secrets else (Part.HELM,)


class Created(NamedTuple):
    """A backup that was written."""

    name: str
    written: Written
    denied: tuple[Omission, ...]
    revisions: tuple[Revision, ...]
    """The Helm revisions that went in."""
    seconds: float


def create_backup(ports: BackupPorts, request: BackupRequest) -> Created:
    """Back up the group's CRDs, all its objects, and the watcher's ConfigMaps, installation and Helm releases.

    A store that cannot take back what it was sent gets the whole backup once more when a listing expires.
    Raises Refused where the cluster does not serve the group or the backup would lack what is required, and
    whatever the reader or store raises; then the store is as it was before.
    """
    started = ports.clock.monotonic()
    resources = served(ports.discovery.group(request.group), request.group)
    _refuse_what_cannot_be(ports, request)
    heading = _heading(ports, request)
    name = archive_name(request.set_name, heading.cluster.name, heading.created_at, request.archive_id)
    target = _Target(name, heading, resources)
    try:
        written, revisions = _write(ports, request, target, AT_FIRST)
    except MustBeginAgain as again:
        written, revisions = _write(ports, request, target, again.then)
    return Created(name, written, written.manifest.omissions, revisions, ports.clock.monotonic() - started)


class _Target(NamedTuple):
    """What is being made."""

    name: str
    heading: Heading
    resources: Sequence[ResourceType]


def _write(
    ports: BackupPorts, request: BackupRequest, target: _Target, reading: Reading
) -> tuple[Written, tuple[Revision, ...]]:
    """Write the whole archive; return it, and the Helm revisions that went in."""
    check = ObjectCheck()
    with ArchiveWriter(ports.store.put(target.name), target.heading, request.seal, check) as writer:
        collector = Collector(writer, ports.reader, ports.progress, reading)
        _collect_definitions(collector, target.resources, check)
        _collect_objects(collector, target.resources, request.namespace)
        revisions = _collect_surroundings(collector, ports.discovery, request)
        denied = tuple(collector.omissions)
        return writer.finish(complete=not denied, omissions=denied, left_out=request.left_out), revisions


def _refuse_what_cannot_be(ports: BackupPorts, request: BackupRequest) -> None:
    """Refuse, before the first byte, a backup that would not be what was asked for. Raises Refused, Denied."""
    if request.include_secrets and not request.keeps_secrets:
        raise Refused(
            "Secrets go into an encrypted archive only, and this one would not be encrypted",
            hint="encrypt it with --encrypt-to, or allow them in clear with --plaintext",
        )
    if Part.HELM not in request.required:
        return
    if not request.keeps_secrets:
        raise Refused(
            "Helm data is required, and goes into an encrypted archive only, and this one would not be encrypted",
            hint="encrypt it with --encrypt-to, or allow Helm data in clear with --plaintext",
        )
    if not has_releases(ports.reader, request.system_namespace):
        raise Refused(
            f"Helm data is required, and the namespace {request.system_namespace} holds no Helm release",
            hint="name the namespace of the release with --system-namespace",
        )


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
        scope=Scope(namespaces=namespaces, secrets=request.include_secrets),
    )


def _collect_definitions(collector: Collector, resources: Sequence[ResourceType], check: ObjectCheck) -> None:
    """Write the CRD of each resource. A resource without one is served by an extension server."""
    collector.writer.begin(CUSTOM_RESOURCE_DEFINITION)
    found: list[RawObject[KeyFields]] = []
    for name in sorted(resource.full_name for resource in resources):
        try:
            definition = collector.reader.get(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", name), KeyFields)
        except NotFound:
            continue
        except Denied as denied:
            collector.omit(f"{CUSTOM_RESOURCE_DEFINITION.full_name}/{name}", denied)
            continue
        found.append(definition)
    check.learn(definition.body for definition in found)
    collector.writer.add(found)
    # Each was read by itself, so together they are no snapshot.
    versions = [definition.fields.metadata.resource_version for definition in found]
    collector.writer.end(consistency=Consistency.MIXED, resource_versions=versions)


def _collect_objects(collector: Collector, resources: Sequence[ResourceType], namespace: str | None) -> None:
    """Write all objects of the group. Raises Denied where none of them may be read: a backup in name only."""
    denied = [collector.collect(resource, ListQuery(namespace)) for resource in resources]
    first = denied[0]
    if first is not None and all(denied):
        raise first


def _collect_surroundings(collector: Collector, discovery: Discovery, request: BackupRequest) -> tuple[Revision, ...]:
    """Write what the watcher runs by; return the Helm revisions in it."""
    namespace = request.system_namespace
    revisions = Revisions() if request.keeps_secrets else None
    collector.sift(CONFIG_MAP, ListQuery(namespace), ConfigMaps(revisions))
    collect_installation(collector, discovery, namespace)
    if revisions is None:
        return ()
    secrets = Secrets(revisions, every=request.include_secrets)
    collector.sift(SECRET, secrets.query(namespace), secrets)
    return revisions.write(collector.writer)

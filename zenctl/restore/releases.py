"""Helm's releases of a source beside those of the cluster: which must stay out.

A revision is told by its payload, as Helm itself does, and by its name where that cannot be read. A release comes
back only where no other revision of it that lives is as new as the oldest that would come: beside a newer one it
would be something to roll back to that never ran there. New is what has the higher number, or was deployed later than
all that would come: an installation that began anew counts from 1, and Helm would take the old one's for newer. Live
revisions that the source has too are no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from zenctl.core.helm import RELEASE_SECRET, Storage, Unreadable, head_of, is_release_name, payload, read_release
from zenctl.core.instants import read_instant
from zenctl.core.objects import CONFIG_MAP, KeyFields, ObjectKey, ResourceType
from zenctl.ports import ListQuery, ObjectReader
from zenctl.product.installation import SECRET
from zenctl.restore.batch import Batch, LeftOut, Share, Source
from zenctl.restore.compare import content_of


class _Revision(NamedTuple):
    storage: Storage
    key: ObjectKey
    release: ObjectKey
    number: int
    deployed_at: datetime | None
    """None where it cannot be read."""
    digest: bytes


class Held(NamedTuple):
    """The revisions that stay out, by the kind of their object and its key, and their releases with the reason."""

    keys: frozenset[tuple[str, ObjectKey]] = frozenset()
    why: tuple[LeftOut, ...] = ()

    def of(self, batch: Batch) -> frozenset[ObjectKey]:
        """Return those of a batch."""
        if batch.share is not Share.HELM:
            return frozenset()
        return frozenset(key for kind, key in self.keys if kind == batch.kind)


def held_back(reader: ObjectReader, source: Source) -> Held:
    """Return what of the releases in a source stays out. Raises Denied where live ones may not be listed."""
    batches = [batch for batch in source.batches() if batch.share is Share.HELM]
    archived = [revision for batch in batches for revision in _archived(source, batch)]
    live: dict[ObjectKey, list[_Revision]] = {}
    for namespace in sorted({revision.key.namespace for revision in archived}):
        for revision in _live(reader, namespace):
            live.setdefault(revision.release, []).append(revision)
    keys: set[tuple[str, ObjectKey]] = set()
    why: list[LeftOut] = []
    for release in sorted({revision.release for revision in archived}):
        own = [revision for revision in archived if revision.release == release]
        newer = [revision for revision in set(live.get(release, ())) - set(own) if _is_as_new(revision, own)]
        if newer:
            keys.update((revision.storage.value, revision.key) for revision in own)
            newest = max(newer, key=lambda revision: revision.number)
            why.append(LeftOut(f"{len(own):,} revisions of the Helm release {release}", _newer(own, newest)))
    return Held(frozenset(keys), tuple(why))


def _is_as_new(live: _Revision, own: list[_Revision]) -> bool:
    """Say whether a live revision is as new as the oldest of those that would come, or was deployed after all."""
    times = [revision.deployed_at for revision in own if revision.deployed_at is not None]
    later = live.deployed_at is not None and bool(times) and live.deployed_at > max(times)
    return later or live.number >= min(revision.number for revision in own)


def _newer(own: list[_Revision], live: _Revision) -> str:
    newest = max(revision.number for revision in own)
    what = f"revision {live.number} of it is live"
    if live.number < min(revision.number for revision in own):
        return f"{what}, and was deployed after all of the backup's: older ones must not come above it"
    return f"{what}, and the backup's are up to {newest}: an older one must not come beside it"


def _archived(source: Source, batch: Batch) -> Iterator[_Revision]:
    resource = SECRET if batch.kind == SECRET.kind else CONFIG_MAP
    for line in source.objects(batch):
        metadata = msgspec.json.decode(line, type=KeyFields).metadata
        yield _revision(resource, ObjectKey(metadata.namespace, metadata.name), line)


def _live(reader: ObjectReader, namespace: str) -> Iterator[_Revision]:
    """Yield the live revisions of a namespace; one is in memory at a time."""
    for resource, selector in ((SECRET, f"type={RELEASE_SECRET}"), (CONFIG_MAP, "")):
        found: dict[ObjectKey, _Revision] = {}
        for page in reader.pages(resource, KeyFields, ListQuery(namespace, field_selector=selector), whole=True):
            if page.restarted:
                found.clear()
            for item in page.objects:
                if resource is SECRET or is_release_name(item.key.name):
                    found[item.key] = _revision(resource, item.key, item.body)
        yield from found.values()


def _revision(resource: ResourceType, key: ObjectKey, body: bytes | memoryview) -> _Revision:
    storage = Storage(resource.kind)
    packed = payload(storage, body)
    release = packed if isinstance(packed, Unreadable) else read_release(packed)
    head = head_of(key.name, release)
    return _Revision(
        storage,
        key,
        ObjectKey(key.namespace, head.release),
        head.revision,
        None if isinstance(release, Unreadable) else read_instant(release.last_deployed).instant,
        content_of(body, resource).body,
    )

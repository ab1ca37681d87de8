"""Helm's releases of a source beside those of the cluster: which must stay out.

A revision is told by its payload, as Helm itself does, and by its name where that cannot be read. A release comes
back only where no other revision of it that lives is as new as the oldest that would come: beside a newer one it
would be something to roll back to that never ran there. Live revisions that the source has too are no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from zenctl.core.helm import RELEASE_SECRET, Storage, Unreadable, head_of, is_release_name, payload, read_release
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
        others = [revision.number for revision in set(live.get(release, ())) - set(own)]
        if others and max(others) >= min(revision.number for revision in own):
            keys.update((revision.storage.value, revision.key) for revision in own)
            why.append(LeftOut(f"{len(own):,} revisions of the Helm release {release}", _newer(own, max(others))))
    return Held(frozenset(keys), tuple(why))


def _newer(own: list[_Revision], live: int) -> str:
    newest = max(revision.number for revision in own)
    return f"revision {live} of it is live, and the backup's are up to {newest}: an older one must not come beside it"


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
    head = head_of(key.name, packed if isinstance(packed, Unreadable) else read_release(packed))
    return _Revision(
        storage, key, ObjectKey(key.namespace, head.release), head.revision, content_of(body, resource).body
    )

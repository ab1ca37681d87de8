"""Which objects of an archive a drill restores: all, or where they are too many a sample by a seed.

Reads keys; judges and writes nothing. CRDs are never left out, small collections as late as can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from zenctl.archive.format import Collection
from zenctl.archive.members import key_of
from zenctl.archive.reader import Archive
from zenctl.backup.sides import in_key_order
from zenctl.core.objects import ResourceType
from zenctl.errors import ZenctlError
from zenctl.restore.batch import Batch
from zenctl.restore.source import ArchiveSource


def shares(counts: Sequence[int], budget: int) -> list[int]:
    """Part a budget among collections of these sizes: none gets more than it has, and the small ones all they have.

    Whoever has enough lets go of the rest, which the others share evenly.
    """
    given = [0] * len(counts)
    left = budget
    for waiting, place in enumerate(sorted(range(len(counts)), key=lambda each: counts[each])):
        given[place] = min(counts[place], left // (len(counts) - waiting))
        left -= given[place]
    return given


class Sample(ArchiveSource):
    """What is drilled of what a restore would take from an archive; a batch without an entry in keys is, whole."""

    def __init__(self, archive: Archive, keys: Mapping[int, frozenset[str]]) -> None:
        super().__init__(archive)
        self.archive = archive
        self.failed: ZenctlError | None = None
        """Why the archive could not be read to its end, which is no fault of the restore."""
        self._keys = keys

    @property
    def is_part(self) -> bool:
        """Whether anything is left out."""
        return bool(self._keys)

    def batches(self) -> Sequence[Batch]:
        """Return what is restored, with the number of objects that are drilled."""
        return tuple(
            batch._replace(objects=len(self._keys[batch.place])) if batch.place in self._keys else batch
            for batch in super().batches()
        )

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the lines that are drilled; all of the collection is read."""
        keys = self._keys.get(batch.place)
        try:
            for line in super().objects(batch):
                if keys is None or key_of(line) in keys:
                    yield line
        except ZenctlError as error:
            self.failed = error
            raise

    def resource(self, batch: Batch) -> ResourceType:
        """Return the resource of a batch."""
        return self._collection(batch).resource.resource_type

    def in_key_order(self, batch: Batch) -> Iterator[tuple[str, bytes]]:
        """Yield what is drilled with its keys, ascending."""
        collection = self._collection(batch)
        keys = self._keys.get(batch.place)
        if keys is None and batch.objects != collection.count:  # not everything in it is restored
            keys = frozenset(map(key_of, self.objects(batch)))
        every = in_key_order(self.archive, collection)
        return every if keys is None else (item for item in every if item[0] in keys)

    def _collection(self, batch: Batch) -> Collection:
        return self.archive.manifest.collections[batch.place]


def choose(archive: Archive, most: int, seed: int) -> Sample:
    """Choose what to drill: everything where it is at most so much, else so much besides the CRDs."""
    whole = Sample(archive, {})
    parted = [batch for batch in whole.batches() if not batch.is_definitions]
    if sum(batch.objects for batch in parted) <= most:
        return whole
    keys: dict[int, frozenset[str]] = {}
    for batch, share in zip(parted, shares([batch.objects for batch in parted], most), strict=True):
        if share < batch.objects:
            chosen = frozenset(Random(f"{seed}/{batch.kind}").sample(range(batch.objects), share))
            every = enumerate(whole.objects(batch))
            keys[batch.place] = frozenset(key_of(line) for place, line in every if place in chosen)
    return Sample(archive, keys)

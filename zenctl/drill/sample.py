"""Which objects of an archive a drill restores: all, or where they are too many a sample by a seed.

Reads keys; judges and writes nothing. CRDs are never left out, small collections as late as can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.backup.compare import DERIVED_GROUP
from zenctl.backup.sides import in_key_order
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION
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


class Sample:
    """The objects of an archive that are drilled, by their keys; a collection without an entry is drilled whole."""

    def __init__(self, archive: Archive, keys: Mapping[str, frozenset[str]]) -> None:
        self.archive = archive
        self._keys = keys

    @property
    def is_part(self) -> bool:
        """Whether anything is left out."""
        return bool(self._keys)

    @property
    def collections(self) -> Sequence[Collection]:
        """The collections that can be restored: not those that were derived from others."""
        return [each for each in self.archive.manifest.collections if each.resource.group != DERIVED_GROUP]

    def count(self, collection: Collection) -> int:
        """Return how many objects of a collection are drilled."""
        keys = self._keys.get(collection.folder)
        return collection.count if keys is None else len(keys)

    def lines(self, collection: Collection) -> Iterator[bytes]:
        """Yield the objects of a collection that are drilled, in the order of the file; all of it is read."""
        return (line for _, line in self._chosen(collection, self.archive.objects(collection)))

    def in_key_order(self, collection: Collection) -> Iterator[tuple[str, bytes]]:
        """Yield them with their keys, ascending."""
        return self._chosen(collection, in_key_order(self.archive, collection))

    def _chosen(self, collection: Collection, every: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        keys = self._keys.get(collection.folder)
        return every if keys is None else (item for item in every if item[0] in keys)


def choose(archive: Archive, most: int, seed: int) -> Sample:
    """Choose what to drill: everything where it is at most so much, else so much besides the CRDs."""
    parted = [each for each in Sample(archive, {}).collections if not _is_definitions(each)]
    if sum(each.count for each in parted) <= most:
        return Sample(archive, {})
    keys: dict[str, frozenset[str]] = {}
    for collection, share in zip(parted, shares([each.count for each in parted], most), strict=True):
        if share < collection.count:
            chosen = frozenset(Random(f"{seed}/{collection.folder}").sample(range(collection.count), share))
            every = enumerate(archive.objects(collection))
            keys[collection.folder] = frozenset(key for place, (key, _) in every if place in chosen)
    return Sample(archive, keys)


def _is_definitions(collection: Collection) -> bool:
    return collection.folder == CUSTOM_RESOURCE_DEFINITION.kind_and_group


class SampledSource(ArchiveSource):
    """The objects of a sample, as what a restore takes objects from."""

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample.archive)
        self.failed: ZenctlError | None = None
        """Why the archive could not be read to its end, which is no fault of the restore."""
        self._sample = sample
        self._counts = {
            place: sample.count(each)
            for place, each in enumerate(sample.archive.manifest.collections)
            if each in sample.collections
        }

    def batches(self) -> Sequence[Batch]:
        """Return the collections that can be restored, with the number of their objects that are drilled."""
        return tuple(
            batch._replace(objects=self._counts[batch.place])
            for batch in super().batches()
            if batch.place in self._counts
        )

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the lines of a collection that are drilled."""
        try:
            yield from self._sample.lines(self._sample.archive.manifest.collections[batch.place])
        except ZenctlError as error:
            self.failed = error
            raise

"""Streaming one collection from the reader into an archive, page by page, through a sieve that says what goes in.

Memory stays flat whatever the count. What may not be read is remembered, and never stops the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Generic, NamedTuple

from zenctl.archive.format import Omission
from zenctl.archive.writer import ArchiveWriter
from zenctl.core.listing import Consistency, Page, consistency
from zenctl.core.objects import Fields, KeyFields, RawObject, ResourceType
from zenctl.errors import Denied, NotFound
from zenctl.ports import ListQuery, ObjectReader, Progress


class Reading(NamedTuple):
    """How collections are read: the first time, or once more from the very beginning of the archive."""

    restarts: int = 2
    expired: str = ""
    """The collection whose listing expired the first time, when the store could not take it back."""


AT_FIRST = Reading()


class MustBeginAgain(Exception):
    """A listing was restarted, and the store cannot take back what it was sent of it; ``then`` is how to read next.

    The second time nothing is restarted, so that it ends: what expires again goes on mixed.
    """

    def __init__(self, full_name: str) -> None:
        super().__init__(full_name)
        self.then = Reading(restarts=0, expired=full_name)


class Sieve(Generic[Fields]):
    """Which objects of a listing go in, judged by these fields: all of them, where no subclass says otherwise."""

    def __init__(self, fields: type[Fields]) -> None:
        self.fields = fields

    def restart(self) -> None:
        """Forget what was seen: the listing begins again."""

    def keeps(self, item: RawObject[Fields]) -> bool:  # noqa: ARG002
        """Say whether an object goes in; called once for each, in the order of the listing."""
        return True


class Collector:
    """Fills one archive. Where a listing has to be read again, and cannot be, it raises MustBeginAgain."""

    def __init__(
        self, writer: ArchiveWriter, reader: ObjectReader, progress: Progress, reading: Reading = AT_FIRST
    ) -> None:
        self.writer = writer
        self.reader = reader
        self.omissions: list[Omission] = []
        self._progress = progress
        self._reading = reading

    def omit(self, what: str, why: Denied) -> None:
        """Note that something may not be read."""
        self.omissions.append(Omission(what=what, why=why.message))

    def collect(self, resource: ResourceType, query: ListQuery) -> Denied | None:
        """Write all of a large collection; return why not, where it may not be read. Raises NotFound."""
        return self.sift(resource, query, Sieve(KeyFields), large=True)

    def sift(
        self,
        resource: ResourceType,
        query: ListQuery,
        sieve: Sieve[Fields],
        *,
        may_be_absent: bool = False,
        large: bool = False,
    ) -> Denied | None:
        """Write what a sieve keeps of a collection; return why not, where it may not be read.

        A large one is asked for as a stream, which takes the right to watch; for a small one that is not worth it.
        Raises NotFound where the cluster does not serve it, unless it ``may_be_absent``.
        """
        pages = self.reader.pages(resource, sieve.fields, query, restarts=self._reading.restarts, whole=large)
        try:
            first = next(pages, None)
        except Denied as denied:
            self.omit(resource.full_name, denied)
            return denied
        except NotFound:
            if may_be_absent:
                return None
            raise
        self.writer.begin(resource)
        if first is None:
            self.writer.end(consistency=Consistency.SNAPSHOT, resource_versions=())
            return None
        total = None if first.remaining is None else len(first.objects) + first.remaining
        self._progress.begin(f"backing up {resource.plural}", total)
        self._write_pages(resource, chain((first,), pages), sieve)
        self._progress.end()
        return None

    def _write_pages(self, resource: ResourceType, pages: Iterator[Page[Fields]], sieve: Sieve[Fields]) -> None:
        versions: list[str] = []
        restarts, mixed = int(self._reading.expired == resource.full_name), False
        for page in pages:
            if page.restarted:
                restarts += 1
                versions, mixed = [], False
                sieve.restart()
                if not self.writer.restart():
                    self._progress.end()
                    raise MustBeginAgain(resource.full_name)
            mixed = mixed or page.mixed
            if page.resource_version not in ("", *versions):
                versions.append(page.resource_version)
            self.writer.add([item for item in page.objects if sieve.keeps(item)])
            self._progress.advance(len(page.objects))
        earned = consistency(restarts=restarts, mixed=mixed)
        self.writer.end(consistency=earned, resource_versions=versions, restarts=restarts)

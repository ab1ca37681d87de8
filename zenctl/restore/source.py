"""Where a restore takes objects from: an archive, or files that kubectl wrote. Neither knows a cluster."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

from zenctl.archive.reader import Archive
from zenctl.core.documents import NotADocument, documents, is_empty_list, objects_in
from zenctl.core.objects import CONFIG_MAP, KeyFields
from zenctl.errors import UsageError
from zenctl.restore.batch import Batch, LeftOut, Share
from zenctl.restore.share import as_now_meant, in_order, is_asked_for, may_hold_releases, share_in, share_of

_OTHERS = "not zenctl's to restore"
_SHORT = 8
"""So many characters of an id name an archive, and a command stays readable."""
_WHY = {
    Share.HELM: "left to helm install",
    Share.INSTALLATION: "left to helm install or kubectl apply",
    Share.SECRETS: "the cluster's own may be newer",
}


def _left(what: str, share: Share, source: str) -> LeftOut:
    return LeftOut(what, f"{_WHY[share]}; or: zenctl restore {source} --only {share.value}")


class ArchiveSource:
    """An archive; every byte is compared with its checksum as it is read.

    What is restored are CRDs, the objects of their groups, and ConfigMaps. The installation is left to whoever
    installs it, which Helm would otherwise find changed behind its back, unless it is ``asked`` for, by the words of
    Batch.called; derived documents are no objects at all.
    """

    def __init__(self, archive: Archive, asked: Set[str] = frozenset()) -> None:
        self._archive = archive
        self._collections = archive.manifest.collections
        self._every = tuple(batch for place in range(len(self._collections)) for batch in self._held_at(place))
        self._batches = in_order(batch for batch in self._every if is_asked_for(batch, asked))
        self.label = archive.name
        self.identity = f"archive {archive.footer.archive_id} {archive.footer.sha256}"
        self._short = archive.footer.archive_id[:_SHORT]
        self.on_request = tuple(dict.fromkeys(_word(batch) for batch in in_order(self._every) if batch.share))
        self.left_out: tuple[LeftOut, ...] = tuple(self._left_out())

    def batches(self) -> Sequence[Batch]:
        """Return what is restored, in that order."""
        return self._batches

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the lines of a batch: the revisions of Helm's releases form one of their own."""
        lines = (line for _, line in self._archive.objects(self._collections[batch.place]))
        return self._of(batch, lines)

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of these keys, reading only the members that may hold them."""
        found = (self._archive.find(self._collections[batch.place], key) for key in keys)
        return self._of(batch, (line for line in found if line is not None))

    def _of(self, batch: Batch, lines: Iterator[bytes]) -> Iterator[bytes]:
        if not may_hold_releases(batch.group, batch.kind):
            return as_now_meant(batch, lines)
        wanted = Share.HELM if batch.share is Share.HELM else Share.USUAL
        return (line for line in lines if share_in(line) is wanted)

    def _held_at(self, place: int) -> Iterator[Batch]:
        """Yield what a collection holds that a restore knows; what is there always, even if it is empty."""
        found = self._collections[place]
        resource = found.resource.resource_type
        share = None if found.derived else share_of(resource.group, resource.kind)
        if share is None:
            return
        whole = Batch(resource.api_version, resource.kind, found.count, place, resource.plural, share)
        if not may_hold_releases(resource.group, resource.kind):
            parts = [whole]
        else:
            shares = Counter(share_in(line) for _, line in self._archive.objects(found))
            parts = [
                whole._replace(objects=shares[Share.USUAL]),
                whole._replace(objects=shares[Share.HELM], share=Share.HELM),
            ]
        yield from (batch for batch in parts if batch.objects or batch.share is Share.USUAL)

    def _left_out(self) -> Iterator[LeftOut]:
        left = [batch for batch in self._every if batch not in self._batches]
        for batch in left:
            if batch.share is Share.HELM:
                yield _left(f"{batch.objects:,} Helm revisions in {batch.kind}s", Share.HELM, self._short)
        # What documents were derived from is counted itself.
        known = {batch.place for batch in self._every}
        others = [c.count for place, c in enumerate(self._collections) if place not in known and not c.derived]
        installation = [batch.objects for batch in left if batch.share is Share.INSTALLATION]
        counts = [*installation, *(count for count in others if count)]
        if counts:
            what = f"{sum(counts):,} objects of the installation, of {len(counts)} kinds"
            yield _left(what, Share.INSTALLATION, self._short)
        secrets = sum(batch.objects for batch in left if batch.share is Share.SECRETS)
        if secrets:
            yield _left(f"{secrets:,} Secrets", Share.SECRETS, self._short)


def _word(batch: Batch) -> str:
    return Share.HELM.value if batch.share is Share.HELM else batch.kind


class FilesSource:
    """Files in JSON, JSON lines or YAML, with Lists in any depth, as kubectl get writes them.

    Beside CRDs and objects of the group, and ConfigMaps, it gives what is ``asked`` for, as an archive does.
    """

    def __init__(self, label: str, files: Mapping[str, bytes], group: str, asked: Set[str] = frozenset()) -> None:
        self.label = label
        self.identity = f"files {_digest(files)}"
        self._group = group
        self._asked = asked
        self._found: dict[Batch, list[bytes]] = {}
        self._on_request: set[str] = set()
        left = Counter(left for name, content in files.items() for left in self._read(name, content))
        self.left_out = tuple(LeftOut(f"{count} {what}", why) for (what, why), count in sorted(left.items()))

    @property
    def on_request(self) -> Sequence[str]:
        """The words for what is in the files and was not asked for."""
        return tuple(sorted(self._on_request))

    def batches(self) -> Sequence[Batch]:
        """Return the kinds that were found, CRDs first."""
        found = [batch._replace(objects=len(objects)) for batch, objects in self._found.items()]
        return in_order(sorted(found, key=lambda batch: not batch.is_definitions))

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the objects of one kind, in the order of the files."""
        return as_now_meant(batch, iter(self._found[batch._replace(objects=0)]))

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the objects of these keys."""
        wanted = frozenset(keys)
        for line in self.objects(batch):
            metadata = msgspec.json.decode(line, type=KeyFields).metadata
            if f"{metadata.namespace}/{metadata.name}" in wanted:
                yield line

    def _read(self, name: str, content: bytes) -> Iterator[LeftOut]:
        """Take the objects of a file, and yield in words what is left out."""
        try:
            for document in documents(content):
                empty = True
                for value in objects_in(document):
                    empty = False
                    batch = self._batch(value)
                    if batch is not None and is_asked_for(batch, self._asked):
                        self._found.setdefault(batch, []).append(_encoded(value))
                        continue
                    if batch is not None:
                        self._on_request.add(_word(batch))
                    why = _OTHERS if batch is None else f"only where it is asked for: --only {_word(batch).lower()}"
                    yield LeftOut(f"{value['kind']} in {name}", why)
                if empty and not is_empty_list(document):
                    yield LeftOut(f"document without a Kubernetes object in {name}", _OTHERS)
        except NotADocument as error:
            hint = "give a file that kubectl get -o yaml or -o json wrote"
            raise UsageError(f"{name} is {error}", hint=hint) from None

    def _batch(self, value: Mapping[str, Any]) -> Batch | None:
        """Return the batch that an object is of, with no number of objects; None for what no restore takes."""
        api_version, kind = str(value["apiVersion"]), str(value["kind"])
        batch = Batch(api_version, kind, 0, 0)
        share = share_of(batch.group, kind)
        if share is Share.USUAL and not self._is_ours(batch, value):
            return None
        if share is not None and may_hold_releases(batch.group, kind):
            within = share_in(_encoded(value))
            share = share if within is Share.USUAL else within
        return None if share is None else batch._replace(share=share)

    def _is_ours(self, batch: Batch, value: Mapping[str, Any]) -> bool:
        if batch.is_definitions:
            spec = value.get("spec")
            return isinstance(spec, dict) and bool(spec.get("group") == self._group)
        if batch.kind == CONFIG_MAP.kind and not batch.group:
            return batch.api_version == CONFIG_MAP.version
        return batch.group == self._group


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def _encoded(value: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotADocument(f"not usable as JSON: {error}") from error

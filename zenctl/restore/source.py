"""Where a restore takes objects from: an archive, or files that kubectl wrote. Neither knows a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.core.documents import NotADocument, documents, is_empty_list, objects_in
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, KeyFields
from zenctl.errors import UsageError
from zenctl.restore.batch import Batch


class ArchiveSource:
    """An archive; every byte is compared with its checksum as it is read."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.label = archive.name
        self.identity = f"archive {archive.footer.archive_id} {archive.footer.sha256}"
        self.left_out: tuple[str, ...] = ()

    def batches(self) -> Sequence[Batch]:
        """Return the collections."""
        return tuple(
            Batch(
                found.resource.resource_type.api_version,
                found.resource.kind,
                found.count,
                place,
                found.resource.plural,
            )
            for place, found in enumerate(self._archive.manifest.collections)
        )

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the lines of a collection."""
        collection: Collection = self._archive.manifest.collections[batch.place]
        return (line for _, line in self._archive.objects(collection))

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of these keys, reading only the members that may hold them."""
        collection: Collection = self._archive.manifest.collections[batch.place]
        found = (self._archive.find(collection, key) for key in keys)
        return (line for line in found if line is not None)


class FilesSource:
    """Files in JSON, JSON lines or YAML, with Lists in any depth, as kubectl get writes them."""

    def __init__(self, label: str, files: Mapping[str, bytes], group: str) -> None:
        self.label = label
        self.identity = f"files {_digest(files)}"
        self._group = group
        self._found: dict[tuple[str, str], list[bytes]] = {}
        left_out: dict[str, int] = {}
        for name, content in files.items():
            for what in self._read(name, content):
                left_out[what] = left_out.get(what, 0) + 1
        self.left_out = tuple(f"{count} {what}" for what, count in sorted(left_out.items()))

    def batches(self) -> Sequence[Batch]:
        """Return the kinds that were found, CRDs first."""
        found = [
            Batch(api_version, kind, len(objects), place)
            for place, ((api_version, kind), objects) in enumerate(self._found.items())
        ]
        return tuple(sorted(found, key=lambda batch: not batch.is_definitions))

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the objects of one kind, in the order of the files."""
        return iter(self._found[batch.api_version, batch.kind])

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the objects of these keys."""
        wanted = frozenset(keys)
        for line in self.objects(batch):
            metadata = msgspec.json.decode(line, type=KeyFields).metadata
            if f"{metadata.namespace}/{metadata.name}" in wanted:
                yield line

    def _read(self, name: str, content: bytes) -> Iterator[str]:
        """Take the objects of a file, and yield in words what is left out."""
        try:
            for document in documents(content):
                empty = True
                for value in objects_in(document):
                    empty = False
                    if self._wanted(value):
                        self._found.setdefault((value["apiVersion"], value["kind"]), []).append(_encoded(value))
                    else:
                        yield f"{value['kind']} in {name}"
                if empty and not is_empty_list(document):
                    yield f"document without a Kubernetes object in {name}"
        except NotADocument as error:
            hint = "give a file that kubectl get -o yaml or -o json wrote"
            raise UsageError(f"{name} is {error}", hint=hint) from None

    def _wanted(self, value: Mapping[str, Any]) -> bool:
        if value["kind"] == CUSTOM_RESOURCE_DEFINITION.kind:
            spec = value.get("spec")
            return isinstance(spec, dict) and bool(spec.get("group") == self._group)
        if value["kind"] == CONFIG_MAP.kind:
            return bool(value["apiVersion"] == CONFIG_MAP.version)
        return str(value["apiVersion"]).rpartition("/")[0] == self._group


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

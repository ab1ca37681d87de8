"""Where a restore takes objects from: an archive, or files that kubectl wrote. Neither knows a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.core.documents import NotADocument, documents, is_empty_list, objects_in
from zenctl.core.helm import is_release_name
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, KeyFields, ResourceType
from zenctl.errors import UsageError
from zenctl.product.installation import SECRET
from zenctl.restore.batch import Batch, LeftOut

_OTHERS = "not zenctl's to restore"
_INSTALLATION = "helm install or kubectl apply brings it back; zenctl backup show prints each"
_HELM = "helm install brings it back, with the values that zenctl backup show prints"
_SECRETS = "the cluster's own may be newer; zenctl backup show prints each"


class ArchiveSource:
    """An archive; every byte is compared with its checksum as it is read.

    What is restored are CRDs, the objects of their groups, and ConfigMaps. The installation is left to whoever
    installs it, which Helm would otherwise find changed behind its back; derived documents are no objects at all.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._collections = archive.manifest.collections
        self._releases = {found.folder: self._count_releases(found) for found in self._collections}
        self.label = archive.name
        self.identity = f"archive {archive.footer.archive_id} {archive.footer.sha256}"
        self.left_out: tuple[LeftOut, ...] = tuple(self._left_out())

    def batches(self) -> Sequence[Batch]:
        """Return the collections that are restored."""
        return tuple(
            Batch(
                found.resource.resource_type.api_version,
                found.resource.kind,
                found.count - self._releases[found.folder],
                place,
                found.resource.plural,
            )
            for place, found in enumerate(self._collections)
            if _is_restored(found)
        )

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the lines of a collection, but for Helm's releases."""
        found = self._collections[batch.place]
        if not _may_hold_releases(found):
            return (line for _, line in self._archive.objects(found))
        return (line for key, line in self._archive.objects(found) if not _is_release(key))

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of these keys, reading only the members that may hold them."""
        collection = self._collections[batch.place]
        wanted = (key for key in keys if not (_may_hold_releases(collection) and _is_release(key)))
        found = (self._archive.find(collection, key) for key in wanted)
        return (line for line in found if line is not None)

    def _count_releases(self, found: Collection) -> int:
        return sum(_is_release(key) for key, _ in self._archive.objects(found)) if _may_hold_releases(found) else 0

    def _left_out(self) -> Iterator[LeftOut]:
        for folder, releases in self._releases.items():
            if releases:
                yield LeftOut(f"{releases:,} Helm revisions in {folder.partition('.')[0]}s", _HELM)
        # What documents were derived from is counted itself.
        others = [found for found in self._collections if not _is_restored(found) and not found.derived]
        installation = [found.count for found in others if found.count and not _is(found, SECRET)]
        if installation:
            what = f"{sum(installation):,} objects of the installation, of {len(installation)} kinds"
            yield LeftOut(what, _INSTALLATION)
        secrets = sum(found.count - self._releases[found.folder] for found in others if _is(found, SECRET))
        if secrets:
            yield LeftOut(f"{secrets:,} Secrets", _SECRETS)


def _is(collection: Collection, resource: ResourceType) -> bool:
    return collection.folder == resource.kind_and_group


def _is_restored(collection: Collection) -> bool:
    """Say whether a collection is restored: of what is built into a cluster, CRDs and ConfigMaps only."""
    if _is(collection, CUSTOM_RESOURCE_DEFINITION) or _is(collection, CONFIG_MAP):
        return True
    group = collection.resource.group
    return not collection.derived and "." in group and not group.endswith(".k8s.io")


def _may_hold_releases(collection: Collection) -> bool:
    return _is(collection, CONFIG_MAP) or _is(collection, SECRET)


def _is_release(key: str) -> bool:
    return is_release_name(key.rpartition("/")[2])


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
        self.left_out = tuple(LeftOut(f"{count} {what}", _OTHERS) for what, count in sorted(left_out.items()))

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
            return bool(value["apiVersion"] == CONFIG_MAP.version) and not is_release_name(_name(value))
        return str(value["apiVersion"]).rpartition("/")[0] == self._group


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def _name(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("name")) if isinstance(metadata, dict) else ""


def _encoded(value: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotADocument(f"not usable as JSON: {error}") from error

"""Exporting an archive to files that kubectl applies and people read: which file an object goes to, and as what.

Objects are streamed: in memory is one member of the archive, and the latest deployed Helm revision. What a server
owns is taken off, because kubectl apply fails on it or is misled by it; the archive keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from zenctl.archive.format import Collection
from zenctl.archive.reader import Archive
from zenctl.backup.compare import NOT_RESTORED
from zenctl.backup.helm import HELM_REVISION
from zenctl.backup.portable import portable
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.core.observation import KIND
from zenctl.core.provenance import provenance
from zenctl.core.yaml_text import yaml_text
from zenctl.errors import Damaged
from zenctl.ports import BlobStore, Progress
from zenctl.product.installation import SECRET

_CHUNK_BYTES = 1 << 20


class ExportedFile(NamedTuple):
    """A file that was written."""

    name: str
    kind: str
    """The kind of the objects in it; of Helm's files what they are."""
    objects: int
    size_bytes: int


class Exported(NamedTuple):
    """What was written."""

    archive: str
    files: tuple[ExportedFile, ...]
    raw: bool
    holds_secrets: bool
    undeployed: tuple[str, ...]
    """Helm releases without a deployed revision, of which there is no file."""


def file_of(resource: ResourceType, *, alone: bool = True) -> str:
    """Return the name of the file for objects of a kind, as the guide calls them; else KIND.GROUP.yaml.

    Where Observations are served under two names (``alone`` is false), each has a file of its own.
    """
    if (resource.group, resource.kind) == (CUSTOM_RESOURCE_DEFINITION.group, CUSTOM_RESOURCE_DEFINITION.kind):
        return "crd.yaml"
    if resource.group == "":
        return {CONFIG_MAP.kind: "configmaps.yaml", NAMESPACE.kind: "namespaces.yaml"}.get(
            resource.kind, f"{resource.kind_and_group}.yaml"
        )
    if resource.kind == KIND and not resource.built_in and alone:
        return "events.yaml"
    return f"{resource.kind_and_group}.yaml"


def exported_object(resource: ResourceType, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as a file should have it, with its first uid and time of creation in annotations.

    Status stays: zenctl restore brings it back, and kubectl apply passes over it. A CRD's is the server's own.
    """
    value = portable(resource, value)
    given = value.get("metadata")
    metadata: Mapping[str, Any] = given if isinstance(given, dict) else {}
    kept = {name: part for name, part in metadata.items() if name not in NOT_RESTORED}
    if not resource.built_in:
        annotations = metadata.get("annotations") or {}
        told = provenance(str(metadata.get("uid") or ""), str(metadata.get("creationTimestamp") or ""), annotations)
        if told:
            kept["annotations"] = {**annotations, **told}
    aside = {"apiVersion", "kind", "metadata", *(["status"] if resource.built_in else [])}
    rest = {name: part for name, part in value.items() if name not in aside}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": kept, **rest}


def export(archive: Archive, store: BlobStore, progress: Progress, *, raw: bool = False) -> Exported:
    """Write every object of an archive to files of a store. Raises Damaged, and what the store raises."""
    return _Export(archive, store, progress, raw=raw).run()


class _Export:
    def __init__(self, archive: Archive, store: BlobStore, progress: Progress, *, raw: bool) -> None:
        self._archive = archive
        self._store = store
        self._progress = progress
        self._raw = raw
        self._files: list[ExportedFile] = []
        self._namespaces: set[str] = set()

    def run(self) -> Exported:
        """Write the files, the namespaces that the objects are in last."""
        collections = self._archive.manifest.collections
        undeployed: tuple[str, ...] = ()
        observations = sum(each.resource.kind == KIND for each in collections)
        for collection in collections:
            resource = collection.resource.resource_type
            if collection.derived:
                if collection.folder == HELM_REVISION.kind_and_group:
                    undeployed = self._helm(collection)
            elif collection.count:
                self._objects(collection, resource, file_of(resource, alone=observations == 1))
        if self._namespaces and not any(each.name == "namespaces.yaml" for each in self._files):
            self._name_namespaces()
        return Exported(
            archive=self._archive.name,
            files=tuple(sorted(self._files)),
            raw=self._raw,
            holds_secrets=any(each.folder == SECRET.kind_and_group and each.count for each in collections),
            undeployed=undeployed,
        )

    def _objects(self, collection: Collection, resource: ResourceType, name: str) -> None:
        self._progress.begin(f"writing {name}", collection.count)
        self._write(name, resource.kind, collection.count, self._documents(collection, resource))
        self._progress.end()

    def _documents(self, collection: Collection, resource: ResourceType) -> Iterator[str]:
        for key, line in self._archive.objects(collection):
            namespace, slash, _ = key.partition("/")
            if slash:
                self._namespaces.add(namespace)
            self._progress.advance()
            yield self._text(resource, key, line)

    def _text(self, resource: ResourceType, key: str, line: bytes) -> str:
        try:
            value = msgspec.json.decode(line, type=dict[str, Any])
            typed = {"apiVersion": resource.api_version, "kind": resource.kind}
            found = {**typed, **value} if self._raw else exported_object(resource, value)
            return f"---\n{yaml_text(found, blocks=True)}"
        except (ValueError, RecursionError) as error:
            why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise Damaged(f"archive {self._archive.name}: object {key} cannot be written as YAML: {why}") from None

    def _name_namespaces(self) -> None:
        """Write the namespaces by name alone, since kubectl apply makes none by itself."""
        bare = (
            {"apiVersion": "v1", "kind": NAMESPACE.kind, "metadata": {"name": n}} for n in sorted(self._namespaces)
        )
        texts = (f"---\n{yaml_text(each)}" for each in bare)
        self._write(file_of(NAMESPACE), NAMESPACE.kind, len(self._namespaces), texts)

    def _helm(self, collection: Collection) -> tuple[str, ...]:
        """Write values and manifest of the latest deployed revision of each release; return those without one."""
        found: dict[str, _Revision | None] = {}
        for key, line in self._archive.objects(collection):
            try:
                revision = msgspec.json.decode(line, type=_Revision)
            except msgspec.MsgspecError as error:
                what = f"{HELM_REVISION.kind} {key}"
                raise Damaged(f"archive {self._archive.name}: {what} is not readable: {error}") from None
            namespace, _, _ = key.rpartition("/")
            best = found.setdefault(f"{namespace}.{revision.release}".lstrip("."), None)
            if revision.deployed and (best is None or revision.revision > best.revision):
                found[f"{namespace}.{revision.release}".lstrip(".")] = revision
        for release, best in sorted(found.items()):
            if best is not None:
                self._revision(best, f"-{release}" if len(found) > 1 else "")
        return tuple(sorted(release for release, best in found.items() if best is None))

    def _revision(self, revision: _Revision, ending: str) -> None:
        told = f"of {revision.release}, revision {revision.revision}"
        for what, text in (("values", revision.values or "{}\n"), ("manifest", revision.manifest)):
            if text:
                lines = text if text.endswith("\n") else f"{text}\n"
                self._write(f"{what}{ending}.yaml", f"Helm {what} {told}", 1, [lines])

    def _write(self, name: str, kind: str, objects: int, texts: Iterable[str]) -> None:
        sink = self._store.put(name)
        size_bytes = 0
        try:
            for data in _chunks(texts):
                sink.write(data)
                size_bytes += len(data)
            sink.commit()
        except BaseException:
            sink.abort()
            raise
        self._files.append(ExportedFile(name, kind, objects, size_bytes))


class _Revision(msgspec.Struct, frozen=True):
    """A revision of a Helm release, as far as its files need it."""

    release: str
    revision: int
    deployed: bool = False
    values: str | None = None
    manifest: str | None = None


def _chunks(texts: Iterable[str]) -> Iterator[bytes]:
    """Join texts to chunks that are worth a call of the file system."""
    parts: list[bytes] = []
    size = 0
    for text in texts:
        parts.append(text.encode())
        size += len(parts[-1])
        if size >= _CHUNK_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
    yield b"".join(parts)

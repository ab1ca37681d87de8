"""Helm's releases as Helm 3 and later keep them in a cluster, read without the program helm.

A revision of a release is one Secret of type helm.sh/release.v1, or one ConfigMap, in the release's own
namespace. Its payload is base64 of gzip of JSON, or of the JSON itself where Helm was very old; the API adds a
base64 of its own to what is in Secrets. Nothing that is stored is believed: what cannot be read is an
Unreadable with the reason, never an exception, and never costs more memory than RELEASE_BYTES allow. Reasons
hold no part of what was stored, since that may be secret.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec

RELEASE_SECRET = "helm.sh/release.v1"  # noqa: S105 - a type, no password
"""The type of the Secrets that hold releases."""
RELEASE_BYTES = 32 * 2**20
"""The most that a release may hold; Helm's own are compressed below the 1 MiB that a Secret can have."""
DEPLOYED = "deployed"

_NAME_PREFIX = "sh.helm.release.v1."
_REVISION_IN_NAME = re.compile(r"(?P<release>.+)\.v(?P<revision>[0-9]{1,9})", re.ASCII)
_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_WINDOW = 31
_WORD_CHARS = 253
_YAML_BYTES = 1 * 2**20
_YAML_DEPTH = 32
_NOTHING = (b"", b"null")

_Part = TypeVar("_Part")


class Storage(StrEnum):
    """What a revision is kept in: Helm's storage drivers, by the kind of their objects."""

    SECRET = "Secret"  # noqa: S105
    CONFIG_MAP = "ConfigMap"


class Unreadable(NamedTuple):
    """Why something is no release that can be read; fits behind "the revision cannot be read: "."""

    why: str


class Chart(msgspec.Struct, frozen=True, rename="camel"):
    """Which chart a revision was made from."""

    name: str = ""
    version: str = ""
    app_version: str = ""


class Hook(msgspec.Struct, frozen=True, rename="camel"):
    """An object that Helm makes beside the manifest, at some event."""

    name: str = ""
    kind: str = ""
    path: str = ""
    events: tuple[str, ...] = ()
    weight: int = 0
    delete_policies: tuple[str, ...] = ()
    manifest: str = ""


class Release(NamedTuple):
    """One revision of a release. Texts that are absent are ""."""

    name: str
    namespace: str
    revision: int
    status: str
    description: str
    first_deployed: str
    last_deployed: str
    chart: Chart
    values: bytes | None
    """What the user gave, as JSON; None where nothing was given."""
    default_values: bytes | None
    """What the chart's own values.yaml says, as JSON."""
    manifest: str
    """What Helm applied, but for hooks."""
    hooks: tuple[Hook, ...]
    notes: str
    unread: tuple[str, ...]
    """Parts that are there, but not of the shape that Helm gives them; they are as if absent."""


class Head(NamedTuple):
    """The least about a revision: which one of which release it is, and its status, "" where unknown."""

    release: str
    revision: int
    status: str


class Standing(NamedTuple):
    """Where a revision stands among those of its release."""

    latest: bool
    """None is newer; it may have failed."""
    deployed: bool
    """It is the newest of those that are deployed: what runs."""


def is_release_name(object_name: str) -> bool:
    """Say whether Helm gives an object of this name the payload of a release, whatever its kind."""
    return object_name.startswith(_NAME_PREFIX)


def short_name(object_name: str) -> str:
    """Return the name of a stored revision without what all of them begin with: "zen-watcher.v3"."""
    return object_name.removeprefix(_NAME_PREFIX)


def payload(storage: Storage, body: bytes | memoryview) -> bytes | Unreadable:
    """Return the compressed release in a Secret or ConfigMap, given its JSON as the API sends it."""
    try:
        stored = msgspec.json.decode(body, type=_Stored)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"its data is not text: {error}")
    text = stored.data.release if stored.data else None
    if not text:
        return Unreadable("it has no data.release")
    try:
        once = binascii.a2b_base64(text, strict_mode=True)
        return binascii.a2b_base64(once, strict_mode=True) if storage is Storage.SECRET else once
    except ValueError as error:
        return Unreadable(f"its payload is not base64: {error}")


def read_release(compressed: bytes) -> Release | Unreadable:
    """Return the release in a payload."""
    plain = _unpacked(compressed)
    if isinstance(plain, Unreadable):
        return plain
    try:
        found = msgspec.json.decode(plain, type=_Release)
    except (ValueError, RecursionError) as error:
        return Unreadable(f"its JSON is no release: {error}")
    return _Reading(found).release()


def head_of(object_name: str, release: Release | Unreadable) -> Head:
    """Return which revision an object holds: by its payload, or by the object's name where that is unreadable."""
    if isinstance(release, Release):
        return Head(release.name, release.revision, release.status)
    named = _REVISION_IN_NAME.fullmatch(short_name(object_name))
    return Head(named["release"], int(named["revision"]), "") if named else Head(object_name, 0, "")


def standings(heads: Sequence[Head]) -> list[Standing]:
    """Say of each revision where it stands among all of them."""
    newest: dict[str, int] = {}
    running: dict[str, int] = {}
    for release, revision, status in heads:
        newest[release] = max(revision, newest.get(release, 0))
        if status == DEPLOYED:
            running[release] = max(revision, running.get(release, 0))
    return [
        Standing(revision == newest[release], status == DEPLOYED and revision == running[release])
        for release, revision, status in heads
    ]


def values_text(values: bytes) -> str:
    """Return values as a file that ``helm install -f`` takes: YAML, or the JSON where it is huge or deep.

    JSON is YAML too. As blocks it would grow with the square of its depth, and cost some hundred times its memory.
    """
    # Whoever only asks what a store holds needs no YAML.
    from zenctl.core.yaml_text import yaml_text

    if len(values) <= _YAML_BYTES:
        try:
            found = msgspec.json.decode(values)
            if _within(found, _YAML_DEPTH):
                return yaml_text(found, blocks=True)
        except (ValueError, RecursionError):
            pass  # a number or an escape that Python does not take is still JSON
    return values.decode() + "\n"


def _within(value: Any, depth: int) -> bool:
    """Say whether a value is nested no deeper than so many levels."""
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, list):
        return True
    return depth > 0 and all(_within(item, depth - 1) for item in value)


def _unpacked(compressed: bytes) -> bytes | Unreadable:
    """Return the JSON in a payload, allocating no more than a release may have."""
    if not compressed.startswith(_GZIP_MAGIC):
        too_large = len(compressed) > RELEASE_BYTES
        return Unreadable(f"it has more than {RELEASE_BYTES:,} bytes") if too_large else compressed
    unpacker = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        plain = unpacker.decompress(compressed, RELEASE_BYTES + 1)
    except zlib.error as error:
        return Unreadable(f"its gzip data is damaged: {error}")
    if len(plain) > RELEASE_BYTES:
        return Unreadable(f"it has more than {RELEASE_BYTES:,} bytes when decompressed")
    if not unpacker.eof:
        return Unreadable("its gzip data is truncated")
    if unpacker.unused_data:
        return Unreadable("something follows its gzip data")
    return plain


class _Data(msgspec.Struct, frozen=True):
    release: str | None = None


class _Stored(msgspec.Struct, frozen=True):
    data: _Data | None = None


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_WORD_CHARS)]
_Revision = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class _Release(msgspec.Struct, frozen=True):
    """The JSON of a release: what it cannot be without, and the rest as it stands."""

    name: _Name
    version: _Revision
    namespace: msgspec.Raw = msgspec.Raw()
    info: msgspec.Raw = msgspec.Raw()
    chart: msgspec.Raw = msgspec.Raw()
    config: msgspec.Raw = msgspec.Raw()
    manifest: msgspec.Raw = msgspec.Raw()
    hooks: msgspec.Raw = msgspec.Raw()


class _Info(msgspec.Struct, frozen=True):
    status: msgspec.Raw = msgspec.Raw()
    description: msgspec.Raw = msgspec.Raw()
    first_deployed: msgspec.Raw = msgspec.Raw()
    last_deployed: msgspec.Raw = msgspec.Raw()
    notes: msgspec.Raw = msgspec.Raw()


class _Chart(msgspec.Struct, frozen=True):
    metadata: msgspec.Raw = msgspec.Raw()
    values: msgspec.Raw = msgspec.Raw()


class _ChartMetadata(msgspec.Struct, frozen=True, rename="camel"):
    name: msgspec.Raw = msgspec.Raw()
    version: msgspec.Raw = msgspec.Raw()
    app_version: msgspec.Raw = msgspec.Raw()


class _Hook(msgspec.Struct, frozen=True):
    name: str = ""
    kind: str = ""
    path: str = ""
    events: tuple[str, ...] | None = None
    weight: int = 0
    delete_policies: tuple[str, ...] | None = None
    manifest: str = ""

    def hook(self) -> Hook:
        return Hook(
            self.name, self.kind, self.path, self.events or (), self.weight, self.delete_policies or (), self.manifest
        )


class _Reading:
    """One release being read part by part, so that a part of another shape costs only itself."""

    def __init__(self, found: _Release) -> None:
        self._found = found
        self._unread: list[str] = []

    def release(self) -> Release:
        found = self._found
        info = self._part("info", found.info, _Info, _Info())
        chart = self._part("chart", found.chart, _Chart, _Chart())
        metadata = self._part("chart.metadata", chart.metadata, _ChartMetadata, _ChartMetadata())
        return Release(
            name=found.name,
            namespace=self._word("namespace", found.namespace),
            revision=found.version,
            status=self._word("info.status", info.status),
            description=self._text("info.description", info.description),
            first_deployed=self._word("info.first_deployed", info.first_deployed),
            last_deployed=self._word("info.last_deployed", info.last_deployed),
            chart=Chart(
                self._word("chart.metadata.name", metadata.name),
                self._word("chart.metadata.version", metadata.version),
                self._word("chart.metadata.appVersion", metadata.app_version),
            ),
            values=self._values("config", found.config),
            default_values=self._values("chart.values", chart.values),
            manifest=self._text("manifest", found.manifest),
            hooks=tuple(hook.hook() for hook in self._part("hooks", found.hooks, tuple[_Hook, ...], ())),
            notes=self._text("info.notes", info.notes),
            unread=tuple(self._unread),
        )

    def _part(self, name: str, raw: msgspec.Raw, kind: type[_Part], absent: _Part) -> _Part:
        if bytes(raw) in _NOTHING:
            return absent
        try:
            return msgspec.json.decode(raw, type=kind)
        except (ValueError, RecursionError):
            self._unread.append(name)
            return absent

    def _text(self, name: str, raw: msgspec.Raw) -> str:
        return self._part(name, raw, str, "")

    def _word(self, name: str, raw: msgspec.Raw) -> str:
        """Return a text that stands in tables, and so may not be a book."""
        return self._part(name, raw, Annotated[str, msgspec.Meta(max_length=_WORD_CHARS)], "")  # type: ignore[arg-type]

    def _values(self, name: str, raw: msgspec.Raw) -> bytes | None:
        values = bytes(raw)
        if values in _NOTHING:
            return None
        try:
            values.decode()
        except UnicodeDecodeError:
            values = b""
        if values.startswith(b"{"):
            return values
        self._unread.append(name)
        return None

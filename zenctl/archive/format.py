"""Format 1 of the archive: its types, limits, names and the encoding of manifest and footer.

docs/archive-format.md says the same in words, for readers in other languages. Nothing here does I/O, and
nothing knows what the objects are: resources are facts that the manifest repeats.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from zenctl.archive.tar import BLOCK_BYTES, END_BYTES
from zenctl.core.objects import ResourceType
from zenctl.errors import Damaged, Refused

FORMAT_VERSION = 1
MAGIC = "ZENCTL-ARCHIVE"
BACKUP = "backup"
UNDO = "undo"

CHUNK_OBJECTS = 1_000
CHUNK_BYTES = 4 * 2**20
OBJECT_BYTES = 64 * 2**20
"""The largest object, without its newline. One above CHUNK_BYTES is a member by itself."""
MEMBER_BYTES = 80 * 2**20
"""What a reader accepts for a member, stored or plain; 64 MiB of noise grow a little in zstd."""
MANIFEST_BYTES = 64 * 2**20
MEMBERS_PER_COLLECTION = 999_999

MANIFEST_NAME = "manifest.json"
ENCRYPTED_SUFFIX = ".age"
FOOTER_NAME = "footer.json"
FOOTER_BYTES = 4 * BLOCK_BYTES
TAIL_BYTES = BLOCK_BYTES + FOOTER_BYTES + END_BYTES
"""Footer header, footer and end blocks: what a reader takes first."""

_FOLDER = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}\.[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,252}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ARCHIVE_ID = re.compile(r"[0-9a-z][-0-9a-z]{7,63}", re.ASCII)
_SET_NAME = re.compile(r"[a-z][-0-9a-z]{0,31}", re.ASCII)
_PARTS = 4
_FOLDER_BYTES = 155
_SELF_DIGEST = re.compile(rb'"sha256":"([0-9a-f]{64})"\}')
_SELF_DIGEST_BYTES = len(b'"sha256":""}') + 64

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Any number in the JSON: what every language reads exactly."""
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Resource(msgspec.Struct, frozen=True, rename="camel"):
    """What kind of objects a collection holds; their lines may lack apiVersion and kind."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    namespaced: bool = True
    status_subresource: bool = False

    @classmethod
    def of(cls, resource: ResourceType) -> Resource:
        """Return the lasting part of what discovery says."""
        return cls(
            group=resource.group,
            version=resource.version,
            kind=resource.kind,
            plural=resource.plural,
            singular=resource.singular,
            namespaced=resource.namespaced,
            status_subresource=resource.status_subresource,
        )

    @property
    def resource_type(self) -> ResourceType:
        """The same as a shared word, without what the archive does not keep."""
        return ResourceType(
            self.group,
            self.version,
            self.kind,
            self.plural,
            self.singular,
            namespaced=self.namespaced,
            status_subresource=self.status_subresource,
        )

    @property
    def folder(self) -> str:
        """The folder of the members: "Observation.zen.kube-zen.io", "ConfigMap.core"."""
        return f"{self.kind}.{self.group or 'core'}"


class Member(msgspec.Struct, frozen=True, rename="camel"):
    """One chunk of a collection; ``offset`` is that of its tar header."""

    name: str
    offset: Count
    stored_size: Count
    stored_sha256: str
    plain_size: Count
    plain_sha256: str
    count: Count
    first_key: str
    last_key: str


class Collection(msgspec.Struct, frozen=True, rename="camel"):
    """All objects of one resource: what they are, what the listing was worth, and where they lie."""

    resource: Resource
    resource_versions: tuple[str, ...]
    consistency: str
    restarts: Count
    count: Count
    sorted: bool
    """Keys ascend strictly, in the byte order of UTF-8, over all members."""
    members: tuple[Member, ...]
    derived: bool = False
    """Made from other collections so that people can read them; nothing to restore."""

    @property
    def folder(self) -> str:
        """The folder of the members."""
        return self.resource.folder


class Cluster(msgspec.Struct, frozen=True, rename="camel"):
    """Where the objects came from."""

    id: str
    name: str
    server_version: str = ""


class Scope(msgspec.Struct, frozen=True, rename="camel"):
    """What was asked for; None is every namespace."""

    namespaces: tuple[str, ...] | None = None
    secrets: bool = False
    """The Secrets of the installation too."""


class Omission(msgspec.Struct, frozen=True, rename="camel"):
    """Something that should be in the archive and is not."""

    what: str
    why: str


class SelfCheck(msgspec.Struct, frozen=True, rename="camel"):
    """What the writer found when it parsed every object and held it against its own CRD before it encrypted."""

    objects: Count
    problem_count: Count
    problems: tuple[str, ...]
    """The first of them, in words."""


class Heading(msgspec.Struct, frozen=True, rename="camel"):
    """What a writer must be told: the facts about an archive that its objects do not say."""

    archive_id: str
    set_name: str
    cluster: Cluster
    created_at: Instant
    tool_version: str
    scope: Scope = Scope()


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """Everything about an archive but its objects."""

    format_version: Count
    archive_id: str
    set_name: str
    cluster: Cluster
    created_at: Instant
    tool_version: str
    scope: Scope
    collections: tuple[Collection, ...]
    omissions: tuple[Omission, ...]
    complete: bool
    self_check: SelfCheck | None = None
    """None where the writer did not look into the objects: any reader of an archive in clear can."""
    left_out: tuple[str, ...] = ()
    """What was knowingly not read, such as "helm"; the archive has everything else that was asked for."""

    @property
    def objects(self) -> int:
        """Number of objects."""
        return sum(collection.count for collection in self.collections)

    @property
    def members(self) -> int:
        """Number of object members."""
        return sum(len(collection.members) for collection in self.collections)

    @property
    def plain_bytes(self) -> int:
        """Number of bytes that the object members hold when decompressed."""
        return sum(member.plain_size for collection in self.collections for member in collection.members)


class Footer(msgspec.Struct, frozen=True, rename="camel"):
    """The part that is always in clear and is read first; ``sha256`` comes last and is that of the footer."""

    magic: str
    format_version: Count
    archive_id: str
    set_name: str
    cluster_id: str
    cluster_name: str
    created_at: Instant
    complete: bool
    whole: bool
    """Every namespace was asked for; false for a backup of some of them."""
    encrypted: bool
    objects: Count
    members: Count
    plain_bytes: Count
    kinds: dict[str, Count]
    """Objects by folder, the most numerous first; bounded to what fits."""
    kinds_omitted: Count
    """How many folders did not fit."""
    manifest_offset: Count
    manifest_size: Count
    manifest_sha256: str
    content_sha256: str
    """SHA-256 of every byte of the file before the tail."""
    left_out: tuple[str, ...] = ()
    """As in the manifest."""
    sha256: str = ""

    @property
    def time_seconds(self) -> int:
        """The time in every tar header."""
        return seconds(self.created_at)


class _Version(msgspec.Struct, rename="camel"):
    format_version: Count


def seconds(instant: datetime) -> int:
    """Return an instant as tar counts time."""
    return int(instant.timestamp())


def member_name(folder: str, number: int, *, encrypted: bool) -> str:
    """Return the name of the nth object member of a folder, counted from 1."""
    return f"{folder}/{number:06d}.ndjson.zst" + (ENCRYPTED_SUFFIX if encrypted else "")


def manifest_name(*, encrypted: bool) -> str:
    """Return the name of the manifest."""
    return MANIFEST_NAME + (ENCRYPTED_SUFFIX if encrypted else "")


def is_folder(text: str) -> bool:
    """Say whether a text may be the folder of a collection; slashes, dots in front and controls may not."""
    return len(text) <= _FOLDER_BYTES and _FOLDER.fullmatch(text) is not None


def is_resource(resource: Resource) -> bool:
    """Say whether a resource has a folder, and names that stay one segment each of a path or URL."""
    names = (resource.version, resource.plural, resource.singular or resource.plural)
    return is_folder(resource.folder) and "." not in resource.kind and all(map(_SEGMENT.fullmatch, names))


def is_digest(text: str) -> bool:
    """Say whether a text is a SHA-256 as this format writes it: 64 digits, lower case."""
    return _DIGEST.fullmatch(text) is not None


def is_archive_id(text: str) -> bool:
    """Say whether a text may name an archive: 8 to 64 lower-case letters, digits and dashes, as a UUID is."""
    return _ARCHIVE_ID.fullmatch(text) is not None


def is_set_name(text: str) -> bool:
    """Say whether a text may name a set; readers tolerate sets that they have not heard of."""
    return _SET_NAME.fullmatch(text) is not None


def are_parts(words: Sequence[str]) -> bool:
    """Say whether words may name what was left out: a few, each of the form of a set's name."""
    return len(words) <= _PARTS and all(map(_SET_NAME.fullmatch, words))


def archive_name(set_name: str, cluster_name: str, created_at: datetime, archive_id: str) -> str:
    """Return the file name of an archive: zen-backup_prod-eu_20261123T020000Z_1f0c44aa.tar."""
    cluster = re.sub(r"[^A-Za-z0-9.]+", "-", cluster_name).strip("-.")[:80].rstrip("-.") or "cluster"
    return f"zen-{set_name}_{cluster}_{created_at.astimezone(UTC):%Y%m%dT%H%M%SZ}_{archive_id[:8]}.tar"


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the content of manifest.json."""
    return msgspec.json.encode(manifest) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Return the manifest that the bytes hold; what it says is not checked. Raises Damaged."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError, OverflowError) as error:
        raise Damaged(f"manifest is not readable: {error}") from None


def encode_footer(footer: Footer, kinds: dict[str, int]) -> bytes:
    """Return the content of footer.json: as many kinds as fit, its own digest, padded with spaces.

    Raises ValueError where even the bare footer does not fit; Heading facts are checked to prevent it.
    """
    room_bytes = FOOTER_BYTES - 1 - 64 - len(msgspec.json.encode(_with_kinds(footer, {}, len(kinds))))
    shown: dict[str, int] = {}
    for folder, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0])):
        room_bytes -= len(f'"{folder}":{count},')
        if room_bytes < 0:
            break
        shown[folder] = count
    blank = msgspec.json.encode(_with_kinds(footer, shown, len(kinds) - len(shown)))
    filled = blank[:-2] + hashlib.sha256(blank).hexdigest().encode() + blank[-2:]
    if len(filled) >= FOOTER_BYTES:
        raise ValueError(f"footer of {len(filled)} bytes does not fit into {FOOTER_BYTES}")
    return filled.ljust(FOOTER_BYTES - 1) + b"\n"


def _with_kinds(footer: Footer, kinds: dict[str, int], omitted: int) -> Footer:
    return msgspec.structs.replace(footer, kinds=kinds, kinds_omitted=omitted, sha256="")


def decode_footer(data: bytes) -> Footer:
    """Return the footer that the bytes hold, its magic, digest and version checked; nothing else is.

    Raises Damaged, or Refused for a format that is newer than this reader. Magic, formatVersion and the
    rule of the digest are the same in every version to come.
    """
    if not data.startswith(f'{{"magic":"{MAGIC}",'.encode()):
        raise Damaged("no footer at its end: truncated, appended to, or not an archive of zenctl")
    text = data.rstrip(b" \n")
    if len(data) != FOOTER_BYTES or data[len(text) :] != b" " * (FOOTER_BYTES - 1 - len(text)) + b"\n":
        raise Damaged("footer is not padded as it must be")
    digest = _SELF_DIGEST.fullmatch(text[-_SELF_DIGEST_BYTES:])
    if digest is None or hashlib.sha256(text[:-66] + text[-2:]).hexdigest().encode() != digest[1]:
        raise Damaged("footer does not match its own SHA-256")
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version > FORMAT_VERSION:
            raise Refused(f"written in format {version}, which this version of zenctl does not know",
                          hint="use a newer zenctl")  # fmt: skip
        return msgspec.json.decode(text, type=Footer)
    except (ValueError, RecursionError, OverflowError) as error:
        raise Damaged(f"footer is not readable: {error}") from None

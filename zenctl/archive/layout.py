"""What footer and manifest must say to be believed: sizes, offsets, names and counts that fit together.

Pure checks that yield one line for each lie. They run before anything is allocated or read at an offset
that an archive names, and the writer runs them on its own work before it commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from zenctl.archive.format import (
    CHUNK_BYTES,
    CHUNK_OBJECTS,
    FORMAT_VERSION,
    MANIFEST_BYTES,
    MEMBER_BYTES,
    TAIL_BYTES,
    Collection,
    Footer,
    Manifest,
    Member,
    are_parts,
    is_archive_id,
    is_digest,
    is_folder,
    is_resource,
    is_set_name,
    member_name,
)
from zenctl.archive.tar import BLOCK_BYTES, MAX_TIME_SECONDS, occupied


def footer_problems(footer: Footer, size_bytes: int) -> Iterator[str]:
    """Yield what is wrong with a footer in a file of this size."""
    if footer.format_version != FORMAT_VERSION:
        yield f"format {footer.format_version} does not exist"
    if not is_archive_id(footer.archive_id) or not is_set_name(footer.set_name):
        yield f"archive id {footer.archive_id!r} or set {footer.set_name!r} is malformed"
    if not footer.cluster_id.isprintable() or not footer.cluster_name.isprintable():
        yield "cluster id or name is not printable"
    created = footer.created_at
    if created.utcoffset() or created.microsecond or not 0 <= footer.time_seconds <= MAX_TIME_SECONDS:
        yield "creation time is not a whole second in UTC between 1970 and 2242"
    if not all(map(is_folder, footer.kinds)):
        yield "a folder in the footer is not allowed"
    if not are_parts(footer.left_out):
        yield "what the footer says was left out is malformed"
    if not is_digest(footer.manifest_sha256) or not is_digest(footer.content_sha256):
        yield "a SHA-256 in the footer is malformed"
    if not 0 < footer.manifest_size <= MANIFEST_BYTES:
        yield f"manifest of {footer.manifest_size} bytes is outside the limit of {MANIFEST_BYTES}"
    end = footer.manifest_offset + occupied(footer.manifest_size)
    if footer.manifest_offset % BLOCK_BYTES or end != size_bytes - TAIL_BYTES:
        yield f"manifest at {footer.manifest_offset} does not end where the footer begins"


def manifest_problems(manifest: Manifest, footer: Footer) -> Iterator[str]:
    """Yield what is wrong with a manifest: disagreement with the footer, and members that cannot be."""
    folders: set[str] = set()
    offset = 0
    for collection in manifest.collections:
        if not is_resource(collection.resource):
            yield f"resource {collection.resource.plural!r} in folder {collection.folder!r} is not allowed"
        if collection.folder in folders:
            yield f"collection {collection.folder!r} appears twice"
        folders.add(collection.folder)
        for number, member in enumerate(collection.members, 1):
            name = member_name(collection.folder, number, encrypted=footer.encrypted)
            yield from _place_problems(member, name, offset)
            offset = member.offset + occupied(member.stored_size)
        yield from _collection_problems(collection)
    if offset != footer.manifest_offset:
        yield f"members end at {offset} but the manifest begins at {footer.manifest_offset}"
    yield from _disagreements(manifest, footer)


def _disagreements(manifest: Manifest, footer: Footer) -> Iterator[str]:
    pairs = (
        ("format version", manifest.format_version, footer.format_version),
        ("archive id", manifest.archive_id, footer.archive_id),
        ("set", manifest.set_name, footer.set_name),
        ("cluster", (manifest.cluster.id, manifest.cluster.name), (footer.cluster_id, footer.cluster_name)),
        ("creation time", manifest.created_at, footer.created_at),
        ("completeness", manifest.complete, footer.complete),
        ("parts left out", manifest.left_out, footer.left_out),
        ("scope", manifest.scope.namespaces is None, footer.whole),
        ("number of objects", manifest.objects, footer.objects),
        ("number of members", manifest.members, footer.members),
        ("number of plain bytes", manifest.plain_bytes, footer.plain_bytes),
    )
    for what, in_manifest, in_footer in pairs:
        if in_manifest != in_footer:
            yield f"manifest and footer disagree about the {what}: {in_manifest!r} and {in_footer!r}"
    kinds = counts_by_folder(manifest)
    if len(kinds) != len(footer.kinds) + footer.kinds_omitted or not footer.kinds.items() <= kinds.items():
        yield "manifest and footer disagree about the objects of each kind"


def counts_by_folder(manifest: Manifest) -> dict[str, int]:
    """Return the number of objects in each folder."""
    counts: Counter[str] = Counter()
    for collection in manifest.collections:
        counts[collection.folder] += collection.count
    return dict(counts)


def _place_problems(member: Member, name: str, offset: int) -> Iterator[str]:
    if member.name != name:
        yield f"member {member.name!r} is not allowed where {name!r} must be"
    if member.offset != offset:
        yield f"member {name!r} is said to begin at {member.offset}, but the one before it ends at {offset}"


def _collection_problems(collection: Collection) -> Iterator[str]:
    if collection.count != sum(member.count for member in collection.members):
        yield f"collection {collection.folder!r} counts {collection.count} objects, its members others"
    last_key: str | None = None
    for member in collection.members:
        yield from _member_problems(member)
        if collection.sorted and last_key is not None and member.first_key <= last_key:
            yield f"member {member.name!r} of a sorted collection begins before the one before it ends"
        if collection.sorted and member.first_key > member.last_key:
            yield f"member {member.name!r} of a sorted collection ends before it begins"
        last_key = member.last_key


def _member_problems(member: Member) -> Iterator[str]:
    for what, size in (("stored", member.stored_size), ("plain", member.plain_size)):
        if not 0 < size <= MEMBER_BYTES:
            yield f"member {member.name!r} has {size} {what} bytes, outside the limit of {MEMBER_BYTES}"
    if not 1 <= member.count <= CHUNK_OBJECTS or (member.count > 1 and member.plain_size > CHUNK_BYTES):
        yield f"member {member.name!r} holds {member.count} objects in {member.plain_size} bytes, too many"
    if member.count == 1 and member.first_key != member.last_key:
        yield f"member {member.name!r} holds one object but names two keys"
    if not is_digest(member.stored_sha256) or not is_digest(member.plain_sha256):
        yield f"a SHA-256 of member {member.name!r} is malformed"

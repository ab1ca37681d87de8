"""Secrets and ConfigMaps of the system namespace, and the Helm releases in them.

The objects go in as the server sent them. Beside them goes a document for each revision of a release, of a kind
of our own, in which people can read what the object holds only encoded. A revision that cannot be read is named,
and stays in the archive as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from zenctl.archive.format import OBJECT_BYTES
from zenctl.archive.writer import ArchiveWriter
from zenctl.backup.collect import Sieve
from zenctl.core.helm import (
    RELEASE_SECRET,
    Chart,
    Hook,
    Release,
    Standing,
    Storage,
    Unreadable,
    head_of,
    is_release_name,
    payload,
    read_release,
    short_name,
    standings,
    values_text,
)
from zenctl.core.listing import Consistency
from zenctl.core.objects import CONFIG_MAP, KeyFields, Metadata, ObjectKey, RawObject, ResourceType
from zenctl.ports import ListQuery, ObjectReader
from zenctl.product.installation import SECRET

HELM_REVISION = ResourceType(
    "zenctl.kube-zen.io", "v1", "HelmRevision", "helmrevisions", "helmrevision", verbs=frozenset()
)
"""The kind of the documents; no server knows it."""

MADE_BY_THE_CLUSTER = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})
"""ConfigMaps that every cluster makes itself in every namespace; another cluster's would be wrong."""
ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - a type, no password
"""The type of Secrets that are worth nothing elsewhere: a cluster signs them with its own key, for accounts of
its own uids, and makes new ones."""

_ONLY_RELEASES = f"type={RELEASE_SECRET}"
_NO_TOKENS = f"type!={ACCOUNT_TOKEN}"


class DocumentName(msgspec.Struct, frozen=True):
    """The metadata of a document."""

    namespace: str
    name: str


class Revision(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The head of a document: which revision of which release, and where it stands."""

    metadata: DocumentName
    release: str
    revision: int
    status: str | None
    """None where it cannot be read."""
    deployed: bool
    """The newest that is deployed: what runs."""
    latest: bool
    """The newest there is, which may have failed."""
    chart: Chart
    problem: str | None = None
    """Why the document lacks something."""


class RevisionDocument(Revision, frozen=True, rename="camel", kw_only=True):
    """A whole document. Values are YAML that helm takes with -f; None where none were given."""

    storage: str
    first_deployed: str | None = None
    last_deployed: str | None = None
    description: str | None = None
    values: str | None = None
    default_values: str | None = None
    manifest: str | None = None
    hooks: tuple[Hook, ...] = ()
    notes: str | None = None


class _Held(NamedTuple):
    key: ObjectKey
    storage: Storage
    payload: bytes | Unreadable


class Revisions:
    """The revisions that were met in Secrets and ConfigMaps, compressed as they are, until they are written."""

    def __init__(self) -> None:
        self._held: dict[Storage, list[_Held]] = {storage: [] for storage in Storage}

    def forget(self, storage: Storage) -> None:
        """Drop those of one kind of storage, whose listing begins again."""
        self._held[storage].clear()

    def hold(self, storage: Storage, key: ObjectKey, body: bytes | memoryview) -> None:
        """Keep what an object holds."""
        self._held[storage].append(_Held(key, storage, payload(storage, body)))

    def write(self, writer: ArchiveWriter) -> tuple[Revision, ...]:
        """Write a document for each, by name, and return their heads. Only one is decompressed at a time."""
        named = sorted(_named(self._held).items())
        heads = [head_of(held.key.name, _read(held)) for _, held in named]
        written: list[Revision] = []
        writer.begin(HELM_REVISION, derived=True)
        for (key, held), place in zip(named, standings(heads), strict=True):
            body = _document(key, held, place)
            writer.add([RawObject(key, KeyFields(Metadata(key.name, key.namespace)), body)])
            written.append(msgspec.json.decode(body, type=Revision))
        # They come out of two listings, and so are no snapshot together.
        writer.end(consistency=Consistency.MIXED, resource_versions=())
        return tuple(written)


class ConfigMaps(Sieve[KeyFields]):
    """Keeps ConfigMaps, but for those of the cluster itself; those of Helm only into revisions."""

    def __init__(self, revisions: Revisions | None) -> None:
        super().__init__(KeyFields)
        self._revisions = revisions

    def restart(self) -> None:
        """See Sieve."""
        if self._revisions is not None:
            self._revisions.forget(Storage.CONFIG_MAP)

    def keeps(self, item: RawObject[KeyFields]) -> bool:
        """See Sieve."""
        if not is_release_name(item.key.name):
            return item.key.name not in MADE_BY_THE_CLUSTER
        if self._revisions is None:
            return False
        self._revisions.hold(Storage.CONFIG_MAP, item.key, item.body)
        return True


class _Secret(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()
    type: str = ""


class Secrets(Sieve[_Secret]):
    """Keeps the Secrets of Helm's releases, or all but the tokens of accounts."""

    def __init__(self, revisions: Revisions, *, every: bool) -> None:
        super().__init__(_Secret)
        self._revisions = revisions
        self._every = every

    def query(self, namespace: str) -> ListQuery:
        """Return what to ask for: the server sends no Secret that is not wanted."""
        return ListQuery(namespace, field_selector=_NO_TOKENS if self._every else _ONLY_RELEASES)

    def restart(self) -> None:
        """See Sieve."""
        self._revisions.forget(Storage.SECRET)

    def keeps(self, item: RawObject[_Secret]) -> bool:
        """See Sieve."""
        if item.fields.type == RELEASE_SECRET:
            self._revisions.hold(Storage.SECRET, item.key, item.body)
            return True
        return self._every  # tokens of accounts are not asked for


def has_releases(reader: ObjectReader, namespace: str) -> bool:
    """Say whether a namespace holds a revision of any release. Raises Denied."""
    secrets = ListQuery(namespace, field_selector=_ONLY_RELEASES)
    if any(page.objects for page in reader.pages(SECRET, KeyFields, secrets)):
        return True
    pages = reader.pages(CONFIG_MAP, KeyFields, ListQuery(namespace))
    return any(is_release_name(item.key.name) for page in pages for item in page.objects)


def _named(held: dict[Storage, list[_Held]]) -> dict[ObjectKey, _Held]:
    """Return the revisions by the names of their documents; a release may have been moved between storages."""
    named: dict[ObjectKey, _Held] = {}
    for each in (*held[Storage.SECRET], *held[Storage.CONFIG_MAP]):
        name = short_name(each.key.name)
        key = ObjectKey(each.key.namespace, name)
        named[key if key not in named else key._replace(name=f"{name}.configmap")] = each
    return named


def _read(held: _Held) -> Release | Unreadable:
    return held.payload if isinstance(held.payload, Unreadable) else read_release(held.payload)


def _document(key: ObjectKey, held: _Held, place: Standing) -> bytes:
    """Return the document of a revision as JSON; one that no archive could hold comes without its texts."""
    release = _read(held)
    whole = msgspec.json.encode(_whole(key, held, release, place))
    if len(whole) <= OBJECT_BYTES:
        return whole
    return msgspec.json.encode(_bare(key, held, place, release, "it is too large to be written out"))


def _whole(key: ObjectKey, held: _Held, release: Release | Unreadable, place: Standing) -> RevisionDocument:
    if isinstance(release, Unreadable):
        return _bare(key, held, place, release, release.why)
    odd = f"these parts are not as Helm writes them: {', '.join(release.unread)}" if release.unread else None
    return msgspec.structs.replace(
        _bare(key, held, place, release, odd),
        first_deployed=release.first_deployed or None,
        last_deployed=release.last_deployed or None,
        description=release.description or None,
        values=None if release.values is None else values_text(release.values),
        default_values=None if release.default_values is None else values_text(release.default_values),
        manifest=release.manifest or None,
        hooks=release.hooks,
        notes=release.notes or None,
    )


def _bare(
    key: ObjectKey, held: _Held, place: Standing, release: Release | Unreadable, problem: str | None
) -> RevisionDocument:
    head = head_of(held.key.name, release)
    return RevisionDocument(
        metadata=DocumentName(key.namespace, key.name),
        release=head.release,
        revision=head.revision,
        status=head.status or None,
        deployed=place.deployed,
        latest=place.latest,
        chart=release.chart if isinstance(release, Release) else Chart(),
        storage=f"{held.storage.value}/{held.key.name}",
        problem=problem,
    )

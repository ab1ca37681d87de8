"""What the slices need from the world, as Protocols of one to four methods; nothing is implemented here.

Adapters (kube, blob) satisfy them structurally; session.py joins the two. Tests bring in-memory fakes.
Every method may raise the errors of zenctl.errors and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from zenctl.core.listing import Page
from zenctl.core.objects import Fields, KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.errors import ZenctlError

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class ListQuery(NamedTuple):
    """Which objects to list: one namespace or all (None), and selectors that the server evaluates."""

    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""


ALL = ListQuery()


class WatchEvent(NamedTuple, Generic[Fields]):
    """What happened to an object: ADDED, MODIFIED or DELETED (then the object is as it was last)."""

    type: str
    object: RawObject[Fields]


class Discovery(Protocol):
    """What the cluster serves."""

    def group(self, group: str) -> tuple[ResourceType, ...]:
        """Return the resources of an API group at its preferred version; () where it is not served."""

    def resolve(self, name: str) -> ResourceType:
        """Return the resource that kubectl would understand by a name. Raises UsageError."""

    def refresh(self) -> None:
        """Forget what is cached, so that the next question asks the server."""


class ObjectReader(Protocol):
    """Reading objects."""

    def pages(
        self,
        resource: ResourceType,
        fields: type[Fields],
        query: ListQuery = ALL,
        *,
        restarts: int = 2,
        whole: bool = False,
    ) -> Iterator[Page[Fields]]:
        """LIST in pages of bounded size; order is the server's key order.

        With ``whole`` the caller reads to the end, whatever comes; then the server may send everything as one
        stream, which is lighter on it, and the last page alone knows the resourceVersion.

        When the snapshot expires, up to ``restarts`` times it begins again (see Page.restarted), then it
        goes on mixed (see Page.mixed). Raises Expired where the server offers no way to go on.
        """

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        """GET one object. Raises NotFound."""

    def watch(
        self, resource: ResourceType, fields: type[Fields], query: ListQuery, since: str
    ) -> Iterator[WatchEvent[Fields]]:
        """WATCH behind a resourceVersion, resuming after every cut. Raises Expired."""


class ObjectWriter(Protocol):
    """Writing objects. Bodies are JSON; answers are the objects as the server stored them."""

    def create(self, resource: ResourceType, namespace: str, body: bytes) -> RawObject[KeyFields]:
        """POST. Raises Conflict where the object exists, Invalid where the server refuses it."""

    def replace(self, resource: ResourceType, key: ObjectKey, body: bytes) -> RawObject[KeyFields]:
        """PUT; the body names the resourceVersion it replaces. Raises Conflict, Invalid."""

    def replace_status(self, resource: ResourceType, key: ObjectKey, body: bytes) -> RawObject[KeyFields]:
        """PUT to the status subresource; only status is taken from the body. Raises Conflict, Invalid."""

    def delete(self, resource: ResourceType, key: ObjectKey, *, uid: str, resource_version: str) -> None:
        """DELETE under both preconditions. Raises Conflict where the object changed, NotFound where it is gone."""


class AccessReviewer(Protocol):
    """Asking the server what the caller may do."""

    def allowed(self, resource: ResourceType, verb: str, *, namespace: str = "", subresource: str = "") -> bool:
        """Answer of a SelfSubjectAccessReview."""


class ClusterInfo(Protocol):
    """Facts about the cluster itself."""

    def uid(self) -> str:
        """Return the uid of the namespace kube-system, which names a cluster for as long as it lives."""

    def server_version(self) -> str:
        """Return the gitVersion of the API server, such as v1.32.4."""

    def now(self) -> datetime:
        """Return the API server's own time, by its Date header, to the second."""


class Workers(Protocol):
    """A bounded pool that does jobs at the concurrency that the server can bear."""

    def run(
        self, jobs: Iterable[Job], do: Callable[[Job], Answer]
    ) -> Generator[tuple[Job, Answer | ZenctlError], None, None]:
        """Do every job, and yield it with its answer, or with the error that it raised, as each ends.

        Jobs are taken one by one as places get free. When the consumer closes the generator, no further
        job is begun, and those under way are waited for.
        """


class Progress(Protocol):
    """Telling a person how far a long task is; silent for short ones."""

    def begin(self, what: str, total: int | None, unit: str = "objects") -> None:
        """Start a task; total is None where nobody knows."""

    def advance(self, count: int = 1) -> None:
        """Report that so much more is done."""

    def end(self) -> None:
        """Finish the task and clear its line."""


class Clock(Protocol):
    """The local time, for naming things and measuring them; ages are judged by ClusterInfo.now."""

    def now(self) -> datetime:
        """Return the local clock's time, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class BlobInfo(NamedTuple):
    """A complete blob in a store."""

    name: str
    size_bytes: int


class BlobSink(Protocol):
    """A blob being written; nobody sees it before commit."""

    def write(self, data: bytes) -> None:
        """Append."""

    def rewind(self, offset: int) -> bool:
        """Forget everything from offset on; False where the store cannot."""

    def commit(self) -> None:
        """Make the blob visible and durable, whole, under its name. Raises Refused where it exists."""

    def abort(self) -> None:
        """Leave nothing behind. Harmless after commit or abort."""


class BlobStore(Protocol):
    """A place for archives and the small notes beside them.

    Names have no folders; every error is Unreachable, Denied or Refused.
    """

    def put(self, name: str) -> BlobSink:
        """Begin a new blob."""

    def size(self, name: str) -> int:
        """Return the size of a blob in bytes. Raises Refused where there is none."""

    def get(self, name: str, offset: int, length: int) -> bytes:
        """Return exactly length bytes from offset. Raises Damaged where the blob is shorter."""

    def replace(self, name: str, data: bytes) -> None:
        """Write a small blob whole, in place of what has the name; readers see the old one or the new one."""

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        """Return the complete blobs with such names, ordered by name; never one that is being written."""

    def delete(self, name: str) -> None:
        """Remove a blob; harmless where it is gone."""

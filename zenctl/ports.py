"""What the slices need from the world, as Protocols of one to four methods; nothing is implemented here.

Adapters (kube, blob) satisfy them structurally; session.py joins the two. Tests bring in-memory fakes.
Every method may raise the errors of zenctl.errors and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from zenctl.core.listing import OnExpired, Page
from zenctl.core.objects import Fields, Metadata, ObjectKey, RawObject, ResourceType
from zenctl.errors import ZenctlError

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class ListQuery(NamedTuple):
    """Which objects to list: one namespace or all (None), and selectors that the server evaluates."""

    namespace: str | None = None
    label_selector: str = ""
    field_selector: str = ""


ALL = ListQuery()


class Discovery(Protocol):
    """What the cluster serves."""

    def group(self, group: str) -> tuple[ResourceType, ...]:
        """Return the resources of an API group at its preferred version; () where it is not served."""

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
        on_expired: OnExpired = OnExpired.RESTART,
    ) -> Iterator[Page[Fields]]:
        """LIST in pages of bounded size; order is the server's key order."""

    def get(self, resource: ResourceType, key: ObjectKey, fields: type[Fields]) -> RawObject[Fields]:
        """GET one object. Raises NotFound."""


class ObjectWriter(Protocol):
    """Writing objects. Bodies are JSON; answers are the metadata that the server gave the object."""

    def create(self, resource: ResourceType, namespace: str, body: bytes) -> Metadata:
        """POST. Raises Conflict where the object exists, Invalid where the server refuses it."""

    def replace(self, resource: ResourceType, key: ObjectKey, body: bytes) -> Metadata:
        """PUT; the body names the resourceVersion it replaces. Raises Conflict, Invalid."""

    def replace_status(self, resource: ResourceType, key: ObjectKey, body: bytes) -> Metadata:
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

    def run(self, jobs: Iterable[Job], do: Callable[[Job], Answer]) -> Iterator[tuple[Job, Answer | ZenctlError]]:
        """Do every job, and yield it with its answer, or with the error that it raised, as each ends.

        Denied and Unreachable that concern every job alike are the caller's to stop on: it just stops
        iterating, and no further job is begun.
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
    """A place for archives. Names have no folders; every error is Unreachable, Denied or Refused."""

    def put(self, name: str) -> BlobSink:
        """Begin a new blob."""

    def get(self, name: str, offset: int, length: int) -> bytes:
        """Return exactly length bytes from offset. Raises Damaged where the blob is shorter."""

    def list(self, prefix: str = "") -> Sequence[BlobInfo]:
        """Return the complete blobs, ordered by name; never one that is being written."""

    def delete(self, name: str) -> None:
        """Remove a blob; harmless where it is gone."""


Environment = Mapping[str, str]

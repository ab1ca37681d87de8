"""A prefix of a bucket as a store of blobs: S3, Azure Blob Storage and Google Cloud Storage by one client.

A small blob is one PUT that creates only. A larger one is a multipart upload whose parts are sent as they
fill, in bounded memory and without a copy on disk; its completion is the commit. What an answer leaves in
doubt is looked up, never assumed. It makes no buckets, and knows nothing about what a blob holds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import obstore
from obstore.exceptions import BaseError

from zenctl.blob.failures import Failure, failure_of, told
from zenctl.blob.names import absent, require_usable, short, taken, usable
from zenctl.blob.upload import Upload, apart
from zenctl.blob.urls import StoreUrl
from zenctl.errors import Denied, Refused, Unreachable, ZenctlError
from zenctl.ports import BlobInfo

if TYPE_CHECKING:
    from zenctl.blob.clouds import Client

PART_BYTES = 8 << 20
"""Parts have one size, since the client fixes it beforehand; 10,000 of them make 78 GiB."""
PART_COUNTS = {"s3": 10_000, "gs": 10_000, "az": 50_000}

_PARTS_AT_ONCE = 2
_TAIL_BYTES = 64 << 10
_ATTEMPTS = 4
_WAIT_SECONDS = 0.2
_ABORT_SECONDS = 20.0
_BUCKET_CODES = ("NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled")
_ERRORS = (BaseError, OSError, ValueError)
_LOG = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class ObjectStore:
    """Blobs are the objects directly below a prefix."""

    def __init__(self, url: StoreUrl, client: Client, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = url
        self._client = client
        self._sleep = sleep

    @property
    def location(self) -> str:
        """Where this is, as people see it; without settings and secrets."""
        return self.url.location

    def put(self, name: str) -> ObjectSink:
        """Begin a blob. Raises Refused at once where the name is taken or there is no bucket."""
        require_usable(name)
        self.refuse_taken(name)
        return ObjectSink(self, name)

    def size(self, name: str) -> int:
        """Return the size of a blob. Raises Refused where there is none."""
        require_usable(name)
        found = self._ask("HEAD", name, lambda: obstore.head(self._client, name))
        if isinstance(found, Failure):
            # An answer to HEAD has no body that would tell why; the same question as GET has.
            reason = self._first_byte(name) if 400 <= found.status < 500 else found
            raise self.error("read", name, reason if isinstance(reason, Failure) else found)
        return int(found["size"])

    def get(self, name: str, offset: int, length: int) -> bytes:
        """Return exactly length bytes from offset. Raises Damaged where the blob is shorter."""
        require_usable(name)
        end = offset + length
        if offset < 0 or length <= 0:  # no range of HTTP
            size_bytes = self.size(name)
            if offset < 0 or length < 0 or offset > size_bytes:
                raise short(self.url.place(name), size_bytes, end)
            return b""
        found = self._ask(f"GET {offset}+{length}", name, lambda: self._range(name, offset, end))
        if isinstance(found, Failure):
            if found.status == 416:
                raise short(self.url.place(name), self.size(name), end)
            raise self.error("read", name, found)
        if len(found) != length:
            raise short(self.url.place(name), offset + len(found), end)
        return found

    def replace(self, name: str, data: bytes) -> None:
        """Write a small blob whole, in place of what has the name."""
        require_usable(name)
        found = self.put_whole(name, data, mode="overwrite")
        if found is not None:
            raise self.error("write", name, found)
        self.confirm(name, len(data))

    def list(self, prefix: str = "", suffix: str = ".tar") -> Sequence[BlobInfo]:
        """Return the complete blobs with such names, ordered by name; a multipart upload is none before its end."""
        found = self._ask("LIST", "", lambda: obstore.list_with_delimiter(self._client))
        if isinstance(found, Failure):
            raise self.error("list", "", found)
        if not found["objects"] and not found["common_prefixes"]:
            self._refuse_impostor()
        blobs = [BlobInfo(str(item["path"]), int(item["size"])) for item in found["objects"]]
        return tuple(
            sorted(
                blob
                for blob in blobs
                if blob.name.startswith(prefix) and blob.name.endswith(suffix) and usable(blob.name)
            )
        )

    def delete(self, name: str) -> None:
        """Remove a blob; harmless where it is gone."""
        require_usable(name)
        found = self.attempt("DELETE", name, lambda: obstore.delete(self._client, name))
        if isinstance(found, Failure) and (found.status != 404 or found.code in _BUCKET_CODES):
            raise self.error("delete", name, found)

    # -- for the sink --------------------------------------------------------------------------------

    def attempt(self, what: str, name: str, call: Callable[[], Answer]) -> Answer | Failure:
        """Return what a call of the client returns, or what became of it."""
        started = time.monotonic()
        try:
            found = apart(call)
        except _ERRORS as error:
            failure = failure_of(error, self.url.bucket)
            _LOG.debug("%s %s: %s", what, self._place(name), failure.broken or f"{failure.status} {failure.code}")
            return failure
        _LOG.debug("%s %s: done in %.0f ms", what, self._place(name), (time.monotonic() - started) * 1000)
        return found

    def error(self, action: str, name: str, failure: Failure) -> ZenctlError:
        """Return the error of ours for a failed request."""
        if failure.status == 404 and action == "read" and failure.code not in _BUCKET_CODES:
            return absent(self._place(name))
        return told(action, self._place(name), self.url.bucket, failure)

    def refuse_taken(self, name: str) -> None:
        """Raise Refused where a blob has the name. An identity that may not look is let pass."""
        found = self._first_byte(name)
        if not isinstance(found, Failure) or found.status == 416:
            raise taken(self._place(name))
        error = self.error("create", name, found)
        if found.status == 404 and found.code not in _BUCKET_CODES:
            return
        # S3 answers 403 for what is not there, where the identity may write but not list.
        if not (found.status == 403 and found.code in ("AccessDenied", "AuthorizationPermissionMismatch")):
            raise error

    def put_whole(self, name: str, data: bytes, *, mode: str) -> Failure | None:
        """Send a blob as one request; return what became of it where it failed."""
        kind: object = mode
        found = self.attempt(
            f"PUT {len(data)} bytes",
            name,
            lambda: obstore.put(self._client, name, data, mode=kind, use_multipart=False),  # type: ignore[arg-type]
        )
        return found if isinstance(found, Failure) else None

    def upload(self, name: str) -> Upload:
        """Begin a multipart upload."""
        return Upload(
            lambda parts: obstore.put(
                self._client,
                name,
                parts,
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        )

    def holds(self, name: str, size_bytes: int, tail: bytes) -> bool | None:
        """Say whether a blob has this size and end; None where there is no blob."""
        try:
            if self.size(name) != size_bytes:
                return False
            return self.get(name, size_bytes - len(tail), len(tail)) == tail
        except Refused:
            return None

    def confirm(self, name: str, size_bytes: int) -> None:
        """See that the store shows what it has accepted. An identity that may not look is let pass."""
        for attempt in range(_ATTEMPTS):
            try:
                found = self.size(name)
            except Denied:
                return
            except Refused:
                self.pause(attempt)
                continue
            if found == size_bytes:
                return
            raise Unreachable(
                f"{self._place(name)} has {found} bytes in the store, but {size_bytes} were sent",
                hint="somebody else wrote it at the same time, or this is no object store",
            )
        raise Unreachable(
            f"the store accepted {self._place(name)}, but does not show it",
            hint="look with zenctl backup list in a while; nothing else was changed",
        )

    def pause(self, attempt: int) -> None:
        """Wait before another attempt, longer each time."""
        self._sleep(_WAIT_SECONDS * 2**attempt)

    # -- inside --------------------------------------------------------------------------------------

    def _place(self, name: str) -> str:
        return self.url.place(name) if name else self.location

    def _ask(self, what: str, name: str, call: Callable[[], Answer]) -> Answer | Failure:
        """Attempt to read, again where the answer broke off in its middle: the client repeats only what got none."""
        for attempt in range(_ATTEMPTS):
            found = self.attempt(what, name, call)
            if not isinstance(found, Failure) or found.status or found.retries:
                break
            self.pause(attempt)
        return found

    def _range(self, name: str, start: int, end: int) -> bytes:
        return bytes(obstore.get_range(self._client, name, start=start, end=end))

    def _first_byte(self, name: str) -> bytes | Failure:
        return self._ask("GET 0+1", name, lambda: self._range(name, 0, 1))

    def _refuse_impostor(self) -> None:
        """Raise where an empty listing came from something that shows objects nobody can have stored.

        A gateway's login page is no listing, and the client reads it as an empty one.
        """
        found = self._first_byte("no-such-object")
        if isinstance(found, Failure) and found.status in (403, 404):
            return
        raise Unreachable(
            f"cannot list {self.location}: what answers is no object store", hint="check the endpoint and the proxy"
        )


class ObjectSink:
    """A blob being written: held in memory while it is smaller than a part, in a multipart upload from then on."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store = store
        self._name = name
        self._held = bytearray()
        self._tail = b""
        self._size_bytes = 0
        self._parts = 0
        self._upload: Upload | None = None
        self._over = False

    def write(self, data: bytes) -> None:
        """Append."""
        with self._guarded():
            self._size_bytes += len(data)
            rest = memoryview(data)
            while rest:
                taking = min(len(rest), PART_BYTES - len(self._held))
                self._held += rest[:taking]
                rest = rest[taking:]
                if rest and len(self._held) == PART_BYTES:
                    self._send()

    def rewind(self, offset: int) -> bool:
        """Forget everything from offset on; False where a part of that was sent already."""
        with self._guarded():
            kept = offset - (self._size_bytes - len(self._held))
            if kept < 0 or (self._upload is not None and offset != self._size_bytes):
                return False
            del self._held[kept:]
            self._size_bytes = offset
            return True

    def commit(self) -> None:
        """Make the blob visible; where any of it fails there is no new blob. Raises Refused where it exists."""
        with self._guarded():
            if self._upload is None:
                self._create()
            else:
                self._complete(self._upload)
            self._store.confirm(self._name, self._size_bytes)
            self._over = True

    def abort(self) -> None:
        """Leave nothing behind. Harmless after commit or abort."""
        self._over = True
        self._held.clear()
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.abort(_ABORT_SECONDS)

    def _send(self) -> None:
        """Send what is held as one part."""
        self._parts += 1
        if self._parts > PART_COUNTS[self._store.url.scheme]:
            raise Refused(
                f"{self._store.url.place(self._name)} is larger than {PART_BYTES * (self._parts - 1):,} bytes,"
                " the most that zenctl sends to an object store",
                hint="choose a folder as --store, or back up namespace by namespace",
            )
        part = bytes(self._held)
        self._held.clear()
        self._tail = (self._tail + part[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        if self._upload is None:
            self._upload = self._store.upload(self._name)
        self._in_upload(lambda upload: upload.part(part), self._upload)

    def _in_upload(self, do: Callable[[Upload], None], upload: Upload) -> None:
        try:
            do(upload)
        except _ERRORS as error:
            raise self._store.error("write", self._name, failure_of(error, self._store.url.bucket)) from None

    def _complete(self, upload: Upload) -> None:
        """Send the rest and complete the upload, after one more look whether the name is still free."""
        self._send()
        self._store.refuse_taken(self._name)
        try:
            self._in_upload(Upload.finish, upload)
        except ZenctlError:
            # The object may be there although the answer was lost: completing twice is refused.
            if not self._landed(self._tail):
                raise

    def _create(self) -> None:
        """Create the blob with one request, which is repeated only as long as its outcome is unknown."""
        data, mode = bytes(self._held), "create"
        error: ZenctlError | None = None
        for attempt in range(_ATTEMPTS):
            failure = self._store.put_whole(self._name, data, mode=mode)
            if failure is None:
                return
            error = self._store.error("write", self._name, failure)
            if failure.status == 501 and mode == "create":  # a store without conditions
                self._store.refuse_taken(self._name)
                mode = "overwrite"
                continue
            if failure.status in (409, 412) or failure.outcome_unknown:
                there = self._landed(data[-_TAIL_BYTES:])
                if there:
                    return
                if there is False:
                    raise taken(self._store.url.place(self._name))
            # The client does not repeat by itself what might have been carried out.
            if failure.status != 409 and not (failure.status == 0 and failure.retries == 0):
                break
            self._store.pause(attempt)
        raise error or RuntimeError("no attempt was made")

    def _landed(self, tail: bytes) -> bool | None:
        """Say whether the blob is there, as it was sent; None where it is not, or nobody can tell."""
        try:
            return self._store.holds(self._name, self._size_bytes, tail)
        except ZenctlError:
            return None

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        if self._over:
            raise ValueError(f"{self._store.url.place(self._name)} was committed or aborted already")
        try:
            yield
        except ZenctlError:
            self.abort()
            raise

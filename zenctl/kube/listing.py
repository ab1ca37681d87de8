"""Paged LIST that hands out raw objects in flat memory, the next page on its way while this one is used.

The policy for an expired continue token: begin again, up to a stated number of times (the consumer
drops what it has); then go on knowingly mixed with the token that the 410 offers. Never an unpaged
LIST: its answer has no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from zenctl.core.listing import Page
from zenctl.core.objects import Fields, ObjectKey, RawObject, ResourceType
from zenctl.errors import Expired
from zenctl.kube.errors import NOT_DECODED, not_kubernetes, strange_object
from zenctl.kube.http import Client
from zenctl.kube.paths import resource_path
from zenctl.ports import ListQuery

PAGE_SIZE = 500


class _ListMeta(msgspec.Struct, frozen=True, rename={"resource_version": "resourceVersion", "continue_": "continue"}):
    resource_version: str = ""
    continue_: str = ""
    remaining: int | None = msgspec.field(default=None, name="remainingItemCount")


class _ListBody(msgspec.Struct, frozen=True):
    kind: str = ""
    metadata: _ListMeta = _ListMeta()
    items: list[msgspec.Raw] | None = None


_LIST = msgspec.json.Decoder(_ListBody)


class Listing:
    """One LIST of one collection, read page by page with one page of look-ahead."""

    def __init__(self, client: Client, resource: ResourceType, query: ListQuery, restarts: int) -> None:
        self._client = client
        self._resource = resource
        self._query = query
        self._restarts_left = restarts
        self._doing = f"list {resource.full_name}"

    def pages(self, fields: type[Fields]) -> Iterator[Page[Fields]]:
        """Yield the pages; each is decoded while the next is on its way."""
        decode = msgspec.json.Decoder(fields).decode
        token, restarted, mixed = "", False, False
        in_vain = False
        with ThreadPoolExecutor(1, "list") as ahead:
            coming: Future[_ListBody] | None = ahead.submit(self._fetch, "")
            while coming is not None:
                try:
                    body = coming.result()
                except Expired as expired:
                    if in_vain:  # even the token of the 410 has expired
                        raise
                    token, restarted, mixed = self._after(expired, restarted=restarted)
                    in_vain = mixed
                    coming = ahead.submit(self._fetch, token)
                    continue
                in_vain = False
                token = body.metadata.continue_
                coming = ahead.submit(self._fetch, token) if token else None
                yield Page(
                    self._objects(body.items or (), decode),
                    body.metadata.resource_version,
                    body.metadata.remaining,
                    restarted,
                    mixed,
                )
                restarted = False

    def _after(self, expired: Expired, *, restarted: bool) -> tuple[str, bool, bool]:
        """Decide how to go on behind a 410: (continue token, restarted, mixed)."""
        if self._restarts_left > 0:
            self._restarts_left -= 1
            return "", True, False
        if not expired.continue_token:
            raise expired
        return expired.continue_token, restarted, True

    def _fetch(self, token: str) -> _ListBody:
        path = resource_path(
            self._resource,
            namespace=self._query.namespace,
            query={
                "limit": PAGE_SIZE,
                "continue": token,
                "labelSelector": self._query.label_selector,
                "fieldSelector": self._query.field_selector,
            },
        )
        answer = self._client.send("GET", path, doing=self._doing)
        try:
            body = _LIST.decode(answer.body)
        except NOT_DECODED as error:
            raise not_kubernetes(self._doing) from error
        # A proxy's JSON must not pass for an empty collection.
        if not (body.kind.endswith("List") and body.metadata.resource_version):
            raise not_kubernetes(self._doing)
        return body

    def _objects(
        self, items: Sequence[msgspec.Raw], decode: Callable[[msgspec.Raw], Fields]
    ) -> Sequence[RawObject[Fields]]:
        objects: list[RawObject[Fields]] = []
        raw = msgspec.Raw()
        try:
            for raw in items:
                fields = decode(raw)
                metadata = fields.metadata
                objects.append(RawObject(ObjectKey(metadata.namespace, metadata.name), fields, memoryview(raw)))
        except NOT_DECODED as error:
            raise strange_object(raw, error, doing=self._doing) from error
        return objects

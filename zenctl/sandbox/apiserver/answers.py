"""How kept objects are sent: whole, as a Table, or as metadata only; one, many, or one by one in a watch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from zenctl.sandbox.apiserver.documents import Wanted
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.listing import Page
from zenctl.sandbox.apiserver.objects import Json, bare, loaded, prefix, whole
from zenctl.sandbox.apiserver.tables import table

_META = "meta.k8s.io"


class Presenter:
    """Sends objects of one resource in the representation that one request wants."""

    def __init__(self, served: Served, wanted: Wanted, include_object: str, now: Callable[[], datetime]) -> None:
        self._served, self._wanted, self._now = served, wanted, now
        self._told_columns = False
        self._include = include_object or "Metadata"

    def event(self, body: bytes) -> bytes:
        """Return one object of a watch; only the first Table of a watch names the columns."""
        if self._wanted.as_kind != "Table":
            return self.one(body)
        document = loaded(body, self._served.type)
        made = self._table_of([document], {"resourceVersion": document["metadata"]["resourceVersion"]})
        if self._told_columns:
            made["columnDefinitions"] = None
        self._told_columns = True
        return msgspec.json.encode(made)

    def one(self, body: bytes) -> bytes:
        """Return one object."""
        if self._wanted.as_kind == "PartialObjectMetadataList":
            raise _mismatch("PartialObjectMetadataList", "is not a list")
        of = self._served.type
        if not self._wanted.as_kind:
            return whole(body, of)
        document = loaded(body, of)
        if self._wanted.as_kind == "Table":
            version = document["metadata"].get("resourceVersion", "")
            return self._table([document], {"resourceVersion": version})
        return msgspec.json.encode(self._partial(document))

    def page(self, page: Page) -> bytes:
        """Return one page of a LIST."""
        served = self._served
        if self._wanted.as_kind == "PartialObjectMetadata":
            raise _mismatch("PartialObjectMetadata", "is a list")
        meta: Json = {"resourceVersion": str(page.revision)}
        if page.token:
            meta["continue"] = page.token
        if page.remaining:
            meta["remainingItemCount"] = page.remaining
        if self._wanted.as_kind == "Table":
            return self._table([loaded(body, served.type) for body in page.bodies], meta)
        if self._wanted.as_kind:
            items = [self._partial(loaded(body, served.type)) for body in page.bodies]
            kind = {"kind": "PartialObjectMetadataList", "apiVersion": f"{_META}/{self._wanted.version}"}
            return msgspec.json.encode({**kind, "metadata": meta, "items": items})
        if not served.builtin:
            meta.setdefault("continue", "")  # here it is no typed field, which would be left out when it is empty
        before = prefix(served.type)
        sent = [bare(body) for body in page.bodies] if served.builtin else [before + body for body in page.bodies]
        return self._list(sent, meta)

    def _list(self, items: list[bytes], meta: Json) -> bytes:
        of = self._served.type
        head = {"apiVersion": of.api_version, "kind": self._served.kind_of_list, "metadata": meta}
        return msgspec.json.encode(head)[:-1] + b',"items":[' + b",".join(items) + b"]}\n"

    def _partial(self, document: Json) -> Json:
        kind = {"kind": "PartialObjectMetadata", "apiVersion": f"{_META}/{self._wanted.version}"}
        return {**kind, "metadata": document["metadata"]}

    def _table(self, documents: list[Json], meta: Json) -> bytes:
        return msgspec.json.encode(self._table_of(documents, meta))

    def _table_of(self, documents: list[Json], meta: Json) -> Json:
        made: dict[str, Any] = table(
            documents, self._served, self._now(), include_object=self._include, list_meta=meta
        )
        return {**made, "apiVersion": f"{_META}/{self._wanted.version}"}

    def bookmark(self, revision: int, annotations: dict[str, str]) -> bytes:
        """Return the object of a bookmark."""
        of = self._served.type
        metadata: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        document: Json = {"apiVersion": of.api_version, "kind": of.kind, "metadata": metadata}
        if self._wanted.as_kind == "Table":
            return self._table([document], {"resourceVersion": str(revision)})
        return msgspec.json.encode(document)


def _mismatch(wanted: str, but: str) -> ApiError:
    return ApiError(406, "NotAcceptable", f"you requested {wanted}, but the requested object {but}")

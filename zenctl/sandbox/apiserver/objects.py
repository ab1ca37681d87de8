"""How objects are kept and sent: as bytes from ``"metadata"`` on, so that any served version can stand in front.

Items of built-in lists carry no apiVersion and kind, as on a real server; those of custom resources do.
Versions differ in nothing but apiVersion, since no CRD here has a conversion but None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from zenctl.core.objects import ResourceType

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_TYPE = ("apiVersion", "kind")


class _Labelled(msgspec.Struct, frozen=True, gc=False):
    labels: dict[str, str] | None = None


class _WithLabels(msgspec.Struct, frozen=True, gc=False):
    metadata: _Labelled


_labels = msgspec.json.Decoder(_WithLabels).decode


def stored(document: Mapping[str, Any]) -> bytes:
    """Return the bytes to keep of a whole object: its JSON without apiVersion, kind and the opening brace."""
    rest = {key: value for key, value in document.items() if key not in _TYPE and key != "metadata"}
    return _encode({"metadata": document["metadata"], **rest})[1:]


def loaded(body: bytes, of: ResourceType) -> Json:
    """Return a kept object as a document of a served version."""
    return cast("Json", msgspec.json.decode(whole(body, of)))


def whole(body: bytes, of: ResourceType) -> bytes:
    """Return a kept object as it is sent."""
    return prefix(of) + body


def bare(body: bytes) -> bytes:
    """Return a kept object as an item of a built-in list is sent."""
    return b"{" + body


def prefix(of: ResourceType) -> bytes:
    """Return what stands before the kept part of an object of this type."""
    return f'{{"apiVersion":"{of.api_version}","kind":"{of.kind}",'.encode()


def labels_of(body: bytes) -> Mapping[str, str]:
    """Return the labels of a kept object."""
    return _labels(b"{" + body).metadata.labels or {}

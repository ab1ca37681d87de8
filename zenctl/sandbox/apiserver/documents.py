"""Reading what a client sends: media types, JSON, YAML or protobuf, duplicate keys, size; and what it wants back.

Nothing here knows a kind; what a body means is judged by those who write it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any, NamedTuple

import msgspec
import yaml

from zenctl.core.documents import NotADocument, documents
from zenctl.sandbox.apiserver import protobuf
from zenctl.sandbox.apiserver.errors import ApiError, bad_request
from zenctl.sandbox.apiserver.messages import JSON, Request

LARGEST_BODY_BYTES = 3 * 1024 * 1024
_YAML = ("application/yaml", "application/x-yaml")
_TYPES = f"application/json, application/yaml, {protobuf.MEDIA_TYPE}"
_SHOWN_BYTES = 64


class Wanted(NamedTuple):
    """A representation that the client accepts: ``as_kind`` is "", Table, PartialObjectMetadata…"""

    as_kind: str = ""
    group: str = ""
    version: str = ""
    yaml: bool = False


def body_document(request: Request, kind: str = "Object", *, strict: bool = False) -> tuple[Any, list[str]]:
    """Return the document in a body and, where asked for, the paths of duplicate keys. Raises ApiError."""
    media = media_type(request)
    check_size(request.body)
    if media in _YAML:
        try:
            found = documents(request.body)
        except NotADocument as error:
            raise bad_request(f"error converting YAML to JSON: it is {error}") from None
        return (_like_json(found[0]) if found else None), []
    if media == protobuf.MEDIA_TYPE:
        return protobuf.decode(request.body), []
    if media != JSON:
        raise unsupported_media(media)
    return decode(request.body, kind), list(_duplicates(request.body)) if strict else []


def decode_any(body: bytes, kind: str) -> Any:
    """Return the JSON in a body. Raises ApiError 400."""
    try:
        return _decode_json(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise _unrecognized(body, kind, _why_no_json(body)) from None


def _number(text: str) -> float:
    """Return a fraction in JSON; 5.0 is the integer 5, which a server makes of it when it writes it."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is out of range")
    return int(number) if number.is_integer() and abs(number) < _LARGEST_PLAIN else number


_LARGEST_PLAIN = 1e21
"""Larger numbers are written with an exponent, and stay what they are."""
_decode_json = msgspec.json.Decoder(float_hook=_number).decode


def _like_json(value: object) -> Any:
    """Return a value from YAML as its JSON would be read. Raises ApiError 400."""
    try:
        return _decode_json(msgspec.json.encode(value))
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from None


def decode(body: bytes, kind: str) -> Any:
    """Return the object in a body. Raises ApiError 400."""
    found = decode_any(body, kind)
    if not isinstance(found, dict):
        what = "array" if isinstance(found, list) else type(found).__name__
        raise _unrecognized(body, kind, f"json: cannot unmarshal {what} into Go value of type struct")
    return found


def _unrecognized(body: bytes, kind: str, why: str) -> ApiError:
    beginning = body[:_SHOWN_BYTES].decode(errors="replace") or "<empty>"
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; "
        f"json parse error: {why} ({beginning})"
    )


def _why_no_json(body: bytes) -> str:
    """Say why a body is no JSON in the words of Go's decoder, as far as Python's tells."""
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        if not error.doc[error.pos :].strip():
            return "unexpected end of JSON input"
        where = "after top-level value" if error.msg == "Extra data" else "looking for beginning of value"
        return f"invalid character {error.doc[error.pos]!r} {where}"
    except (ValueError, RecursionError) as error:
        return str(error)
    return "it is not UTF-8, or holds a number that is out of range"


def media_type(request: Request) -> str:
    """Return the media type of the body without its parameters; JSON where none is named."""
    return request.header("content-type").partition(";")[0].strip().lower() or JSON


def unsupported_media(media: str, accepted: str = _TYPES) -> ApiError:
    """415: a body that nobody here reads."""
    return ApiError(
        415,
        "UnsupportedMediaType",
        f"the body of the request was in an unknown format - accepted media types include: {accepted} (not {media})",
    )


def check_size(body: bytes) -> None:
    """Raise ApiError 413 for a body larger than a server reads."""
    if len(body) > LARGEST_BODY_BYTES:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {LARGEST_BODY_BYTES}")


def _duplicates(body: bytes) -> Iterator[str]:
    """Yield the paths of keys that stand more than once in one object of the JSON, as ``spec.items[0].name``."""
    yield from dict.fromkeys(_repeated(json.loads(body, object_pairs_hook=_Pairs), ""))


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON as it is written."""


def _repeated(value: object, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            here = f"{path}.{key}" if path else key
            if key in seen:
                yield here
            seen.add(key)
            yield from _repeated(item, here)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _repeated(item, f"{path}[{place}]")


def wanted(request: Request) -> Wanted:
    """Return the first representation in Accept that this server can give. Raises ApiError 406."""
    accept = ",".join(request.headers.get("accept", ())) or "*/*"
    for choice in accept.split(","):
        media, *parameters = [part.strip() for part in choice.split(";")]
        if media not in (JSON, "application/*", "*/*", *_YAML):
            continue
        known = dict(part.partition("=")[::2] for part in parameters)
        if not known.get("as"):
            return Wanted(yaml=media in _YAML)
        if _can_give(known):
            return Wanted(known["as"], known.get("g", ""), known.get("v", ""), media in _YAML)
    raise not_acceptable(f"{JSON}, {_YAML[0]}")


def wants_yaml(request: Request) -> bool:
    """Return whether YAML is the first that the client accepts."""
    try:
        return wanted(request).yaml
    except ApiError:
        return False


def not_acceptable(accepted: str) -> ApiError:
    """406: the client accepts nothing that this server can give."""
    return ApiError(406, "NotAcceptable", f"only the following media types are accepted: {accepted}")


def as_yaml(body: bytes) -> bytes:
    """Return a JSON answer as YAML. Raises ApiError 406 for one that is nested too deeply for that."""
    try:
        document = msgspec.json.decode(body)
        return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True).encode()
    except RecursionError:
        raise not_acceptable(JSON) from None


def indented(body: bytes) -> bytes:
    """Return a JSON answer for a person to read."""
    return msgspec.json.format(body, indent=2) + b"\n"


def _can_give(known: dict[str, str]) -> bool:
    kind, group, version = known["as"], known.get("g", ""), known.get("v", "")
    if group == "meta.k8s.io":
        return kind in ("Table", "PartialObjectMetadata", "PartialObjectMetadataList") and version in (
            "v1",
            "v1beta1",
        )
    return group == "apidiscovery.k8s.io" and kind == "APIGroupDiscoveryList" and version in ("v2", "v2beta1")

"""LIST as Kubernetes pages it: which revision a request means, continue tokens, what remains.

A resourceVersion of "" means the newest state and "0" any; another one means "not older than", and exactly
that state only with resourceVersionMatch=Exact or, as on a real server, together with a limit. Tokens have the
real server's own form, so that a person can read them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

import msgspec

from zenctl.sandbox.apiserver.errors import ApiError, Cause, bad_request, invalid, plain_failure
from zenctl.sandbox.apiserver.selection import Selection
from zenctl.sandbox.apiserver.store import Store

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - the token of a page is no secret
_MOST_DIGITS = 20
_EXACT, _NOT_OLDER = "Exact", "NotOlderThan"


class _Token(msgspec.Struct, frozen=True):
    """Where a page begins: at which revision (-1: the newest) and with which key."""

    v: str
    rv: int
    start: str


class ListOptions(NamedTuple):
    """The parameters of a LIST, read."""

    limit: int
    token: str
    version: str
    match: str


class Page(NamedTuple):
    """What a LIST answers: kept objects, the revision they are from, how to go on."""

    bodies: list[bytes]
    revision: int
    token: str
    remaining: int | None


def list_options(query: Mapping[str, str]) -> ListOptions:
    """Read the parameters. Raises ApiError where they contradict each other or cannot be read."""
    version, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    token, limit = query.get("continue", ""), number("limit", query.get("limit", ""))
    causes: list[Cause] = []
    if query.get("sendInitialEvents"):
        why = "sendInitialEvents is forbidden for list"
        causes.append(Cause(f"Forbidden: {why}", "sendInitialEvents", "FieldValueForbidden"))
    if match:
        if not version:
            causes.append(_forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if token:
            causes.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in (_EXACT, _NOT_OLDER):
            causes.append(
                Cause(
                    f'Unsupported value: "{match}": supported values: "{_EXACT}", "{_NOT_OLDER}", ""',
                    "resourceVersionMatch",
                    "FieldValueNotSupported",
                )
            )
        if match == _EXACT and version == "0":
            causes.append(_forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if causes:
        raise invalid("ListOptions", "meta.k8s.io", "", causes)
    if token and version not in ("", "0"):
        raise bad_request("specifying resource version is not allowed when using continue")
    if version == "0" and not token:
        limit = 0  # a server answers it from its cache, which knows no pages
    return ListOptions(limit, token, version, match)


def _forbidden(why: str) -> Cause:
    return Cause(f"Forbidden: {why}", "resourceVersionMatch", "FieldValueForbidden")


def number(name: str, text: str) -> int:
    """Read a parameter that is a whole number; 0 where it is absent. Raises ApiError 400."""
    if not text:
        return 0
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax (parameter {name})')
    if len(digits) > _MOST_DIGITS or not -(1 << 63) <= int(text) < 1 << 63:
        raise bad_request(f'strconv.ParseInt: parsing "{text[:32]}": value out of range (parameter {name})')
    return int(text)


def revision_of(text: str) -> int:
    """Read a resourceVersion; 0 for none. Raises ApiError."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise plain_failure(f'resourceVersion: Invalid value: "{text}": {why}')
    if len(text) > _MOST_DIGITS or int(text) >= 1 << 64:
        why = f'strconv.ParseUint: parsing "{text[:32]}": value out of range'
        raise plain_failure(f'resourceVersion: Invalid value: "{text[:32]}": {why}')
    return int(text)


def require_reached(store: Store, revision: int) -> None:
    """Raise ApiError 504 for a revision that lies in the future, as a server behind its storage does."""
    if revision > store.revision:
        error = ApiError(
            504,
            "Timeout",
            f"Timeout: Too large resource version: {revision}, current: {store.revision}",
            details={
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            },
        )
        error.headers = (("Retry-After", "1"),)
        raise error


def page(store: Store, collection: str, selection: Selection, options: ListOptions) -> Page:
    """Return one page. Raises ApiError 410 with a token to go on with where the snapshot has expired."""
    start, revision = _where(store, options, selection)
    found = store.collection(collection)
    if selection.name:
        key = selection.prefix + selection.name
        scan = found.scan(max(start, key) if selection.prefix else start, selection.prefix, revision)
        bodies = [
            body for key, body in scan if key.rpartition("/")[2] == selection.name and selection.fits(key, body)
        ]
        return Page(bodies, revision, "", None)
    bodies, last = [], ""
    for key, body in found.scan(start, selection.prefix, revision):
        if len(bodies) == options.limit > 0:
            break
        if selection.by_key_alone or selection.fits(key, body):
            bodies.append(body)
        last = key
    else:
        return Page(bodies, revision, "", None)
    begin = last + "\0"
    remaining = found.count(begin, selection.prefix, revision) if selection.by_key_alone else None
    if not selection.by_key_alone and not any(True for _ in islice(found.scan(begin, selection.prefix, revision), 1)):
        return Page(bodies, revision, "", None)
    return Page(bodies, revision, _encoded(revision, begin[len(selection.prefix) :]), remaining)


def _where(store: Store, options: ListOptions, selection: Selection) -> tuple[str, int]:
    """Return the key to begin with and the revision to read at."""
    if options.token:
        token = _decoded(options.token)
        start = selection.prefix + token.start
        if token.rv < 0:
            return start, store.revision
        _require_remembered(store, token.rv, token.start)
        return start, token.rv
    from_storage = options.match == _EXACT or (options.limit > 0 and not options.match)
    try:
        wanted = revision_of(options.version)
    except ApiError as error:
        # Only what is answered from a real server's storage has an error of its own for it.
        raise bad_request(f"invalid resource version: {error.message}") if from_storage else error from None
    exact = from_storage and not (selection.name and not options.match)
    require_reached(store, wanted)
    if wanted and exact:
        _require_remembered(store, wanted, "")
        return "", wanted
    return "", store.revision


def _require_remembered(store: Store, revision: int, start: str) -> None:
    if revision >= store.compacted:
        return
    if not start:
        raise ApiError(410, "Expired", "The resourceVersion for the provided list is too old.")
    raise _expired(start)


def expired_token(query: Mapping[str, str]) -> ApiError | None:
    """Return the error of a request whose continue token has expired; None where it has none."""
    try:
        return _expired(_decoded(query["continue"]).start) if query.get("continue") else None
    except ApiError:
        return None


def _expired(start: str) -> ApiError:
    error = ApiError(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of "
        "the results. Continuing with the provided token results in an inconsistent list - objects that were "
        "created, modified, or deleted between the time the first chunk was returned and now may show up in the "
        "list.",
    )
    error.continue_token = _encoded(-1, start)
    return error


def _encoded(revision: int, start: str) -> str:
    text = msgspec.json.encode(_Token(_TOKEN_VERSION, revision, start))
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _decoded(text: str) -> _Token:
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (ValueError, msgspec.MsgspecError):
        raise bad_request("continue key is not valid: not a token of this server") from None
    if token.v != _TOKEN_VERSION or not token.start or ".." in token.start.split("/"):
        raise bad_request(
            "continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
        )
    return token

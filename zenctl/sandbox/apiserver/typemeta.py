"""Whether what was sent is of the kind and version that the path is about, with a server's own words where not."""

from __future__ import annotations

import msgspec

from zenctl.sandbox.apiserver.causes import invalid_value, shown
from zenctl.sandbox.apiserver.errors import bad_request, internal_error, invalid
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.objects import Json

_SHOWN_BYTES = 200


def check_type(served: Served, sent: Json, *, patched: bool) -> None:
    """Raise ApiError where apiVersion and kind cannot be read; ``patched`` is what became of an object by a patch."""
    if served.builtin:
        _check_built_in(served, sent)
    else:
        _check_custom(served, sent, patched=patched)


def _check_built_in(served: Served, sent: Json) -> None:
    of = served.type
    kind, version = sent.get("kind") or of.kind, sent.get("apiVersion") or of.api_version
    short = str(version).rpartition("/")[2]
    cannot = f'{kind} in version "{short}" cannot be handled as a {of.kind}: '
    if version != of.api_version:
        raise bad_request(f'{cannot}no kind "{kind}" is registered for version "{version}"')
    if kind != of.kind:
        raise bad_request(f"{cannot}converting ({short}.{kind}) to ({of.kind}): unknown conversion")


def _check_custom(served: Served, sent: Json, *, patched: bool) -> None:
    of = served.type
    kind, version = sent.get("kind"), sent.get("apiVersion")
    for field, value in (("kind", kind), ("apiVersion", version)):
        if field in sent and not isinstance(value, str):
            raise bad_request(
                f"the object provided is unrecognized (must be of type {of.kind}): couldn't get version/kind; json "
                f"parse error: json: cannot unmarshal {shown(value)} into Go struct field .{field} of type string"
            )
    if not kind:
        beginning = msgspec.json.encode(sent)[:_SHOWN_BYTES].decode(errors="replace")
        raise bad_request(f"Object 'Kind' is missing in '{beginning}'")
    if version and version != of.api_version and not patched:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({of.api_version})"
        )


def check_kind(served: Served, sent: object, subresource: str = "") -> None:
    """Raise ApiError where a custom resource that can be read is of another kind or version, 500 where of none.

    With a status nobody looks at the kind.
    """
    if served.builtin or not isinstance(sent, dict):
        return
    of, kind, version = served.type, sent.get("kind"), sent.get("apiVersion")
    if not version:
        raise internal_error("Object 'apiVersion' is missing in 'object has no apiVersion field'")
    if subresource:
        return
    name = str((sent.get("metadata") or {}).get("name") or "") if isinstance(sent.get("metadata"), dict) else ""
    if kind != of.kind:
        raise invalid(str(kind), of.group, name, [invalid_value("kind", kind, f"must be {of.kind}")])
    if version != of.api_version:
        raise invalid(str(kind), of.group, name, [invalid_value("apiVersion", version, f"must be {of.api_version}")])

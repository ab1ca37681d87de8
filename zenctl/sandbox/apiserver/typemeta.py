"""Whether what was sent is of the kind and version that the path is about, with a server's own words where not."""

from __future__ import annotations

import msgspec

from zenctl.sandbox.apiserver.causes import invalid_value
from zenctl.sandbox.apiserver.errors import bad_request, invalid
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.objects import Json

_SHOWN_BYTES = 200


def check_type(served: Served, sent: Json, *, patched: bool) -> None:
    """Raise ApiError where apiVersion and kind are others; ``patched`` is what became of an object by a patch."""
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
    for field in ("Kind", "apiVersion"):
        if not sent.get(field[0].lower() + field[1:]):
            shown = msgspec.json.encode(sent)[:_SHOWN_BYTES].decode(errors="replace")
            raise bad_request(f"Object '{field}' is missing in '{shown}'")
    kind, version = sent["kind"], sent["apiVersion"]
    name = str((sent.get("metadata") or {}).get("name") or "") if isinstance(sent.get("metadata"), dict) else ""
    if version != of.api_version and not patched:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version ({of.api_version})"
        )
    if kind != of.kind:
        raise invalid(str(kind), of.group, name, [invalid_value("kind", kind, f"must be {of.kind}")])
    if version != of.api_version:
        raise invalid(str(kind), of.group, name, [invalid_value("apiVersion", version, f"must be {of.api_version}")])

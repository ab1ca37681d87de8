"""Whether a write is about the object that is there: its namespace, name, uid and revision.

The order in which a writer asks is a real server's; each function raises ApiError.
"""

from __future__ import annotations

from zenctl.sandbox.apiserver.errors import ApiError, Cause, bad_request, conflict, invalid, plain_failure
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.objects import Json


def require_namespace(served: Served, metadata: Json, namespace: str, words: str) -> None:
    """Refuse an object that says that it lives elsewhere than the path."""
    if not served.type.namespaced:
        metadata.pop("namespace", None)
    elif metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request(f"the {words} the request")


def require_place(served: Served, metadata: Json, namespace: str, name: str) -> None:
    """Refuse a replacement that says that it is another object than the path's."""
    said = metadata.get("name")
    if not said:
        raise bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if said != name:
        raise bad_request(f"the name of the object ({said}) does not match the name on the URL ({name})")
    home = metadata.get("namespace", "")
    words = f"namespace of the object ({home}) does not match the namespace on"
    require_namespace(served, metadata, namespace, words)


def require_uid(served: Served, name: str, uid: str, there: str) -> None:
    """Refuse a replacement of an object that is no longer there, or another one by now."""
    if uid and uid != there:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {there}"
        raise conflict(served.type, name, why)


def require_revision(served: Served, name: str, version: str, there: str) -> None:
    """Refuse a replacement of an object that has changed meanwhile; a text that is no number was not foreseen."""
    asked = revision(version)
    if not asked and not served.unconditional_update:
        raise _without_version(served, name)
    if asked and version != there:
        why = "the object has been modified; please apply your changes to the latest version and try again"
        raise conflict(served.type, name, why)


def _without_version(served: Served, name: str) -> ApiError:
    """Return the error for a PUT that names no version; it names the resource, not the kind."""
    of = served.type
    cause = Cause("Invalid value: 0x0: must be specified for an update", "metadata.resourceVersion")
    return invalid(of.plural, of.group, name, [cause])


def revision(version: str) -> int:
    """Read the revision that an object is sent with; 0 where it has none."""
    if version and not (version.isascii() and version.isdigit()):
        why = f'strconv.ParseUint: parsing "{version}": invalid syntax'
        raise plain_failure(f'resourceVersion: Invalid value: "{version}": {why}')
    return int(version or "0")


def require_no_revision(version: str) -> None:
    """Refuse a new object with a revision, as a real server's storage does; it ignores what is none."""
    if version.isascii() and version.isdigit() and int(version):
        raise plain_failure("resourceVersion should not be set on objects to be created")

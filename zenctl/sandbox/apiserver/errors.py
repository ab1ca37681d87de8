"""The errors of the Kubernetes API: one exception whose document is a Status, in the server's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from zenctl.core.objects import ResourceType


class Cause(NamedTuple):
    """One field that is wrong: the words of its message, the path of the field, the reason's name."""

    message: str
    field: str
    reason: str = "FieldValueInvalid"


class ApiError(Exception):
    """An answer other than 2xx; raised anywhere in the core, and turned into a Response at its edge."""

    def __init__(self, code: int, reason: str, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers: tuple[tuple[str, str], ...] = ()
        self.continue_token = ""

    def document(self) -> dict[str, Any]:
        """Return the Status."""
        metadata = {"continue": self.continue_token} if self.continue_token else {}
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": metadata,
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }
        return {key: value for key, value in status.items() if value is not None and value != ""}


def bad_request(message: str) -> ApiError:
    """400: the request itself cannot be read."""
    return ApiError(400, "BadRequest", message)


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: the object breaks rules; ``causes`` names each field."""
    qualified = f"{kind}.{group}" if group else kind
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    message = f'{qualified} "{name}" is invalid: {listed}'
    details = {
        "name": name,
        "group": group,
        "kind": kind,
        "causes": [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
    }
    return ApiError(422, "Invalid", message, details={key: value for key, value in details.items() if value})


def _about(resource: ResourceType, name: str) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.plural}
    return {key: value for key, value in details.items() if value}


def plain_failure(message: str) -> ApiError:
    """500 without a reason, as a real server answers what it did not foresee."""
    return ApiError(500, "", message)


def internal_error(message: str) -> ApiError:
    """500 with a reason, as a real server answers what it found out too late."""
    return ApiError(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        details={"causes": [{"message": message}]},
    )


def not_found(resource: ResourceType, name: str) -> ApiError:
    """404: there is no such object."""
    return ApiError(404, "NotFound", f'{resource.full_name} "{name}" not found', details=_about(resource, name))


def already_exists(resource: ResourceType, name: str, *, going: bool = False) -> ApiError:
    """409: an object of that name exists, though perhaps not for long."""
    message = f'{"object is being deleted: " * going}{resource.full_name} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_about(resource, name))


def conflict(resource: ResourceType, name: str, why: str) -> ApiError:
    """409: the object is not as the client believes."""
    message = f'Operation cannot be fulfilled on {resource.full_name} "{name}": {why}'
    return ApiError(409, "Conflict", message, details=_about(resource, name))


def forbidden(resource: ResourceType, name: str, why: str) -> ApiError:
    """403: refused for a reason that is no missing permission."""
    message = f'{resource.full_name} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, details=_about(resource, name))


def not_supported_on(resource: ResourceType, verb: str) -> ApiError:
    """405: what is served of a custom resource under this path knows no such verb."""
    message = f'{verb} is not supported on resources of kind "{resource.full_name}"'
    details = {"group": resource.group, "kind": resource.plural}
    return ApiError(405, "MethodNotAllowed", message, details={k: v for k, v in details.items() if v})


def method_not_allowed() -> ApiError:
    """405: the path knows no such method."""
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


class PlainPage(ApiError):
    """An answer in plain text, as a server gives for paths that nobody has claimed."""


def no_such_page() -> PlainPage:
    """404: nobody has claimed the path."""
    return PlainPage(404, "", "404 page not found\n")


def unknown_resource() -> ApiError:
    """404: the path names no resource that is served."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def not_strict(resource: ResourceType, faults: Sequence[str]) -> ApiError:
    """400: strict validation was asked for, and there are unknown or duplicate fields."""
    kind = resource.kind
    said = f"strict decoding error: {', '.join(faults)}"
    return bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {said}')

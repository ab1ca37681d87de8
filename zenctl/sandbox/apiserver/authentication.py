"""Who sends a request: users by bearer token, the anonymous one, and whom they act as.

Impersonation headers are read here and judged by the authorizer: each identity that they name needs the verb
impersonate. Certificates and cookies are not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from zenctl.access.attributes import ResourceAttributes
from zenctl.access.identity import (
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    User,
    implicit_groups,
    parse_service_account,
)
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.messages import Request

_EXTRA = "impersonate-extra-"
_BEARER = "bearer "


class Impersonation(NamedTuple):
    """Whom a request acts as, and every permission that this needs."""

    user: User
    needs: tuple[ResourceAttributes, ...]


class Tokens:
    """Users by their bearer tokens; a request without one is anonymous, one with an unknown one is nobody's."""

    def __init__(self, users: Mapping[str, User] | None = None) -> None:
        self._users = dict(users or {})

    def add(self, token: str, user: User) -> None:
        """Let a token stand for a user, who is authenticated by it."""
        groups = user.groups if AUTHENTICATED in user.groups else (*user.groups, AUTHENTICATED)
        self._users[token] = User(user.name, groups, user.uid, user.extra)

    def user(self, request: Request) -> User:
        """Return who sends a request. Raises ApiError 401."""
        given = request.header("authorization")
        if given[: len(_BEARER)].lower() != _BEARER:
            return User(ANONYMOUS, (UNAUTHENTICATED,))
        found = self._users.get(given[len(_BEARER) :].strip())
        if found is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return found


def impersonation(request: Request) -> Impersonation | None:
    """Return whom a request acts as; None where it acts as its sender. Raises ApiError 500 for half of it."""
    name, groups = request.header("impersonate-user"), request.headers.get("impersonate-group", ())
    uid = request.header("impersonate-uid")
    extra = {
        unquote(header[len(_EXTRA) :]).lower(): values
        for header, values in request.headers.items()
        if header.startswith(_EXTRA)
    }
    if not name:
        if groups or extra or uid:
            raise ApiError(
                500, "InternalError", "Internal error occurred: requested impersonation without impersonating a user"
            )
        return None
    account = parse_service_account(name)
    needs = [
        _impersonate("serviceaccounts", account.name, namespace=account.namespace)
        if account
        else _impersonate("users", name)
    ]
    needs += [_impersonate("groups", group) for group in groups]
    for key, values in extra.items():
        needs += [
            _impersonate("userextras", value, subresource=key, group="authentication.k8s.io") for value in values
        ]
    if uid:
        needs.append(_impersonate("uids", uid, group="authentication.k8s.io"))
    return Impersonation(User(name, implicit_groups(name, groups), uid, extra), tuple(needs))


def _impersonate(
    resource: str, name: str, *, namespace: str = "", subresource: str = "", group: str = ""
) -> ResourceAttributes:
    return ResourceAttributes(
        verb="impersonate",
        resource=resource,
        subresource=subresource,
        group=group,
        namespace=namespace,
        name=name,
    )

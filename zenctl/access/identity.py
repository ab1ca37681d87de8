"""Who asks: users, their groups, and the names that service accounts go by.

It owns the groups that the API server adds by itself. How a user proves who they are is not its business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from zenctl.core.objects import ObjectKey

ALWAYS_ALLOWED_GROUP = "system:masters"
"""Its members are allowed everything before RBAC is asked: whoever authorizes has to look for it first."""
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
ANONYMOUS = "system:anonymous"
"""The name of a user who proved nothing."""
ALL_SERVICE_ACCOUNTS = "system:serviceaccounts"

_ACCOUNT_PREFIX = "system:serviceaccount:"
_LABEL = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_ACCOUNT = re.compile(rf"{_ACCOUNT_PREFIX}({_LABEL}):({_LABEL}(?:\.{_LABEL})*)")
_LABEL_LENGTH, _SUBDOMAIN_LENGTH = 63, 253


class User(msgspec.Struct, frozen=True):
    """Who asks. The groups are all that count: nothing is added to them when rights are looked up."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = {}


def service_account_username(namespace: str, name: str) -> str:
    """Return the name under which a service account asks."""
    return f"{_ACCOUNT_PREFIX}{namespace}:{name}"


def parse_service_account(username: str) -> ObjectKey | None:
    """Return namespace and name of the service account that asks under this name; None where it is not one."""
    match = _ACCOUNT.fullmatch(username)
    if match is None or len(match[1]) > _LABEL_LENGTH or len(match[2]) > _SUBDOMAIN_LENGTH:
        return None
    return ObjectKey(match[1], match[2])


def service_account_groups(namespace: str) -> tuple[str, str]:
    """Return the two groups of every service account of a namespace."""
    return ALL_SERVICE_ACCOUNTS, f"{ALL_SERVICE_ACCOUNTS}:{namespace}"


def implicit_groups(username: str, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Return all groups of a user who is known by name and perhaps some groups, as impersonation completes them.

    Given groups are the authority: a service account gets its own two only where none are given. Everyone is then
    authenticated, unless the groups say otherwise, and the anonymous user is always unauthenticated.
    """
    account = None if given else parse_service_account(username)
    groups = tuple(given) if account is None else service_account_groups(account.namespace)
    if username == ANONYMOUS:
        return groups if UNAUTHENTICATED in groups else (*groups, UNAUTHENTICATED)
    return groups if {AUTHENTICATED, UNAUTHENTICATED}.intersection(groups) else (*groups, AUTHENTICATED)


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """Return a service account as a user, with all its groups."""
    username = service_account_username(namespace, name)
    return User(username, (*service_account_groups(namespace), AUTHENTICATED), uid)

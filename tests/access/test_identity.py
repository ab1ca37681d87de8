"""Users, service accounts and the groups that come by themselves."""

from __future__ import annotations

import pytest

from zenctl.access.identity import (
    User,
    implicit_groups,
    parse_service_account,
    service_account,
    service_account_groups,
    service_account_username,
)
from zenctl.core.objects import ObjectKey


@pytest.mark.parametrize(
    ("username", "key"),
    [
        ("system:serviceaccount:one:bot", ObjectKey("one", "bot")),
        ("system:serviceaccount:one:bot.v1-x", ObjectKey("one", "bot.v1-x")),
        ("system:serviceaccount:one:bot:x", None),
        ("system:serviceaccount:one", None),
        ("system:serviceaccount:one:", None),
        ("system:serviceaccount::bot", None),
        ("system:serviceaccount:One:bot", None),
        ("system:serviceaccount:one:Bot", None),
        ("system:serviceaccount:one:bot-", None),
        ("system:serviceaccount:a.b:bot", None),
        ("system:serviceaccount:one:bot\n", None),
        (f"system:serviceaccount:{'n' * 63}:{'a' * 253}", ObjectKey("n" * 63, "a" * 253)),
        (f"system:serviceaccount:{'n' * 64}:a", None),
        (f"system:serviceaccount:n:{'a' * 254}", None),
        ("system:serviceaccounts:one:bot", None),
        ("bot", None),
        ("", None),
    ],
)
def test_the_name_of_a_service_account(username, key):
    assert parse_service_account(username) == key
    if key is not None:
        assert service_account_username(*key) == username


@pytest.mark.parametrize(
    ("username", "given", "groups"),
    [
        ("jane", [], ["system:authenticated"]),
        ("jane", ["g"], ["g", "system:authenticated"]),
        ("jane", ["system:authenticated", "g"], ["system:authenticated", "g"]),
        ("jane", ["system:unauthenticated"], ["system:unauthenticated"]),
        ("system:serviceaccount:one:bot", [], [
            "system:serviceaccounts", "system:serviceaccounts:one", "system:authenticated",
        ]),
        ("system:serviceaccount:one:bot", ["g"], ["g", "system:authenticated"]),
        ("system:serviceaccount:One:bot", [], ["system:authenticated"]),
        ("system:anonymous", [], ["system:unauthenticated"]),
        ("system:anonymous", ["g"], ["g", "system:unauthenticated"]),
        ("system:anonymous", ["system:authenticated"], ["system:authenticated", "system:unauthenticated"]),
    ],
)  # fmt: skip
def test_groups_are_completed_as_by_impersonation(username, given, groups):
    assert implicit_groups(username, given) == tuple(groups)


def test_a_service_account_as_a_user():
    account = service_account("one", "bot", "uid-1")
    assert account == User("system:serviceaccount:one:bot", implicit_groups("system:serviceaccount:one:bot"), "uid-1")
    assert account.groups[:2] == service_account_groups("one")
    assert account.extra == {}

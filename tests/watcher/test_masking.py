"""Secrets in what tools quote are masked, the rest stays readable, and no text takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.sources.masking import mask, masked_fields


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mysql -u root -phunter2 db", "mysql -u root -p*** db"),
        ("psql --password hunter2 -h x", "psql --password *** -h x"),
        ("curl --db-password=hunter2 x", "curl --db-password=*** x"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("AWS_SECRET_ACCESS_KEY=hunter2&x=1", "AWS_SECRET_ACCESS_KEY=***&x=1"),
        ('{"token": "hunter2", "a": 1}', '{"token": ***, "a": 1}'),
        ("Authorization: Bearer hunter2 end", "Authorization: Bearer *** end"),
        ("curl https://me:hunter2@host/x", "curl https://me:***@host/x"),
        ("apiKey: 'hunter2 two'", "apiKey: ***"),
        ("sh -c clear; (bash || ash)", "sh -c clear; (bash || ash)"),
        ("cat /etc/secrets/ca.crt", "cat /etc/secrets/ca.crt"),
        ("ls -p dir", "ls -p dir"),
    ],
)
def test_only_secrets_are_masked(text, masked):
    assert mask(text) == masked


def test_values_of_keys_that_name_a_secret_are_masked_whole():
    assert masked_fields({"user.password": "x y", "API_KEY": 5, "proc.name": "sh", "n": None, 3: "token=a"}) == {
        "user.password": "***", "API_KEY": "***", "proc.name": "sh", "n": None, 3: "token=***",
    }  # fmt: skip


@pytest.mark.parametrize(
    "part", ["a", "token", "--", "--a-", "mysql ", "mysql -", "://a", "secret ", "password-", " "]
)
def test_no_text_takes_long(part):
    assert len(mask(part * 200_000)) < 20_000


def test_many_fields_are_searched_as_far_as_they_are_kept():
    found = masked_fields({f"k{number}": "password=hunter2 " * 500 for number in range(1_000)} | {"password": "x"})
    assert "hunter2" not in str(found)
    assert sum("***" in value for value in found.values()) < 15
    assert found["password"] == "***"
    assert found["k999"] == "…"


@given(st.text())
def test_any_text_can_be_masked_again(text):
    assert mask(mask(text)) == mask(text)

"""URLs of object stores: what they may say, and that a secret in one is refused without repeating it."""

from __future__ import annotations

import pytest

from zenctl.blob.urls import StoreUrl, is_url, parse_blob_url, parse_store_url
from zenctl.errors import UsageError

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", StoreUrl("s3", "bucket", "")),
        ("s3://bucket/", StoreUrl("s3", "bucket", "")),
        ("s3://my.bucket-1/a/b c/ä/", StoreUrl("s3", "my.bucket-1", "a/b c/ä")),
        ("az://container/p", StoreUrl("az", "container", "p")),
        ("az://$root/p", StoreUrl("az", "$root", "p")),
        ("gs://bucket/p", StoreUrl("gs", "bucket", "p")),
        ("s3://b1/p?region=eu-west-1", StoreUrl("s3", "b1", "p", region="eu-west-1")),
        ("s3://b1?endpoint=http://minio:9000", StoreUrl("s3", "b1", "", endpoint="http://minio:9000")),
        (
            "az://c1/p?account=acme&endpoint=https%3A%2F%2Fh%2Facme",
            StoreUrl("az", "c1", "p", endpoint="https://h/acme", account="acme"),
        ),
    ],
)
def test_a_store_is_read(text, expected):
    found = parse_store_url(text)
    assert found == expected
    assert found.location == text.partition("?")[0].rstrip("/")
    assert found.place("a.tar") == f"{found.location}/a.tar"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("http://bucket/p", "no store of the kind http://"),
        ("file:///tmp", "no store of the kind file://"),
        ("S3://bucket", "no store of the kind S3://"),
        ("s3://", "cannot name a bucket"),
        ("s3:///p", "cannot name a bucket"),
        ("s3://x", "cannot name a bucket"),
        ("s3://buck et/p", "cannot name a bucket"),
        (f"s3://key:{SECRET}@bucket/p", "names no user, secret or port"),
        (f"s3://{SECRET}@bucket/p", "names no user, secret or port"),
        ("s3://bucket:9000/p", "names no user, secret or port"),
        ("s3://bucket/a//b", "prefix in the URL"),
        ("s3://bucket/../b", "prefix in the URL"),
        ("s3://bucket/a/./b", "prefix in the URL"),
        ("s3://bucket/a#b", "prefix in the URL"),
        ("s3://bucket/a%20b", "prefix in the URL"),
        ("s3://bucket/a\nb", "prefix in the URL"),
        ("s3://bucket/\ud800", "prefix in the URL"),
        ("s3://bucket/" + "x" * 701, "prefix in the URL"),
        (f"s3://bucket/p?secret_key={SECRET}", "no setting of that name"),
        (f"az://bucket/p?sig={SECRET}", "no setting of that name"),
        ("s3://bucket/p?account=a", "no setting of that name"),
        ("gs://bucket/p?region=a", "no setting of that name"),
        ("s3://bucket/p?region=", "unusable value"),
        ("s3://bucket/p?region=a%0Ab", "unusable value"),
        ("s3://bucket/p?endpoint=minio:9000", "no address of a server"),
        ("s3://bucket/p?endpoint=ftp://minio", "no address of a server"),
        ("s3://bucket/p?endpoint=http://", "no address of a server"),
        ("s3://bucket/p?endpoint=http://[", "no address of a server"),
        ("s3://bucket/p?endpoint=http://h:99999", "no address of a server"),
        (f"s3://bucket/p?endpoint=http://u:{SECRET}@h", "more than the address"),
        (f"s3://bucket/p?endpoint=http://h/?key={SECRET}", "more than the address"),
    ],
)
def test_what_is_none_is_refused_and_no_secret_repeated(text, words):
    with pytest.raises(UsageError, match=words) as caught:
        parse_store_url(text)
    assert SECRET not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.message.isprintable()


def test_the_kinds_of_stores_are_named():
    with pytest.raises(UsageError) as caught:
        parse_store_url("ftp://h/p")
    assert all(scheme in str(caught.value.hint) for scheme in ("a folder", "s3://", "az://", "gs://"))


def test_an_archive_has_a_place_and_a_name():
    url = "s3://bucket/a/b/x.tar?region=r1"
    assert parse_blob_url(url) == (StoreUrl("s3", "bucket", "a/b", region="r1"), "x.tar")
    assert parse_blob_url("s3://bucket/x.tar") == (StoreUrl("s3", "bucket", ""), "x.tar")
    with pytest.raises(UsageError, match="names a bucket and no archive"):
        parse_blob_url("s3://bucket")


def test_settings_come_from_the_store_of_the_same_bucket():
    archive, store = parse_store_url("s3://b1/p"), parse_store_url("s3://b1/q?endpoint=http://h&region=r1")
    assert archive.completed_by(store) == StoreUrl("s3", "b1", "p", "http://h", "r1")
    assert parse_store_url("s3://b1?region=mine").completed_by(store).region == "mine"
    assert parse_store_url("s3://other").completed_by(store).endpoint == ""


@pytest.mark.parametrize(
    ("text", "expected"), [("s3://b/p", True), ("./a", False), ("latest", False), ("a:b", False)]
)
def test_a_url_is_told_from_a_path(text, expected):
    assert is_url(text) is expected

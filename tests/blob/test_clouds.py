"""Where endpoint, region and credentials come from; and that missing ones are said at once."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.apiserver import Answer, Certificates, serving
from tests.blob.servers import ACCOUNT, ACCOUNT_KEY, SECRET, Server
from tests.blob.stores import BRISK
from zenctl.blob.clouds import connect
from zenctl.blob.object import ObjectStore
from zenctl.blob.urls import parse_store_url
from zenctl.errors import Denied, Refused, Unreachable, UsageError

URLS = {"s3": "s3://bucket/p", "az": "az://bucket/p?account=acme", "gs": "gs://bucket/p"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / ".aws").mkdir()
    with patch.dict(os.environ, {"HOME": str(tmp_path)}):
        yield tmp_path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    return Certificates(tmp_path / "tls")


def store_of(url: str, **environ: str) -> ObjectStore:
    os.environ.update(environ)
    parsed = parse_store_url(url)
    client = connect(parsed, os.environ, timeout_seconds=5, retries=BRISK)
    return ObjectStore(parsed, client, sleep=lambda _: None)


def works(store: ObjectStore) -> bool:
    store.replace("note.json", b"1")
    return [info.name for info in store.list(suffix=".json")] == ["note.json"]


@pytest.mark.parametrize("scheme", URLS)
def test_missing_credentials_are_said_at_once(scheme):
    began = time.monotonic()
    with pytest.raises(Denied, match=r"no credentials for .*://bucket/p: none in the environment") as caught:
        store_of(URLS[scheme])
    assert caught.value.hint
    assert time.monotonic() - began < 5  # and not the minutes that asking a metadata service takes


@pytest.mark.parametrize(
    ("scheme", "variable"),
    [("s3", "AWS_METADATA_ENDPOINT"), ("az", "AZURE_MSI_ENDPOINT"), ("gs", "GCE_METADATA_HOST")],
)
def test_a_metadata_service_that_does_not_answer_is_not_waited_for(scheme, variable):
    with socket.socket() as silent:  # bound, and nobody listens
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        environ = {variable: address if scheme == "gs" else f"http://{address}", "AWS_EC2_METADATA_DISABLED": ""}
        with pytest.raises(Denied, match="no metadata service"):
            store_of(URLS[scheme], **environ)


@pytest.mark.parametrize(
    ("url", "environ"),
    [
        ("s3://bucket/p", {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}),
        ("s3://bucket/p", {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"}),
        ("s3://bucket/p", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"}),
        ("s3://bucket/p", {"AWS_SKIP_SIGNATURE": "true"}),
        ("az://bucket/p?account=acme", {"AZURE_STORAGE_KEY": ACCOUNT_KEY}),
        ("az://bucket/p", {"AZURE_STORAGE_ACCOUNT": "acme", "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=x"}),
        ("az://bucket/p", {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=acme;AccountKey={ACCOUNT_KEY}"}),
        (
            "az://bucket/p?account=acme",
            {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_FEDERATED_TOKEN_FILE": "/t"},
        ),
        ("gs://bucket/p", {"GOOGLE_BEARER_TOKEN": "t"}),
    ],
)
def test_credentials_of_the_environment_suffice(url, environ):
    assert store_of(url, **environ).location == url.partition("?")[0]


def test_settings_that_nobody_can_use_are_refused_without_repeating_them():
    with pytest.raises(Refused, match="settings in the environment are unusable") as caught:
        store_of("az://bucket/p?account=acme", AZURE_STORAGE_KEY="no base64 at all!")
    assert "base64" not in str(caught.value)


def test_an_account_has_to_be_named():
    with pytest.raises(UsageError, match="does not say in which storage account"):
        store_of("az://bucket/p", AZURE_STORAGE_KEY=ACCOUNT_KEY)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_of_the_environment_is_used(s3, variable):
    bucket = s3.new_bucket()
    assert works(store_of(f"s3://{bucket}/p", **s3.environ, **{variable: s3.url}))


def test_the_endpoint_in_the_url_goes_before_the_environment(s3):
    url = s3.at(s3.new_bucket(), "p")
    assert works(store_of(url, **s3.environ, AWS_ENDPOINT_URL_S3="http://127.0.0.1:9", AWS_ENDPOINT_URL="http://x"))


@pytest.mark.parametrize("endpoint", ["minio:9000", f"http://u:{SECRET}@h"])
def test_an_endpoint_that_is_none_is_refused(endpoint):
    with pytest.raises(UsageError, match="the endpoint of the store is") as caught:
        store_of("s3://bucket/p", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_ENDPOINT_URL=endpoint)
    assert SECRET not in str(caught.value)


def signed_by(gateway) -> str:
    return str(gateway.asked[-1].headers.get("authorization", ""))


def profile(home: Path, credentials: str, config: str = "") -> None:
    (home / ".aws" / "credentials").write_text(credentials)
    (home / ".aws" / "config").write_text(config)


KEYS = f"aws_access_key_id = {{}}\naws_secret_access_key = {SECRET}\n"


def test_a_profile_of_the_shared_files_has_keys_region_and_endpoint(s3, gateway, home):
    bucket = s3.new_bucket()
    profile(
        home,
        f"[default]\n{KEYS.format('DEFAULT')}[work]\n{KEYS.format('WORK')}aws_session_token = token\n",
        f"[default]\nregion = eu-north-1\n[profile work]\nregion = eu-west-3\nendpoint_url = {gateway.url}\n",
    )
    assert works(store_of(f"s3://{bucket}/p", AWS_PROFILE="work"))
    assert "Credential=WORK/" in signed_by(gateway)
    assert "/eu-west-3/s3/" in signed_by(gateway)
    assert gateway.asked[-1].headers["x-amz-security-token"] == "token"
    del os.environ["AWS_PROFILE"]
    assert works(store_of(f"s3://{bucket}/p?endpoint={gateway.url}"))
    assert "Credential=DEFAULT/" in signed_by(gateway)
    assert "/eu-north-1/s3/" in signed_by(gateway)


def test_the_environment_goes_before_a_profile(s3, gateway, home):
    profile(home, f"[default]\n{KEYS.format('FILE')}", "[default]\nregion = eu-north-1\n")
    url = s3.at(s3.new_bucket(), "p", gateway.url)
    assert works(store_of(url, **s3.environ, AWS_REGION="eu-west-1"))
    assert "Credential=key/" in signed_by(gateway)
    assert "/eu-west-1/s3/" in signed_by(gateway)
    assert works(store_of(f"{url}&region=us-west-2"))
    assert "/us-west-2/s3/" in signed_by(gateway)


def test_a_profile_that_zenctl_cannot_use_is_named_with_the_way_out(home):
    profile(home, "", "[profile sso]\nsso_session = corp\n")
    with pytest.raises(Denied, match="AWS profile 'sso' holds no access key") as caught:
        store_of("s3://bucket/p", AWS_PROFILE="sso")
    assert "aws configure export-credentials" in str(caught.value.hint)
    with pytest.raises(Denied, match="AWS profile 'none' does not exist"):
        store_of("s3://bucket/p", AWS_PROFILE="none")


def test_a_broken_file_of_profiles_is_named_and_not_quoted(home):
    profile(home, f"aws_secret_access_key = {SECRET}\n")
    with pytest.raises(UsageError, match=r"cannot read .*/credentials") as caught:
        store_of("s3://bucket/p")
    assert SECRET not in str(caught.value)


NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("url", "environ", "words"),
    [
        (
            "s3://bucket/p",
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"},
            "no credentials: the token file of its identity cannot be read",
        ),
        ("s3://bucket/p", {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{NOBODY}/c"}, "no credentials"),
        (
            "az://bucket/p?account=acme",
            {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_FEDERATED_TOKEN_FILE": "/nonexistent"},
            "no credentials: the token file of its identity cannot be read",
        ),
        (
            "az://bucket/p?account=acme",
            {"AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_SECRET": SECRET},
            r"no credentials from 127\.0\.0\.1:9",
        ),
    ],
    ids=["aws-token", "aws-container", "azure-token", "azure-secret"],
)
def test_an_identity_that_gets_no_credentials_is_denied(url, environ, words):
    endpoint = f"{'&' if '?' in url else '?'}endpoint={NOBODY}"
    store = store_of(f"{url}{endpoint}", **environ, AZURE_AUTHORITY_HOST=NOBODY)
    with pytest.raises(Denied, match=rf"cannot list .*: {words}") as caught:
        store.list()
    assert "identity" in str(caught.value.hint)
    assert SECRET not in str(caught.value)


def test_a_connection_string_reaches_its_endpoint(az: Server):
    text = f"AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={az.url}/{ACCOUNT};"
    assert works(store_of(f"az://{az.new_bucket()}/p", AZURE_STORAGE_CONNECTION_STRING=text))


def test_a_wrong_key_is_denied(az: Server):
    wrong = ACCOUNT_KEY.replace("E", "F", 1)
    with pytest.raises(Denied, match=r"signature does not match|access denied"):
        store_of(az.at(az.new_bucket(), "p"), AZURE_STORAGE_KEY=wrong).list()


def test_a_container_that_is_not_there_is_refused(az: Server):
    store = store_of(az.at("nowhere", "p"), **az.environ)
    for action in (store.list, lambda: store.put("a.tar"), lambda: store.size("a.tar")):
        with pytest.raises(Refused, match="there is no bucket nowhere"):
            action()


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://127.0.0.1:9", r"connection refused at 127\.0\.0\.1:9"),
        ("http://no-such-host.invalid", r"the host is not known at no-such-host\.invalid"),
        ("https://127.0.0.1:9", "connection refused"),
    ],
)
def test_a_store_that_cannot_be_reached_is_unreachable(endpoint, words):
    with pytest.raises(Unreachable, match=words) as caught:
        store_of(f"s3://bucket/p?endpoint={endpoint}", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY=SECRET).list()
    assert caught.value.hint
    assert SECRET not in str(caught.value)


def test_a_plain_server_behind_https_is_named(s3):
    with pytest.raises(Unreachable, match="the server does not speak TLS"):
        store_of(f"s3://bucket/p?endpoint={s3.url.replace('http:', 'https:')}", **s3.environ).list()


def test_a_certificate_of_an_own_authority_is_accepted_when_it_is_named(certificates):
    answer = Answer(404, b"<Error><Code>NoSuchBucket</Code></Error>", content_type="application/xml")
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": SECRET}
    with serving(certificates.context()) as server:
        server.otherwise = answer
        url = f"s3://bucket/p?endpoint={server.url}"
        with pytest.raises(Unreachable, match="its certificate is of an unknown issuer") as caught:
            store_of(url, **keys).list()
        assert "AWS_CA_BUNDLE" in str(caught.value.hint)
        with pytest.raises(Refused, match="there is no bucket"):
            store_of(url, **keys, AWS_CA_BUNDLE=str(certificates.ca)).list()
    with pytest.raises(UsageError, match="cannot read the certificates in /nonexistent: no such file"):
        store_of(url, **keys, AWS_CA_BUNDLE="/nonexistent")

"""The way to a Pushgateway: one POST, errors that name no password, and nothing that passes for success."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.apiserver import Answer, ApiServer, serving
from zenctl.errors import Denied, Unreachable, UsageError
from zenctl.prom.push import PushClient


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as running:
        running.otherwise = Answer(200)
        yield running


def _push(address: str) -> None:
    PushClient(address, timeout_seconds=1).post("/metrics/job/x", b"a 1\n")


def test_metrics_are_posted_so_that_others_of_the_group_stay(server):
    _push(f"{server.url}/base/")
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/base/metrics/job/x", b"a 1\n")
    assert request.header("Content-Type") == "text/plain; version=0.0.4"
    assert request.header("Authorization") is None


def test_user_and_password_go_into_a_header(server):
    _push(server.url.replace("://", "://user:p%40ss@"))
    (request,) = server.requests
    assert request.header("Authorization") == "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert request.header("Host") == server.url.partition("://")[2]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(400, b"text format parsing error"), Unreachable), (Answer(401), Denied), (Answer(403), Denied),
        (Answer(500), Unreachable), (Answer(302, headers={"Location": "/login"}), Unreachable),
        (Answer(reset=True), Unreachable),
    ],
)  # fmt: skip
def test_what_is_no_success_is_an_error_without_a_password(server, answer, error):
    server.will(answer)
    with pytest.raises(error, match="cannot push metrics to http://127") as caught:
        _push(server.url.replace("://", "://user:pa55word@"))
    assert "pa55word" not in caught.value.message
    assert len(server.requests) == 1


def test_nobody_there_is_unreachable():
    with pytest.raises(Unreachable):
        _push("http://127.0.0.1:1")


@pytest.mark.parametrize(
    "address",
    ["", "pushgateway:9091", "ftp://x", "file:///etc/passwd", "http://", "http://a b", "http://x:99999", "http://x?y=z",
     "http://u:secret@", "http://x\n", "http://[x"],
)  # fmt: skip
def test_what_is_no_address_is_a_usage_error_that_does_not_repeat_it(address):
    with pytest.raises(UsageError) as caught:
        PushClient(address, timeout_seconds=1)
    assert "secret" not in caught.value.message

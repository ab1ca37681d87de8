"""The HTTP client: what it repeats and how long it waits, and that every failure becomes one clear line."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.apiserver import Answer, answer, failure, html, serving
from tests.kube.world import EVENTS, ask
from zenctl.core.objects import KeyFields, ObjectKey
from zenctl.errors import (
    ApiFailure,
    Conflict,
    Denied,
    ExitCode,
    Expired,
    Invalid,
    NotFound,
    Throttled,
    Unreachable,
)
from zenctl.kube.errors import failure as translated
from zenctl.kube.errors import unreachable, watch_failure
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client, Response, parse_date, retry_after_seconds

OK = answer({"kind": "Status", "metadata": {"name": "a"}})
RESET = Answer(reset=True)
KEY = ObjectKey("ns", "a")


def _send(client: Client, method: str = "GET") -> Response:
    return client.send(method, "/x", doing="try", body=None if method == "GET" else b"{}")


# -- repeating -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("bad", [*(failure(code) for code in (429, 500, 502, 503, 504)), RESET, html(503)])
def test_what_may_pass_is_tried_again(client, server, world, method, bad):
    server.will(OK, bad, bad, OK)
    ask(client)
    assert _send(client, method).body == OK.body
    assert len(server.requests) == 4
    assert len(world.waits) == 2
    assert {request.method for request in server.requests[1:]} == {method}
    assert {request.body for request in server.requests[1:]} == {b"" if method == "GET" else b"{}"}


@pytest.mark.parametrize("code", [400, 403, 404, 405, 409, 410, 413, 415, 422, 501])
def test_what_is_an_answer_is_not_tried_again(client, server, world, code):
    server.will(failure(code))
    with pytest.raises((ApiFailure, Denied)):
        _send(client)
    assert (len(server.requests), world.waits) == (1, [])


@pytest.mark.parametrize(
    ("bad", "error"), [(failure(429), Throttled), (failure(503), ApiFailure), (RESET, Unreachable)]
)
def test_attempts_are_bounded_and_waits_grow_with_jitter(client, server, world, bad, error):
    server.will(OK)
    server.otherwise = bad
    ask(client)
    with pytest.raises(error):
        _send(client)
    assert len(server.requests) == 1 + 6
    assert all(0.5 <= wait / (0.25 * 2**number) <= 1.5 for number, wait in enumerate(world.waits))


def test_the_first_contact_fails_fast(client, server, world):
    server.otherwise = RESET
    with pytest.raises(Unreachable):
        ask(client)
    assert (len(server.requests), len(world.waits)) == (2, 1)


def test_an_address_where_nobody_listens(world):
    with serving() as gone:
        url = gone.url
    with pytest.raises(Unreachable) as caught:
        ask(world.client(world.kubeconfig(url)))
    assert caught.value.message == f"cannot ask for the version: no answer from {url}: connection refused"


def test_a_name_that_does_not_resolve(world):
    with pytest.raises(Unreachable, match="its name cannot be resolved"):
        ask(world.client(world.kubeconfig("http://no-such-host.invalid")))


def test_the_answer_and_the_error_tell_of_attempts_that_may_have_been_carried_out(client, server):
    for first, repeated in ((OK, False), (failure(429), False), (failure(503), True), (RESET, True)):
        server.will(*([first] if first is not OK else []), OK)
        assert _send(client, "DELETE").repeated is repeated
    server.will(RESET, failure(409))
    with pytest.raises(Conflict) as caught:
        _send(client, "POST")
    assert caught.value.repeated


def test_retry_after_in_seconds_is_honoured(client, server, world):
    server.will(failure(429, retry_after=7), failure(503, retry_after=60), OK)
    _send(client)
    assert [int(wait) for wait in world.waits] == [7, 60]


def test_retry_after_as_a_date_is_measured_by_the_servers_clock(client, server, world):
    dates = {"Date": "Mon, 23 Nov 2026 02:00:00 GMT", "Retry-After": "Mon, 23 Nov 2026 02:00:30 GMT"}
    server.will(Answer(503, b"", dates), OK)
    _send(client)
    assert [int(wait) for wait in world.waits] == [30]


def test_a_server_that_asks_for_too_much_patience_is_given_up(client, server, world):
    server.will(failure(429, retry_after=61))
    with pytest.raises(Throttled):
        _send(client)
    assert (len(server.requests), world.waits) == (1, [])


def test_pressure_is_counted(client, server):
    server.will(failure(429), failure(500), failure(503), failure(504), OK)
    _send(client)
    assert client.pressure.count == 3


# -- deleting ------------------------------------------------------------------------------------------


def _delete(gateway: Gateway) -> None:
    gateway.delete(EVENTS, KEY, uid="u", resource_version="7")


@pytest.mark.parametrize("first", [RESET, failure(500), failure(504), html(502)])
def test_an_object_that_is_gone_after_an_unanswered_delete_was_deleted(gateway, server, first):
    server.will(first, failure(404))
    _delete(gateway)
    assert len(server.requests) == 2


@pytest.mark.parametrize("script", [[failure(404)], [failure(429), failure(404)]])
def test_an_object_that_was_gone_before_is_not_found(gateway, server, script):
    server.will(*script)
    with pytest.raises(NotFound) as caught:
        _delete(gateway)
    assert caught.value.code is ExitCode.REFUSED


@pytest.mark.parametrize(
    "page",
    [Answer(302, b"", {"Location": "/login"}), html(200), Answer(204), html(404), answer({"login": "required"})],
)
def test_a_proxys_page_is_never_a_deletion(gateway, server, page):
    server.will(page)
    with pytest.raises(ApiFailure) as caught:
        _delete(gateway)
    assert not isinstance(caught.value, NotFound)
    assert len(server.requests) == 1


def test_not_even_after_an_unanswered_attempt(gateway, server):
    server.will(RESET, html(404))
    with pytest.raises(ApiFailure):
        _delete(gateway)


def test_redirects_are_not_followed(client, server):
    server.will(Answer(307, b"", {"Location": "/elsewhere"}))
    with pytest.raises(ApiFailure) as caught:
        _send(client)
    assert (caught.value.status, len(server.requests)) == (307, 1)


# -- what comes back broken ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        Answer(200, OK.body, cut=5), Answer(200, OK.body, {"Content-Length": "9999"}, cut=5),
        Answer(200, chunks=[b'{"a":'], cut=0), Answer(503, OK.body, cut=0),
    ],
)  # fmt: skip
def test_an_answer_that_is_cut_off_is_asked_for_again(client, server, broken):
    server.will(broken, OK)
    assert _send(client).body == OK.body
    assert len(server.requests) == 2


def test_an_answer_that_is_always_cut_off(client, server):
    server.otherwise = Answer(200, OK.body, cut=5)
    with pytest.raises(Unreachable, match="it cut its answer off"):
        _send(client)


def test_a_timeout_is_unreachable_with_its_own_hint(world, server):
    hold = threading.Event()
    server.otherwise = Answer(wait=hold)
    client = world.client(world.kubeconfig(server.url), timeout_seconds=0.05)
    try:
        with pytest.raises(Unreachable, match="it did not answer in time") as caught:
            ask(client)
    finally:
        hold.set()
    assert "--request-timeout" in str(caught.value.hint)
    assert len(server.requests) == 2


@pytest.mark.parametrize("code", [300, 302, 400, 403, 404, 409, 410, 418, 422, 429, 500, 502, 503])
def test_a_proxys_page_is_never_quoted(client, server, code):
    server.otherwise = html(code)
    with pytest.raises((ApiFailure, Denied)) as caught:
        _send(client)
    assert "secret-page" not in caught.value.message + str(caught.value.hint)
    assert f"HTTP {code}" in caught.value.message
    assert not isinstance(caught.value, NotFound | Conflict | Expired | Invalid)


def test_a_huge_page_is_not_quoted_either(client, server):
    server.otherwise = html(503, "x" * 5_000_000)
    with pytest.raises(ApiFailure) as caught:
        _send(client)
    assert len(caught.value.message) < 200


def test_a_huge_message_is_cut(client, server):
    server.will(failure(422, "x" * 100_000))
    with pytest.raises(Invalid) as caught:
        _send(client)
    assert len(caught.value.message) < 600


def test_control_characters_are_escaped(client, server):
    server.will(failure(422, "a\x1b[31m\nb\u202e", "Bad\x07"))
    with pytest.raises(Invalid) as caught:
        client.send("GET", "/x", doing="read a\x1bb")
    assert caught.value.message == r"cannot read a\x1bb: a\x1b[31m\nb\u202e"
    assert caught.value.reason == r"Bad\x07"


# -- translation ---------------------------------------------------------------------------------------

STATUSES = {
    307: (ApiFailure, ExitCode.UNREACHABLE), 400: (Invalid, ExitCode.PARTIAL), 401: (Denied, ExitCode.DENIED),
    403: (Denied, ExitCode.DENIED), 404: (NotFound, ExitCode.REFUSED), 405: (ApiFailure, ExitCode.UNREACHABLE),
    409: (Conflict, ExitCode.UNREACHABLE), 410: (Expired, ExitCode.UNREACHABLE), 413: (Invalid, ExitCode.PARTIAL),
    422: (Invalid, ExitCode.PARTIAL), 429: (Throttled, ExitCode.UNREACHABLE), 500: (ApiFailure, ExitCode.UNREACHABLE),
    503: (ApiFailure, ExitCode.UNREACHABLE),
}  # fmt: skip


@pytest.mark.parametrize(("status", "wanted"), STATUSES.items())
def test_each_status_has_its_error_and_exit_code(status, wanted):
    error = translated(status, failure(status, "because", "Reason").body, doing="do it")
    assert (type(error), error.code) == wanted
    assert error.message.startswith("cannot do it: ")
    if status != 401:
        assert error.message.endswith("because")
    if isinstance(error, ApiFailure):
        assert (error.status, error.reason) == (status, "Reason")


def test_a_path_that_the_server_does_not_serve_is_not_found():
    assert isinstance(translated(404, b"404 page not found\n", doing="list"), NotFound)


def test_a_410_carries_the_token_to_go_on_with():
    error = translated(410, failure(410, **{"continue": "token"}).body, doing="list")
    assert isinstance(error, Expired)
    assert error.continue_token == "token"


@given(st.integers(300, 599), st.binary() | st.text().map(str.encode), st.text())
def test_translation_never_raises_and_never_shows_a_control_character(status, body, doing):
    error = translated(status, body, doing=doing)
    assert str(error) == error.message
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in error.message + (error.hint or ""))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner)), st.text())
def test_translation_bears_any_status_object(odd, text):
    for document in (
        {"kind": "Status", "message": odd, "reason": text, "metadata": {"continue": text}},
        {"kind": "Status", "message": text, "reason": text, "metadata": odd, "code": odd},
    ):
        body = msgspec.json.encode(document)
        for error in (translated(422, body, doing=text), watch_failure(msgspec.Raw(body), doing="watch")):
            assert not any(ord(char) < 32 for char in error.message)


def test_endless_nesting_is_no_traceback():
    assert isinstance(translated(500, b'{"kind":"Status","metadata":' + b"[" * 100_000, doing="x"), ApiFailure)


@given(st.text())
def test_any_network_error_is_one_printable_line(text):
    error = unreachable("https://x", OSError(text), doing="ask")
    assert "\n" not in error.message
    assert len(error.message) < 300


@given(st.text(), st.text())
def test_retry_after_never_raises(value, date):
    seconds = retry_after_seconds({"Retry-After": value, "Date": date})
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        ("5", "", 5.0), (" 0 ", "", 0.0), ("²", "", None), ("-1", "", None), ("1.5", "", None), ("", "", None),
        ("Mon, 23 Nov 2026 02:00:30 GMT", "Mon, 23 Nov 2026 02:00:00 GMT", 30.0),
        ("Mon, 23 Nov 2026 02:00:30 -0000", "Mon, 23 Nov 2026 02:00:00 GMT", 30.0),
        ("Mon, 23 Nov 2026 01:00:00 GMT", "Mon, 23 Nov 2026 02:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 02:00:30 GMT", "", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 23 Nov 2026 02:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after(value, date, seconds):
    assert retry_after_seconds({"Retry-After": value, "Date": date}) == seconds


def test_a_date_without_a_zone_is_utc():
    assert parse_date("Mon, 23 Nov 2026 02:00:00 -0000") == datetime(2026, 11, 23, 2, tzinfo=UTC)


# -- the gateway's own requests ------------------------------------------------------------------------


def test_dry_run_is_asked_for_where_the_server_looks_for_it(gateway, server):
    server.otherwise = answer({"kind": "Observation", "metadata": {"name": "a", "namespace": "ns"}})
    for dry_run in (False, True):
        gateway.create(EVENTS, "ns", b"{}", dry_run=dry_run)
        gateway.replace(EVENTS, KEY, b"{}", dry_run=dry_run)
        gateway.replace_status(EVENTS, KEY, b"{}", dry_run=dry_run)
        gateway.patch(EVENTS, KEY, b"{}", dry_run=dry_run)
        gateway.delete(EVENTS, KEY, uid="u", resource_version="7", dry_run=dry_run)
    assert [request.query for request in server.requests] == [{}] * 5 + [{"dryRun": "All"}] * 4 + [{}]
    deletions = [msgspec.json.decode(server.requests[place].body) for place in (4, 9)]
    assert [deletion.get("dryRun") for deletion in deletions] == [None, ["All"]]
    assert all(deletion["preconditions"] == {"uid": "u", "resourceVersion": "7"} for deletion in deletions)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_never_leads_to_another_path(gateway, server, name):
    for key in (ObjectKey("ns", name), *([ObjectKey(name, "a")] if name else [])):
        with pytest.raises(Invalid):
            gateway.delete(EVENTS, key, uid="u", resource_version="7")
        with pytest.raises(Invalid):
            gateway.get(EVENTS, key, KeyFields)
    assert server.requests == []


def test_names_are_escaped(gateway, server):
    server.otherwise = failure(404)
    with pytest.raises(NotFound):
        gateway.get(EVENTS, ObjectKey("n s", "a/../b?c"), KeyFields)
    (request,) = server.requests
    assert request.path == "/apis/zen.kube-zen.io/v1alpha1/namespaces/n%20s/zenevents/a%2F..%2Fb%3Fc"


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b"[]", b'{"metadata":{"name":5}}', b'{"x":"\xff"}', b"[" * 99_999]
)
def test_answers_that_are_no_objects_are_api_failures(gateway, server, body):
    server.otherwise = Answer(200, body)
    calls: tuple[Callable[[], object], ...] = (
        lambda: gateway.get(EVENTS, KEY, KeyFields),
        lambda: gateway.create(EVENTS, "ns", b"{}"),
        lambda: gateway.replace(EVENTS, KEY, b"{}"),
        lambda: gateway.allowed(EVENTS, "list"),
        lambda: gateway.server_version(),
        lambda: gateway.uid(),
    )
    for call in calls:
        with pytest.raises(ApiFailure, match="not what an API server sends"):
            call()


def test_facts_about_the_cluster(gateway, server):
    server.will(
        answer({"gitVersion": "v1.32.4"}),
        answer({}, Date="Mon, 23 Nov 2026 02:00:00 GMT"),
        answer({}, Date="today"),
        answer({"metadata": {"name": "kube-system", "uid": "u-1"}}),
        answer({"status": {"allowed": True}}),
        answer({"status": {"allowed": False}}),
    )
    assert gateway.server_version() == "v1.32.4"
    assert gateway.now() == datetime(2026, 11, 23, 2, tzinfo=UTC)
    with pytest.raises(ApiFailure, match="no usable Date"):
        gateway.now()
    assert gateway.uid() == "u-1"
    assert gateway.allowed(EVENTS, "update", namespace="ns", subresource="status")
    assert not gateway.allowed(EVENTS, "list")
    attributes = msgspec.json.decode(server.requests[-2].body)["spec"]["resourceAttributes"]
    assert attributes == {
        "group": EVENTS.group, "resource": "zenevents", "subresource": "status", "verb": "update", "namespace": "ns",
    }  # fmt: skip


def test_connections_are_kept_and_the_user_agent_is_ours(client, server):
    server.otherwise = OK
    for _ in range(3):
        ask(client)
    assert server.connections == 1
    assert client.requests == 3
    assert server.requests[0].header("User-Agent") == "zenctl/test"


def test_a_kept_connection_that_the_server_has_closed_is_no_error(client, server):
    server.will(Answer(200, OK.body, {"Connection": "close"}), OK)
    ask(client)
    assert ask(client) == OK.body
    assert len(server.requests) == 2

"""Every usual way in: which kubeconfig counts, and which credentials reach the server."""

from __future__ import annotations

import base64
import datetime
import importlib.util
import json
import logging
import os
import stat
import time
from pathlib import Path

import pytest

from tests.apiserver import Answer, Certificates, answer, failure, html, serving
from tests.kube.world import World, ask
from zenctl.errors import Denied, ExitCode, Unreachable, UsageError
from zenctl.kube.connect import ConnectOptions, contexts

OK = answer({"gitVersion": "v1.32.4"})
UNAUTHORIZED = failure(401, "Unauthorized", "Unauthorized")


# -- which files, which context ------------------------------------------------------------------------


def test_the_first_current_context_wins(world):
    one = world.write(world.document("http://one.example", name="one"))
    two = world.write(world.document("http://two.example", name="two"))
    for order, wanted in (([one, two], "one"), ([two, one], "two")):
        connection = world.connect(environ={"KUBECONFIG": os.pathsep.join(order)})
        assert (connection.context, connection.host) == (wanted, f"http://{wanted}.example")


def test_the_first_definition_of_a_name_wins_in_every_part(world, server):
    server.otherwise = OK
    one = world.write(world.document(server.url, {"token": "first"}))
    two = world.write(world.document("http://two.example", {"token": "second"}))
    ask(world.client(environ={"KUBECONFIG": f"{one}:{two}"}))
    assert server.requests[0].header("Authorization") == "Bearer first"


def test_context_cluster_and_user_may_come_from_different_files(world, server):
    server.otherwise = OK
    whole = world.document(server.url, {"token": "mine"})
    parts = ({"current-context": "test"}, *({part: whole[part]} for part in ("users", "clusters", "contexts")))
    paths = [world.write(part) for part in parts]
    ask(world.client(environ={"KUBECONFIG": ":".join(paths)}))
    assert server.requests[0].header("Authorization") == "Bearer mine"


@pytest.mark.parametrize("aside", ["missing", "empty", "only a comment"])
def test_missing_and_empty_files_in_the_list_are_passed_over(world, aside):
    other = str(world.folder / "nothing-there")
    if aside != "missing":
        other = world.write("" if aside == "empty" else "# nothing\n")
    good = world.kubeconfig("http://one.example")
    assert world.connect(environ={"KUBECONFIG": f"{other}::{good}:{other}"}).host == "http://one.example"


def test_a_named_file_that_is_missing_is_an_error(world):
    with pytest.raises(UsageError, match=r"nowhere does not exist") as caught:
        world.connect("/nowhere")
    assert caught.value.code is ExitCode.USAGE


def test_the_option_wins_over_the_environment(world):
    given = world.kubeconfig("http://given.example")
    environ = {"KUBECONFIG": world.kubeconfig("http://environment.example")}
    assert world.connect(given, environ).host == "http://given.example"


def test_the_default_file_is_in_the_home(world):
    world.write(world.document("http://home.example"), "home/.kube/config")
    assert world.connect().host == "http://home.example"


def test_another_context_can_be_chosen(world):
    document = world.document("http://one.example")
    document["contexts"].append({"name": "other", "context": {"cluster": "other"}})
    document["clusters"].append({"name": "other", "cluster": {"server": "http://other.example/"}})
    path = world.write(document)
    assert world.connect(path, context="other").host == "http://other.example"
    assert contexts(ConnectOptions(kubeconfig=path), {}) == ("test", "other")


def test_an_unknown_context_is_an_error_that_names_the_known_ones(world):
    with pytest.raises(UsageError, match="no context named 'other'") as caught:
        world.connect(world.kubeconfig("http://one.example"), context="other")
    assert caught.value.hint == "choose one with --context: test"


def test_no_current_context_is_an_error(world):
    document = {**world.document("http://one.example"), "current-context": ""}
    with pytest.raises(UsageError, match="names no current context"):
        world.connect(world.write(document))


def test_nothing_at_all_is_an_error(world):
    for environ in ({}, {"KUBECONFIG": "/nowhere:/nor/there"}):
        with pytest.raises(UsageError, match="no cluster to talk to"):
            world.connect(environ=environ)


@pytest.mark.parametrize(
    "content",
    [
        "", "just text", "[1, 2]", "a: [", "\x00", "a: 2024-99-99", "!!python/object:os.system {}", "[" * 2000,
        "contexts: 5", "contexts: [5]", "users: {a: b}", "{current-context: x, contexts: [{name: x}]}",
        "{current-context: x, contexts: [{name: [x]}]}", "{current-context: 5, contexts: [{name: 5, context: 6}]}",
        "{current-context: x, contexts: [{name: x, context: {cluster: y}}]}",
        "{current-context: x, contexts: [{name: x, context: {cluster: y}}], clusters: [{name: y}]}",
        "{current-context: x, contexts: [{name: x, context: {cluster: y}}], clusters: [{name: y, cluster: 7}]}",
    ],
)  # fmt: skip
def test_garbage_is_a_usage_error(world, content):
    with pytest.raises(UsageError) as caught:
        world.connect(world.write(content))
    assert caught.value.message.isprintable()


def test_bytes_that_are_no_text_are_a_usage_error(world):
    path = Path(world.write(""))
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UsageError, match="cannot read kubeconfig"):
        world.connect(str(path))


def test_a_folder_is_a_usage_error(world):
    with pytest.raises(UsageError, match="cannot read kubeconfig"):
        world.connect(str(world.folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_denied(world):
    path = Path(world.kubeconfig("http://one.example"))
    path.chmod(0)
    with pytest.raises(Denied, match="permission denied"):
        world.connect(str(path))


def test_a_file_that_may_not_be_read_is_denied(world, monkeypatch):
    path = world.kubeconfig("http://one.example")

    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(Denied, match="permission denied"):
        world.connect(path)


@pytest.mark.parametrize("server_url", ["", "10.0.0.1:6443", "ftp://x"])
def test_a_server_without_a_scheme_is_a_usage_error(world, server_url):
    with pytest.raises(UsageError, match="no server with https"):
        world.connect(world.kubeconfig(server_url))


def test_a_user_that_is_not_there_is_an_error_and_not_anonymous(world):
    document = {**world.document("http://one.example"), "users": []}
    with pytest.raises(UsageError, match="wants the user 'test'"):
        world.connect(world.write(document))


# -- in a pod ------------------------------------------------------------------------------------------


@pytest.fixture
def account(world: World, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Path:
    from kubernetes.config import incluster_config

    token = world.folder / "token"
    token.write_text("pod-token\n")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(certificates.ca))
    return token


def _pod(port: int) -> dict[str, str]:
    return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}


def test_in_a_pod_the_service_account_is_used(world, tls_server, account):
    tls_server.otherwise = OK
    client = world.client(environ=_pod(tls_server.port))
    ask(client)
    assert tls_server.requests[0].header("Authorization") == "bearer pod-token"
    assert world.connect(environ=_pod(tls_server.port)).context == ""


def test_in_a_pod_a_rotated_token_is_read_again_after_a_401(world, tls_server, account):
    tls_server.will(UNAUTHORIZED, OK)
    client = world.client(environ=_pod(tls_server.port))
    account.write_text("newer")
    ask(client)
    assert [request.header("Authorization") for request in tls_server.requests] == [
        "bearer pod-token",
        "bearer newer",
    ]


def test_in_a_pod_a_token_that_is_due_is_read_again_and_its_loss_is_told(world, tls_server, account, monkeypatch):

    tls_server.otherwise = OK
    client = world.client(environ=_pod(tls_server.port))

    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Later:
            return super().now(tz) + datetime.timedelta(minutes=2)

    monkeypatch.setattr("kubernetes.config.incluster_config.datetime.datetime", Later)
    account.write_text("newer")
    ask(client)
    assert tls_server.requests[0].header("Authorization") == "bearer newer"
    account.unlink()
    monkeypatch.setattr(Later, "now", classmethod(lambda cls, tz=None: cls(2999, 1, 1)))
    with pytest.raises(UsageError, match="this pod's service account cannot be used"):
        ask(client)


def test_in_a_pod_a_kubeconfig_goes_before_the_account(world, account):
    environ = {**_pod(1), "KUBECONFIG": world.kubeconfig("http://one.example")}
    assert world.connect(environ=environ).host == "http://one.example"


@pytest.mark.parametrize("content", [None, ""])
def test_in_a_pod_without_a_token_the_message_says_so(world, account, content):
    account.unlink() if content is None else account.write_text(content)
    with pytest.raises(UsageError, match="this pod's service account cannot be used") as caught:
        world.connect(environ=_pod(1))
    assert "automountServiceAccountToken" in str(caught.value.hint)


# -- TLS -----------------------------------------------------------------------------------------------


def test_paths_in_a_kubeconfig_are_relative_to_it(world, certificates):
    for source, name in ((certificates.ca, "ca.crt"), *zip(certificates.client, ("c.crt", "c.key"), strict=True)):
        world.write(source.read_text(), f"deep/pki/{name}")
    user = {"client-certificate": "pki/c.crt", "client-key": "pki/c.key"}
    with serving(certificates.context(demand_client=True)) as server:
        server.otherwise = OK
        document = world.document(server.url, user, {"certificate-authority": "pki/ca.crt"})
        assert ask(world.client(world.write(document, "deep/config"))) == OK.body


def test_certificates_may_stand_in_the_kubeconfig(world, certificates):
    ca, certificate, key = (
        base64.b64encode(path.read_bytes()).decode() for path in (certificates.ca, *certificates.client)
    )
    user = {"client-certificate-data": certificate, "client-key-data": key}
    with serving(certificates.context(demand_client=True)) as server:
        server.otherwise = OK
        path = world.kubeconfig(server.url, user, {"certificate-authority-data": ca})
        assert ask(world.client(path)) == OK.body


def test_a_server_that_demands_a_certificate_says_so(world, certificates):
    with serving(certificates.context(demand_client=True)) as server:
        client = world.client(world.kubeconfig(server.url, {"token": "t"}, world.trusting(certificates)))
        with pytest.raises(Unreachable) as caught:
            ask(client)
    assert caught.value.code is ExitCode.UNREACHABLE
    assert "\n" not in caught.value.message


def test_an_untrusted_certificate_is_unreachable_in_a_clear_line(world, tls_server):
    with pytest.raises(Unreachable) as caught:
        ask(world.client(world.kubeconfig(tls_server.url)))
    host = tls_server.url
    assert (
        caught.value.message == f"cannot ask for the version: no answer from {host}: its certificate is not trusted"
    )
    assert "certificate-authority" in str(caught.value.hint)
    assert tls_server.requests == []


def test_a_certificate_for_another_name_needs_tls_server_name(world, certificates):
    with serving(certificates.context(only_named=True)) as server:
        server.otherwise = OK
        with pytest.raises(Unreachable, match="its certificate is for another host name"):
            ask(world.client(world.kubeconfig(server.url, None, world.trusting(certificates))))
        named = world.trusting(certificates, **{"tls-server-name": "api.example"})
        assert ask(world.client(world.kubeconfig(server.url, None, named))) == OK.body


def test_insecure_skip_tls_verify_asks_nothing_and_says_nothing(world, tls_server):
    tls_server.otherwise = OK
    path = world.kubeconfig(tls_server.url, None, {"insecure-skip-tls-verify": True})
    assert ask(world.client(path)) == OK.body


def test_a_server_that_speaks_no_tls_is_named(world, server):
    with pytest.raises(Unreachable, match="it does not speak TLS"):
        ask(world.client(world.kubeconfig(server.url.replace("http:", "https:"))))


@pytest.mark.parametrize("field", ["certificate-authority", "client-certificate"])
def test_a_certificate_file_that_is_missing_is_a_usage_error(world, field):
    part = {field: "/nowhere.crt"}
    user, cluster = (part, {}) if field.startswith("client") else ({}, part)
    with pytest.raises(UsageError, match=r"File does not exist: /nowhere\.crt"):
        world.connect(world.kubeconfig("https://one.example", user, cluster))


def test_files_that_hold_no_certificate_are_named(world, tls_server, certificates):
    nonsense = world.write("no certificate")
    with pytest.raises(Unreachable, match="no certificate in the certificate-authority"):
        ask(world.client(world.kubeconfig(tls_server.url, None, {"certificate-authority": nonsense})))
    user = {"client-certificate": nonsense, "client-key": nonsense}
    with pytest.raises(Unreachable, match="our client certificate or key cannot be read"):
        ask(world.client(world.kubeconfig(tls_server.url, user, world.trusting(certificates))))


# -- proxies -------------------------------------------------------------------------------------------


def test_proxy_url_tunnels_https(world, server, tls_server, certificates):
    server.otherwise = tls_server.otherwise = OK
    path = world.kubeconfig(tls_server.url, None, world.trusting(certificates, **{"proxy-url": server.url}))
    assert ask(world.client(path)) == OK.body
    assert server.asked() == [f"CONNECT 127.0.0.1:{tls_server.port}"]
    assert tls_server.asked() == ["GET /version"]


def test_proxy_url_wins_over_no_proxy(world, server, tls_server, certificates, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    server.otherwise = tls_server.otherwise = OK
    path = world.kubeconfig(tls_server.url, None, world.trusting(certificates, **{"proxy-url": server.url}))
    ask(world.client(path))
    assert len(server.requests) == 1


def test_a_plain_proxy_gets_every_group_on_a_line_of_its_own(world, server):
    server.otherwise = OK
    path = world.kubeconfig("http://api.example:8001", {"token": "t"}, {"proxy-url": server.url})
    ask(world.client(path, as_user="jane", as_groups=("one", "two")))
    (request,) = server.requests
    assert (request.target, request.header("Host")) == ("http://api.example:8001/version", "api.example:8001")
    assert request.headers("Impersonate-Group") == ["one", "two"]


def test_the_environments_proxy_is_used(world, server, tls_server, certificates, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    server.otherwise = tls_server.otherwise = OK
    ask(world.client(world.kubeconfig(tls_server.url, None, world.trusting(certificates))))
    assert [request.method for request in server.requests] == ["CONNECT"]


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "127.0.0.0/8", "*"])
def test_no_proxy_goes_directly(world, server, tls_server, certificates, monkeypatch, no_proxy):
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    tls_server.otherwise = OK
    ask(world.client(world.kubeconfig(tls_server.url, None, world.trusting(certificates))))
    assert server.requests == []


def test_a_proxy_that_refuses_the_tunnel_is_named(world, server):
    server.otherwise = Answer(407)
    path = world.kubeconfig("https://api.example", None, {"proxy-url": server.url})
    with pytest.raises(Unreachable, match="the proxy refused the tunnel") as caught:
        ask(world.client(path))
    assert "proxy-url" in str(caught.value.hint)


def test_a_proxy_that_is_away_is_named(world):
    with serving() as gone:
        url = gone.url
    path = world.kubeconfig("https://api.example", None, {"proxy-url": url})
    with pytest.raises(Unreachable, match="the proxy cannot be reached"):
        ask(world.client(path))


@pytest.mark.parametrize("proxy", ["nonsense", "gopher://x:1", "socks5://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_a_usage_error(world, proxy):
    if proxy.startswith("socks") and importlib.util.find_spec("socks"):
        pytest.skip("SOCKS is available here")
    with pytest.raises(UsageError, match="the proxy of context 'test' cannot be used"):
        world.connect(world.kubeconfig("https://api.example", None, {"proxy-url": proxy}))


# -- tokens --------------------------------------------------------------------------------------------


def _sent(server) -> list[str | None]:
    return [request.header("Authorization") for request in server.requests]


def test_a_token_and_basic_auth_are_sent(world, server):
    server.otherwise = OK
    ask(world.client(world.kubeconfig(server.url, {"token": "abc"})))
    ask(world.client(world.kubeconfig(server.url, {"username": "jane", "password": "p:w"})))
    ask(world.client(world.kubeconfig(server.url)))
    assert _sent(server) == ["Bearer abc", "Basic " + base64.b64encode(b"jane:p:w").decode(), None]


def test_a_rotated_token_file_is_read_again_after_a_401(world, server):
    token = Path(world.write("old\n", "secrets/token"))
    document = world.document(server.url, {"tokenFile": "secrets/token", "token": "the file goes before me"})
    client = world.client(world.write(document))
    server.will(OK, UNAUTHORIZED, OK, OK)
    ask(client)
    token.write_text("  new\n")
    ask(client)
    ask(client)
    assert _sent(server) == ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]
    assert world.waits == []


def test_a_second_401_is_denied(world, server):
    server.otherwise = UNAUTHORIZED
    client = world.client(world.kubeconfig(server.url, {"token": "x"}))
    for requests in (2, 4):
        with pytest.raises(Denied, match="does not accept these credentials") as caught:
            ask(client)
        assert len(server.requests) == requests
    assert caught.value.code is ExitCode.DENIED


def test_a_401_in_html_is_denied_too(world, server):
    server.otherwise = html(401)
    with pytest.raises(Denied) as caught:
        ask(world.client(world.kubeconfig(server.url)))
    assert "secret-page" not in caught.value.message


def test_only_one_of_several_threads_loads_the_credentials(world, server):
    connection = world.connect(world.kubeconfig(server.url, {"token": "x"}))
    connection.renew(0)
    connection.renew(0)
    assert connection.generation == 1


def test_a_token_file_that_went_away_is_a_usage_error(world, server):
    server.otherwise = UNAUTHORIZED
    token = Path(world.write("old", "token"))
    client = world.client(world.kubeconfig(server.url, {"tokenFile": str(token)}))
    token.unlink()
    with pytest.raises(UsageError, match="context 'test' cannot be used"):
        ask(client)


def test_a_token_with_line_breaks_inside_is_refused(world):
    client = world.client(world.kubeconfig("http://one.example", {"token": "a\nX-Evil: b"}))
    with pytest.raises(UsageError, match="no HTTP header can carry") as caught:
        ask(client)
    assert "Evil" not in caught.value.message


def test_renewed_credentials_never_lead_to_another_cluster(world, server):
    document = world.document(server.url, {"token": "x"})
    document["contexts"].append({"name": "other", "context": {"cluster": "other"}})
    document["clusters"].append({"name": "other", "cluster": {"server": "http://other.example"}})
    path = world.write(document)
    client = world.client(path)
    server.will(UNAUTHORIZED, OK)
    Path(path).write_text(json.dumps({**document, "current-context": "other"}))
    ask(client)
    assert len(server.requests) == 2
    document["clusters"][0]["cluster"]["server"] = "http://moved.example"
    Path(path).write_text(json.dumps(document))
    server.will(UNAUTHORIZED)
    with pytest.raises(UsageError, match="names another server"):
        ask(client)


# -- plugins and providers -----------------------------------------------------------------------------


def _plugin(world: World, script: str, **more: object) -> dict[str, object]:
    path = Path(world.write(f"#!/bin/sh\n{script}\n", "plugin.sh"))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}
    return {"exec": {**command, **more}}


def _credential(**status: str) -> str:
    return json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})


def test_a_plugin_gives_the_token(world, server):
    server.otherwise = OK
    script = f"echo '{_credential(token='TOKEN')}' | sed \"s/TOKEN/$WHO-$1/\""
    user = _plugin(world, script, args=["arg"], env=[{"name": "WHO", "value": "me"}])
    ask(world.client(world.kubeconfig(server.url, user)))
    assert _sent(server) == ["Bearer me-arg"]


def test_a_plugin_gives_a_client_certificate(world, certificates):
    certificate, key = (path.read_text() for path in certificates.client)
    world.write(_credential(clientCertificateData=certificate, clientKeyData=key), "credential.json")
    user = _plugin(world, f"cat {world.folder}/credential.json")
    with serving(certificates.context(demand_client=True)) as server:
        server.otherwise = OK
        assert ask(world.client(world.kubeconfig(server.url, user, world.trusting(certificates)))) == OK.body


def test_a_plugin_that_fails_is_denied_with_its_complaint_and_nothing_of_its_output(world):
    user = _plugin(world, r"echo s3cret; printf 'login \033[31mexpired\nmore\n' >&2; exit 3")
    with pytest.raises(Denied) as caught:
        world.connect(world.kubeconfig("http://one.example", user))
    assert "plugin.sh of context 'test' gave no credentials" in caught.value.message
    assert r"login \x1b[31mexpired" in caught.value.message
    assert caught.value.message.isprintable()
    assert "s3cret" not in caught.value.message + str(caught.value.hint)


@pytest.mark.parametrize("script", ["echo s3cret", "echo '{}'", f"echo '{_credential()}'", "exit 0"])
def test_a_plugin_that_answers_nonsense_is_denied(world, script):
    with pytest.raises(Denied) as caught:
        world.connect(world.kubeconfig("http://one.example", _plugin(world, script)))
    assert "s3cret" not in caught.value.message


def test_a_plugin_that_is_not_there_is_denied(world):
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    with pytest.raises(Denied, match="no-such-plugin"):
        world.connect(world.kubeconfig("http://one.example", user))


def _counting(world: World, expires: str) -> dict[str, object]:
    """Return a plugin that gives another token each time, and fails once a file named broken is there."""
    status = {"token": "token-N", "expirationTimestamp": expires}
    lines = (
        f"cd {world.folder}",
        "test -e broken && { echo no luck >&2; exit 1; }",
        "echo x >> runs",
        f"echo '{_credential(**status)}' | sed s/-N/-$(wc -l < runs | tr -d ' ')/",
    )
    return _plugin(world, "\n".join(lines))


def test_a_plugin_is_run_again_when_its_token_has_expired(world, server):
    server.otherwise = OK
    client = world.client(world.kubeconfig(server.url, _counting(world, "2020-01-01T00:00:00Z")))
    ask(client)
    ask(client)
    assert _sent(server) == ["Bearer token-2", "Bearer token-3"]


def test_whether_a_token_is_due_is_not_asked_for_every_request(world, server):
    server.otherwise = OK
    world.token_check_seconds = 3600.0
    client = world.client(world.kubeconfig(server.url, _counting(world, "2020-01-01T00:00:00Z")))
    ask(client)
    ask(client)
    assert _sent(server) == ["Bearer token-2", "Bearer token-2"]


def test_a_plugin_is_not_run_again_while_its_token_lasts(world, server):
    server.otherwise = OK
    client = world.client(world.kubeconfig(server.url, _counting(world, "2999-01-01T00:00:00Z")))
    ask(client)
    ask(client)
    assert _sent(server) == ["Bearer token-1", "Bearer token-1"]
    server.will(UNAUTHORIZED, OK)
    ask(client)
    assert _sent(server)[2:] == ["Bearer token-1", "Bearer token-2"]


def test_a_plugin_that_fails_later_leaves_the_token_and_stays_quiet(world, server, capfd, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    client = world.client(world.kubeconfig(server.url, _counting(world, "2020-01-01T00:00:00Z")))
    (world.folder / "broken").touch()
    server.will(OK, UNAUTHORIZED)
    ask(client)
    with pytest.raises(Denied, match="no luck"):
        ask(client)
    assert _sent(server) == ["Bearer token-1", "Bearer token-1"]
    assert logging.getLogger().handlers == []
    assert capfd.readouterr().err == ""


def _jwt(expires: float) -> str:
    parts: tuple[dict[str, object], ...] = ({"alg": "none"}, {"exp": int(expires)}, {})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def _provider(token: str, **config: str) -> dict[str, object]:
    return {"auth-provider": {"name": "oidc", "config": {"id-token": token, **config}}}


def test_an_oidc_token_that_lasts_is_used_as_it_is(world, server):
    server.otherwise = OK
    token = _jwt(time.time() + 86_400)
    ask(world.client(world.kubeconfig(server.url, _provider(token))))
    assert _sent(server) == [f"Bearer {token}"]


def test_an_oidc_provider_that_cannot_be_reached_is_no_traceback(world, monkeypatch):
    with serving() as gone:
        url = gone.url
    config = {"idp-issuer-url": url, "client-id": "c", "client-secret": "s", "refresh-token": "s3cret"}
    with pytest.raises(UsageError, match="context 'test' cannot be used") as caught:
        world.connect(world.kubeconfig("http://one.example", _provider(_jwt(0), **config)))
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize("user", [_provider("no jwt"), {"auth-provider": {"name": "azure", "config": {"a": "b"}}}])
def test_an_auth_provider_that_gives_nothing_is_denied(world, user):
    with pytest.raises(Denied, match="auth-provider"):
        world.connect(world.kubeconfig("http://one.example", user))


# -- impersonation -------------------------------------------------------------------------------------


def _impersonation(server) -> list[tuple[str, str]]:
    return [line for line in server.requests[-1].lines if line[0].lower().startswith("impersonate")]


IN_KUBECONFIG = {
    "as": "jane", "as-uid": "42", "as-groups": ["dev, ops", "qa"],
    "as-user-extra": {"Reason/x": ["one", "two"]},
}  # fmt: skip


def test_impersonation_from_flags_has_a_line_for_each_group(world, server):
    server.otherwise = OK
    ask(world.client(world.kubeconfig(server.url), as_user="jürgen", as_groups=("a", "b, c")))
    assert _impersonation(server) == [
        ("Impersonate-User", "jürgen"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b, c"),
    ]  # fmt: skip


def test_impersonation_from_the_kubeconfig(world, server):
    server.otherwise = OK
    ask(world.client(world.kubeconfig(server.url, IN_KUBECONFIG)))
    assert _impersonation(server) == [
        ("Impersonate-User", "jane"), ("Impersonate-Group", "dev, ops"), ("Impersonate-Group", "qa"),
        ("Impersonate-Uid", "42"),
        ("Impersonate-Extra-reason%2Fx", "one"), ("Impersonate-Extra-reason%2Fx", "two"),
    ]  # fmt: skip


def test_flags_replace_the_kubeconfigs_impersonation_as_a_whole(world, server):
    server.otherwise = OK
    ask(world.client(world.kubeconfig(server.url, IN_KUBECONFIG), as_user="joe"))
    assert _impersonation(server) == [("Impersonate-User", "joe")]


def test_groups_without_a_user_are_refused(world):
    path = world.kubeconfig("http://one.example")
    with pytest.raises(UsageError, match="--as-group needs --as"):
        world.connect(path, as_groups=("a",))


@pytest.mark.parametrize(
    "user",
    [
        {"as-groups": ["admins"]}, {"as-uid": "1"}, {"as": "jane", "as-groups": "admins"},
        {"as": "jane", "as-user-extra": {"a": "b"}}, {"as": "jane", "as-user-extra": ["a"]}, {"as": "ja\nne"},
    ],
)  # fmt: skip
def test_impersonation_that_makes_no_sense_is_a_usage_error(world, user):
    with pytest.raises(UsageError) as caught:
        world.connect(world.kubeconfig("http://one.example", user))
    assert caught.value.message.isprintable()

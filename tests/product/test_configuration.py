"""The watcher's configuration: defaults, a file, the environment over it, and errors that say where."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.observation import Severity
from zenctl.product.configuration import MODES, Configuration, SourceSettings
from zenctl.product.filters import Facts, Reason
from zenctl.product.located import ConfigurationError
from zenctl.product.settings import read_configuration, settings
from zenctl.product.sources import NAMES, SOURCES

CUSTOM = """
custom:
- {name: polaris, webhook: {}, eventType: x, message: m, resource: {kind: .k, name: .n}, identity: [.i]}
"""


def config(text: str = "", **environment: str) -> Configuration:
    return read_configuration(text.encode(), environment)


def test_nothing_said_is_the_default():
    found = config()
    assert (found.http, found.dedup, found.retention) == (
        Configuration().http,
        Configuration().dedup,
        Configuration().retention,
    )
    assert found.http.port == 8080
    assert found.limits.live_per_source == 20_000
    assert found.sources == dict.fromkeys(NAMES, SourceSettings())
    assert all(found.enabled(name) for name in NAMES)


def test_a_file_and_the_environment_over_it():
    text = "http: {port: 9090, maxRequestBytes: 2048}\nretention: {ttl: 3d, interval: 2h}\nnamespaces: [a, b]\n"
    found = config(text, WATCHER_PORT="9191", GC_INTERVAL="30m")
    assert (found.http.port, found.http.max_request_bytes) == (9191, 2048)
    assert (found.retention.ttl, found.retention.interval) == (timedelta(days=3), timedelta(minutes=30))
    assert found.namespaces == ("a", "b")


@pytest.mark.parametrize(
    ("variable", "value", "where", "expected"),
    [
        ("WATCHER_PORT", "81", "http.port", 81),
        ("WATCH_NAMESPACE", "prod, staging", "namespaces", ("prod", "staging")),
        ("OBSERVATION_FILTER_NAMESPACE", "prod", "namespaces", ("prod",)),
        ("BEHAVIOR_MODE", "trivy-only", "mode", "trivy-only"),
        ("CLUSTER_ID", "c1", "cluster_name", "c1"),
        ("ZEN_API_GROUP", "x.io", "api_group", "x.io"),
        ("CONFIG_NAMESPACE", "zen", "system_namespace", "zen"),
        ("POD_NAMESPACE", "zen", "system_namespace", "zen"),
        ("DEDUP_WINDOW_SECONDS", "90", "dedup.window", timedelta(seconds=90)),
        ("DEDUP_MAX_SIZE", "500", "dedup.max_entries", 500),
        ("DEDUP_MAX_RATE_PER_SOURCE", "7", "dedup.max_events_per_second", 7),
        ("DEDUP_RATE_BURST", "9", "dedup.burst", 9),
        ("OBSERVATION_TTL_SECONDS", "3600", "retention.ttl", timedelta(hours=1)),
        ("OBSERVATION_TTL_DAYS", "3", "retention.ttl", timedelta(days=3)),
        ("GC_INTERVAL", "1h", "retention.interval", timedelta(hours=1)),
        ("GC_TIMEOUT", "5m", "retention.timeout", timedelta(minutes=5)),
        ("HTTP_SHUTDOWN_TIMEOUT", "20s", "http.shutdown_timeout", timedelta(seconds=20)),
        ("WEBHOOK_RATE_LIMIT", "100", "http.requests_per_minute", 100),
        ("WEBHOOK_ALLOWED_IPS", "10.0.0.1,10.1.0.0/16", "http.allowed_networks", ("10.0.0.1", "10.1.0.0/16")),
        ("WEBHOOK_AUTH_DISABLED", "TRUE", "http.unauthenticated", True),
        ("SERVER_TRUSTED_PROXY_CIDRS", "10.0.0.0/8", "http.trusted_proxies", ("10.0.0.0/8",)),
        ("SERVER_MAX_REQUEST_BYTES", "2048", "http.max_request_bytes", 2048),
        ("FILTER_CONFIGMAP_NAME", "f", "filter_source.config_map", "f"),
        ("FILTER_CONFIGMAP_NAMESPACE", "n", "filter_source.namespace", "n"),
        ("FILTER_CONFIGMAP_KEY", "k", "filter_source.key", "k"),
        ("LOG_LEVEL", "debug", "log.level", "debug"),
    ],
)
def test_every_variable_sets_its_setting(variable, value, where, expected):
    found: object = config(**{variable: value})
    for part in where.split("."):
        found = getattr(found, part)
    assert found == expected


def test_every_variable_is_tested():
    known = {variable for entry in settings() for variable in entry.variables}
    (tested,) = (mark.args[1] for mark in test_every_variable_sets_its_setting.pytestmark)
    assert known | {"OBSERVATION_TTL_DAYS"} == {variable for variable, *_ in tested}


@pytest.mark.parametrize(
    ("variable", "source"),
    [(variable, source) for source in SOURCES for variable in source.namespace_variables],
)
def test_where_a_tool_lives(variable, source):
    assert config().namespace_of(source) == source.namespace
    assert config(**{variable: "elsewhere"}).namespace_of(source) == "elsewhere"


@pytest.mark.parametrize(("mode", "names"), MODES.items())
def test_a_mode_enables_its_sources_and_each_may_be_said_otherwise(mode, names):
    assert {name for name in NAMES if config(f"mode: {mode}").enabled(name)} == names
    other = config(f"mode: {mode}\nsources: {{falco: {{enabled: true}}, kubebench: {{enabled: false}}}}")
    assert other.enabled("falco")
    assert not other.enabled("kube-bench")


def test_modes_are_what_their_names_say():
    assert MODES["security-only"] == {"trivy", "kyverno", "falco", "checkov"}
    assert MODES["compliance-only"] == {"audit", "kube-bench"}
    assert MODES["conservative"] == set(NAMES) - {"falco"}
    assert config("mode: security-only" + CUSTOM).enabled("polaris")
    assert not config("mode: trivy-only" + CUSTOM).enabled("polaris")


def test_a_filter_and_custom_sources_stand_in_the_same_file():
    found = config("filter: {sources: {polaris: {minSeverity: HIGH}}}" + CUSTOM)
    assert [source.name for source in found.custom] == ["polaris"]
    facts = Facts(
        source="polaris", severity=Severity.LOW, event_type="x", category="security", namespace="", kind="Pod"
    )
    assert found.filter.reason(facts) == Reason.MIN_SEVERITY
    own = Facts(
        source="audit",
        severity=Severity.LOW,
        event_type="x",
        category="c",
        namespace="",
        kind="",
        group="zen.kube-zen.io",
    )
    assert found.filter.reason(own) == Reason.SELF


@pytest.mark.parametrize(
    ("text", "environment", "problem"),
    [
        ("http:\n  port: 99999", {}, "line 2: http.port: is 99999, not 1 to 65535"),
        ("http:\n  port: '8o8o'", {}, "line 2: http.port: is '8o8o', not a whole number"),
        ("http:\n  prot: 1", {}, "line 2: http.prot: is not known; did you mean port?"),
        ("http: 3", {}, "line 1: http: is 3, not an object"),
        ("mode: everything", {}, "line 1: mode: is 'everything', not one of all"),
        ("retention:\n\n  ttl: 7", {}, "line 3: retention.ttl: is 7, not a duration"),
        ("retention: {ttl: 7y}", {}, "line 1: retention.ttl: '7y' is not a duration"),
        ("retention: {ttl: 1s}", {}, "line 1: retention.ttl: is 1s, not 1m to 365d"),
        ("namespaces: [A b]", {}, "line 1: namespaces: 'A b' cannot be a namespace"),
        ("namespaces: prod", {}, "line 1: namespaces: is 'prod', not a list of texts"),
        ("sources:\n  trivvy: {}", {}, "line 2: sources.trivvy: is no source"),
        ("sources:\n  trivy: {severities: [RED]}", {}, "line 2: sources.trivy.severities: is 'RED', not one of"),
        ("custom:\n- name: trivy\n", {}, "line 2: custom[0].name: trivy is the name of another source"),
        ("filter:\n  sources:\n    x: {}", {}, "line 3: filter.sources.x: is no source"),
        ("[]", {}, "line 1: is a list, not an object"),
        ("", {"WATCHER_PORT": "http"}, "WATCHER_PORT: is 'http', not a whole number"),
        ("", {"WEBHOOK_ALLOWED_IPS": "10.0.0.0/99"}, "WEBHOOK_ALLOWED_IPS: '10.0.0.0/99' is neither an address nor"),
        ("", {"WEBHOOK_AUTH_DISABLED": "maybe"}, "WEBHOOK_AUTH_DISABLED: is 'maybe', not true or false"),
    ],
)
def test_errors_say_where(text, environment, problem):
    with pytest.raises(ConfigurationError) as raised:
        config(text, **environment)
    assert problem in str(raised.value)


def test_everything_wrong_is_said_at_once():
    with pytest.raises(ConfigurationError) as raised:
        config("http: {port: 0}\nmode: x\nlog: {level: x}\n", GC_INTERVAL="x")
    assert [problem.line for problem in raised.value.problems] == [0, 1, 2, 3]


def test_settings_are_named_once_and_explained():
    listed = list(settings())
    assert len({entry.path for entry in listed}) == len(listed) > 25
    assert all(entry.help and not entry.help.endswith(".") for entry in listed)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(data):
    try:
        read_configuration(data, {})
    except ConfigurationError as error:
        assert str(error).isprintable()  # noqa: PT017

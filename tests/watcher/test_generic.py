"""A source without code: its configuration, the language of its paths, and what it makes of reports."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.watcher.samples import DATA, SYSTEM
from tests.watcher.test_fuzz import JSON
from tests.watcher.test_observation import check
from watcher.sources.event import Event, ReportError, UnknownReport
from watcher.sources.generic import CustomParser
from watcher.sources.observation import observation
from zenctl.product.custom import CustomSource, read_custom
from zenctl.product.fieldpaths import look_up, parse_path
from zenctl.product.filters import read_filter
from zenctl.product.located import read
from zenctl.product.settings import read_configuration
from zenctl.product.sources import NAMES

EXAMPLE = b"""\
name: polaris
webhook: {}
eventType: best-practice
items: .Results
when:
  .Success: "false"
message: .Message
severity: .Severity
severityMap: {danger: HIGH, ignore: INFO}
time: .At
resource:
  kind: .Kind
  name: .Name
  namespace: .meta['kubernetes.io/ns']
  apiVersion: v1
identity: [.ID]
details:
  why: .Details[0]
"""
ITEM = {
    "Success": False, "Message": "no probe\x1b[31m", "Severity": "Danger", "At": "2026-01-01T00:00:00Z",
    "Kind": "Pod", "Name": "web", "meta": {"kubernetes.io/ns": "shop"}, "ID": "probe", "Details": ["d"],
}  # fmt: skip


def source(data: bytes = EXAMPLE) -> CustomSource:
    document = read(data)
    found = read_custom(document, document.value, (), frozenset({"trivy"}))
    document.done()
    assert found
    return found


def parse(**changes: Any) -> tuple[Event, ...]:
    return CustomParser(source())({"Results": [ITEM | changes]})


def test_fields_come_from_their_paths():
    (found,) = parse()
    assert (found.source, found.event_type, found.severity) == ("polaris", "best-practice", "HIGH")
    assert str(found.subject) == "Pod shop/web"
    assert found.message == "no probe\\x1b[31m"
    assert (found.time, found.details) == ("2026-01-01T00:00:00Z", {"why": "d"})
    check(observation(found, default_namespace=SYSTEM))


def test_a_finding_that_stands_twice_in_a_report_is_one():
    (found,) = CustomParser(source())({"Results": [ITEM, ITEM | {"Details": ["other"]}]})
    assert found.details["occurrences"] == 2


def test_what_the_condition_does_not_meet_is_no_finding():
    assert parse(Success=True) == ()
    assert len(parse(Success="false")) == 1


def test_a_severity_that_nobody_knows_is_medium_and_said():
    (found,) = parse(Severity="odd")
    assert (found.severity, found.details["reportedSeverity"]) == ("MEDIUM", "odd")
    assert parse(Severity="critical")[0].severity == "CRITICAL"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Name": None}, "polaris: resource.name is empty"),
        ({"Kind": {}}, "polaris: resource.kind is empty"),
        ({"ID": []}, "polaris: every field of identity is empty"),
    ],
)
def test_a_report_without_what_is_configured_is_an_error(changes, message):
    with pytest.raises(ReportError, match=message):
        parse(**changes)
    with pytest.raises(ReportError, match="items is not a list"):
        CustomParser(source())({})
    with pytest.raises(UnknownReport):
        CustomParser(source())([])


@given(JSON)
def test_anything_is_parsed_or_refused(value):
    for report in (value, {"Results": [value]}, {"Results": [ITEM | {"Message": value, "Details": [value]}]}):
        try:
            found = CustomParser(source())(report)
        except ReportError:
            continue
        for event in found:
            check(observation(event, default_namespace=SYSTEM))


# --- configuration


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("name: polaris", "name: Polaris!", "line 1: name: is 'Polaris!', not 1 to 30"),
        ("name: polaris", "name: trivy", "line 1: name: trivy is the name of another source"),
        ("webhook: {}", "webhoook: {}", "line 2: webhoook: is not known; did you mean webhook?"),
        ("webhook: {}", "informer: {resource: pods}", "line 2: informer.version: is missing"),
        ("webhook: {}", "informer: {resource: 5, version: v1}", "line 2: informer.resource: is 5, not a text"),
        ("items: .Results", "items: Results", "line 4: items: 'Results' is not a path: a path begins with a dot"),
        ("message: .Message", "message: .a..b", "line 7: message: '.a..b' is not a path: expected"),
        ("danger: HIGH", "danger: RED", "line 9: severityMap.danger: is 'RED', not one of CRITICAL"),
        ("  kind: .Kind\n", "", "line 11: resource.kind: is missing"),
        ("identity: [.ID]", "identity: [.ID, 3]", "line 16: identity[1]: is 3, not a path"),
        ("identity: [.ID]", "", "identity: is missing"),
        ("eventType: best-practice", "eventType: Best Practice", "line 3: eventType: is 'Best Practice'"),
        ("details:\n  why: .Details[0]", "details: 3", "line 17: details: is 3, not an object"),
        ("details:\n", "category: odd\ndetails:\n", "line 17: category: is 'odd', not one of security"),
    ],
)
def test_errors_name_line_and_field(old, new, problem):
    text = EXAMPLE.decode()
    assert old in text
    with pytest.raises(ValueError, match="line") as raised:
        source(text.replace(old, new).encode())
    assert problem in str(raised.value)


def test_all_errors_are_found_at_once():
    document = read(b"name: X\nwebhook: {}\nidentity: 3\n")
    assert read_custom(document, document.value, (), frozenset()) is None
    assert len(document.problems) > 4


# --- paths


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (".", ()), (".a", ("a",)), (".a.b[0]['c.d']", ("a", "b", 0, "c.d")), ("['x']", ("x",)),
        ('["a\'b"]', ("a'b",)),
        (r"['it\'s']", ("it's",)), (".a-b_c", ("a-b_c",)), ("[3]", (3,)),
    ],
)  # fmt: skip
def test_paths(text, steps):
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    "text", ["", "a", "$.a", ".a.", "..a", ".a[", ".a[-1]", ".a[*]", ".a['']", ".a b", ".a" * 40]
)
def test_what_is_no_path(text):
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)


def test_a_path_that_leads_nowhere_is_none():
    value = {"a": [{"b": 1}], "c": None}
    found = [look_up(value, parse_path(text)) for text in (".a[0].b", ".a[1]", ".a.b", ".c.d", ".x")]
    assert found == [1, None, None, None, None]


@given(st.lists(st.text(min_size=1, max_size=5) | st.integers(0, 99), min_size=1, max_size=5))
def test_every_key_can_be_written(steps):
    quoted = (str(step).replace("\\", r"\\").replace("'", r"\'") for step in steps)
    written = "".join(
        f"[{step}]" if isinstance(step, int) else f"['{text}']" for step, text in zip(steps, quoted, strict=True)
    )
    if "\n" not in written:
        assert parse_path(written) == tuple(steps)


def test_the_examples_of_the_documentation_are_valid():
    page = (DATA.parents[1] / "docs" / "sources.md").read_text()
    (yaml,), (json,) = (re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("yaml", "json"))
    assert [source.name for source in read_configuration(yaml.encode(), {}).custom] == ["polaris"]
    assert read_filter(json.encode(), known=NAMES).everywhere.exclude_namespaces == ("dev-*",)

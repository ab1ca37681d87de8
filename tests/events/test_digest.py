"""The digest: deterministic, short, and honest about what cannot be judged."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import golden
from tests.events.samples import fields, observation
from tests.fakes import NOW
from zenctl.core.instants import format_instant
from zenctl.core.objects import ObjectKey, RawObject
from zenctl.core.report import Report, document
from zenctl.events.digest import Digest
from zenctl.events.digest_report import digest_report
from zenctl.events.select import Filter
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import FORMATS, View, render

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE = NOW - DAY
LONG = "x" * 63


def digest_of(*documents: dict[str, Any], wanted: Filter | None = None) -> Digest:
    found = Digest(wanted or Filter(), SINCE, NOW)
    for each in documents:
        metadata = each["metadata"]
        key = ObjectKey(metadata["namespace"], metadata["name"])
        found.add(OBSERVATIONS, RawObject(key, fields(each), b""))
    return found


def said(*documents: dict[str, Any]) -> Any:
    return document(digest_report(digest_of(*documents), mixed=False))["data"]


def at(ago: timedelta, name: str = "a", **more: Any) -> dict[str, Any]:
    return observation(name, timestamp=format_instant(NOW - ago), **more)


def text(report: Report, fmt: str, width: int | None = None) -> str:
    return "".join(render(report, fmt, View(width)))


def sample() -> Report:
    web = {"kind": "Pod", "name": "web-0"}
    documents = (
        at(HOUR, "new-1", severity="critical", message="a shell in\na container", source="falco", resource=web),
        at(2 * HOUR, "new-2", severity="HIGH", message="CVE-2026-1 in openssl, " + "a long story " * 9, resource=web),
        at(3 * HOUR, "new-3", severity="LOW"),
        at(41 * DAY, "old-1", severity="MEDIUM", message="run as root", status={"phase": "Acknowledged"}),
        at(50 * DAY, "gone", status={"phase": "Resolved", "resolvedAt": format_instant(NOW - HOUR)}),
        at(50 * DAY, "gone-2", status={"phase": "Resolved"}),
        at(2 * DAY, "odd", status={"phase": "Snoozed"}),
        observation("untimed", timestamp="soon", severity="CRITICAL"),
        at(-DAY, "ahead"),
    )
    return digest_report(digest_of(*documents), mixed=True)


@pytest.mark.parametrize("fmt", FORMATS)
def test_look(fmt):
    golden.check(f"events/digest.{fmt}.txt", text(sample(), fmt))


def test_look_on_a_terminal():
    golden.check("events/digest.table.80.txt", text(sample(), "table", 80))


def test_look_of_nothing():
    golden.check("events/digest-empty.markdown.txt", text(digest_report(digest_of(), mixed=False), "markdown"))


@pytest.mark.parametrize(
    ("ago", "new"), [(timedelta(0), 1), (DAY, 1), (DAY + timedelta(microseconds=1), 0), (-timedelta(seconds=1), 0)]
)
def test_new_is_what_lies_in_the_window(ago, new):
    found = said(at(ago))
    assert (found["new"], found["newSevere"]) == (new, new)


@pytest.mark.parametrize(
    ("resolved_at", "counts"),
    [
        (format_instant(NOW), (1, 0)),
        (format_instant(SINCE), (1, 0)),
        (format_instant(SINCE - HOUR), (0, 0)),
        (format_instant(NOW + HOUR), (0, 1)),
        ("yesterday", (0, 1)),
        (None, (0, 1)),
    ],
)
def test_resolved_is_what_was_resolved_in_the_window(resolved_at, counts):
    found = said(at(9 * DAY, status={"phase": "Resolved", "resolvedAt": resolved_at}))
    assert (found["resolved"], found["resolvedUntimed"]) == counts
    assert found["open"] == 0


def test_what_is_of_unknown_time_is_never_called_old_new_or_the_oldest():
    found = said(observation("a", timestamp="x", severity="CRITICAL"), at(-DAY, "b", severity="CRITICAL"))
    assert (found["new"], found["untimed"], found["future"], found["openUntimed"]) == (0, 1, 1, 2)
    assert (found["open"], found["oldestOpen"]) == (2, [])


def test_no_news_is_only_said_where_all_can_be_judged():
    assert "No new critical or high ones." in text(digest_report(digest_of(at(9 * DAY)), mixed=False), "table")
    doubtful = text(digest_report(digest_of(observation("a", timestamp="x")), mixed=False), "table")
    assert "No new critical or high ones are known; 1 have no time" in doubtful


def test_a_phase_that_nobody_knows_is_neither_open_nor_settled():
    found = said(at(HOUR, status={"phase": "Snoozed"}))
    assert (found["open"], found["resolved"], found["otherPhase"]) == (0, 0, 1)


def test_the_oldest_are_the_oldest_and_open():
    documents = [at(number * DAY, f"n{number}") for number in range(9)]
    documents.append(at(99 * DAY, "archived", status={"phase": "Archived"}))
    assert [row["name"] for row in said(*documents)["oldestOpen"]] == ["n8", "n7", "n6"]


def test_critical_comes_before_high_and_the_rest_is_counted():
    documents = [at(HOUR, f"h{number}", severity="HIGH") for number in range(20)]
    documents += [at(2 * HOUR, f"c{number}", severity="Critical") for number in range(2)]
    found = said(*documents)
    assert [row["name"] for row in found["newSevereRows"]][:3] == ["c0", "c1", "h0"]
    assert (len(found["newSevereRows"]), found["newSevere"]) == (8, 22)
    assert "(14 more)" in text(digest_report(digest_of(*documents), mixed=False), "markdown")


def test_a_filter_is_a_filter():
    found = digest_of(at(HOUR), at(HOUR, "b", source="falco"), wanted=Filter(sources=frozenset({"FALCO"})))
    assert found.new_total == 1


@given(st.randoms(use_true_random=False), st.integers(0, 30))
def test_order_and_split_change_nothing(rng: random.Random, cut: int):
    documents = [
        at(timedelta(hours=number), f"n{number}", severity=rng.choice(["HIGH", "CRITICAL", "x", None]),
           source=rng.choice(["a", "b", None]), status={"phase": rng.choice(["Active", "Resolved", "acknowledged"])})
        for number in range(30)
    ]  # fmt: skip
    whole = said(*documents)
    rng.shuffle(documents)
    first, second = digest_of(*documents[:cut]), digest_of(*documents[cut:])
    first.take(second)
    assert document(digest_report(first, mixed=False))["data"] == whole


def test_the_longest_digest_fits_a_chat_message():
    resource = {"kind": "CustomResourceDefinition", "name": LONG}
    documents = [
        observation(f"{LONG}-{number}", LONG, timestamp=format_instant(NOW - number * HOUR), severity=severity,
                    message="*_" * 5_000, source=f"{LONG * 5}{number}", resource=resource)
        for number in range(60)
        for severity in ("CRITICAL", f"odd{number}" * 20)
    ]  # fmt: skip
    found = digest_of(*documents, observation("x", timestamp=1), at(HOUR, status={"phase": "?"}))
    drawn = text(digest_report(found, mixed=True), "markdown")
    assert len(drawn.splitlines()) <= 30
    assert len(drawn) <= 5_000

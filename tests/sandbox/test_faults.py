"""Faults: what can be written, whom they strike, and that a seed repeats them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.faults import Fault, Faults, Verdict, parse_fault
from zenctl.sandbox.apiserver.routes import Route

LIST = Route("list", "/api/v1/pods", "", "v1", "pods")
CREATE = Route("create", "/apis/zen.kube-zen.io/v1alpha1/zenevents", "zen.kube-zen.io", "v1alpha1", "zenevents")


def _struck(faults: Faults, *routes: Route) -> list[bool]:
    return [faults.judge(route, lambda: None) != Verdict() for route in routes]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("429", Fault("429")),
        ("503:verb=list,resource=pods", Fault("503", verb="list", resource="pods")),
        ("500:path=/apis/zen,times=2,after=3,every=4", Fault("500", path="/apis/zen", times=2, after=3, every=4)),
        ("429:probability=0.25,retry-after=7", Fault("429", probability=0.25, retry_after_seconds=7)),
        ("reset:after-bytes=100", Fault("reset", after_bytes=100)),
        ("latency:seconds=0.2,jitter=0.1", Fault("latency", seconds=0.2, jitter=0.1)),
        ("skew:seconds=-5m", Fault("skew", seconds=-300.0)),
    ],
)
def test_a_fault_is_read(text, fault):
    found = parse_fault(text)
    assert found.text == text
    assert {k: getattr(found, k) for k in Fault.__slots__ if k != "text"} == {
        k: getattr(fault, k) for k in Fault.__slots__ if k != "text"
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no kind of fault"),
        ("399", "no kind of fault"),
        ("six", "no kind of fault"),
        ("429:", ""),
        ("429:verb", "no key=value"),
        ("429:colour=red", "the keys are"),
        ("429:times=-1", "no count"),
        ("429:probability=2", "between 0 and 1"),
        ("429:probability=nan", "between 0 and 1"),
        ("skew:seconds=inf", "longer than ten years"),
        ("latency:seconds=nan", "longer than ten years"),
        ("skew:seconds=-1e300", "longer than ten years"),
        ("latency", "needs seconds"),
        ("skew:seconds=never", "never"),
    ],
)
def test_what_is_no_fault_is_refused_in_words(text, words):
    if not words:
        assert parse_fault(text).kind == "429"
        return
    with pytest.raises(ValueError, match=words):
        parse_fault(text)


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text):
    with suppress(ValueError):
        parse_fault(text)


def test_only_what_it_is_about_is_struck():
    faults = Faults()
    faults.add(parse_fault("503:verb=create,resource=zenevents"))
    assert _struck(faults, LIST, CREATE, LIST) == [False, True, False]


def test_after_every_and_times_count_what_matches():
    faults = Faults()
    faults.add(parse_fault("500:verb=list,after=2,every=3,times=2"))
    assert _struck(faults, *[LIST] * 12) == [n in (2, 5) for n in range(12)]
    assert [times for _, times in faults.struck()] == [2]


def test_the_same_seed_strikes_the_same_requests():
    def run(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(parse_fault("429:probability=0.5"), parse_fault("503:probability=0.5,verb=create"))
        return _struck(faults, *[LIST, CREATE] * 100)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 40 < sum(run(1)[::2]) < 160


def test_one_faults_chance_does_not_depend_on_another():
    alone, together = Faults(), Faults()
    alone.add(parse_fault("429:probability=0.5,verb=list"))
    together.add(parse_fault("429:probability=0.5,verb=list"), parse_fault("503:probability=0.5,verb=create"))
    assert _struck(alone, *[LIST] * 50) == _struck(together, *[LIST, CREATE] * 50)[::2]


def test_what_each_kind_does():
    def verdict(text: str) -> Verdict:
        faults = Faults()
        faults.add(parse_fault(text))
        return faults.judge(LIST, lambda: None)

    throttled = verdict("429:retry-after=3").error
    assert throttled is not None
    assert (throttled.code, throttled.reason, throttled.headers) == (429, "TooManyRequests", (("Retry-After", "3"),))
    page = verdict("502").response
    assert page is not None
    assert (page.status, page.content_type) == (502, "text/html")
    late = verdict("latency:seconds=2").mishap
    assert late is not None
    assert (late.delay_seconds, late.cut_after_bytes) == (2.0, None)
    cut = verdict("reset:after-bytes=9").mishap
    assert cut is not None
    assert cut.cut_after_bytes == 9
    assert verdict("skew:seconds=-90").skew == timedelta(seconds=-90)


def test_several_faults_can_strike_one_request():
    faults = Faults()
    faults.add(parse_fault("latency:seconds=1"), parse_fault("reset:after-bytes=5"), parse_fault("skew:seconds=60"))
    verdict = faults.judge(LIST, lambda: None)
    assert verdict.mishap is not None
    assert (verdict.mishap.delay_seconds, verdict.mishap.cut_after_bytes) == (1.0, 5)
    assert verdict.skew == timedelta(minutes=1)


def test_cleared_faults_strike_no_more():
    faults = Faults()
    faults.add(parse_fault("500"))
    faults.clear()
    assert _struck(faults, LIST) == [False]

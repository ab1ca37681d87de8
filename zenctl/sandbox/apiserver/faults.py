"""Faults on purpose: which requests fail, and how, decided by a seed so that a run can be repeated.

A fault is written KIND[:key=value,...]. The kind is an HTTP status (such as 429 or 503), ``reset``, ``latency`` or
``skew``. The keys narrow it (verb, resource, path, after, every, times, probability) and say how it is
(retry-after, after-bytes, seconds, jitter). Each fault draws from a generator of its own, so that the same requests
in the same order meet the same fate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from random import Random
from typing import NamedTuple

from zenctl.core.durations import parse_duration
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.messages import Mishap, Response
from zenctl.sandbox.apiserver.routes import Route

FORM = "KIND[:key=value,...] with KIND an HTTP status from 400 to 599, reset, latency or skew"
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    413: "RequestEntityTooLarge", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
    503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_FROM_A_PROXY = frozenset({502})
_OTHERS = ("reset", "latency", "skew")
_MOST_SECONDS = 10 * 365 * 86_400
_KEYS = (
    "verb", "resource", "path", "after", "every", "times", "probability", "retry-after", "after-bytes", "seconds",
    "jitter",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of failure, and for which requests."""

    kind: str
    verb: str = ""
    resource: str = ""
    """With its subresources, or one of these alone: zenevents, zenevents/status."""
    path: str = ""
    """What the path begins with."""
    after: int = 0
    """How many matching requests are spared first."""
    every: int = 1
    """Then only each so many-th is considered."""
    times: int | None = None
    """How often it strikes at most."""
    probability: float = 1.0
    retry_after_seconds: int | None = None
    after_bytes: int = 0
    seconds: float = 0.0
    jitter: float = 0.0
    text: str = ""
    """As it was written."""

    def concerns(self, route: Route) -> bool:
        """Return whether a request is one of those that this fault is about."""
        return (
            self.verb in ("", route.verb)
            and self.resource in ("", route.resource, f"{route.resource}/{route.subresource}")
            and route.path.startswith(self.path)
        )


def parse_fault(text: str) -> Fault:
    """Read a fault. Raises ValueError that says what is wrong."""
    kind, _, rest = text.partition(":")
    if not (kind in _OTHERS or (kind.isascii() and kind.isdigit() and 400 <= int(kind) <= 599)):
        raise ValueError(f"{kind!r} is no kind of fault")
    given: dict[str, str] = {}
    for part in rest.split(",") if rest else ():
        key, equals, value = part.strip().partition("=")
        if key not in _KEYS or not equals or not value:
            raise ValueError(f"{part!r} is no key=value of a fault; the keys are {', '.join(_KEYS)}")
        given[key] = value
    try:
        return replace(_fault(kind, given), text=text)
    except ValueError as error:
        raise ValueError(f"fault {text!r}: {error}") from None


def _fault(kind: str, given: Mapping[str, str]) -> Fault:
    fault = Fault(kind, given.get("verb", ""), given.get("resource", ""), given.get("path", ""))
    fault = replace(
        fault,
        after=_count(given.get("after", "0")),
        every=max(1, _count(given.get("every", "1"))),
        times=_count(given["times"]) if "times" in given else None,
        probability=float(given.get("probability", "1")),
        retry_after_seconds=_count(given["retry-after"]) if "retry-after" in given else None,
        after_bytes=_count(given.get("after-bytes", "0")),
        seconds=_seconds(given.get("seconds", "0")),
        jitter=_seconds(given.get("jitter", "0")),
    )
    if not 0 <= fault.probability <= 1:
        raise ValueError("probability lies between 0 and 1")
    if fault.kind in ("latency", "skew") and not (fault.seconds or fault.jitter):
        raise ValueError(f"{kind} needs seconds")
    return fault


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is no count")
    return int(text)


def _seconds(text: str) -> float:
    """Read seconds, or a duration such as 5m; either may be negative, for clocks that run behind."""
    sign, size = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    try:
        seconds = float(size)
    except ValueError:
        seconds = parse_duration(size).total_seconds()
    if not abs(seconds) <= _MOST_SECONDS:  # nor is what is no number
        raise ValueError(f"{text!r} is longer than ten years")
    return sign * seconds


class Verdict(NamedTuple):
    """What becomes of one request."""

    error: ApiError | None = None
    response: Response | None = None
    mishap: Mishap | None = None
    skew: timedelta = timedelta()


@dataclass(slots=True)
class _Armed:
    fault: Fault
    random: Random
    met: int = 0
    struck: int = 0

    def strikes(self, route: Route) -> bool:
        """Return whether the fault strikes this request, and count it."""
        if not self.fault.concerns(route):
            return False
        self.met += 1
        beyond = self.met - self.fault.after
        if beyond <= 0 or (beyond - 1) % self.fault.every or self.struck == self.fault.times:
            return False
        if self.fault.probability < 1 and self.random.random() >= self.fault.probability:
            return False
        self.struck += 1
        return True


@dataclass(slots=True)
class Faults:
    """The faults that are in force."""

    seed: int = 0
    _armed: list[_Armed] = field(default_factory=list)

    def add(self, *faults: Fault) -> None:
        """Put faults in force."""
        for fault in faults:
            self._armed.append(_Armed(fault, Random(f"{self.seed}/{len(self._armed)}")))

    def clear(self) -> None:
        """Put every fault out of force."""
        self._armed.clear()

    def struck(self) -> Iterable[tuple[Fault, int]]:
        """Return how often each fault has struck."""
        return [(armed.fault, armed.struck) for armed in self._armed]

    def judge(self, route: Route, expired: Callable[[], ApiError | None]) -> Verdict:
        """Return what becomes of a request; ``expired`` makes the 410 that this very request could meet."""
        verdict = Verdict()
        for armed in self._armed:
            if armed.strikes(route):
                verdict = _worse(verdict, armed, expired)
        return verdict


def _worse(verdict: Verdict, armed: _Armed, expired: Callable[[], ApiError | None]) -> Verdict:
    fault = armed.fault
    wobble = fault.jitter * armed.random.random()
    if fault.kind == "skew":
        return verdict._replace(skew=timedelta(seconds=fault.seconds + wobble))
    before = verdict.mishap or Mishap()
    if fault.kind == "latency":
        return verdict._replace(mishap=replace(before, delay_seconds=max(0.0, fault.seconds + wobble)))
    if fault.kind == "reset":
        return verdict._replace(mishap=replace(before, cut_after_bytes=fault.after_bytes))
    status = int(fault.kind)
    if status in _FROM_A_PROXY:
        page = f"<html><body><h1>{status} {HTTPStatus(status).phrase}</h1></body></html>\n".encode()
        return verdict._replace(response=Response(status, page, "text/html"))
    error = (expired() if status == 410 else None) or ApiError(
        status, _REASONS.get(status, ""), "this fault was asked for (sandbox)"
    )
    if fault.retry_after_seconds is not None:
        error.headers = (*error.headers, ("Retry-After", str(fault.retry_after_seconds)))
    return verdict._replace(error=error)

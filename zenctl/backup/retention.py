"""The decision which archives of one group stay: restic's rules, a floor, and a reason for each archive.

Pure: no store, no clock, no notes; what is known about an archive comes in as a Backup. A rule keeps the newest
archive of each hour, day and so on, or of a window that ends at the newest one; an archive stays when any rule
keeps it. Only complete archives take a rule's places, and what is damaged, dated in the future or of unknown
namespaces is set apart: kept, and counted for nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from zenctl.core.durations import format_duration

FUTURE_SKEW = timedelta(minutes=5)
"""How far another machine's clock may be ahead before an archive counts as dated in the future."""
_FIRST = datetime.min.replace(tzinfo=UTC)


class Period(StrEnum):
    """What a rule keeps one archive of; EACH keeps every one. The value is the word for an archive so kept."""

    EACH = "last"
    HOUR = "hourly"
    DAY = "daily"
    WEEK = "weekly"
    MONTH = "monthly"
    YEAR = "yearly"

    def of(self, backup: Backup, zone: tzinfo) -> Hashable:
        """Return the hour, day, ISO week, month or year of an archive, as a calendar of the zone has it.

        An hour that a clock shows twice, when summer time ends, is one hour here.
        """
        local = backup.created_at.astimezone(zone)
        match self:
            case Period.EACH:
                return backup.name
            case Period.HOUR:
                return local.year, local.month, local.day, local.hour
            case Period.DAY:
                return local.year, local.month, local.day
            case Period.WEEK:
                return local.isocalendar()[:2]
            case Period.MONTH:
                return local.year, local.month
            case Period.YEAR:
                return local.year


class Rule(NamedTuple):
    """One rule: of how many periods, or within how long before the newest archive, to keep the newest archive.

    Neither of the two is "of every one".
    """

    period: Period
    places: int | None = None
    within: timedelta | None = None

    @property
    def word(self) -> str:
        """What an archive is that this rule keeps: "daily", "within 7d", "weekly within 60d"."""
        if self.within is None:
            return self.period.value
        each = "" if self.period is Period.EACH else f"{self.period.value} "
        return f"{each}within {format_duration(self.within)}"

    @property
    def text(self) -> str:
        """The rule for people: "last 3", "7 daily", "every yearly", "weekly within 60d"."""
        if self.within is not None:
            return self.word
        if self.period is Period.EACH:
            return "everything" if self.places is None else f"last {self.places}"
        return f"{'every' if self.places is None else self.places} {self.word}"


class Policy(NamedTuple):
    """The rules, how many complete archives stay whatever they say, and whose calendar counts."""

    rules: tuple[Rule, ...]
    min_keep: int
    zone: tzinfo


class Backup(NamedTuple):
    """What a judgement needs to know about an archive; names are unique in a group."""

    name: str
    created_at: datetime
    complete: bool = True
    """It holds everything that was asked for."""
    verified: bool = False
    damaged: bool = False
    """A verification found problems in it."""
    pinned: bool = False
    scope_known: bool = True
    """It is certain which namespaces it is of, and with that, to which group it belongs."""


class Judgement(NamedTuple):
    """What was decided about one archive: why it stays, or in one line why nothing keeps it."""

    backup: Backup
    keep: bool
    reasons: tuple[str, ...]


def judge(backups: Iterable[Backup], policy: Policy, now: datetime) -> tuple[Judgement, ...]:
    """Decide about every archive of one group; the newest comes first."""
    ordered = sorted(backups, key=_age, reverse=True)
    reasons: dict[str, list[str]] = {backup.name: [] for backup in ordered}
    considered: list[Backup] = []
    for backup in ordered:
        if backup.pinned:
            reasons[backup.name].append("pinned")
        apart = _set_apart(backup, now)
        if apart:
            reasons[backup.name].append(apart)
        else:
            considered.append(backup)
    complete = [backup for backup in considered if backup.complete]
    for name, reason in _kept(considered, complete, policy):
        reasons[name].append(reason)
    for backup in _floor(complete, policy.min_keep):
        # Of use to nobody where something else keeps it too.
        reasons[backup.name] = reasons[backup.name] or [f"one of the minimum of {policy.min_keep}"]
    return tuple(
        Judgement(b, bool(reasons[b.name]), tuple(reasons[b.name]) or (_unwanted(b),)) for b in ordered
    )  # fmt: skip


def _age(backup: Backup) -> tuple[datetime, str]:
    return backup.created_at, backup.name


def _set_apart(backup: Backup, now: datetime) -> str:
    """Return why an archive is kept and counted for nothing; "" where it is judged like the others."""
    if backup.damaged:
        return "found damaged"
    if backup.created_at > now + FUTURE_SKEW:
        return "dated in the future"
    return "" if backup.scope_known else "of namespaces that only its key can tell"


def _unwanted(backup: Backup) -> str:
    return "no rule keeps it" if backup.complete else "incomplete, and a newer one is complete"


def _kept(considered: Sequence[Backup], complete: Sequence[Backup], policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield archives that stay, each with a reason; both sequences are newest first."""
    newest_verified = next((backup for backup in complete if backup.verified), None)
    if newest_verified is not None:
        yield newest_verified.name, "last verified"
    for backup in considered:
        if not complete or _age(backup) > _age(complete[0]):
            yield backup.name, "incomplete, and no newer one is complete"
    for rule in policy.rules:
        yield from _picks(rule, complete, policy.zone)
        yield from _stand_ins(rule, considered, complete, policy.zone)


def _floor(complete: Sequence[Backup], min_keep: int) -> Sequence[Backup]:
    """Return the archives that stay whatever the rules say: the newest, verified ones first.

    They do not depend on the rules, so that one rule more can never let an archive go.
    """
    return sorted(complete, key=lambda backup: not backup.verified)[:min_keep]


def _picks(rule: Rule, complete: Sequence[Backup], zone: tzinfo) -> Iterator[tuple[str, str]]:
    """Yield the complete archives that a rule keeps: the newest of each period, and the oldest while places are left.

    The oldest of all lengthens the history until it is as long as the rule asks for.
    """
    left, last = rule.places, None
    start = _start(rule, complete)
    for backup in complete:
        if left == 0 or backup.created_at <= start:
            return
        period = rule.period.of(backup, zone)
        first = period != last
        if first or backup is complete[-1]:
            yield backup.name, rule.word if first else f"oldest {rule.word}"
            last, left = period, None if left is None else left - 1


def _stand_ins(
    rule: Rule, considered: Sequence[Backup], complete: Sequence[Backup], zone: tzinfo
) -> Iterator[tuple[str, str]]:
    """Yield incomplete archives from periods without a complete one, where a rule would keep one if there were."""
    settled = {rule.period.of(backup, zone) for backup in complete}
    newer: set[Hashable] = set()
    start = _start(rule, complete)
    for backup in considered:
        period = rule.period.of(backup, zone)
        if backup.created_at <= start or (rule.places is not None and len(newer) >= rule.places):
            return
        if backup.complete:
            newer.add(period)
        elif period not in settled:
            settled.add(period)
            # A window that keeps everything keeps it in its own right.
            whole = rule.period is Period.EACH and rule.within is not None
            yield backup.name, rule.word if whole else f"stands in as {rule.word}"


def _start(rule: Rule, complete: Sequence[Backup]) -> datetime:
    """Return the instant that an archive must be newer than to lie in the rule's window."""
    if rule.within is None or not complete:
        return _FIRST
    try:
        return complete[0].created_at - rule.within
    except OverflowError:
        return _FIRST

"""Retention once more, by definition and without any cleverness: the oracle of the property tests.

Each archive is asked by itself whether a rule keeps it, by counting the others. No test belongs in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from zenctl.backup.retention import Backup, Period, Policy, Rule

_FORMATS = {
    Period.HOUR: "%Y %m %d %H",
    Period.DAY: "%Y %m %d",
    Period.WEEK: "%G %V",
    Period.MONTH: "%Y %m",
    Period.YEAR: "%Y",
}


def kept(backups: Sequence[Backup], policy: Policy, now: datetime) -> set[str]:
    """Return the names of all archives that stay."""
    apart = {b.name for b in backups if b.damaged or not b.scope_known or b.created_at - now > timedelta(minutes=5)}
    judged = [b for b in backups if b.name not in apart]
    complete = [b for b in judged if b.complete]
    stay = apart | {b.name for b in backups if b.pinned}
    for backup in judged:
        newer_complete = [other for other in complete if _newer(other, backup)]
        if backup.complete:
            rank = len([o for o in complete if (o.verified, _age(o)) > (backup.verified, _age(backup))])
            by_rule = any(_rule_keeps(rule, backup, complete, policy.zone) for rule in policy.rules)
            if by_rule or rank < policy.min_keep:
                stay.add(backup.name)
        else:
            by_rule = any(_stands_in(rule, backup, judged, policy.zone) for rule in policy.rules)
            if by_rule or not newer_complete:
                stay.add(backup.name)
    return stay


def _rule_keeps(rule: Rule, backup: Backup, complete: Sequence[Backup], zone: tzinfo) -> bool:
    others = [other for other in complete if other.name != backup.name]
    newer = [other for other in others if _newer(other, backup)]
    if rule.within is not None:
        newest = max(other.created_at for other in complete)
        if newest - backup.created_at >= rule.within:
            return False
    newest_of_its_period = _key(rule, backup, zone) not in {_key(rule, other, zone) for other in newer}
    oldest_of_all = len(newer) == len(others)
    if not (newest_of_its_period or oldest_of_all):
        return False
    taken = len({_key(rule, other, zone) for other in newer})
    return rule.places is None or taken < rule.places


def _stands_in(rule: Rule, backup: Backup, judged: Sequence[Backup], zone: tzinfo) -> bool:
    same = [other for other in judged if _key(rule, other, zone) == _key(rule, backup, zone)]
    if any(other.complete or _newer(other, backup) for other in same):
        return False
    as_if_complete = [other for other in judged if other.complete] + [backup]
    newest = max((other.created_at for other in judged if other.complete), default=backup.created_at)
    if rule.within is not None and newest - backup.created_at >= rule.within:
        return False
    return _rule_keeps(rule._replace(within=None), backup, as_if_complete, zone)


def _key(rule: Rule, backup: Backup, zone: tzinfo) -> str:
    if rule.period is Period.EACH:
        return backup.name
    return backup.created_at.astimezone(zone).strftime(_FORMATS[rule.period])


def _age(backup: Backup) -> tuple[datetime, str]:
    return backup.created_at, backup.name


def _newer(one: Backup, other: Backup) -> bool:
    return _age(one) > _age(other)

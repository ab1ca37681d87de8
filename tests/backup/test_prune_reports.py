"""How pruning and pins are told, in every format."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests import golden
from tests.archive.fakes import MemoryStore
from tests.backup.shelf import STAGING, WatchedStore, add, daily, drill, footer_of, ports_of, prove, request
from tests.fakes import NOW
from zenctl.archive.reader import list_archives
from zenctl.backup.catalogue import Sound
from zenctl.backup.notes import read_notes, verified_name, write_pin
from zenctl.backup.prune import PruneOutcome, PrunePlan, apply, plan_prune
from zenctl.backup.prune_report import outcome_report, pin_report, plan_report
from zenctl.backup.report import list_report
from zenctl.backup.retention import Period, Policy, Rule
from zenctl.core.report import Report
from zenctl.errors import Denied, ExitCode
from zenctl.render import View, render

POLICY = Policy(
    (Rule(Period.DAY, 2), Rule(Period.WEEK), Rule(Period.EACH, within=timedelta(hours=36))),
    3,
    ZoneInfo("Europe/Berlin"),
)


def a_shelf() -> MemoryStore:
    """Return a store with everything once that a plan can say."""
    store = MemoryStore()
    made = daily(store, 8)
    add(store, 0x2000, age=timedelta(hours=6), complete=False)
    add(store, 0x2001, age=timedelta(days=3, hours=1), complete=False)
    add(store, 0x3000, age=-timedelta(days=2))
    add(store, 0x4000, namespaces=("team-a", "team-b"))
    add(store, 0x5000, cluster=STAGING)
    prove(store, made[4], level=3)
    prove(store, made[6], sound=False)
    drill(store, made[2], at=NOW - timedelta(hours=1))
    drill(store, made[1], equal=False)
    write_pin(store, made[5], footer_of(store, made[5]), reason="before the migration", at=NOW)
    prove(store, made[7], at=NOW - timedelta(days=3))
    store.blobs["gone.tar.verified.json"] = store.blobs[verified_name(made[7])]
    store.blobs["broken.tar"] = b"x" * 5120
    store.blobs[made[3] + ".verified.json"] = b"{"
    return store


def a_plan(store: MemoryStore | None = None) -> PrunePlan:
    return plan_prune(ports_of(store or a_shelf()), request(POLICY, cluster=None))


def timeless(outcome: PruneOutcome) -> PruneOutcome:
    return outcome._replace(seconds=0.25)


def prune_plan() -> Report:
    return plan_report(a_plan())


def pruned() -> Report:
    store = a_shelf()
    return outcome_report(timeless(apply(ports_of(store), a_plan(store))))


def pruned_in_part() -> Report:
    store = a_shelf()
    plan = a_plan(store)
    names = [item.archive.name for item in plan.removals]

    def disturb(what: str, name: str) -> None:
        if what == "delete" and name == names[0]:
            raise Denied("cannot delete it: permission denied")

    write_pin(store, names[1], footer_of(store, names[1]), reason="", at=NOW)
    outcome = apply(ports_of(WatchedStore(store, disturb)), plan)
    return outcome_report(timeless(outcome._replace(not_tried=1)))


def pruned_nothing() -> Report:
    store = MemoryStore()
    return outcome_report(timeless(apply(ports_of(store), plan_prune(ports_of(store), request(POLICY)))))


def listed_with_notes() -> Report:
    store = a_shelf()
    return list_report(list_archives(store), read_notes(store))


def pinned() -> Report:
    store = MemoryStore()
    name = add(store, 1)
    footer = footer_of(store, name)
    pin = write_pin(store, name, footer, reason="before the migration", at=NOW)
    return pin_report(Sound(name, store.size(name), footer), pin, changed=True)


def unpinned() -> Report:
    store = MemoryStore()
    name = add(store, 1)
    return pin_report(Sound(name, store.size(name), footer_of(store, name)), None, changed=False)


REPORTS = (prune_plan, pruned, pruned_in_part, pruned_nothing, listed_with_notes, pinned, unpinned)


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
@pytest.mark.parametrize("report", REPORTS, ids=lambda make: make.__name__)
def test_it_is_told_in_every_format(report, fmt):
    text = "".join(render(report(), fmt, View(width=None, colour=False)))
    golden.check(f"backup/{report.__name__}.{fmt}", text)


def test_the_plan_fits_a_narrow_terminal():
    text = "".join(render(prune_plan(), "table", View(width=80, colour=False)))
    assert max(map(len, text.splitlines())) <= 80


def test_damage_makes_the_verdict_of_a_listing_too():
    store = MemoryStore()
    name = add(store, 1)
    assert list_report(list_archives(store), read_notes(store)).verdict is ExitCode.GOOD
    prove(store, name, sound=False)
    assert list_report(list_archives(store), read_notes(store)).verdict is ExitCode.DAMAGED

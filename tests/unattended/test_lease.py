"""A Lease: who gets it, by whose clock, how it is kept, noticed to be lost, and given back."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import NOW, Call
from tests.unattended.samples import KEY, Town
from zenctl.cli.session import SystemClock
from zenctl.core.objects import LEASE
from zenctl.errors import ApiFailure, Conflict, Denied, NotFound, Refused, Unreachable
from zenctl.unattended.lease import (
    DURATION_SECONDS,
    MARGIN_SECONDS,
    HeldLease,
    LeaseSpec,
    free_in_seconds,
    micro_time,
)


@pytest.fixture
def town() -> Town:
    return Town()


def test_the_first_one_makes_it(town):
    assert town.lease("pod-a_1").acquire() == ""
    assert town.spec() == {
        "holderIdentity": "pod-a_1", "leaseDurationSeconds": 60, "leaseTransitions": 0,
        "acquireTime": micro_time(NOW), "renewTime": micro_time(NOW),
    }  # fmt: skip
    assert town.said == []


def test_a_second_one_is_refused_with_the_facts_as_soon_as_the_holder_has_proved_to_live(town):
    first = town.lease("pod-a_1")
    first.acquire()
    began = town.clock.monotonic()
    town.meanwhile(20, first.renew)
    with pytest.raises(Refused) as caught:
        town.lease("pod-b_2").acquire()
    facts = f"held by pod-a_1, since {NOW:%Y-%m-%d %H:%M:%S}Z, last renewed {NOW:%H:%M:%S}Z"
    assert caught.value.message == f"another backup is running: lease zen-system/zenctl-backup is {facts}"
    assert town.clock.monotonic() - began <= 22
    assert town.said == [f"lease zen-system/zenctl-backup is {facts}; seeing whether its holder lives"]
    first.check()


def test_one_that_was_given_back_is_free_at_once(town):
    first = town.lease("pod-a_1")
    first.acquire()
    first.release()
    assert not town.spec()["holderIdentity"]
    assert town.lease("pod-b_2").acquire() == ""
    assert (town.spec()["holderIdentity"], town.spec()["leaseTransitions"]) == ("pod-b_2", 1)
    assert town.said == []


def test_one_that_is_given_back_while_somebody_waits_is_his(town):
    first = town.lease("pod-a_1")
    first.acquire()
    town.meanwhile(10, first.release)
    assert town.lease("pod-b_2").acquire() == ""
    assert town.clock.monotonic() <= 12


def test_one_that_is_deleted_while_somebody_waits_is_made_anew(town):
    town.put(renewed=NOW)
    town.meanwhile(10, lambda: town.cluster.remove(LEASE, KEY))
    assert town.lease().acquire() == ""
    assert (town.spec()["holderIdentity"], town.spec()["leaseTransitions"]) == ("pod-a_1", 0)


@pytest.mark.parametrize("age_seconds", [0, 40, 74])
def test_one_whose_holder_is_gone_is_taken_over_when_it_has_run_out_and_not_before(town, age_seconds):
    town.put(renewed=NOW - timedelta(seconds=age_seconds))
    mine = town.lease()
    assert mine.acquire() == ""
    mine.check()
    assert town.clock.monotonic() == pytest.approx(DURATION_SECONDS + MARGIN_SECONDS - age_seconds)
    stored = town.cluster.stored(LEASE, KEY)
    assert (stored["metadata"]["labels"], stored["spec"]["leaseTransitions"]) == ({"kept": "yes"}, 5)


def test_one_that_has_run_out_long_ago_is_taken_at_once(town):
    town.put(renewed=NOW - timedelta(seconds=75))
    assert town.lease().acquire() == ""
    assert (town.clock.monotonic(), town.said) == (0, [])


@pytest.mark.parametrize("hours", [-10_000, -1, 1, 10_000])
def test_our_own_clock_is_never_asked(town, hours):
    town.clock._start += timedelta(hours=hours)
    town.put(renewed=NOW - timedelta(seconds=80))
    assert town.lease().acquire() == ""
    assert town.clock.monotonic() == 0
    assert town.spec()["renewTime"] == micro_time(NOW)


@pytest.mark.parametrize(
    ("renewed", "seconds"),
    [(None, 60), ("soon", 60), ("2026-01-01T00:00:00", 60), (NOW + timedelta(hours=1), 60), (NOW, None), (NOW, 0)],
)
def test_one_whose_times_say_nothing_has_to_stay_untouched_for_as_long_as_it_lasts(town, renewed, seconds):
    town.put(renewed=renewed, seconds=seconds)
    assert town.lease().acquire() == ""
    assert town.clock.monotonic() == pytest.approx(75)


def test_a_lease_that_lasts_for_years_is_not_watched_for_years(town):
    town.put(renewed="soon", seconds=10**9)
    town.lease().acquire()
    assert town.clock.monotonic() <= 301


@given(age_seconds=st.integers(-(10**6), 10**6), duration_seconds=st.integers(1, 200))
def test_nobody_is_robbed_before_the_end_and_nobody_waits_for_ever(age_seconds, duration_seconds):
    spec = LeaseSpec("x", duration_seconds, None, micro_time(NOW - timedelta(seconds=age_seconds)))
    waits_seconds = free_in_seconds(spec, NOW)
    assert waits_seconds == max(0, duration_seconds + MARGIN_SECONDS - max(0, age_seconds))


# -- races -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [False, True])
def test_of_two_that_come_at_once_one_gets_it(town, there):
    if there:
        town.put(renewed=NOW, holder="")
    other = town.lease("pod-b_2")

    def be_faster(call: Call) -> None:
        if call.verb in ("create", "update") and be_faster in town.cluster.hooks:
            town.cluster.hooks.remove(be_faster)
            other.acquire()

    town.cluster.hooks.append(be_faster)
    town.meanwhile(20, other.renew)
    with pytest.raises(Refused, match="held by pod-b_2"):
        town.lease("pod-a_1").acquire()
    other.check()


def test_an_answer_that_was_lost_is_no_other_holder(town):
    """The write was carried out, and its repetition answered with a conflict."""
    lost = iter([Conflict("exists", status=409)])

    def lose(call: Call) -> None:
        if call.verb == "create" and (error := next(lost, None)) is not None:
            town.put(renewed=NOW, holder="pod-a_1")
            raise error

    town.cluster.hooks.append(lose)
    mine = town.lease("pod-a_1")
    assert mine.acquire() == ""
    mine.check()


def test_one_that_everybody_writes_all_the_time_is_given_up(town):
    town.cluster.fail("create", Conflict("exists", status=409))
    with pytest.raises(Refused, match="written by others all the time"):
        town.lease().acquire()


# -- a cluster that has none for us ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "error"),
    [("get", Denied("may not")), ("create", Denied("may not")), ("create", NotFound("no namespace", status=404))],
)
def test_what_the_cluster_does_not_let_us_have_is_said(town, verb, error):
    town.cluster.fail(verb, error)
    assert town.lease().acquire() == error.message


def test_other_troubles_are_errors(town):
    town.cluster.fail("get", ApiFailure("broken", status=500))
    with pytest.raises(ApiFailure):
        town.lease().acquire()
    town.lease().release()


# -- keeping it --------------------------------------------------------------------------------------------


def test_renewals_keep_it_for_any_time(town):
    mine = town.lease()
    mine.acquire()
    for _ in range(100):
        town.pass_time(20)
        mine.renew()
        mine.check()
    assert town.spec()["renewTime"] == micro_time(NOW + timedelta(seconds=2_000))
    assert town.spec()["acquireTime"] == micro_time(NOW)


def test_troubles_that_pass_in_time_do_no_harm(town):
    mine = town.lease()
    mine.acquire()
    town.cluster.fail("update", Unreachable("no answer"), times=2)
    for _ in range(3):
        town.pass_time(19)
        mine.renew()
        mine.check()
    town.pass_time(59)
    mine.check()


def test_one_that_could_not_be_renewed_until_its_end_is_lost_before_others_may_take_it(town):
    mine = town.lease()
    mine.acquire()
    town.cluster.fail("update", Unreachable("no answer from here"))
    town.pass_time(59)
    mine.renew()
    mine.check()
    town.pass_time(1)
    with pytest.raises(
        Refused, match=r"could not be renewed for 1m.*this backup was stopped \(no answer from here\)"
    ):
        mine.check()
    town.cluster.hooks.clear()
    lost_at = town.clock.monotonic()
    assert town.lease("pod-b_2").acquire() == ""
    assert town.clock.monotonic() - lost_at == pytest.approx(MARGIN_SECONDS)


def test_one_that_nobody_could_write_while_the_server_was_away_is_renewed_when_it_is_asked_for(town):
    mine = town.lease()
    mine.acquire()
    town.pass_time(200)
    mine.check()
    assert town.spec()["renewTime"] == micro_time(NOW + timedelta(seconds=200))


def test_one_that_was_taken_while_nobody_renewed_it_is_lost(town):
    mine = town.lease("pod-a_1")
    mine.acquire()
    town.pass_time(200)
    town.change(holderIdentity="pod-b_2")
    with pytest.raises(Refused, match="lost: it is held by pod-b_2"):
        mine.check()
    assert town.spec()["holderIdentity"] == "pod-b_2"


def test_one_that_was_taken_is_lost_and_not_written_again(town):
    mine = town.lease("pod-a_1")
    mine.acquire()
    town.change(holderIdentity="pod-b_2\x1b[2J")
    mine.renew()
    with pytest.raises(Refused, match=r"lost: it is held by pod-b_2\\x1b"):
        mine.check()
    mine.release()
    assert town.spec()["holderIdentity"].startswith("pod-b_2")


def test_one_that_was_deleted_is_lost(town):
    mine = town.lease()
    mine.acquire()
    town.cluster.remove(LEASE, KEY)
    mine.renew()
    with pytest.raises(Refused, match="somebody deleted it"):
        mine.check()


def test_one_of_which_a_label_was_changed_is_kept_with_the_label(town):
    mine = town.lease()
    mine.acquire()
    document = town.cluster.stored(LEASE, KEY)
    document["metadata"]["labels"] = {"by": "a person"}
    town.cluster.put(LEASE, document)
    town.pass_time(20)
    mine.renew()
    mine.check()
    assert town.spec()["renewTime"] == micro_time(NOW + timedelta(seconds=20))
    assert town.cluster.stored(LEASE, KEY)["metadata"]["labels"] == {"by": "a person"}


def test_giving_it_back_twice_or_without_having_it_is_harmless(town):
    town.lease().release()
    mine = town.lease()
    mine.acquire()
    mine.release()
    town.lease("pod-b_2").acquire()
    mine.release()
    assert town.spec()["holderIdentity"] == "pod-b_2"


def test_a_thread_renews_it_and_ends_with_it():
    town = Town()
    mine = HeldLease(town.ports(SystemClock()), KEY, "pod-a_1", "backup", seconds=0.3)
    mine.acquire()
    before = town.spec()["renewTime"]
    deadline = time.monotonic() + 10
    while town.spec()["renewTime"] == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    mine.check()
    thread = mine._thread
    mine.release()
    assert thread is not None
    assert not thread.is_alive()


def test_the_thread_ends_where_it_is_lost():
    town = Town()
    mine = HeldLease(town.ports(SystemClock()), KEY, "pod-a_1", "backup", seconds=0.3)
    mine.acquire()
    town.cluster.remove(LEASE, KEY)
    assert mine._thread is not None
    mine._thread.join(10)
    assert not mine._thread.is_alive()
    with pytest.raises(Refused):
        mine.check()

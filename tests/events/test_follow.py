"""Following: whatever is cut off and forgotten in between, no state comes twice and the last of each always comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.events.samples import fields, observation
from tests.fakes import Call, FakeCluster, FixedClock
from zenctl.core.objects import ObjectKey
from zenctl.core.observation import ObservationFields
from zenctl.errors import Expired, Unreachable
from zenctl.events.follow import Change, Followed, FollowPorts, Tracker, follow
from zenctl.ports import ALL, ListQuery, WatchEvent
from zenctl.product.crd import OBSERVATIONS

Step = Callable[["Scripted"], object]
EXPIRED = Expired("too old resource version", status=410, reason="Expired")


class Scripted(FakeCluster):
    """A cluster in which a step of a script happens whenever a watch has nothing more to tell; then it ends."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(OBSERVATIONS, page_size=3)
        self.steps = list(steps)
        self.lists = 0
        self.said: list[str] = []

    def pages(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        self.lists += 1
        return super().pages(*arguments, **options)

    def watch(self, resource: Any, kind: Any, query: ListQuery, since: str) -> Iterator[WatchEvent[Any]]:
        while True:
            for event in super().watch(resource, kind, query, since):
                since = event.object.fields.metadata.resource_version
                yield event
            if not self.steps:
                return
            self.steps.pop(0)(self)

    def followed(self, query: ListQuery = ALL) -> list[Followed | None]:
        ports = FollowPorts(self, FixedClock(), self.said.append)
        return list(follow(ports, OBSERVATIONS, query))


def put(name: str, phase: str | None = None, **spec: Any) -> Step:
    return lambda cluster: cluster.put(
        OBSERVATIONS, observation(name, status=None if phase is None else {"phase": phase}, **spec)
    )


def remove(name: str) -> Step:
    def step(cluster: Scripted) -> None:
        if (key := ObjectKey("team-a", name)) in cluster.keys(OBSERVATIONS):
            cluster.remove(OBSERVATIONS, key)

    return step


def away(*steps: Step) -> Step:
    """Let things happen while nobody watches, and forget them: the watch ends with 410."""

    def step(cluster: Scripted) -> None:
        for each in steps:
            each(cluster)
        cluster.forget_history()
        raise EXPIRED

    return step


def seen(found: list[Followed | None]) -> list[tuple[str, str, str | None]]:
    return [(each.fields.metadata.name, each.change.value, each.phase_before) for each in found if each]


def test_what_is_there_comes_first_and_then_what_happens():
    cluster = Scripted(put("b"), put("b", "Resolved"), put("b", "Resolved", message="x"), remove("b"))
    put("a")(cluster)
    found = cluster.followed()
    assert found[1] is None
    assert seen(found) == [
        ("a", "present", None), ("b", "added", None), ("b", "phase", "Active"), ("b", "changed", None),
        ("b", "deleted", None),
    ]  # fmt: skip
    assert cluster.lists == 1


def test_an_absent_phase_is_active_and_no_change_of_phase():
    cluster = Scripted(put("a", "Active"))
    put("a")(cluster)
    assert seen(cluster.followed()) == [("a", "present", None), ("a", "changed", None)]


def test_after_410_only_what_is_new_comes_again():
    cluster = Scripted(
        put("b"),
        away(put("c"), put("a", "Resolved"), remove("d")),
        put("e"),
        away(),
        put("b", "Archived"),
    )
    for name in ("a", "d"):
        put(name)(cluster)
    assert seen(cluster.followed()) == [
        ("a", "present", None), ("d", "present", None), ("b", "added", None),
        ("a", "phase", "Active"), ("c", "added", None), ("e", "added", None), ("b", "phase", "Active"),
    ]  # fmt: skip
    assert cluster.lists == 3
    assert cluster.said == ["1 of what was there was deleted while the watch was cut off"]


def test_one_that_was_deleted_and_made_again_while_away_is_a_new_one():
    cluster = Scripted(away(remove("a"), put("a")))
    put("a")(cluster)
    assert seen(cluster.followed()) == [("a", "present", None), ("a", "added", None)]


def test_a_first_list_that_begins_again_is_still_the_beginning():
    cluster = Scripted(put("z"))
    for name in "abcde":
        put(name)(cluster)
    calls = iter(range(99))
    cluster.hooks.append(lambda call: _again(cluster, next(calls), call.verb))
    found = seen(cluster.followed())
    assert found == [(name, "present", None) for name in "abc"] + [
        ("a0", "present", None), ("d", "present", None), ("e", "present", None), ("z", "added", None),
    ]  # fmt: skip


def test_what_only_a_void_page_has_told_is_not_there():
    cluster = Scripted(away())
    for name in "abcde":
        put(name)(cluster)
    calls = iter(range(99))

    def begin_again(call: Call) -> None:
        if call.verb == "list" and next(calls) == 3:  # the second page of the second list
            remove("a")(cluster)
            raise EXPIRED

    cluster.hooks.append(begin_again)
    assert len(seen(cluster.followed())) == 5
    assert cluster.said == ["1 of what was there was deleted while the watch was cut off"]


def _again(cluster: FakeCluster, number: int, verb: str) -> None:
    if verb == "list" and number == 1:
        put("a0")(cluster)  # type: ignore[arg-type]
        raise EXPIRED


def test_a_selector_of_labels_makes_leaving_it_a_deletion():
    def labelled(name: str, **labels: str) -> Step:
        def step(cluster: Scripted) -> None:
            document = observation(name)
            document["metadata"]["labels"] = labels
            cluster.put(OBSERVATIONS, document)

        return step

    cluster = Scripted(labelled("a", tier="1"), labelled("a"))
    assert seen(cluster.followed(ListQuery(None, "tier=1"))) == [("a", "added", None), ("a", "deleted", None)]


def test_a_server_that_forgets_faster_than_it_is_listed_is_given_up():
    cluster = Scripted(*[away()] * 99)
    with pytest.raises(Expired):
        cluster.followed()
    assert cluster.lists == 8


def test_a_server_that_forgets_now_and_then_is_never_given_up():
    steps = [step for number in range(20) for step in (away(), put(f"n{number:02}"))]
    assert len(seen(Scripted(*steps).followed())) == 20


def test_other_errors_pass_through():
    def fail(_cluster: Scripted) -> None:
        raise Unreachable("gone")

    with pytest.raises(Unreachable):
        Scripted(fail).followed()


def known(version: str, phase: str = "Active", uid: str = "u") -> ObservationFields:
    document = observation("a", status={"phase": phase})
    document["metadata"] |= {"uid": uid, "resourceVersion": version}
    return fields(document)


def test_the_tracker_takes_the_same_state_once_however_it_comes():
    tracker = Tracker()
    tracker.begin()
    assert tracker.listed(known("1")) == Followed(Change.PRESENT, known("1"))
    assert tracker.listed(known("1")) is None
    assert tracker.end() == 0
    assert tracker.happened("ADDED", known("1")) is None
    assert tracker.happened("MODIFIED", known("2", "Resolved")) == Followed(
        Change.PHASE, known("2", "Resolved"), "Active"
    )
    assert tracker.happened("MODIFIED", known("2", "Resolved")) is None
    assert tracker.happened("DELETED", known("3", uid="unheard of")) is None
    assert tracker.happened("DELETED", known("3")) == Followed(Change.DELETED, known("3"))
    assert tracker.happened("DELETED", known("3")) is None


NAMES = st.sampled_from("abcd")
WRITES = st.one_of(
    st.builds(put, NAMES, st.sampled_from(["Active", "Resolved", "Archived", None]), message=st.sampled_from("xyz")),
    st.builds(remove, NAMES),
)
STEPS = st.one_of(WRITES, st.lists(WRITES, max_size=4).map(lambda steps: away(*steps)))


@given(st.lists(WRITES, max_size=5), st.lists(STEPS, max_size=12))
def test_whatever_happens_no_state_comes_twice_and_the_last_of_each_comes(before, steps):
    cluster = Scripted(*steps)
    for step in before:
        step(cluster)
    try:
        found = [each for each in cluster.followed() if each]
    except Expired:
        return  # eight in a row with nothing between
    states = [
        (each.fields.metadata.uid, each.fields.metadata.resource_version)
        for each in found
        if each.change is not Change.DELETED
    ]
    assert len(states) == len(set(states))
    last = dict(states)
    for key in cluster.keys(OBSERVATIONS):
        metadata = cluster.stored(OBSERVATIONS, key)["metadata"]
        assert last[metadata["uid"]] == metadata["resourceVersion"]

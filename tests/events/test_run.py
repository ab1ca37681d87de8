from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.events.samples import DECISION, GROUP, WITHOUT_STATUS, cluster_of, observation, ports_of
from tests.fakes import NOW, Call, FakeCluster
from zenctl.core.instants import format_instant
from zenctl.core.objects import ObjectKey
from zenctl.errors import Conflict, Denied, ExitCode, Expired, NotFound, Refused, Unreachable, UsageError
from zenctl.events.names import parse_names
from zenctl.events.run import RETRIES, Became, ListRequest, Outcome, list_events, read_named, settle_named
from zenctl.events.select import Filter, SortBy, ordering
from zenctl.events.settle import Action
from zenctl.ports import ListQuery
from zenctl.product.crd import OBSERVATIONS

A, B = ObjectKey("team-a", "one"), ObjectKey("team-b", "two")


def request(wanted: Filter | None = None, query: ListQuery | None = None, limit: int | None = None) -> ListRequest:
    return ListRequest(query or ListQuery(), wanted or Filter(), ordering(SortBy.NAME), limit)


def names_in(cluster: FakeCluster, asked: ListRequest) -> list[str]:
    return [row.name for row in list_events(ports_of(cluster), GROUP, asked, NOW).rows]


def settle(cluster: FakeCluster, *names: str, action: Action = Action.RESOLVE, namespace: str = "") -> Outcome:
    decision = DECISION._replace(action=action)
    return settle_named(ports_of(cluster), GROUP, parse_names(names, namespace), decision)


def results(outcome: Outcome) -> list[Became]:
    return [each.result for each in outcome.settled]


def stored_status(cluster: FakeCluster, key: ObjectKey = A) -> Any:
    return cluster.stored(OBSERVATIONS, key).get("status")


# -- listing -------------------------------------------------------------------------------------------------


def test_everything_of_the_kind_is_listed_whatever_it_is_called():
    cluster = FakeCluster(OBSERVATIONS, WITHOUT_STATUS, now=NOW)
    for number in range(5):
        cluster.put(OBSERVATIONS, observation(f"e{number}"))
    cluster.put(WITHOUT_STATUS, observation("e2"))

    listing = list_events(ports_of(cluster), GROUP, request(), NOW)

    assert [row.name for row in listing.rows] == ["e0", "e1", "e2", "e2", "e3", "e4"]
    assert (listing.matched, listing.untimed, listing.mixed) == (6, 0, False)


def test_namespace_and_labels_are_the_servers_business():
    labelled = observation("one")
    labelled["metadata"]["labels"] = {"severity": "high"}
    cluster = cluster_of(labelled, observation("two"), observation("three", "team-b"))
    assert names_in(cluster, request(query=ListQuery("team-a"))) == ["one", "two"]
    assert names_in(cluster, request(query=ListQuery(None, "severity in (high, low)"))) == ["one"]


def test_a_limit_cuts_the_rows_off_and_counts_what_matched():
    cluster = cluster_of(*(observation(f"e{number}") for number in range(9)))
    listing = list_events(ports_of(cluster), GROUP, request(limit=2), NOW)
    assert [row.name for row in listing.rows] == ["e0", "e1"]
    assert listing.matched == 9


def test_an_unreadable_time_is_left_out_of_a_window_and_counted():
    cluster = cluster_of(observation("good"), observation("odd", timestamp="soon"), observation("bad", timestamp=1))
    listing = list_events(ports_of(cluster), GROUP, request(Filter(since=NOW)), NOW)
    assert [row.name for row in listing.rows] == ["good"]
    assert (listing.matched, listing.untimed) == (1, 2)
    assert names_in(cluster, request()) == ["bad", "good", "odd"]


def expire_once_after(cluster: FakeCluster, pages: int) -> None:
    expired = Expired("the continue token is too old", status=410)

    def hook(call: Call) -> None:
        if call.verb == "list" and len(cluster.calls) == pages + 1:
            cluster.put(OBSERVATIONS, observation("e0-new"))
            raise expired

    cluster.hooks.append(hook)


def test_a_listing_that_begins_again_counts_nothing_twice():
    cluster = cluster_of(*(observation(f"e{number}", timestamp="odd") for number in range(5)))
    expire_once_after(cluster, 2)
    listing = list_events(ports_of(cluster), GROUP, request(), NOW)
    assert [row.name for row in listing.rows] == ["e0", "e0-new", "e1", "e2", "e3", "e4"]
    assert (listing.matched, listing.mixed) == (6, False)


def test_a_listing_that_outlives_its_snapshot_says_so():
    cluster = cluster_of(*(observation(f"e{number}") for number in range(5)))
    expired = Expired("the continue token is too old", status=410)
    expired.continue_token = "go on"
    cluster.hooks.append(lambda call: _raise_on(cluster, {2, 4, 6}, expired))
    listing = list_events(ports_of(cluster), GROUP, request(), NOW)
    assert [row.name for row in listing.rows] == ["e0", "e1", "e2", "e3", "e4"]
    assert listing.mixed


def _raise_on(cluster: FakeCluster, numbers: set[int], error: Exception) -> None:
    if len(cluster.calls) in numbers:
        raise error


def test_a_cluster_without_the_kind_is_refused_with_a_way_out():
    with pytest.raises(Refused, match=r"serves no resources of the group zen\.kube-zen\.io"):
        list_events(ports_of(FakeCluster()), GROUP, request(), NOW)


def test_a_selector_that_the_server_cannot_read_is_a_usage_error():
    with pytest.raises(UsageError, match="selector"):
        names_in(cluster_of(observation("one")), request(query=ListQuery(None, "severity in (")))


def test_a_list_that_is_denied_ends_the_command():
    cluster = cluster_of(observation("one"))
    cluster.forbidden.add(f"list {OBSERVATIONS.full_name}")
    with pytest.raises(Denied):
        list_events(ports_of(cluster), GROUP, request(), NOW)


# -- finding -------------------------------------------------------------------------------------------------


def found(cluster: FakeCluster, name: str, namespace: str = "") -> Sequence[Any]:
    return read_named(ports_of(cluster), GROUP, parse_names([name], namespace))


@pytest.mark.parametrize(("name", "namespace"), [("team-a/one", ""), ("one", "team-a"), ("one", ""), ("two", "")])
def test_an_observation_is_found_by_its_name(name, namespace):
    cluster = cluster_of(observation("one"), observation("two", "team-b"), observation("three"))
    (only,) = found(cluster, name, namespace)
    assert only.key == (B if name == "two" else A)
    assert only.document == cluster.stored(OBSERVATIONS, only.key)


@pytest.mark.parametrize(("name", "namespace"), [("team-b/one", ""), ("one", "team-b"), ("nobody", "")])
def test_a_name_that_is_not_there_is_refused(name, namespace):
    with pytest.raises(Refused, match="there is no Observation") as refused:
        found(cluster_of(observation("one")), name, namespace)
    assert refused.value.code is ExitCode.REFUSED


def test_a_name_that_several_have_is_a_usage_error_that_lists_them():
    cluster = cluster_of(observation("one"), observation("one", "team-b"))
    with pytest.raises(UsageError, match="one is the name of 2 Observations: team-a/one, team-b/one"):
        found(cluster, "one")


def test_an_unreachable_server_is_not_a_missing_object():
    cluster = cluster_of(observation("one"))
    cluster.fail("get", Unreachable("no route"))
    with pytest.raises(Unreachable):
        found(cluster, "team-a/one")


# -- settling ------------------------------------------------------------------------------------------------


def test_settling_writes_the_status_and_nothing_else():
    before = observation("one", status={"phase": "Active", "count": 4, "vendor": {"x": 1.5}})
    cluster = cluster_of(before)
    spec = cluster.stored(OBSERVATIONS, A)["spec"]

    outcome = settle(cluster, "team-a/one")

    assert results(outcome) == [Became.SETTLED]
    assert outcome.settled[0].before == "Active"
    assert outcome.verdict is ExitCode.GOOD
    assert stored_status(cluster) == {
        "phase": "Resolved",
        "count": 4,
        "vendor": {"x": 1.5},
        "resolvedAt": format_instant(NOW),
        "conditions": [
            {
                "type": "Resolved",
                "status": "True",
                "reason": "SettledByUser",
                "message": "patched (ann)",
                "lastTransitionTime": format_instant(NOW),
            }
        ],
    }
    assert cluster.stored(OBSERVATIONS, A)["spec"] == spec
    assert [call.rule.split()[0] for call in cluster.calls] == ["get", "update"]
    assert cluster.calls[1].subresource == "status"


def test_what_is_in_that_phase_already_is_not_written():
    cluster = cluster_of(observation("one", status={"phase": "Resolved"}))
    before = cluster.stored(OBSERVATIONS, A)
    assert results(settle(cluster, "one")) == [Became.UNCHANGED]
    assert cluster.stored(OBSERVATIONS, A) == before
    assert all(call.verb != "update" for call in cluster.calls)


def test_a_resource_without_a_status_subresource_is_replaced_whole():
    cluster = FakeCluster(WITHOUT_STATUS)
    cluster.put(WITHOUT_STATUS, observation("one", status={"count": 2}, details={"kept": True}))
    before = cluster.stored(WITHOUT_STATUS, A)

    assert results(settle(cluster, "one", action=Action.ARCHIVE)) == [Became.SETTLED]

    after = cluster.stored(WITHOUT_STATUS, A)
    assert (after["status"]["phase"], after["status"]["count"]) == ("Archived", 2)
    assert after["spec"] == before["spec"]
    assert cluster.calls[-1].subresource == ""


def reported_again(cluster: FakeCluster, times: int) -> None:
    """Let the watcher write in between: just before each of so many of our writes."""
    left = iter(range(times))

    def hook(call: Call) -> None:
        if call.verb == "update" and next(left, None) is not None:
            document = cluster.stored(OBSERVATIONS, call.key)
            status = document.setdefault("status", {})
            status["count"] = status.get("count", 0) + 1
            cluster.put(OBSERVATIONS, document)

    cluster.hooks.append(hook)


@pytest.mark.parametrize("times", [1, RETRIES])
def test_a_conflict_is_decided_anew_on_what_is_there_now(times):
    cluster = cluster_of(observation("one"))
    reported_again(cluster, times)
    outcome = settle(cluster, "one")
    assert results(outcome) == [Became.SETTLED]
    assert stored_status(cluster)["count"] == times
    assert stored_status(cluster)["phase"] == "Resolved"


def test_conflicts_without_end_are_given_up_and_said():
    cluster = cluster_of(observation("one"))
    reported_again(cluster, 99)
    outcome = settle(cluster, "one")
    assert results(outcome) == [Became.FAILED]
    assert outcome.verdict is ExitCode.PARTIAL
    assert "changed under each of 6 attempts" in str(outcome.settled[0].error)
    assert stored_status(cluster)["count"] == 1 + RETRIES


def test_what_somebody_else_settled_meanwhile_is_unchanged():
    cluster = cluster_of(observation("one"))

    def hook(call: Call) -> None:
        if call.verb == "update":
            cluster.put(OBSERVATIONS, observation("one", status={"phase": "Resolved", "by": "bob"}))

    cluster.hooks.append(hook)
    assert results(settle(cluster, "one")) == [Became.UNCHANGED]
    assert stored_status(cluster) == {"phase": "Resolved", "by": "bob"}


def test_our_own_write_whose_answer_was_lost_is_settled():
    cluster = cluster_of(observation("one"))
    conflict = Conflict("the object has been modified", status=409)

    class Flaky(FakeCluster):
        def replace_status(self, resource: Any, key: Any, body: bytes) -> Any:
            super().replace_status(resource, key, body)
            raise conflict

    flaky = Flaky(OBSERVATIONS)
    flaky.put(OBSERVATIONS, cluster.stored(OBSERVATIONS, A))
    assert results(settle(flaky, "one")) == [Became.SETTLED]


def test_an_object_that_was_made_again_meanwhile_is_left_alone():
    cluster = cluster_of(observation("one"))

    def hook(call: Call) -> None:
        if call.verb == "update":
            cluster.remove(OBSERVATIONS, A)
            cluster.put(OBSERVATIONS, observation("one"))

    cluster.hooks.append(hook)
    outcome = settle(cluster, "one")
    assert results(outcome) == [Became.FAILED]
    assert "deleted and made again" in str(outcome.settled[0].error)
    assert stored_status(cluster) is None


def test_an_object_that_is_deleted_meanwhile_is_a_failure_of_its_own():
    cluster = cluster_of(observation("one"))
    cluster.hooks.append(lambda call: cluster.remove(OBSERVATIONS, A) if call.verb == "update" else None)
    outcome = settle(cluster, "one")
    assert isinstance(outcome.settled[0].error, NotFound)
    assert outcome.verdict is ExitCode.REFUSED


def test_a_server_that_drops_the_phase_is_not_called_success():
    class Pruning(FakeCluster):
        def replace_status(self, resource: Any, key: Any, body: bytes) -> Any:
            document = msgspec.json.decode(body)
            del document["status"]["phase"]
            return super().replace_status(resource, key, msgspec.json.encode(document))

    cluster = Pruning(OBSERVATIONS)
    cluster.put(OBSERVATIONS, observation("one"))
    outcome = settle(cluster, "one")
    assert results(outcome) == [Became.FAILED]
    assert "dropped its phase" in str(outcome.settled[0].error)
    assert outcome.verdict is ExitCode.PARTIAL


def test_one_failure_does_not_stop_the_others_and_order_stays():
    twins = (observation("same"), observation("same", "team-b"))
    done = observation("done", status={"phase": "Resolved"})
    cluster = cluster_of(observation("one"), observation("two", "team-b"), *twins, done)
    outcome = settle(cluster, "nobody", "two", "same", "team-a/one", "done")

    assert [str(each.name) for each in outcome.settled] == ["nobody", "two", "same", "team-a/one", "done"]
    assert results(outcome) == [Became.FAILED, Became.SETTLED, Became.FAILED, Became.SETTLED, Became.UNCHANGED]
    codes = [each.error.code if each.error else None for each in outcome.settled]
    assert codes == [ExitCode.REFUSED, None, ExitCode.USAGE, None, None]
    assert outcome.verdict is ExitCode.REFUSED


def test_a_denied_write_is_the_worst_of_the_failures():
    cluster = cluster_of(observation("one"))
    cluster.forbidden.add(f"update {OBSERVATIONS.full_name}/status")
    outcome = settle(cluster, "one", "nobody")
    assert outcome.verdict is ExitCode.DENIED


@pytest.mark.parametrize("action", [Action.RESOLVE, Action.ACK, Action.ARCHIVE])
def test_there_and_back_again(action):
    cluster = cluster_of(observation("one", status={"count": 1}))
    assert results(settle(cluster, "one", action=action)) == [Became.SETTLED]
    assert results(settle(cluster, "one", action=Action.REOPEN)) == [Became.SETTLED]
    status = stored_status(cluster)
    assert (status["phase"], status["count"]) == ("Active", 1)
    assert "resolvedAt" not in status


def test_progress_counts_each_name_and_ends():
    ports = ports_of(cluster_of(observation("one"), observation("two")))
    settle_named(ports, GROUP, parse_names(["one", "two", "nobody"], ""), DECISION)
    assert (ports.progress.advanced, ports.progress.running) == (3, False)  # type: ignore[attr-defined]

"""What is around an Observation: 404 alone says gone; whatever else stands in the way is unknown, with its reason."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests import golden
from tests.events.samples import GROUP, WITHOUT_STATUS, observation, ports_of
from tests.fakes import NOW, Call, FakeCluster
from zenctl.core.objects import DEPLOYMENT, ObjectKey, ResourceType
from zenctl.core.report import Report
from zenctl.errors import Denied, Expired, Unreachable
from zenctl.events.around import Around, look_around
from zenctl.events.details import details_report
from zenctl.events.names import parse_names
from zenctl.events.run import read_named
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import View, render

POD = ResourceType("", "v1", "Pod", "pods", "pod", ("po",))
NODE = ResourceType("", "v1", "Node", "nodes", "node", ("no",), namespaced=False)
WEB = {"apiVersion": "v1", "kind": "Pod", "name": "web-0", "namespace": "team-a", "uid": "u-web"}
STATUS = {
    "phase": "Running",
    "containerStatuses": [
        {"name": "web", "ready": False, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
         "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T01:55:00Z"}}}
    ],
}  # fmt: skip


def pod(name: str = "web-0", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "team-a", "labels": {"app": "web"}, **metadata},
        "spec": {"containers": [{"name": "web"}]},
        "status": STATUS,
    }


def deployment(selector: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "team-a"}, "spec": {"selector": selector}}


def cluster_of(*documents: dict[str, Any]) -> FakeCluster:
    cluster = FakeCluster(OBSERVATIONS, POD, NODE, DEPLOYMENT)
    for document in documents:
        cluster.put(OBSERVATIONS, document)
    return cluster


def around(cluster: FakeCluster, *names: str, live: bool = True) -> tuple[Around, ...]:
    ports = ports_of(cluster)
    return look_around(ports, GROUP, read_named(ports, GROUP, parse_names(names or ["one"], "")), NOW, live=live)


def shown(cluster: FakeCluster) -> Report:
    ports = ports_of(cluster)
    found = read_named(ports, GROUP, parse_names(["one"], ""))
    return details_report(found, look_around(ports, GROUP, found, NOW, live=True), NOW)


def full_cluster() -> FakeCluster:
    cluster = cluster_of(
        observation("one", resource=WEB, severity="critical", message="a shell"),
        observation("two", resource={"kind": "Pod", "name": "web-0"}, message="another\nshell"),
        observation("three", resource=WEB, status={"phase": "Resolved"}, timestamp="x"),
        observation("other", resource={"kind": "Pod", "name": "web-1"}),
        observation("elsewhere", "team-b", resource=WEB),
    )
    owner = [{"kind": "Node", "name": "x"}, {"kind": "ReplicaSet", "name": "web-7f", "controller": True}]
    cluster.put(POD, pod(uid="u-web", ownerReferences=owner, creationTimestamp="2026-11-20T02:00:00Z"))
    return cluster


@pytest.mark.parametrize("fmt", ["table", "markdown", "json"])
def test_look_of_everything_about_one(fmt):
    golden.check(f"events/show.{fmt}.txt", "".join(render(shown(full_cluster()), fmt, View())))


def test_look_on_a_terminal():
    golden.check("events/show.table.80.txt", "".join(render(shown(full_cluster()), "table", View(80))))


def test_a_resource_that_is_there_is_shown_as_it_is_now():
    (found,) = around(full_cluster())
    resource = found.resource
    assert (resource.existence, resource.same_uid, resource.owner) == ("exists", True, "ReplicaSet/web-7f")
    assert resource.pod is not None
    assert (resource.pod.restarts, resource.pods) == (7, None)


def test_others_about_the_same_are_counted_without_the_one_itself():
    (found,) = around(full_cluster())
    others = found.others
    assert (others.namespace, others.total) == ("team-a", 2)
    assert (others.by_phase, others.by_severity) == ({"Active": 1, "Resolved": 1}, {"HIGH": 2})
    assert [row.name for row in others.newest] == ["two", "three"]


def test_several_names_read_their_namespace_once():
    cluster = full_cluster()
    found = around(cluster, "team-a/one", "team-a/two", "team-a/other")
    assert [each.others.total for each in found] == [2, 2, 0]
    assert len({call.key for call in cluster.calls if call.verb == "list"}) == 1
    assert len([call for call in cluster.calls if call.verb == "list"]) == 2  # pages of two


def test_others_of_several_resources_of_the_kind_are_put_together():
    cluster = FakeCluster(OBSERVATIONS, WITHOUT_STATUS, POD)
    cluster.put(OBSERVATIONS, observation("one", resource=WEB))
    for number in range(4):
        cluster.put(OBSERVATIONS, observation(f"a{number}", resource=WEB))
        cluster.put(WITHOUT_STATUS, observation(f"b{number}", resource=WEB))
    (found,) = around(cluster, "team-a/one")
    assert (found.others.total, len(found.others.newest)) == (8, 5)


def test_a_404_says_gone_of_a_cluster_and_nothing_of_an_archive():
    cluster = cluster_of(observation("one", resource=WEB))
    assert around(cluster)[0].resource.existence == "gone"
    archived = around(cluster, live=False)[0].resource
    assert (archived.existence, archived.why) == (
        "unknown",
        "it is not in the archive, which does not hold everything",
    )


@pytest.mark.parametrize("error", [Denied("you may not"), Unreachable("no route")])
def test_what_may_or_can_not_be_read_is_unknown(error):
    cluster = full_cluster()
    cluster.fail("get", error, ObjectKey("team-a", "web-0"))
    resource = around(cluster)[0].resource
    assert (resource.existence, resource.why) == ("unknown", str(error))


@pytest.mark.parametrize(
    ("resource", "why"),
    [
        (None, "does not name a kind and a name"),
        ({"kind": "Pod"}, "does not name a kind and a name"),
        ({"kind": 7, "name": "x"}, "does not name a kind and a name"),
        ({"kind": "Gateway", "name": "x"}, "serves no resource named"),
        ({"kind": "Pod", "name": "x", "apiVersion": "other.example/v1"}, "serves no resource named"),
        ({"kind": "a.b", "name": "x"}, "'a.b' is no kind"),
    ],
)
def test_what_cannot_be_found_out_is_unknown_with_its_reason(resource, why):
    found = around(cluster_of(observation("one", resource=resource)))[0].resource
    assert found.existence == "unknown"
    assert why in str(found.why)
    drawn = "".join(render(shown(cluster_of(observation("one", resource=resource))), "table", View()))
    assert f"unknown: {found.why}" in drawn


def test_an_archive_without_the_kind_says_so():
    found = around(cluster_of(observation("one", resource={"kind": "Gateway", "name": "x"})), live=False)
    assert found[0].resource.why == "the archive holds nothing of the kind Gateway"


def test_a_cluster_scoped_resource_is_looked_for_without_a_namespace():
    cluster = cluster_of(observation("one", "zen-system", resource={"kind": "Node", "name": "n1"}))
    cluster.put(NODE, {"metadata": {"name": "n1"}})
    resource = around(cluster, "zen-system/one")[0].resource
    assert (resource.existence, resource.namespace) == ("exists", None)


def test_one_of_another_uid_is_another_one():
    cluster = full_cluster()
    cluster.put(POD, pod(uid="u-new"))
    assert around(cluster)[0].resource.same_uid is False
    assert "made again since" in "".join(render(shown(cluster), "table", View()))
    cluster.put(OBSERVATIONS, observation("one", resource={"kind": "Pod", "name": "web-0"}))
    assert around(cluster)[0].resource.same_uid is None


ABOUT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def test_a_workload_is_shown_with_the_pods_that_it_selects():
    cluster = cluster_of(observation("one", resource=ABOUT))
    cluster.put(DEPLOYMENT, deployment({"matchLabels": {"app": "web"}}))
    for number in range(7):
        cluster.put(POD, pod(f"web-{number}"))
    cluster.put(POD, pod("db-0", labels={"app": "db"}))
    pods = around(cluster)[0].resource.pods
    assert pods is not None
    assert (pods.total, pods.ready, pods.restarts, len(pods.worst)) == (7, 0, 49, 5)
    assert "… and 2 more" in "".join(render(shown(cluster), "table", View()))


def test_pods_of_a_list_that_begins_again_are_counted_once():
    cluster = cluster_of(observation("one", resource=ABOUT))
    cluster.put(DEPLOYMENT, deployment({"matchLabels": {"app": "web"}}))
    for number in range(5):
        cluster.put(POD, pod(f"web-{number}"))
    calls = iter(range(99))

    def begin_again(call: Call) -> None:
        if call.resource is POD and call.verb == "list" and next(calls) == 1:
            raise Expired("too old", status=410)

    cluster.hooks.append(begin_again)
    pods = around(cluster)[0].resource.pods
    assert pods is not None
    assert pods.total == 5


@pytest.mark.parametrize("selector", [None, {}, "x"])
def test_no_selector_selects_no_pods(selector):
    cluster = cluster_of(observation("one", resource=ABOUT))
    cluster.put(DEPLOYMENT, deployment(selector))
    cluster.put(POD, pod())
    resource = around(cluster)[0].resource
    assert (resource.existence, resource.pods, resource.pods_unknown) == ("exists", None, None)


def test_pods_that_may_not_be_read_are_unknown_and_the_workload_is_there():
    cluster = cluster_of(observation("one", resource=ABOUT))
    cluster.put(DEPLOYMENT, deployment({"matchLabels": {"app": "web"}}))
    cluster.forbidden.add("list pods")
    resource = around(cluster)[0].resource
    assert (resource.existence, resource.pods) == ("exists", None)
    assert "forbidden" in str(resource.pods_unknown)
    cluster.put(DEPLOYMENT, deployment({"matchLabels": {"app": "-"}}))
    assert "selector cannot be read" in str(around(cluster)[0].resource.pods_unknown)


def test_others_that_may_not_be_listed_are_unknown_and_not_none():
    cluster = full_cluster()
    ports = ports_of(cluster)
    found = read_named(ports, GROUP, parse_names(["team-a/one"], ""))
    cluster.forbidden.add(f"list {OBSERVATIONS.full_name}")
    (seen,) = look_around(ports, GROUP, found, NOW, live=True)
    assert (seen.others.total, seen.resource.existence) == (None, "exists")
    assert "forbidden" in str(seen.others.why)


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, ["x"], {"a": 1}, True, [None]])
def test_resources_of_any_shape_are_drawn(odd):
    cluster = full_cluster()
    document = pod(uid="u-web", ownerReferences=odd, creationTimestamp=odd, deletionTimestamp=odd)
    document |= {"spec": odd, "status": odd}
    cluster.put(POD, document)
    drawn = "".join(render(shown(cluster), "table", View()))
    assert "is there" in drawn
    assert "\x1b" not in drawn
    assert msgspec.json.encode(msgspec.to_builtins(around(cluster)[0].resource))

"""The state of pods: read where it is said, unknown where it is not, never good by default."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.render.samples import PLAIN
from zenctl.core.instants import parse_instant
from zenctl.events.pods import MOST_PODS, PodState, pod_state, summary

END = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-23T01:55:00Z"}
LATER = {"reason": "Error", "exitCode": 1, "finishedAt": "2026-11-23T03:00:00+01:00"}


def container(name: str = "web", *, ready: Any = True, restarts: Any = 0, **more: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": restarts, **more}


def pod(*statuses: Any, phase: Any = "Running", containers: int = 1, name: str = "web-0") -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{}] * containers, "nodeName": "n1"},
        "status": {"phase": phase, "containerStatuses": list(statuses)},
    }


def test_a_pod_says_how_it_does():
    state = pod_state(
        pod(
            container(ready=False, restarts=7, state={"waiting": {"reason": "CrashLoopBackOff"}},
                      lastState={"terminated": END}),
            container("side", restarts=1, lastState={"terminated": LATER}),
            containers=2,
        )
    )  # fmt: skip
    assert (state.phase, state.ready, state.containers, state.restarts) == ("Running", 1, 2, 8)
    assert (state.waiting, state.node, state.all_ready) == ("CrashLoopBackOff", "n1", False)
    last = state.last_termination
    assert last is not None
    assert (last.container, last.reason, last.exit_code) == ("side", "Error", 1)
    assert last.finished_at == parse_instant("2026-11-23T02:00:00Z")


def test_what_a_pod_does_not_say_is_unknown_and_not_ready():
    state = pod_state({"metadata": {"name": "x"}, "status": {"phase": "Pending"}})
    assert (state.ready, state.containers, state.restarts, state.last_termination) == (None, None, None, None)
    assert not state.all_ready
    assert pod_state(pod(container(restarts="many"))).restarts is None
    assert not pod_state(pod(container(ready="true"))).all_ready
    assert not pod_state(pod(container(), containers=2)).all_ready


def test_an_end_without_a_time_gives_way_to_one_with():
    odd = {"reason": "Error", "exitCode": True, "finishedAt": "soon"}
    state = pod_state(pod(container(lastState={"terminated": END}, state={"terminated": odd})))
    assert state.last_termination is not None
    assert state.last_termination.reason == "OOMKilled"
    alone = pod_state(pod(container(state={"terminated": odd}))).last_termination
    assert alone is not None
    assert (alone.reason, alone.exit_code, alone.finished_at) == ("Error", None, None)


def test_an_evicted_pod_says_why():
    document = pod(phase="Failed")
    document["status"]["reason"] = "Evicted"
    assert pod_state(document).reason == "Evicted"


def state(name: str, *, ready: bool = True, restarts: int | None = 0, phase: str | None = "Running") -> PodState:
    return PodState(
        name=name, phase=phase, reason=None, ready=int(ready), containers=1, restarts=restarts, waiting=None,
        last_termination=None, node=None,
    )  # fmt: skip


def test_a_summary_shows_the_worst_first():
    states = [state(f"p{number}") for number in range(9)]
    states += [state("often", restarts=40), state("down", ready=False, phase="Pending")]
    found = summary(states)
    assert (found.total, found.ready, found.restarts) == (11, 10, 40)
    assert found.by_phase == {"Pending": 1, "Running": 10}
    assert [pod.name for pod in found.worst] == ["down", "often", "p0", "p1", "p2"][:MOST_PODS]


def test_a_sum_with_something_unknown_is_unknown():
    found = summary([state("a", restarts=3), state("b", restarts=None, phase=None)])
    assert (found.restarts, found.by_phase) == (None, {"Running": 1, "unknown": 1})


ODD = st.dictionaries(
    st.sampled_from(["metadata", "spec", "status"]),
    PLAIN | st.fixed_dictionaries({"containerStatuses": PLAIN | st.lists(PLAIN | st.fixed_dictionaries(
        {"lastState": PLAIN | st.fixed_dictionaries({"terminated": PLAIN})})), "containers": PLAIN, "phase": PLAIN}),
)  # fmt: skip


@given(ODD)
def test_pods_of_any_shape_are_read(document):
    found = summary([pod_state(document)])
    assert found.total == 1

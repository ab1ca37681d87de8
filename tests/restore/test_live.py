"""What is remembered of live objects is what was learnt of them, at a fraction of the memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.objects import ObjectKey
from zenctl.restore.compare import Content
from zenctl.restore.decide import LiveState
from zenctl.restore.live import LiveStates

TEXT = st.text(max_size=8)
STATES = st.builds(
    LiveState, TEXT, TEXT, TEXT, TEXT, st.booleans(), st.booleans(),
    st.none() | st.builds(Content, st.binary(max_size=16), st.binary(max_size=16)),
)  # fmt: skip
KEYS = st.builds(ObjectKey, st.sampled_from(["", "a", "ab", "ä"]), st.sampled_from(["x", "y", "a"]))


@given(st.dictionaries(KEYS, STATES), KEYS)
def test_every_state_is_found_again_by_its_key_alone(states, other):
    live = LiveStates()
    for key, state in states.items():
        live.put(key, state)
    assert len(live) == len(states)
    for key in (*states, other):
        assert live.get(key) == states.get(key)


@given(st.dictionaries(KEYS, STATES), st.sampled_from([None, "a", "ab", "b"]))
def test_a_listing_that_begins_again_forgets_its_namespace_only(states, namespace):
    live = LiveStates()
    for key, state in states.items():
        live.put(key, state)
    live.forget(namespace)
    kept = {key for key in states if namespace is not None and key.namespace != namespace}
    assert {key for key in states if live.get(key) is not None} == kept
    assert len(live) == len(kept)


def test_an_object_costs_less_than_two_thirds_of_its_state():
    def state(number: int) -> tuple[ObjectKey, LiveState]:
        key = ObjectKey(f"team-{number % 10}", f"trivy-{number:08x}")
        return key, LiveState(f"{number:036x}", f"{number:09d}", f"{number:064x}", "", triaged=False, bare=False)

    def bytes_of(make: object) -> int:
        tracemalloc.start()
        kept = make()  # type: ignore[operator]
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert kept
        return used

    def packed() -> LiveStates:
        live = LiveStates()
        for number in range(5_000):
            live.put(*state(number))
        return live

    assert bytes_of(packed) * 3 < bytes_of(lambda: dict(map(state, range(5_000)))) * 2

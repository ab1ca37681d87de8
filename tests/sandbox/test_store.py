"""The store against a model that keeps every revision whole: any scan at any remembered revision agrees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.store import ChangeType, Store

KEYS = ["a/x", "a/y", "a-b/x", "a.b/x", "b/x", "cluster-scoped"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(KEYS)),
        st.tuples(st.just("delete"), st.sampled_from(KEYS)),
        st.tuples(st.just("compact"), st.integers(0, 40)),
    ),
    max_size=40,
)


class Model:
    """Every revision as a whole dictionary."""

    def __init__(self) -> None:
        self.states: dict[int, dict[str, bytes]] = {1: {}}
        self.log: list[tuple[int, ChangeType, str]] = []

    def change(self, revision: int, key: str, body: bytes | None) -> None:
        state = dict(self.states[revision - 1])
        kind = ChangeType.MODIFIED if key in state else ChangeType.ADDED
        if body is None:
            kind = ChangeType.DELETED
            del state[key]
        else:
            state[key] = body
        self.states[revision] = state
        self.log.append((revision, kind, key))


def _played(steps: list[tuple[str, str | int]]) -> tuple[Store, Model]:
    store, model = Store(), Model()
    for number, (what, value) in enumerate(steps):
        if isinstance(value, int):
            store.compact(value)
        elif what == "put":
            body = f"{value}@{store.revision + 1}".encode()
            store.put("things", value, body, float(number))
            model.change(store.revision, value, body)
        elif store.collection("things").get(value) is not None:
            store.delete("things", value, b"last", float(number))
            model.change(store.revision, value, None)
    return store, model


@given(STEPS)
def test_every_remembered_revision_is_as_it_was(steps):
    store, model = _played(steps)
    found = store.collection("things")
    for revision in range(max(store.compacted, 1), store.revision + 1):
        state = model.states[revision]
        for prefix in ("", "a/", "a-b/", "c"):
            expected = [(key, state[key]) for key in sorted(state) if key.startswith(prefix)]
            assert list(found.scan("", prefix, revision)) == expected
            assert found.count("", prefix, revision) == len(expected)
        later = [(key, state[key]) for key in sorted(state) if key >= "a/y"]
        assert list(found.scan("a/y", "", revision)) == later
    assert found.live == len(model.states[store.revision])
    assert {key: body for key, _, body in found.everything()} == model.states[store.revision]


@given(STEPS)
def test_the_log_tells_every_change_since_a_remembered_revision(steps):
    store, model = _played(steps)
    for since in range(store.compacted, store.revision + 1):
        told = [(change.revision, change.type, change.key) for change in store.changes(max(since, 1))]
        assert told == [entry for entry in model.log if entry[0] > since]


@given(STEPS)
def test_after_compaction_nothing_old_is_kept(steps):
    store, _ = _played(steps)
    store.compact()
    found = store.collection("things")
    assert not found._older
    assert len(found._keys) == len(found._now) == found.live


def test_history_ends_by_age():
    store = Store(history_seconds=100)
    for second in range(300):
        store.put("things", f"k{second}", b"x", float(second))
    oldest = next(store.changes(store.compacted))
    assert 299 - 110 <= oldest.at_seconds <= 299 - 100 + 1


def test_history_ends_by_length():
    store = Store(most_changes=10)
    for number in range(100):
        store.put("things", "k", b"x", float(number) / 1000)
    assert store.revision - store.compacted <= 10


def test_a_listener_hears_every_change_until_it_leaves():
    store, heard = Store(), []
    store.listen(7, lambda change: heard.append(change.revision))
    store.put("things", "a", b"x", 0.0)
    store.delete("things", "a", b"x", 0.0)
    store.unlisten(7)
    store.put("things", "b", b"x", 0.0)
    assert heard == [2, 3]


def test_a_replaced_store_has_no_history():
    store = Store()
    store.put("things", "a", b"x", 0.0)
    store.replace(41, [("others", "b", b"y", 7)])
    assert (store.revision, store.compacted, store.names()) == (41, 41, ["others"])
    assert store.collection("things").get("a") is None
    assert list(store.changes(41)) == []
    store.put("others", "b", b"z", 0.0)
    assert [change.type for change in store.changes(41)] == [ChangeType.MODIFIED]


@pytest.mark.parametrize("revision", [0, 5, 99])
def test_compaction_never_goes_back_or_beyond(revision):
    store = Store()
    for number in range(9):
        store.put("things", "a", b"x", float(number))
    store.compact(6)
    store.compact(revision)
    assert store.compacted == max(6, min(revision, 10))

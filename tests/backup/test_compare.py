"""What counts as a difference and what does not, and that the merge join is what a naive one says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backup.samples import CLUSTER_ROLES, definition, observation
from zenctl.backup.compare import SHORTEST, FieldDifference, Judge, OutOfOrder, content, join
from zenctl.backup.tally import FIELDS, NAMED, Tally
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, ResourceType
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import SERVICE, SERVICE_ACCOUNT
from zenctl.restore.bodies import new_body

SECRET = ResourceType("", "v1", "Secret", "secrets", "secret")
SERVER_OWNED = {
    "uid": "u",
    "resourceVersion": "7",
    "generation": 3,
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "selfLink": "/x",
    "managedFields": [{"manager": "m"}],
    "deletionTimestamp": "2026-01-01T00:00:00Z",
    "deletionGracePeriodSeconds": 0,
    "generateName": "o-",
    "ownerReferences": [{"kind": "Pod", "name": "p", "uid": "q"}],
}


def differences(left: Any, right: Any, resource: ResourceType = OBSERVATIONS) -> list[FieldDifference]:
    return list(Judge(resource).differences("n/o", msgspec.json.encode(left), msgspec.json.encode(right)))


def shown(left: Any, right: Any) -> dict[str, tuple[str | None, str | None]]:
    """Return the differences of two specs."""
    found = differences({"spec": left}, {"spec": right})
    return {each.path: (each.left, each.right) for each in found}


@pytest.mark.parametrize("name", SERVER_OWNED)
def test_what_the_server_owns_does_not_count(name):
    other = observation("o")
    other["metadata"][name] = SERVER_OWNED[name]
    assert differences(observation("o"), other) == []


def test_what_a_restore_leaves_does_not_count():
    archived = observation("o")
    archived["metadata"] |= SERVER_OWNED
    restored = {**new_body(OBSERVATIONS, archived), "status": archived["status"]}
    assert set(restored["metadata"]["annotations"]) == {ORIGINAL_UID, ORIGINAL_CREATION}
    assert differences(archived, restored) == []
    assert differences(restored, archived) == []


def test_a_restore_leaves_out_nothing_that_counts():
    """Whatever stands in metadata either goes with the object, or is no difference."""
    archived = observation("o")
    archived["metadata"] |= {**SERVER_OWNED, "finalizers": ["a/b"], "annotations": {"x": "y"}, "new": {"a": 1}}
    assert differences(archived, {**new_body(OBSERVATIONS, archived), "status": archived["status"]}) == []


@pytest.mark.parametrize("empty", [{}, None])
@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_empty_labels_and_annotations_are_none(part, empty):
    one, other = observation("o"), observation("o")
    one["metadata"].pop("labels")
    other["metadata"].pop("labels")
    other["metadata"][part] = empty
    assert differences(one, other) == []


def test_types_do_not_count_but_status_does():
    bare = {k: v for k, v in observation("o").items() if k not in ("apiVersion", "kind")}
    assert differences(observation("o"), bare) == []
    (found,) = differences(observation("o"), observation("o", phase="Active"))
    assert found == FieldDifference("status.phase", '"Resolved"', '"Active"')


@pytest.mark.parametrize(
    ("resource", "left", "right"),
    [
        (SERVICE, {"spec": {"clusterIP": "10.0.0.1"}}, {"spec": {"clusterIP": "10.0.0.2"}}),
        (
            SERVICE_ACCOUNT,
            {"metadata": {"name": "a"}, "secrets": [{"name": "a-token-1"}]},
            {"metadata": {"name": "a"}, "secrets": [{"name": "a-token-2"}]},
        ),
        (CLUSTER_ROLES, {"aggregationRule": {"a": 1}, "rules": [1]}, {"aggregationRule": {"a": 1}, "rules": [2]}),
    ],
)
def test_what_a_cluster_gave_a_built_in_object_does_not_count(resource, left, right):
    assert differences(left, right, resource) == []


def test_the_status_of_a_built_in_kind_is_the_clusters_own():
    assert differences({**definition(), "status": {}}, definition(), CUSTOM_RESOURCE_DEFINITION) == []
    assert content({"status": 1, "data": 2, "binaryData": {}}, built_in=True) == {"data": 2}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({"a": 1}, {"a": 2}, {"spec.a": ("1", "2")}),
        ({"a": 1}, {}, {"spec.a": ("1", None)}),
        ({}, {"a": None}, {"spec.a": (None, "null")}),
        ({"a": 1}, {"a": True}, {"spec.a": ("1", "true")}),
        ({"a": 1}, {"a": 1.0}, {}),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, {"spec.a[1]": ("2", "3"), "spec.a[2]": (None, "4")}),
        ({"a": {"b.c/d": "x"}}, {"a": {"b.c/d": "y"}}, {'spec.a["b.c/d"]': ('"x"', '"y"')}),
        ({"a": {"b": 1}}, {"a": "b"}, {"spec.a": ('{"b":1}', '"b"')}),
        ({"": 1}, {}, {'spec[""]': ("1", None)}),
        ({"a": "same", "b": 1}, {"b": 1, "a": "same"}, {}),
    ],
)
def test_fields_are_named_with_both_values(left, right, expected):
    assert shown(left, right) == expected


def test_long_values_are_shortened():
    ((left, right),) = shown({"a": "x" * 500}, {"a": "y"}).values()
    assert left is not None
    assert (len(left), left[-1], right) == (SHORTEST, "…", '"y"')


def test_no_value_of_a_secret_is_shown_wherever_it_stands():
    def secret(value: str) -> dict[str, Any]:
        applied = {"kubectl.kubernetes.io/last-applied-configuration": value}
        return {"metadata": {"annotations": applied}, "data": {"password": value}, "type": value}

    found = differences(secret("hunter2"), secret("hunter3"), SECRET)
    assert sorted(each.path for each in found) == [
        "data.password", 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]', "type",
    ]  # fmt: skip
    assert "hunter" not in str(found)
    assert all(each.hidden for each in found)


def test_a_helm_release_in_a_config_map_is_a_secret_too():
    one, other = (msgspec.json.encode({"data": {"release": value}}) for value in ("hunter2", "hunter3"))
    (found,) = Judge(CONFIG_MAP).differences("zen-system/sh.helm.release.v1.zen.v1", one, other)
    assert found == FieldDifference("data.release", None, None, hidden=True)


def test_what_cannot_be_read_or_followed_differs():
    judge = Judge(CONFIG_MAP)
    assert [d.path for d in judge.differences("n/o", b"[]", b"{}")] == ["(object cannot be read)"]
    assert list(judge.differences("n/o", b"[]", b"[]")) == []
    deep = b'{"a":' * 30_000 + b"1" + b"}" * 30_000
    assert len(list(judge.differences("n/o", deep, b"{}"))) == 1


def test_deep_values_are_compared_as_wholes():
    def nested(value: int) -> dict[str, Any]:
        found: dict[str, Any] = {"end": value}
        for _ in range(60):
            found = {"n": found}
        return found

    (path,) = shown(nested(1), nested(2))
    assert path.count(".n") < 60
    assert shown(nested(1), nested(1)) == {}


def test_a_tally_is_exact_and_bounded():
    tally = Tally()
    tally.begin(OBSERVATIONS)
    many = [FieldDifference(f"f{n}", "1", "2") for n in range(FIELDS + 3)]
    for number in range(NAMED + 5):
        tally.both(f"n/{number}", iter(many))
    tally.both("n/same", iter(()))
    assert (tally.differing, tally.unchanged, len(tally.named)) == (NAMED + 5, 1, NAMED)
    assert (len(tally.named[0].fields), tally.named[0].more_fields) == (FIELDS, 3)


# -- the merge join ---------------------------------------------------------------------------------------------

KEYS = st.dictionaries(
    st.text(alphabet="ab/-\U0001f600\ud7ff", min_size=1, max_size=4), st.integers(0, 3), max_size=8
)


@given(KEYS, KEYS)
def test_the_join_is_what_a_naive_one_says(left, right):
    naive = [(key, left.get(key), right.get(key)) for key in sorted(left.keys() | right.keys())]
    assert list(join(sorted(left.items()), sorted(right.items()))) == naive


@pytest.mark.parametrize("bad", [["b", "a"], ["a", "a"]])
def test_streams_out_of_order_are_never_joined(bad):
    stream = [(key, 1) for key in bad]
    for other in ([], [("c", 1)]):
        with pytest.raises(OutOfOrder):
            list(join(stream, other))
        with pytest.raises(OutOfOrder):
            list(join(other, stream))


def test_the_join_holds_one_of_each():
    taken: list[str] = []

    def stream(side: str):
        for number in range(100):
            taken.append(side)
            yield f"{number:03d}", number

    joined = join(stream("left"), stream("right"))
    next(joined)
    assert len(taken) <= 4

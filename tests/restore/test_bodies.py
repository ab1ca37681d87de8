"""The bodies of writes: nothing that the server owns, nothing that doubles or dooms an object, and its provenance."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION, ObjectKey
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.product.crd import OBSERVATIONS
from zenctl.restore.bodies import definition_body, new_body, replacement_body, status_body

WITHOUT_STATUS = msgspec.structs.replace(OBSERVATIONS, status_subresource=False)
SERVER_OWNED = {
    "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields", "deletionTimestamp",
    "deletionGracePeriodSeconds",
}  # fmt: skip
NEVER_SENT = SERVER_OWNED | {"generateName", "ownerReferences"}

words = st.text("abc", min_size=1, max_size=4)
texts = st.dictionaries(words, st.text(max_size=5), max_size=3)
metadatas = st.fixed_dictionaries(
    {"name": words, "namespace": words},
    optional={
        "uid": words,
        "resourceVersion": st.just("7"),
        "generation": st.just(3),
        "creationTimestamp": st.just("2026-11-01T00:00:00Z"),
        "selfLink": words,
        "managedFields": st.just([{}]),
        "deletionTimestamp": st.just("2026-11-01T00:00:00Z"),
        "deletionGracePeriodSeconds": st.just(0),
        "generateName": words,
        "ownerReferences": st.just([{"uid": "x"}]),
        "labels": texts | st.none(),
        "annotations": texts
        | st.none()
        | st.fixed_dictionaries({ORIGINAL_UID: st.just("first"), ORIGINAL_CREATION: st.just("2020-01-01T00:00:00Z")}),
        "finalizers": st.just(["a/b"]),
    },
)
archived_objects = st.fixed_dictionaries(
    {"metadata": metadatas},
    optional={"apiVersion": words, "kind": words, "spec": texts, "status": texts, "data": texts},
)
resources = st.sampled_from([OBSERVATIONS, WITHOUT_STATUS])


@given(resources, archived_objects)
def test_what_the_server_owns_is_never_sent(resource, archived):
    body = new_body(resource, archived)
    assert not NEVER_SENT & set(body["metadata"])
    assert (body["apiVersion"], body["kind"]) == (resource.api_version, resource.kind)
    assert not NEVER_SENT & set(definition_body("apiextensions.k8s.io/v1", archived)["metadata"])


@given(resources, archived_objects)
def test_everything_else_is_sent_as_it_was_archived(resource, archived):
    before = msgspec.json.encode(archived)
    body, metadata = new_body(resource, archived), archived["metadata"]
    for part in ("spec", "data"):
        assert body.get(part) == archived.get(part)
    for part in ("name", "namespace", "labels", "finalizers"):
        assert body["metadata"].get(part) == metadata.get(part)
    kept = dict(body["metadata"].get("annotations") or {})
    for name in (ORIGINAL_UID, ORIGINAL_CREATION):
        kept.pop(name, None)
    assert kept == {k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith("zenctl")}
    assert ("status" in body) == ("status" in archived and not resource.status_subresource)
    assert msgspec.json.encode(archived) == before


@given(archived_objects)
def test_the_provenance_of_the_first_restore_stays(archived):
    first = new_body(OBSERVATIONS, archived)
    again = {**first, "metadata": {**first["metadata"], "uid": "second", "creationTimestamp": "2026-11-23T00:00:00Z"}}
    noted, kept = (x["metadata"].get("annotations") or {} for x in (first, new_body(OBSERVATIONS, again)))
    source = archived["metadata"]
    for name, own in ((ORIGINAL_UID, "uid"), (ORIGINAL_CREATION, "creationTimestamp")):
        known = (source.get("annotations") or {}).get(name) or source.get(own)
        assert noted.get(name) == known
        if known:
            assert kept[name] == known


def test_a_crd_goes_without_its_status():
    archived = {"metadata": {"name": "x", "uid": "u"}, "spec": {"group": "g"}, "status": {"conditions": []}}
    assert definition_body("apiextensions.k8s.io/v1", archived) == {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": CUSTOM_RESOURCE_DEFINITION.kind,
        "metadata": {"name": "x"},
        "spec": {"group": "g"},
    }


def test_a_status_is_bound_to_the_object_that_was_seen():
    body = msgspec.json.decode(status_body(OBSERVATIONS, ObjectKey("n", "a"), "u", "7", {"phase": "Resolved"}))
    assert body["metadata"] == {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7"}
    assert set(body) == {"apiVersion", "kind", "metadata", "status"}


# -- replacing ------------------------------------------------------------------------------------------------


def live(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": OBSERVATIONS.api_version,
        "kind": OBSERVATIONS.kind,
        "metadata": {
            "name": "a", "namespace": "n", "uid": "u-live", "resourceVersion": "9", "labels": {"l": "1"},
            "finalizers": ["keep/me"], "ownerReferences": [{"uid": "o"}], "managedFields": [{}],
        },
        "spec": {"severity": "HIGH"},
        "status": {"phase": "Active"},
        **changes,
    }  # fmt: skip


def wanted(uid: str = "u-old", labels: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n", "uid": uid, "labels": {"l": "1"} if labels is None else labels}
    return new_body(OBSERVATIONS, {"metadata": metadata, "spec": {"severity": "HIGH"}, **changes})


def test_an_object_restored_over_itself_is_not_written():
    assert replacement_body(OBSERVATIONS, wanted("u-live"), live()) is None


def test_an_object_that_has_everything_already_is_not_written():
    once = replacement_body(OBSERVATIONS, wanted(), live())
    assert once is not None
    assert replacement_body(OBSERVATIONS, wanted(), once) is None


def test_what_others_keep_in_the_live_metadata_stays():
    body = replacement_body(OBSERVATIONS, wanted(spec={"severity": "LOW"}), live())
    assert body is not None
    metadata = body["metadata"]
    assert (metadata["finalizers"], metadata["ownerReferences"]) == (["keep/me"], [{"uid": "o"}])
    assert (metadata["uid"], metadata["resourceVersion"]) == ("u-live", "9")
    assert "managedFields" not in metadata
    assert (body["spec"], body["status"]) == ({"severity": "LOW"}, {"phase": "Active"})


def test_labels_become_the_archived_ones():
    body = replacement_body(OBSERVATIONS, wanted(labels={}), live())
    assert body is not None
    assert "labels" not in body["metadata"]


def test_the_live_objects_own_provenance_is_kept():
    there = live()
    there["metadata"]["annotations"] = {ORIGINAL_UID: "first", ORIGINAL_CREATION: "2020-01-01T00:00:00Z"}
    body = replacement_body(OBSERVATIONS, wanted(spec={"severity": "LOW"}), there)
    assert body is not None
    assert body["metadata"]["annotations"] == there["metadata"]["annotations"]


def test_another_incarnation_takes_over_the_archived_provenance():
    body = replacement_body(OBSERVATIONS, wanted("u-old"), live())
    assert body is not None
    assert body["metadata"]["annotations"] == {ORIGINAL_UID: "u-old"}


def test_a_status_without_subresource_is_content_like_any_other():
    archived = {"metadata": {"name": "a", "uid": "u-live", "labels": {"l": "1"}}, "spec": {"severity": "HIGH"}}
    new = new_body(WITHOUT_STATUS, {**archived, "status": {"phase": "Resolved"}})
    body = replacement_body(WITHOUT_STATUS, new, live())
    assert body is not None
    assert body["status"] == {"phase": "Resolved"}
    assert replacement_body(WITHOUT_STATUS, new, live(status={"phase": "Resolved"})) is None

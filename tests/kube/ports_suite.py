"""What every implementation of the cluster ports must do: run on a real API server and on the fake alike.

Each check takes a ``Place``: a cluster, a resource with a status subresource, and an empty namespace.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from zenctl.core.objects import NAMESPACE, KeyFields, ObjectKey, ResourceType
from zenctl.errors import ApiFailure, Conflict, Invalid, NotFound
from zenctl.ports import AccessReviewer, ClusterInfo, ListQuery, ObjectReader, ObjectWriter, WatchEvent


class Cluster(ObjectReader, ObjectWriter, AccessReviewer, ClusterInfo, Protocol):
    """Everything that a gateway offers."""


@dataclass(frozen=True)
class Place:
    """Where a check may work."""

    cluster: Cluster
    resource: ResourceType
    namespace: str

    def key(self, name: str) -> ObjectKey:
        """Return the key of an object here."""
        return ObjectKey(self.namespace, name)

    def body(self, name: str, *, severity: str = "HIGH", labels: dict[str, str] | None = None, **more: Any) -> bytes:
        """Return an object, as JSON; further words are its metadata."""
        metadata = {"name": name, "namespace": self.namespace, "labels": labels or {}, **more}
        kind = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        spec = {"source": "test", "category": "security", "severity": severity, "eventType": "check"}
        return json.dumps({**kind, "metadata": metadata, "spec": spec}).encode()

    def create(self, name: str, **options: Any) -> KeyFields:
        """Create an object and return who it is."""
        return self.cluster.create(self.resource, self.namespace, self.body(name, **options)).fields

    def document(self, name: str) -> dict[str, Any]:
        """Read an object whole."""
        found: dict[str, Any] = json.loads(bytes(self.cluster.get(self.resource, self.key(name), KeyFields).body))
        return found

    def names(self, **query: str) -> list[str]:
        """List the names here."""
        pages = self.cluster.pages(self.resource, KeyFields, ListQuery(self.namespace, **query))
        return [item.key.name for page in pages for item in page.objects]

    def whole_names(self, **query: str) -> list[str]:
        """List the names here, all of them in the way that suits the server best."""
        pages = self.cluster.pages(self.resource, KeyFields, ListQuery(self.namespace, **query), whole=True)
        return [item.key.name for page in pages for item in page.objects]

    def version(self) -> str:
        """Return the resourceVersion of a list made now."""
        pages = list(self.cluster.pages(self.resource, KeyFields, ListQuery(self.namespace)))
        return pages[-1].resource_version

    def events(self, since: str, count: int) -> list[WatchEvent[KeyFields]]:
        """Watch for so many events."""
        watching = self.cluster.watch(self.resource, KeyFields, ListQuery(self.namespace), since)
        with contextlib.closing(watching):  # type: ignore[type-var]
            return list(itertools.islice(watching, count))


def _encoded(document: object) -> bytes:
    return json.dumps(document).encode()


def created_objects_are_read_back(place: Place) -> None:
    fields = place.create("a")
    document = place.document("a")
    assert (document["apiVersion"], document["kind"]) == (place.resource.api_version, place.resource.kind)
    assert document["metadata"]["uid"] == fields.metadata.uid != ""
    assert document["metadata"]["resourceVersion"] == fields.metadata.resource_version
    assert document["spec"]["severity"] == "HIGH"


def what_exists_cannot_be_created(place: Place) -> None:
    place.create("a")
    with pytest.raises(Conflict) as caught:
        place.create("a")
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    assert not caught.value.repeated


def what_is_not_there_is_not_found(place: Place) -> None:
    key = place.key("missing")
    for attempt in (
        lambda: place.cluster.get(place.resource, key, KeyFields),
        lambda: place.cluster.delete(place.resource, key, uid="x", resource_version="1"),
        lambda: place.cluster.replace(place.resource, key, place.body("missing", resourceVersion="1")),
    ):
        with pytest.raises(NotFound):
            attempt()


def a_namespace_that_is_not_there_is_not_found(place: Place) -> None:
    body = json.loads(place.body("a"))
    body["metadata"]["namespace"] = "no-such-namespace"
    with pytest.raises(NotFound):
        place.cluster.create(place.resource, "no-such-namespace", _encoded(body))


def a_body_that_is_no_such_object_is_invalid(place: Place) -> None:
    other_kind = {**json.loads(place.body("a")), "kind": "Other"}
    for body in (b"no json", _encoded(other_kind)):
        with pytest.raises(Invalid):
            place.cluster.create(place.resource, place.namespace, body)


def a_new_object_names_no_version(place: Place) -> None:
    """The server calls it an internal error, of all things."""
    with pytest.raises(ApiFailure, match="resourceVersion should not be set") as caught:
        place.create("a", resourceVersion="5")
    assert caught.value.status == 500
    assert place.names() == []


def create_drops_status(place: Place) -> None:
    body = {**json.loads(place.body("a")), "status": {"phase": "Resolved"}}
    place.cluster.create(place.resource, place.namespace, _encoded(body))
    assert place.document("a").get("status", {}).get("phase") != "Resolved"


def replace_changes_the_spec_and_keeps_the_status(place: Place) -> None:
    place.create("a")
    _set_status(place, "a", "Resolved")
    document = place.document("a")
    document["spec"]["severity"] = "LOW"
    document["status"] = {"phase": "Archived"}
    place.cluster.replace(place.resource, place.key("a"), _encoded(document))
    after = place.document("a")
    assert (after["spec"]["severity"], after["status"]["phase"]) == ("LOW", "Resolved")
    assert after["metadata"]["generation"] == 2


def status_is_all_that_a_put_of_status_takes(place: Place) -> None:
    fields = place.create("a")
    document = place.document("a")
    document["spec"]["severity"] = "LOW"
    document["status"] = {"phase": "Resolved", "count": 3}
    stored = place.cluster.replace_status(place.resource, place.key("a"), _encoded(document))
    after = place.document("a")
    assert (after["spec"]["severity"], after["status"]["phase"], after["status"]["count"]) == ("HIGH", "Resolved", 3)
    assert stored.fields.metadata.resource_version == after["metadata"]["resourceVersion"]
    assert after["metadata"]["resourceVersion"] != fields.metadata.resource_version
    assert after["metadata"]["generation"] == 1


def _set_status(place: Place, name: str, phase: str) -> None:
    document = {**place.document(name), "status": {"phase": phase}}
    place.cluster.replace_status(place.resource, place.key(name), _encoded(document))


def an_older_version_cannot_be_replaced(place: Place) -> None:
    place.create("a")
    document = place.document("a")
    _set_status(place, "a", "Resolved")
    for write in (place.cluster.replace, place.cluster.replace_status):
        with pytest.raises(Conflict) as caught:
            write(place.resource, place.key("a"), _encoded(document))
        assert caught.value.reason == "Conflict"


def another_uid_cannot_be_replaced(place: Place) -> None:
    place.create("a")
    document = place.document("a")
    document["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Conflict):
        place.cluster.replace(place.resource, place.key("a"), _encoded(document))


def a_replacement_must_name_a_version(place: Place) -> None:
    place.create("a")
    with pytest.raises(Invalid) as caught:
        place.cluster.replace(place.resource, place.key("a"), place.body("a", severity="LOW"))
    assert caught.value.status == 422


def a_write_that_changes_nothing_is_none(place: Place) -> None:
    fields = place.create("a")
    stored = place.cluster.replace(place.resource, place.key("a"), _encoded(place.document("a")))
    assert stored.fields == fields


def delete_demands_uid_and_version(place: Place) -> None:
    metadata = place.create("a").metadata
    for uid, version in (("00000000-0000-0000-0000-000000000000", metadata.resource_version), (metadata.uid, "1")):
        with pytest.raises(Conflict):
            place.cluster.delete(place.resource, place.key("a"), uid=uid, resource_version=version)
    _set_status(place, "a", "Resolved")
    with pytest.raises(Conflict):
        place.cluster.delete(
            place.resource, place.key("a"), uid=metadata.uid, resource_version=metadata.resource_version
        )
    now = place.cluster.get(place.resource, place.key("a"), KeyFields).fields.metadata
    place.cluster.delete(place.resource, place.key("a"), uid=now.uid, resource_version=now.resource_version)
    assert place.names() == []


def finalizers_hold_a_deletion_up(place: Place) -> None:
    metadata = place.create("a", finalizers=["zen.kube-zen.io/test"]).metadata
    place.cluster.delete(place.resource, place.key("a"), uid=metadata.uid, resource_version=metadata.resource_version)
    document = place.document("a")
    assert document["metadata"]["deletionTimestamp"]
    document["metadata"]["finalizers"] = []
    place.cluster.replace(place.resource, place.key("a"), _encoded(document))
    assert place.names() == []


def lists_are_in_key_order_and_selected(place: Place) -> None:
    for name, severity in (("b", "low"), ("a", "high"), ("a.b", "low"), ("a-b", "none")):
        place.create(name, labels={"severity": severity})
    assert place.names() == ["a", "a-b", "a.b", "b"]
    assert place.names(label_selector="severity=low") == ["a.b", "b"]
    assert place.names(label_selector="severity in (high,none)") == ["a", "a-b"]
    assert place.names(label_selector="!severity") == []
    assert place.names(field_selector="metadata.name!=a") == ["a-b", "a.b", "b"]
    for query in ({"label_selector": "a=(b"}, {"field_selector": "spec.severity=LOW"}):
        with pytest.raises(Invalid):
            place.names(**query)


def a_whole_list_is_the_list(place: Place) -> None:
    for name, severity in (("b", "low"), ("a", "high"), ("a.b", "low"), ("a-b", "none")):
        place.create(name, labels={"severity": severity})
    assert place.whole_names() == ["a", "a-b", "a.b", "b"]
    assert place.whole_names(label_selector="severity=low") == ["a.b", "b"]
    assert place.whole_names(field_selector="metadata.name!=a") == ["a-b", "a.b", "b"]
    with pytest.raises(Invalid):
        place.whole_names(label_selector="a=(b")


def a_whole_list_is_a_snapshot_that_a_watch_goes_on_behind(place: Place) -> None:
    place.create("a")
    pages = list(place.cluster.pages(place.resource, KeyFields, ListQuery(place.namespace), whole=True))
    assert not any(page.restarted or page.mixed for page in pages)
    _set_status(place, "a", "Resolved")
    assert [event.type for event in place.events(pages[-1].resource_version, 1)] == ["MODIFIED"]


def objects_of_a_whole_list_are_as_they_are_stored(place: Place) -> None:
    place.create("a")
    (page,) = place.cluster.pages(place.resource, KeyFields, ListQuery(place.namespace), whole=True)
    (item,) = page.objects
    assert (item.key, json.loads(bytes(item.body))) == (place.key("a"), place.document("a"))


def an_empty_list_is_one_empty_page(place: Place) -> None:
    for whole in (False, True):
        (page,) = place.cluster.pages(place.resource, KeyFields, ListQuery(place.namespace), whole=whole)
        assert (list(page.objects), page.remaining, page.restarted, page.mixed) == ([], None, False, False)
        assert int(page.resource_version) >= 0


def a_watch_tells_what_happened_since(place: Place) -> None:
    place.create("before")
    since = place.version()
    metadata = place.create("a").metadata
    _set_status(place, "a", "Resolved")
    now = place.cluster.get(place.resource, place.key("a"), KeyFields).fields.metadata
    place.cluster.delete(place.resource, place.key("a"), uid=metadata.uid, resource_version=now.resource_version)
    events = place.events(since, 3)
    assert [(event.type, event.object.key.name) for event in events] == [
        ("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"),
    ]  # fmt: skip
    versions = [int(event.object.fields.metadata.resource_version) for event in events]
    assert versions == sorted(set(versions))
    assert int(since) < versions[0]
    assert [event.type for event in place.events(str(versions[0]), 2)] == ["MODIFIED", "DELETED"]


def an_administrator_may_do_everything(place: Place) -> None:
    assert place.cluster.allowed(place.resource, "delete")
    assert place.cluster.allowed(place.resource, "update", namespace=place.namespace, subresource="status")


def the_cluster_tells_about_itself(place: Place) -> None:
    assert len(place.cluster.uid()) == 36
    assert place.cluster.server_version().startswith("v1.")
    assert place.cluster.now().tzinfo is not None
    assert place.cluster.now().microsecond == 0


def a_namespace_is_an_object_too(place: Place) -> None:
    found = place.cluster.get(NAMESPACE, ObjectKey("", place.namespace), KeyFields)
    assert found.fields.metadata.namespace == ""


CHECKS: tuple[Callable[[Place], None], ...] = (
    created_objects_are_read_back,
    what_exists_cannot_be_created,
    what_is_not_there_is_not_found,
    a_namespace_that_is_not_there_is_not_found,
    a_body_that_is_no_such_object_is_invalid,
    a_new_object_names_no_version,
    create_drops_status,
    replace_changes_the_spec_and_keeps_the_status,
    status_is_all_that_a_put_of_status_takes,
    an_older_version_cannot_be_replaced,
    another_uid_cannot_be_replaced,
    a_replacement_must_name_a_version,
    a_write_that_changes_nothing_is_none,
    delete_demands_uid_and_version,
    finalizers_hold_a_deletion_up,
    lists_are_in_key_order_and_selected,
    a_whole_list_is_the_list,
    a_whole_list_is_a_snapshot_that_a_watch_goes_on_behind,
    objects_of_a_whole_list_are_as_they_are_stored,
    an_empty_list_is_one_empty_page,
    a_watch_tells_what_happened_since,
    an_administrator_may_do_everything,
    the_cluster_tells_about_itself,
    a_namespace_is_an_object_too,
)


def named(check: Callable[[Place], None]) -> str:
    """Return a check's name for the test's id."""
    return check.__name__

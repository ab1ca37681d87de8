"""Objects as tables: what kubectl shows."""

from __future__ import annotations

import re
from typing import Any

from tests.conformance.api import TABLE, Document
from tests.conformance.expect import refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CRDS,
    DEPLOYMENTS,
    EVENTS,
    JOBS,
    LEASES,
    NAMESPACES,
    NODES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

AS_TABLE = {"Accept": TABLE}
AS_TABLE_OR_JSON = {"Accept": f"{TABLE},application/json"}
AGE = re.compile(r"\d+[smhdy](\d+[smh])?")

ALWAYS_SHOWN = {
    NAMESPACES: ["Name", "Status", "Age"],
    CONFIG_MAPS: ["Name", "Data", "Age"],
    SECRETS: ["Name", "Type", "Data", "Age"],
    SERVICE_ACCOUNTS: ["Name", "Secrets", "Age"],
    SERVICES: ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"],
    PODS: ["Name", "Ready", "Status", "Restarts", "Age"],
    NODES: ["Name", "Status", "Roles", "Age", "Version"],
    EVENTS: ["Last Seen", "Type", "Reason", "Object", "Message"],
    DEPLOYMENTS: ["Name", "Ready", "Up-to-date", "Available", "Age"],
    LEASES: ["Name", "Holder", "Age"],
    CLUSTER_ROLES: ["Name", "Created At"],
    CLUSTER_ROLE_BINDINGS: ["Name", "Role", "Age"],
    ROLES: ["Name", "Created At"],
    ROLE_BINDINGS: ["Name", "Role", "Age"],
    CRDS: ["Name", "Created At"],
}


def table_of(place: Place, resource: Resource, name: str = "", **query: Any) -> Document:
    return succeeded(place.send("GET", resource, name, headers=AS_TABLE, **query))


def columns(table: Document, *, wide: bool = False) -> list[str]:
    return [each["name"] for each in table["columnDefinitions"] if wide or each["priority"] == 0]


def cells(table: Document) -> list[list[object]]:
    return [row["cells"] for row in table["rows"]]


@case()
def a_list_may_be_a_table(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        made = [place.create(resource, name) for name in "ab"]
        answer = place.send("GET", resource, headers=AS_TABLE)
        table = succeeded(answer)
        assert answer.headers["content-type"] == "application/json"
        assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert int(revision(table)) >= int(revision(made[1]))
        assert [row["cells"][0] for row in table["rows"]] == ["a", "b"]
        first = table["columnDefinitions"][0]
        assert (first["name"], first["type"], first["format"], first["priority"]) == ("Name", "string", "name", 0)
        assert all(len(row["cells"]) == len(table["columnDefinitions"]) for row in table["rows"])


@case()
def a_single_object_is_a_table_of_one_row(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        made = place.create(resource, "a")
        table = table_of(place, resource, "a")
        (row,) = table["rows"]
        assert row["cells"][0] == "a"
        assert revision(table) == revision(made)


@case()
def a_row_brings_the_metadata_of_its_object(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        made = place.create(resource, "a", metadata={"labels": {"k": "v"}})
        for query in ({}, {"includeObject": "Metadata"}):
            (row,) = table_of(place, resource, **query)["rows"]
            assert row["object"] == {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": made["metadata"],
            }


@case()
def a_row_may_bring_the_object_or_nothing(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        made = place.create(resource, "a")
        (row,) = table_of(place, resource, includeObject="Object")["rows"]
        assert row["object"] == made
        (row,) = table_of(place, resource, includeObject="None")["rows"]
        assert row.get("object") is None
        answer = place.send("GET", resource, headers=AS_TABLE, includeObject="Foo")
        refused(
            answer, 400, "BadRequest", "includeObject: Invalid value: \"Foo\": must be 'Metadata', 'Object', 'None'"
        )


@case()
def a_table_comes_in_pages(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for name in "abc":
            place.create(resource, name)
        first = table_of(place, resource, limit=2)
        assert [row[0] for row in cells(first)] == ["a", "b"]
        assert first["metadata"]["remainingItemCount"] == 1
        rest = table_of(place, resource, **{"continue": first["metadata"]["continue"]})
        assert [row[0] for row in cells(rest)] == ["c"]


@case()
def an_empty_table_has_columns(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets, PODS):
        table = table_of(place, resource)
        assert columns(table)[0] == "Name"
        assert not table["rows"]


@case()
def built_in_kinds_have_these_columns(place: Place) -> None:
    shown = {resource.plural: columns(table_of(place, resource, limit=1)) for resource in ALWAYS_SHOWN}
    assert shown == {resource.plural: names for resource, names in ALWAYS_SHOWN.items()}


@case()
def pods_and_jobs_have_more_columns_when_wide(place: Place) -> None:
    wide = columns(table_of(place, PODS), wide=True)
    assert wide[5:] == ["IP", "Node", "Nominated Node", "Readiness Gates"]
    assert columns(table_of(place, JOBS), wide=True)[-4:] == ["Age", "Containers", "Images", "Selector"]


@case()
def custom_resources_have_the_columns_of_their_crd(place: Place) -> None:
    table = table_of(place, place.widgets)
    assert columns(table) == ["Name", "Size", "Phase", "Age"]
    assert columns(table, wide=True) == ["Name", "Size", "Weight", "Phase", "Age"]
    by_name = {each["name"]: each for each in table["columnDefinitions"]}
    assert by_name["Size"]["description"] == "how large it is"
    assert by_name["Weight"]["description"] == "Custom resource definition column (in JSONPath format): .spec.weight"
    assert (by_name["Weight"]["type"], by_name["Age"]["type"]) == ("integer", "date")


@case()
def custom_resources_without_columns_show_their_age(place: Place) -> None:
    place.create(place.gadgets, "a")
    table = table_of(place, place.gadgets)
    assert columns(table) == ["Name", "Age"]
    ((name, age),) = cells(table)
    assert name == "a"
    assert AGE.fullmatch(str(age))


@case()
def cells_of_custom_resources_are_what_the_paths_find(place: Place) -> None:
    place.create(place.widgets, "a", spec={"size": "small", "weight": 5})
    place.patch(place.widgets, "a", {"status": {"phase": "Ready"}}, sub="status")
    place.create(place.widgets, "bare")
    full, bare = cells(table_of(place, place.widgets))
    assert full[:4] == ["a", "small", 5, "Ready"]
    assert AGE.fullmatch(str(full[4]))
    assert bare[:4] == ["bare", None, None, None]


@case()
def cells_of_simple_kinds(place: Place) -> None:
    place.create(CONFIG_MAPS, "a", data={"x": "1", "y": "2"}, binaryData={"z": "AA=="})
    place.create(SECRETS, "a", type="example.com/t", stringData={"x": "1"})
    place.create(LEASES, "a", spec={"holderIdentity": "me"})
    ((name, data, age),) = cells(table_of(place, CONFIG_MAPS, "a"))
    assert (name, data) == ("a", 3)
    assert AGE.fullmatch(str(age))
    ((*shown, _),) = cells(table_of(place, SECRETS, "a"))
    assert shown == ["a", "example.com/t", 1]
    ((*shown, _),) = cells(table_of(place, LEASES, "a"))
    assert shown == ["a", "me"]
    ((*shown, _),) = cells(table_of(place, NAMESPACES, place.namespace))
    assert shown == [place.namespace, "Active"]


@case()
def cells_of_bindings(place: Place) -> None:
    subjects = [
        {"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "Group", "name": "g", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "sa", "namespace": "ns"},
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    place.create(ROLE_BINDINGS, "a", roleRef=role, subjects=subjects)
    ((name, role_cell, _, users, groups, accounts),) = cells(table_of(place, ROLE_BINDINGS))
    assert (name, role_cell, users, groups, accounts) == ("a", "Role/r", "jane", "g", "ns/sa")


@case()
def cells_of_a_pod(place: Place) -> None:
    containers = [{"name": name, "image": "i"} for name in ("one", "two")]
    place.create(PODS, "a", spec={"containers": containers, "nodeName": "n"})
    (row,) = cells(table_of(place, PODS))
    assert row[:3] == ["a", "0/2", "Pending"]
    running: Document = {"ready": True, "restartCount": 3, "image": "i", "imageID": "", "state": {"running": {}}}
    one = {**running, "name": "one"}
    two = {**running, "name": "two", "ready": False, "restartCount": 0}
    status = {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [one, two]}
    place.patch(PODS, "a", {"status": status}, sub="status")
    (row,) = cells(table_of(place, PODS))
    assert row[:3] == ["a", "1/2", "Running"]
    assert str(row[3]).startswith("3")
    assert row[5:] == ["10.0.0.1", "n", "<none>", "<none>"]
    one["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    place.patch(PODS, "a", {"status": status}, sub="status")
    (row,) = cells(table_of(place, PODS))
    assert row[2] == "CrashLoopBackOff"
    place.delete(PODS, "a", gracePeriodSeconds=0)


@case()
def cells_of_a_deployment(place: Place) -> None:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    place.create(DEPLOYMENTS, "a", spec={"replicas": 3, "selector": {"matchLabels": labels}, "template": template})
    status = {"replicas": 3, "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    place.patch(DEPLOYMENTS, "a", {"status": status}, sub="status")
    (row,) = cells(table_of(place, DEPLOYMENTS))
    assert row[:4] == ["a", "1/3", 2, 1]
    assert row[5:] == ["c", "i:1", "app=a"]


@case()
def cells_of_an_event(place: Place) -> None:
    about = {"kind": "Pod", "name": "p", "namespace": place.namespace}
    place.create(
        EVENTS,
        "a",
        involvedObject=about,
        reason="Started",
        type="Normal",
        message="it did\n",
        source={"component": "c"},
    )
    (row,) = cells(table_of(place, EVENTS))
    assert row[1:4] == ["Normal", "Started", "pod/p"]
    assert row[6] == "it did"
    assert row[-1] == "a"


@case()
def a_write_may_be_answered_as_a_table(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        answer = place.send("POST", resource, body=resource.body("a"), headers=AS_TABLE)
        table = succeeded(answer, 201)
        assert table["kind"] == "Table"
        assert table["rows"][0]["cells"][0] == "a"
        assert succeeded(place.send("DELETE", resource, "a", headers=AS_TABLE))["kind"] == "Status"


@case()
def an_error_is_no_table(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for headers in (AS_TABLE, AS_TABLE_OR_JSON):
            answer = place.send("GET", resource, "a", headers=headers)
            refused(answer, 404, "NotFound", f'{resource.qualified} "a" not found')


@case()
def an_older_version_of_tables_is_still_known(place: Place) -> None:
    place.create(place.widgets, "a")
    headers = {"Accept": "application/json;as=Table;v=v1beta1;g=meta.k8s.io"}
    assert succeeded(place.send("GET", place.widgets, headers=headers))["apiVersion"] == "meta.k8s.io/v1beta1"

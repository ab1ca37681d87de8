"""Custom resource definitions: how a resource comes into being, changes, and goes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.conformance.api import TABLE, Document
from tests.conformance.crds import OPEN_SCHEMA, definition, version, wait_until_served
from tests.conformance.expect import causes, eventually, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CRDS, Resource

TEXT = {"type": "string"}


def conditions(crd: Document) -> dict[str, str]:
    return {each["type"]: each["status"] for each in crd["status"].get("conditions") or []}


def name_of(resource: Resource) -> str:
    return f"{resource.plural}.{resource.group}"


def change(place: Place, resource: Resource, edit: Callable[[Document], Any]) -> Document:
    """Change a CRD by reading, editing and putting it."""
    crd = place.get(CRDS, name_of(resource))
    edit(crd)
    return place.put(CRDS, crd)


def is_plain_404(place: Place, resource: Resource) -> bool:
    answer = place.send("GET", resource)
    return (answer.status, answer.text) == (404, "404 page not found\n")


@case()
def a_definition_is_completed(place: Place) -> None:
    thing = place.new_resource()
    place.clean_up(CRDS, name_of(thing))
    body = definition(thing)
    del body["spec"]["names"]["singular"]
    del body["spec"]["names"]["listKind"]
    made = succeeded(place.send("POST", CRDS, body=body), 201)
    assert made["spec"]["names"] == {
        "plural": "things",
        "singular": "thing",
        "kind": "Thing",
        "listKind": "ThingList",
    }
    assert made["spec"]["conversion"] == {"strategy": "None"}
    assert made["status"]["storedVersions"] == ["v1"]
    assert made["metadata"]["generation"] == 1


@case()
def a_definition_is_accepted_established_and_served(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing)

    def is_established() -> bool:
        return conditions(place.get(CRDS, name_of(thing))) == {"NamesAccepted": "True", "Established": "True"}

    eventually(is_established, "the CRD being established")
    crd = place.get(CRDS, name_of(thing))
    assert crd["status"]["acceptedNames"] == crd["spec"]["names"]
    assert place.create(thing, "a", spec={"any": 1})["spec"] == {"any": 1}


@case()
def a_served_resource_is_discovered(place: Place) -> None:
    thing = place.new_resource(namespaced=False)
    place.serve(thing, shortNames=["th"], categories=["all"])
    group = succeeded(place.api.request("GET", f"/apis/{thing.group}"))
    assert group["preferredVersion"] == {"groupVersion": thing.api_version, "version": "v1"}
    (found,) = succeeded(place.api.request("GET", f"/apis/{thing.api_version}"))["resources"]
    assert (found["name"], found["singularName"], found["kind"], found["namespaced"]) == (
        "things", "thing", "Thing", False,
    )  # fmt: skip
    assert (found["shortNames"], found["categories"]) == (["th"], ["all"])


@case()
def a_list_has_the_kind_that_the_definition_says(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing, listKind="BunchOfThings")
    assert place.collection(thing)["kind"] == "BunchOfThings"


@case()
def an_object_is_the_same_in_every_version(place: Place) -> None:
    older = place.widgets._replace(version="v1beta1")
    made = place.create(place.widgets, "a", spec={"size": "small"})
    read = place.get(older, "a")
    assert read == {**made, "apiVersion": older.api_version, "metadata": read["metadata"]}
    assert read["metadata"]["uid"] == made["metadata"]["uid"]
    assert read["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    (item,) = place.collection(older)["items"]
    assert item["apiVersion"] == older.api_version
    place.create(older, "b", spec={"size": "large"})
    assert place.get(place.widgets, "b")["apiVersion"] == place.widgets.api_version
    patched = place.patch(older, "a", {"spec": {"size": "large"}})
    assert (patched["apiVersion"], place.get(place.widgets, "a")["spec"]["size"]) == (older.api_version, "large")


@case()
def a_version_that_is_not_served_is_not_there(place: Place) -> None:
    assert is_plain_404(place, place.widgets._replace(version="v1alpha1"))


@case()
def a_version_can_be_added_and_taken_out_of_service(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing)
    place.create(thing, "a")
    newer = thing._replace(version="v2")
    wait_until_served(
        place.api, change(place, thing, lambda crd: crd["spec"]["versions"].append(version("v2", storage=False)))
    )
    assert place.get(newer, "a")["apiVersion"] == newer.api_version
    change(place, thing, lambda crd: crd["spec"]["versions"][0].update(served=False))
    eventually(lambda: is_plain_404(place, thing), "the end of service")
    assert place.get(newer, "a")["metadata"]["name"] == "a"


@case()
def the_stored_version_can_change_and_is_remembered(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing, version("v1"), version("v2", storage=False))

    def swap(crd: Document) -> None:
        first, second = crd["spec"]["versions"]
        first["storage"], second["storage"] = False, True

    changed = change(place, thing, swap)
    assert changed["status"]["storedVersions"] == ["v1", "v2"]
    assert changed["metadata"]["generation"] == 2


@case()
def columns_change_with_the_definition(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing)
    columns = [{"name": "Colour", "type": "string", "jsonPath": ".spec.colour"}]
    change(place, thing, lambda crd: crd["spec"]["versions"][0].update(additionalPrinterColumns=columns))

    def shown() -> list[str]:
        table = succeeded(place.send("GET", thing, headers={"Accept": TABLE}))
        return [each["name"] for each in table["columnDefinitions"]]

    eventually(lambda: shown() == ["Name", "Colour"], "the new column")


@case()
def a_schema_changes_with_the_definition(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing)
    place.create(thing, "a", spec={"n": "text"})
    schema = copy.deepcopy(OPEN_SCHEMA)
    schema["properties"]["spec"] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    change(place, thing, lambda crd: crd["spec"]["versions"][0]["schema"].update(openAPIV3Schema=schema))

    def is_refused() -> bool:
        return place.send("POST", thing, body=thing.body("b", spec={"n": "text"}), dryRun="All").status == 422

    eventually(is_refused, "the new schema")
    assert place.get(thing, "a")["spec"] == {"n": "text"}
    answer = place.try_patch(thing, "a", {"metadata": {"labels": {"k": "v"}}})
    assert answer.status in (200, 422)  # newer releases let pass what was wrong before
    fixed = place.patch(thing, "a", {"spec": {"n": 1, "unknown": 2}})
    assert fixed["spec"] == {"n": 1}


@case()
def a_default_is_filled_in_for_objects_stored_before_it(place: Place) -> None:
    thing = place.new_resource()
    schema: Document = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    }
    place.serve(thing, version("v1", schema))
    place.create(thing, "a", spec={})
    after = copy.deepcopy(schema)
    after["properties"]["spec"]["properties"]["n"]["default"] = 7
    change(place, thing, lambda crd: crd["spec"]["versions"][0]["schema"].update(openAPIV3Schema=after))
    eventually(lambda: place.get(thing, "a")["spec"] == {"n": 7}, "the default")
    assert place.collection(thing)["items"][0]["spec"] == {"n": 7}


@case()
def deleting_a_definition_deletes_its_objects(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing)
    place.create(thing, "a")
    answered = place.delete(CRDS, name_of(thing))
    assert answered["kind"] == "CustomResourceDefinition"
    assert "deletionTimestamp" in answered["metadata"]
    eventually(lambda: not place.exists(CRDS, name_of(thing)), "the end of the CRD")
    eventually(lambda: is_plain_404(place, thing), "the end of the resource")
    eventually(lambda: place.api.request("GET", f"/apis/{thing.group}").status == 404, "the end of the group")
    groups = [group["name"] for group in succeeded(place.api.request("GET", "/apis"))["groups"]]
    assert thing.group not in groups
    place.serve(thing)
    assert place.names(thing) == []


@case()
def bad_definitions_are_invalid(place: Place) -> None:
    def spec(**changes: Any) -> Callable[[Document], Any]:
        return lambda crd: crd["spec"].update(changes)

    def names(**changes: Any) -> Callable[[Document], Any]:
        return lambda crd: crd["spec"]["names"].update(changes)

    for edit, field, words in (
        (lambda crd: crd["metadata"].update(name="foo"), "metadata.name", 'must be spec.names.plural+"."+spec.group'),
        (spec(scope="Foo"), "spec.scope", 'Unsupported value: "Foo": supported values: "Cluster", "Namespaced"'),
        (names(kind=""), "spec.names.kind", "Required value"),
        (spec(preserveUnknownFields=True), "spec.preserveUnknownFields", "cannot set to true"),
        (spec(conversion={"strategy": "Foo"}), "spec.conversion.strategy", 'Unsupported value: "Foo"'),
        (spec(versions=[]), "spec.versions", "must have exactly one version marked as storage version"),
        (
            spec(versions=[version("v1", storage=False)]),
            "spec.versions",
            "must have exactly one version marked as storage version",
        ),
        (
            spec(versions=[version("v1"), version("v2")]),
            "spec.versions",
            "must have exactly one version marked as storage version",
        ),
        (
            spec(versions=[version("v1"), version("v1", storage=False)]),
            "spec.versions",
            "must contain unique version names",
        ),
        (
            lambda crd: crd["spec"]["versions"][0].pop("schema"),
            "spec.versions[0].schema.openAPIV3Schema",
            "Required value: schemas are required",
        ),
        (spec(versions=[version("V_1")]), "spec.versions[0].name", "a DNS-1035 label must consist of"),
    ):
        crd = definition(place.new_resource())
        edit(crd)
        status = refused(place.send("POST", CRDS, body=crd), 422, "Invalid", words)
        assert field in [each for _, each in causes(status)]
        assert status["details"]["group"] == "apiextensions.k8s.io"


@case()
def a_definition_needs_names(place: Place) -> None:
    crd = definition(place.new_resource())
    del crd["spec"]["names"]
    status = refused(place.send("POST", CRDS, body=crd), 422, "Invalid")
    missing = {field for reason, field in causes(status) if reason == "FieldValueRequired"}
    assert {"spec.names.plural", "spec.names.kind"} <= missing


@case()
def bad_schemas_are_invalid(place: Place) -> None:
    for schema, field, words in (
        ({}, "openAPIV3Schema.type", "Required value: must not be empty at the root"),
        ({"type": "string"}, "openAPIV3Schema.type", "must be object at the root"),
        (of({}), "properties[a].type", "Required value: must not be empty for specified object fields"),
        (of({"type": "foo"}), "properties[a].type", 'Unsupported value: "foo": supported values: "array", "boolean"'),
        (of({"type": "string", "default": 5}), "properties[a].default", 'must be of type string: "integer"'),
        (of({"type": "array"}), "properties[a].items", "Required value: must be specified"),
        (of({"type": "string", "pattern": "("}), "properties[a].pattern", "must be a valid regular expression"),
        (of({"$ref": "#/x"}), "properties[a].$ref", "Forbidden: $ref is not supported"),
        (
            of({"type": "array", "uniqueItems": True, "items": {"type": "string"}}),
            "properties[a].uniqueItems",
            "Forbidden: uniqueItems cannot be set to true",
        ),
        (
            of({"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}),
            "properties[a].x-kubernetes-list-map-keys",
            "Required value: must not be empty if x-kubernetes-list-type is map",
        ),
        (
            of({"type": "object", "properties": {"b": TEXT}, "additionalProperties": TEXT}),
            "properties[a].additionalProperties",
            "additionalProperties and properties are mutual exclusive",
        ),
    ):
        crd = definition(place.new_resource(), version("v1", schema))
        status = refused(place.send("POST", CRDS, body=crd), 422, "Invalid", words)
        assert any(each.endswith(field) for _, each in causes(status)), status


def of(schema: Document) -> Document:
    """Return a schema of an object with one property."""
    return {"type": "object", "properties": {"a": schema}}


@case()
def bad_columns_are_invalid(place: Place) -> None:
    for column, field, words in (
        ({"name": "A", "type": "foo", "jsonPath": ".a"}, "type", "must be one of boolean,date,integer,number,string"),
        ({"name": "A", "type": "string"}, "JSONPath", "Required value"),
        ({"name": "A", "type": "string", "jsonPath": "{"}, "JSONPath", "must be a simple json path starting with ."),
    ):
        crd = definition(place.new_resource(), version("v1", additionalPrinterColumns=[column]))
        status = refused(place.send("POST", CRDS, body=crd), 422, "Invalid", words)
        assert any(each.lower().endswith(f"columns[0].{field.lower()}") for _, each in causes(status)), status


@case()
def a_definition_keeps_group_scope_and_names(place: Place) -> None:
    thing = place.new_resource()
    made = place.serve(thing)
    for changes, field in (
        ({"scope": "Cluster"}, "spec.scope"),
        ({"names": {**made["spec"]["names"], "kind": "Other"}}, "spec.names.kind"),
    ):

        def is_refused(changes: Document = changes, field: str = field) -> bool:
            crd = place.get(CRDS, name_of(thing))
            answer = place.send(
                "PUT", CRDS, name_of(thing), {**crd, "spec": {**crd["spec"], **changes}}, dryRun="All"
            )
            return answer.status == 422 and field in [each for _, each in causes(answer.json)]

        eventually(is_refused, f"{field} being immutable, which it is once established")
    crd = place.get(CRDS, name_of(thing))
    crd["spec"]["group"] = "other.example.com"
    refused(place.send("PUT", CRDS, name_of(thing), crd), 422, "Invalid", "spec.group: ", "field is immutable")


@case()
def groups_of_kubernetes_are_protected(place: Place) -> None:
    crd = definition(Resource("conformance.k8s.io", "v1", "things", "Thing"))
    words = 'protected groups must have approval annotation "api-approved.kubernetes.io"'
    status = refused(place.send("POST", CRDS, body=crd), 422, "Invalid", words)
    assert [field for _, field in causes(status)] == ["metadata.annotations[api-approved.kubernetes.io]"]


@case()
def a_name_that_is_taken_is_not_accepted(place: Place) -> None:
    thing = place.new_resource()
    place.serve(thing)
    other = thing._replace(plural="others")
    place.clean_up(CRDS, name_of(other))
    succeeded(place.send("POST", CRDS, body=definition(other)), 201)

    def is_refused() -> bool:
        found = conditions(place.get(CRDS, name_of(other)))
        return (found.get("NamesAccepted"), found.get("Established")) == ("False", "False")

    eventually(is_refused, "the refusal of the names")
    assert is_plain_404(place, other)


@case()
def a_dry_definition_defines_nothing(place: Place) -> None:
    thing = place.new_resource()
    succeeded(place.send("POST", CRDS, body=definition(thing), dryRun="All"), 201)
    assert not place.exists(CRDS, name_of(thing))
    assert place.api.request("GET", f"/apis/{thing.group}").status == 404


@case()
def two_definitions_can_share_a_group(place: Place) -> None:
    thing = place.new_resource()
    other = thing._replace(plural="gizmos", kind="Gizmo")
    place.serve(thing)
    place.serve(other)
    found = succeeded(place.api.request("GET", f"/apis/{thing.api_version}"))["resources"]
    assert sorted(each["name"] for each in found) == ["gizmos", "things"]
    place.create(thing, "a")
    assert place.names(other) == []


@case()
def versions_are_ordered_by_stability(place: Place) -> None:
    thing = place.new_resource()
    names = ("v1alpha1", "v2", "v1beta2", "v10", "foo", "v1")
    versions = [version(name, storage=name == "v1") for name in names]
    place.serve(thing, *versions)
    group = succeeded(place.api.request("GET", f"/apis/{thing.group}"))
    assert [each["version"] for each in group["versions"]] == ["v10", "v2", "v1", "v1beta2", "v1alpha1", "foo"]
    assert group["preferredVersion"]["version"] == "v10"

"""Values of built-in kinds as Go reads and writes them: what is empty, what is null, what is too large."""

from __future__ import annotations

from typing import Any

from tests.conformance.api import Document
from tests.conformance.expect import causes, refused, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, DEPLOYMENTS, LEASES, PODS, ROLE_BINDINGS, ROLES, SECRETS

CONTAINER: Document = {"name": "c", "image": "i"}
LABELS = {"app": "a"}
REFERENCE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}


def created(place: Place, kind: Any, **content: Any) -> Document:
    """Create an object, and return it once it is gone again."""
    made = place.create(kind, "a", **content)
    place.delete(kind, "a")
    return made


@case()
def what_is_empty_is_left_out(place: Place) -> None:
    pod = created(place, PODS, spec={"containers": [{**CONTAINER, "command": [], "workingDir": ""}], "hostname": ""})
    assert not {"command", "workingDir"} & pod["spec"]["containers"][0].keys()
    assert "hostname" not in pod["spec"]
    assert "subjects" not in created(place, ROLE_BINDINGS, roleRef=REFERENCE, subjects=[])
    assert "data" not in created(place, CONFIG_MAPS, data={})


@case()
def an_empty_text_gets_the_default(place: Place) -> None:
    assert created(place, SECRETS, type="")["type"] == "Opaque"
    pod = created(place, PODS, spec={"containers": [{**CONTAINER, "imagePullPolicy": ""}], "restartPolicy": ""})
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    binding = created(place, ROLE_BINDINGS, roleRef={**REFERENCE, "apiGroup": ""})
    assert binding["roleRef"] == REFERENCE


@case()
def what_is_empty_behind_a_pointer_is_kept(place: Place) -> None:
    assert created(place, CONFIG_MAPS, immutable=False)["immutable"] is False
    assert created(place, LEASES, spec={"holderIdentity": ""})["spec"] == {"holderIdentity": ""}
    labels = {"matchLabels": LABELS}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    deployment = created(place, DEPLOYMENTS, spec={"replicas": 0, "selector": labels, "template": template})
    assert deployment["spec"]["replicas"] == 0


@case()
def null_in_a_list_or_a_map_is_empty(place: Place) -> None:
    assert created(place, CONFIG_MAPS, data={"k": None})["data"] == {"k": ""}
    metadata = {"labels": {"k": None}, "annotations": {"k": None}}
    made = created(place, CONFIG_MAPS, metadata=metadata)["metadata"]
    assert (made["labels"], made["annotations"]) == ({"k": ""}, {"k": ""})
    answer = place.send("POST", ROLES, body=ROLES.body("a", rules=[None]))
    fields = [field for _, field in causes(refused(answer, 422, "Invalid"))]
    assert fields == ["rules[0].verbs", "rules[0].apiGroups", "rules[0].resources"]


@case()
def null_among_finalizers_and_owners_is_an_empty_one(place: Place) -> None:
    for resource in (CONFIG_MAPS, place.widgets):
        for field in ("finalizers", "ownerReferences"):
            body = resource.body("a", metadata={field: [None]})
            status = refused(place.send("POST", resource, body=body), 422, "Invalid")
            assert all(where.startswith(f"metadata.{field}") for _, where in causes(status))


@case()
def a_template_has_a_time_that_it_never_gets(place: Place) -> None:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
    made = place.create(DEPLOYMENTS, "a", spec={"selector": {"matchLabels": LABELS}, "template": template})
    assert made["spec"]["template"]["metadata"] == {"creationTimestamp": None, "labels": LABELS}
    assert place.put(DEPLOYMENTS, made)["metadata"] == made["metadata"]


@case()
def the_time_of_a_lease_has_six_digits(place: Place) -> None:
    good = created(place, LEASES, spec={"renewTime": "2020-01-02T04:04:05.123456+01:00"})
    assert good["spec"]["renewTime"] == "2020-01-02T03:04:05.123456Z"
    for bad in ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05.1234567Z", "soon"):
        answer = place.send("POST", LEASES, body=LEASES.body("a", spec={"renewTime": bad}))
        refused(answer, 400, "BadRequest", "Lease in version", "parsing time")


@case()
def a_number_must_fit(place: Place) -> None:
    answer = place.send("POST", LEASES, body=LEASES.body("a", spec={"leaseDurationSeconds": 1 << 40}))
    refused(answer, 400, "BadRequest", "Lease in version")


@case()
def an_address_of_a_pod_stands_in_both_places(place: Place) -> None:
    place.create(PODS, "a", spec={"containers": [CONTAINER]})
    status = place.patch(PODS, "a", {"status": {"podIP": "10.0.0.1"}}, sub="status")["status"]
    assert status["podIPs"] == [{"ip": "10.0.0.1"}]


@case()
def only_what_counts_its_generation_decides_it(place: Place) -> None:
    assert created(place, CONFIG_MAPS, metadata={"generation": 7})["metadata"]["generation"] == 7
    assert created(place, place.widgets, metadata={"generation": 7})["metadata"]["generation"] == 1
    body = CONFIG_MAPS.body("a", metadata={"generation": -1})
    status = refused(place.send("POST", CONFIG_MAPS, body=body), 422, "Invalid")
    assert causes(status) == [("FieldValueInvalid", "metadata.generation")]


@case()
def metadata_of_embedded_resources_loses_what_is_empty(place: Place) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod"}
    for sent, kept in (
        ({"name": "p", "labels": {}}, {"name": "p"}),
        ({"labels": {"k": None}}, {"labels": {"k": ""}}),
        (None, {}),
    ):
        spec = created(place, place.widgets, spec={"template": {**pod, "metadata": sent}})["spec"]
        assert spec["template"] == {**pod, "metadata": kept}


@case()
def the_type_of_an_embedded_resource_is_a_text(place: Place) -> None:
    for value in (None, 5):
        for field in ("apiVersion", "kind"):
            template = {"apiVersion": "v1", "kind": "Pod", field: value}
            answer = place.send("POST", place.widgets, body=place.widgets.body("a", spec={"template": template}))
            refused(answer, 400, "BadRequest", f"spec.template.{field}: Invalid value", "must be a string")


@case()
def a_list_of_custom_resources_always_has_a_continuation(place: Place) -> None:
    listed = succeeded(place.send("GET", place.widgets))
    assert listed["metadata"]["continue"] == ""
    assert "continue" not in succeeded(place.send("GET", CONFIG_MAPS))["metadata"]

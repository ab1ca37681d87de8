"""Rules of single built-in kinds: keys of data, types of secrets, bindings, leases, deployments, pods."""

from __future__ import annotations

import copy
from typing import Any

from tests.conformance.api import Document
from tests.conformance.expect import causes, refused, revision
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    ROLE_BINDINGS,
    SECRETS,
    Resource,
)

INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"
UNSUPPORTED = "FieldValueNotSupported"
GROUP = "rbac.authorization.k8s.io"
LABELS = {"app": "a"}
CONTAINER = {"name": "c", "image": "i"}
POD: Document = {"containers": [CONTAINER]}
DEPLOYMENT: Document = {
    "selector": {"matchLabels": LABELS},
    "template": {"metadata": {"labels": LABELS}, "spec": POD},
}


def wrong(place: Place, resource: Resource, **content: Any) -> list[tuple[str, str]]:
    """Return the causes for which an object is refused."""
    return causes(refused(place.send("POST", resource, body=resource.body("a", **content)), 422, "Invalid"))


def changed(document: Document, *path: Any, to: object) -> Document:
    """Return a copy with a value at a path."""
    made = copy.deepcopy(document)
    at: Any = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return made


@case()
def keys_of_data_may_be_names_of_files(place: Place) -> None:
    for key in ("a b", "a/b", "", ".", "..", "..a", "x" * 254):
        found = wrong(place, CONFIG_MAPS, data={key: "v"})
        assert set(found) == {(INVALID, f"data[{key}]")}
    assert wrong(place, SECRETS, data={"a b": "AA=="}) == [(INVALID, "data[a b]")]
    assert wrong(place, CONFIG_MAPS, binaryData={"a b": "AA=="}) == [(INVALID, "binaryData[a b]")]
    place.create(CONFIG_MAPS, "a", data=dict.fromkeys(("k", ".k", "a..b", "A_b-c.d", "x" * 253), "v"))


@case()
def a_key_is_in_data_or_in_binary_data(place: Place) -> None:
    found = wrong(place, CONFIG_MAPS, data={"k": "v"}, binaryData={"k": "AA=="})
    assert found == [(INVALID, "data[k]")]


@case()
def some_types_of_secrets_need_their_keys(place: Place) -> None:
    assert wrong(place, SECRETS, type="kubernetes.io/tls") == [
        (REQUIRED, "data[tls.crt]"),
        (REQUIRED, "data[tls.key]"),
    ]
    for kind in ("basic-auth", "ssh-auth", "dockerconfigjson", "dockercfg"):
        found = wrong(place, SECRETS, type=f"kubernetes.io/{kind}")
        assert {reason for reason, _ in found} == {REQUIRED}
    place.create(SECRETS, "a", type="kubernetes.io/basic-auth", stringData={"username": "u"})


@case()
def a_binding_names_the_group_of_its_role_and_its_subjects(place: Place) -> None:
    role = {"apiGroup": GROUP, "kind": "Role", "name": "r"}
    for ref, found in (
        ({**role, "apiGroup": "x"}, (UNSUPPORTED, "roleRef.apiGroup")),
        ({**role, "name": "a/b"}, (INVALID, "roleRef.name")),
    ):
        assert wrong(place, ROLE_BINDINGS, roleRef=ref) == [found]
    for subject, found in (
        ({"kind": "User", "name": "u", "apiGroup": "x"}, (UNSUPPORTED, "subjects[0].apiGroup")),
        ({"kind": "ServiceAccount", "name": "s", "apiGroup": GROUP}, (UNSUPPORTED, "subjects[0].apiGroup")),
        ({"kind": "ServiceAccount", "name": "A b"}, (INVALID, "subjects[0].name")),
    ):
        assert wrong(place, ROLE_BINDINGS, roleRef=role, subjects=[subject]) == [found]


@case()
def the_numbers_of_a_lease_count_something(place: Place) -> None:
    spec = {"leaseDurationSeconds": 0, "leaseTransitions": -1}
    found = wrong(place, LEASES, spec=spec)
    assert found == [(INVALID, "spec.leaseDurationSeconds"), (INVALID, "spec.leaseTransitions")]


@case()
def a_finalizer_without_a_domain_is_known_to_most_built_in_kinds_only(place: Place) -> None:
    found = wrong(place, CONFIG_MAPS, metadata={"finalizers": ["hold"]})
    assert found == [(INVALID, "metadata.finalizers[0]")]
    for resource in (LEASES, place.widgets):
        place.create(resource, "a", metadata={"finalizers": ["hold"]})
        place.patch(resource, "a", {"metadata": {"finalizers": None}})


# -- deployments -----------------------------------------------------------------------------------------


@case()
def a_deployment_selects_its_pods(place: Place) -> None:
    for spec, field in (
        (changed(DEPLOYMENT, "selector", to={"matchLabels": {"app": "b"}}), "spec.template.metadata.labels"),
        (changed(DEPLOYMENT, "selector", to={}), "spec.selector"),
        (changed(DEPLOYMENT, "replicas", to=-1), "spec.replicas"),
    ):
        assert wrong(place, DEPLOYMENTS, spec=spec) == [(INVALID, field)]
    found = wrong(place, DEPLOYMENTS, spec={"template": DEPLOYMENT["template"]})
    assert found == [(REQUIRED, "spec.selector"), (INVALID, "spec.template.metadata.labels")]


@case()
def a_deployment_keeps_its_selector(place: Place) -> None:
    made = place.create(DEPLOYMENTS, "a", spec=DEPLOYMENT)
    other = changed(made, "spec", "selector", "matchLabels", to={"app": "b"})
    other = changed(other, "spec", "template", "metadata", "labels", to={"app": "b"})
    status = refused(place.send("PUT", DEPLOYMENTS, "a", other), 422, "Invalid", "field is immutable")
    assert causes(status) == [(INVALID, "spec.selector")]


@case()
def the_pods_of_a_deployment_start_again_for_ever(place: Place) -> None:
    spec = changed(DEPLOYMENT, "template", "spec", "restartPolicy", to="Never")
    assert wrong(place, DEPLOYMENTS, spec=spec) == [(UNSUPPORTED, "spec.template.spec.restartPolicy")]


@case()
def a_deployment_is_recreated_or_rolled(place: Place) -> None:
    both = {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}
    found = wrong(place, DEPLOYMENTS, spec={**DEPLOYMENT, "strategy": both})
    assert found == [(FORBIDDEN, "spec.strategy.rollingUpdate")]
    found = wrong(place, DEPLOYMENTS, spec={**DEPLOYMENT, "strategy": {"type": "Foo"}})
    assert [reason for reason, _ in found] == [UNSUPPORTED]


@case()
def the_status_of_a_deployment_adds_up(place: Place) -> None:
    place.create(DEPLOYMENTS, "a", spec=DEPLOYMENT)
    patch = {"status": {"replicas": 1, "readyReplicas": 2}}
    status = refused(place.try_patch(DEPLOYMENTS, "a", patch, sub="status"), 422, "Invalid")
    assert causes(status) == [(INVALID, "status.readyReplicas")]


@case()
def a_status_that_is_not_sent_is_empty(place: Place) -> None:
    made = place.create(DEPLOYMENTS, "a", spec=DEPLOYMENT)
    place.patch(DEPLOYMENTS, "a", {"status": {"replicas": 1}}, sub="status")
    made["metadata"].pop("resourceVersion")
    put = place.put(DEPLOYMENTS, {key: value for key, value in made.items() if key != "status"}, sub="status")
    assert put["status"] == {}


@case()
def a_status_carries_metadata_but_not_all_of_it(place: Place) -> None:
    place.create(DEPLOYMENTS, "a", spec=DEPLOYMENT)
    place.create(PODS, "a", spec=POD)
    metadata = {"labels": {"k": "v"}, "annotations": {"k": "v"}}
    of_deployment, of_pod = (
        place.patch(resource, "a", {"metadata": metadata}, sub="status")["metadata"]
        for resource in (DEPLOYMENTS, PODS)
    )
    assert of_deployment["annotations"] == of_pod["annotations"] == {"k": "v"}
    assert "labels" not in of_deployment
    assert of_pod["labels"] == {"k": "v"}


# -- pods ------------------------------------------------------------------------------------------------


@case()
def containers_have_names_and_images(place: Place) -> None:
    for containers, found in (
        ([], (REQUIRED, "spec.containers")),
        ([{"name": "c"}], (REQUIRED, "spec.containers[0].image")),
        ([{"name": "A b", "image": "i"}], (INVALID, "spec.containers[0].name")),
        ([CONTAINER, CONTAINER], ("FieldValueDuplicate", "spec.containers[1].name")),
    ):
        assert wrong(place, PODS, spec={"containers": containers}) == [found]
    spec = changed(DEPLOYMENT, "template", "spec", "containers", to=[{"name": "c"}])
    assert wrong(place, DEPLOYMENTS, spec=spec) == [(REQUIRED, "spec.template.spec.containers[0].image")]


@case()
def of_a_pod_hardly_anything_changes_but_the_image(place: Place) -> None:
    made = place.create(PODS, "a", spec={**POD, "tolerations": [{"key": "k", "operator": "Exists"}]})
    for other, found in (
        (changed(made, "spec", "nodeSelector", to={"a": "b"}), "spec"),
        (changed(made, "spec", "containers", 0, "command", to=["x"]), "spec"),
        (changed(made, "spec", "containers", to=[CONTAINER, {"name": "d", "image": "i"}]), "spec.containers"),
    ):
        status = refused(place.send("PUT", PODS, "a", other), 422, "Invalid", "pod updates may not")
        assert causes(status) == [(FORBIDDEN, found)]
    more = [*made["spec"]["tolerations"], {"key": "l", "operator": "Exists"}]
    place.put(PODS, changed(changed(made, "spec", "tolerations", to=more), "spec", "containers", 0, "image", to="j"))


@case()
def what_admission_adds_to_a_pod_may_be_left_out(place: Place) -> None:
    made = place.create(PODS, "a", spec=POD)
    bare = changed(made, "spec", to=POD)
    bare["metadata"].pop("resourceVersion")
    assert revision(place.put(PODS, bare)) == revision(made)

"""POST: what the server fills in, and what it refuses to store."""

from __future__ import annotations

import re

from tests.conformance.api import YAML
from tests.conformance.expect import causes, refused, revision, succeeded
from tests.conformance.place import Place
from tests.conformance.registry import case
from tests.conformance.resources import CONFIG_MAPS, NAMESPACES, Resource


def both(place: Place) -> tuple[Resource, Resource]:
    """Return a built-in and a custom resource: most rules hold for either."""
    return CONFIG_MAPS, place.widgets


@case()
def the_server_fills_in_who_an_object_is(place: Place) -> None:
    for resource in both(place):
        metadata = place.create(resource, "a")["metadata"]
        assert (metadata["name"], metadata["namespace"]) == ("a", place.namespace)
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", metadata["uid"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", metadata["creationTimestamp"])
        assert metadata["resourceVersion"].isdigit()
        assert "selfLink" not in metadata


@case()
def a_custom_resource_starts_at_generation_1_and_a_config_map_has_none(place: Place) -> None:
    assert place.create(place.widgets, "a")["metadata"]["generation"] == 1
    assert place.create(place.gadgets, "a")["metadata"]["generation"] == 1
    assert "generation" not in place.create(CONFIG_MAPS, "a")["metadata"]


@case()
def what_is_answered_is_what_is_stored(place: Place) -> None:
    for resource in both(place):
        assert place.create(resource, "a", metadata={"labels": {"k": "v"}}) == place.get(resource, "a")


@case()
def later_objects_have_higher_resource_versions(place: Place) -> None:
    versions = [int(revision(place.create(resource, name))) for name in "ab" for resource in both(place)]
    assert versions == sorted(set(versions))


@case()
def what_only_the_server_may_say_is_overwritten(place: Place) -> None:
    forged = {
        "uid": "00000000-0000-0000-0000-000000000000",
        "creationTimestamp": "2001-01-01T00:00:00Z",
        "generation": 7,
        "deletionTimestamp": "2001-01-01T00:00:00Z",
        "deletionGracePeriodSeconds": 7,
        "selfLink": "/nowhere",
    }
    made = place.create(place.widgets, "a", metadata=forged)["metadata"]
    assert made["uid"] != forged["uid"]
    assert made["creationTimestamp"] > "2001-01-01T00:00:00Z"
    assert made["generation"] == 1
    assert {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"}.isdisjoint(made)


@case()
def generate_name_gets_five_more_characters(place: Place) -> None:
    for resource in both(place):
        body = resource.body(metadata={"generateName": "some-"})
        names = [succeeded(place.send("POST", resource, body=body), 201)["metadata"]["name"] for _ in range(2)]
        assert all(re.fullmatch(r"some-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
        assert len(set(names)) == 2
        assert place.get(resource, names[0])["metadata"]["generateName"] == "some-"


@case()
def a_name_wins_over_generate_name(place: Place) -> None:
    assert place.create(CONFIG_MAPS, "a", metadata={"generateName": "some-"})["metadata"]["name"] == "a"


@case()
def a_long_generate_name_is_cut_to_make_room(place: Place) -> None:
    body = CONFIG_MAPS.body(metadata={"generateName": "g" * 100})
    name = succeeded(place.send("POST", CONFIG_MAPS, body=body), 201)["metadata"]["name"]
    assert re.fullmatch(r"g{58}[^g].{4}|g{58}.{5}", name)


@case()
def a_bad_generate_name_is_invalid_and_so_is_what_came_of_it(place: Place) -> None:
    status = refused(
        place.send("POST", CONFIG_MAPS, body=CONFIG_MAPS.body(metadata={"generateName": "Bad_"})), 422, "Invalid"
    )
    assert causes(status) == [("FieldValueInvalid", "metadata.generateName"), ("FieldValueInvalid", "metadata.name")]
    assert status["details"]["name"].startswith("Bad_")


@case()
def without_any_name_it_is_invalid(place: Place) -> None:
    for resource in both(place):
        status = refused(
            place.send("POST", resource, body=resource.body()),
            422,
            "Invalid",
            f'{resource.qualified_kind} "" is invalid: '
            "metadata.name: Required value: name or generateName is required",
        )
        assert causes(status) == [("FieldValueRequired", "metadata.name")]
        assert status["details"].get("group", "") == resource.group
        assert "name" not in status["details"]


@case()
def a_bad_name_is_invalid(place: Place) -> None:
    for resource in both(place):
        for name, words in (
            ("A_b", "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"),
            ("-a", "must start and end with an alphanumeric character"),
            ("a" * 254, "must be no more than 253"),
        ):
            status = refused(
                place.send("POST", resource, body=resource.body(name)),
                422,
                "Invalid",
                f'{resource.qualified_kind} "{name}" is invalid: metadata.name: Invalid value: "{name}": ',
                words,
            )
            assert causes(status) == [("FieldValueInvalid", "metadata.name")]
            assert (status["details"]["name"], status["details"]["kind"]) == (name, resource.kind)


@case()
def a_namespace_is_named_by_a_label(place: Place) -> None:
    words = "must not contain dots" if place.at_least(28) else "a lowercase RFC 1123 label must"
    status = refused(place.send("POST", NAMESPACES, body=NAMESPACES.body("a.b")), 422, "Invalid", words)
    assert causes(status) == [("FieldValueInvalid", "metadata.name")]


@case()
def bad_labels_and_annotations_are_invalid(place: Place) -> None:
    for resource in both(place):
        for metadata, field, words in (
            ({"labels": {"a b": "x"}}, "metadata.labels", 'Invalid value: "a b": name part must consist of'),
            (
                {"labels": {"a": "-x"}},
                "metadata.labels",
                'Invalid value: "-x": a valid label must be an empty string or',
            ),
            ({"labels": {"a": "x" * 64}}, "metadata.labels", "must be no more than 63"),
            (
                {"labels": {"a/b/c": "x"}},
                "metadata.labels",
                'Invalid value: "a/b/c": a qualified name must consist of',
            ),
            (
                {"annotations": {"a b": "x"}},
                "metadata.annotations",
                'Invalid value: "a b": name part must consist of',
            ),
        ):
            answer = place.send("POST", resource, body=resource.body("a", metadata=metadata))
            status = refused(answer, 422, "Invalid", f"is invalid: {field}: ", words)
            assert causes(status) == [("FieldValueInvalid", field)]


@case()
def annotations_may_have_256_kib_in_all(place: Place) -> None:
    for resource in both(place):
        fitting = {"a": "x" * (256 * 1024 - 1)}
        place.create(resource, "fits", metadata={"annotations": fitting})
        body = resource.body("a", metadata={"annotations": {**fitting, "b": ""}})
        status = refused(
            place.send("POST", resource, body=body),
            422,
            "Invalid",
            "metadata.annotations: Too long: ",
            "262144 bytes",
        )
        assert causes(status) == [("FieldValueTooLong", "metadata.annotations")]


@case()
def a_finalizer_is_a_qualified_name(place: Place) -> None:
    for resource in both(place):
        body = resource.body("a", metadata={"finalizers": ["a b/c"]})
        refused(
            place.send("POST", resource, body=body), 422, "Invalid", 'metadata.finalizers: Invalid value: "a b/c"'
        )


@case()
def a_finalizer_of_a_built_in_kind_needs_a_prefix(place: Place) -> None:
    body = CONFIG_MAPS.body("a", metadata={"finalizers": ["bad"]})
    refused(
        place.send("POST", CONFIG_MAPS, body=body),
        422,
        "Invalid",
        'metadata.finalizers[0]: Invalid value: "bad": ',
        "name is neither a standard finalizer name nor is it fully qualified",
    )


@case()
def an_owner_is_named_completely(place: Place) -> None:
    for resource in both(place):
        body = resource.body("a", metadata={"ownerReferences": [{"name": "o"}]})
        words = [f'metadata.ownerReferences.{field}: Invalid value: "": ' for field in ("apiVersion", "kind", "uid")]
        status = refused(place.send("POST", resource, body=body), 422, "Invalid", *words)
        assert len(causes(status)) == 3


@case()
def a_namespace_other_than_the_path_is_a_bad_request(place: Place) -> None:
    for resource in both(place):
        body = resource.body("a", metadata={"namespace": "other"})
        refused(
            place.send("POST", resource, body=body),
            400,
            "BadRequest",
            "the namespace of the provided object does not match the namespace sent on the request",
        )


@case()
def a_namespace_that_is_not_there_is_not_found(place: Place) -> None:
    for resource in both(place):
        answer = place.api.request("POST", resource.path("nowhere-at-all"), resource.body("a"))
        status = refused(answer, 404, "NotFound", 'namespaces "nowhere-at-all" not found')
        assert status["details"] == {"name": "nowhere-at-all", "kind": "namespaces"}


@case()
def a_name_that_is_taken_already_exists(place: Place) -> None:
    for resource in both(place):
        before = place.create(resource, "a")
        status = refused(
            place.send("POST", resource, body=resource.body("a", metadata={"labels": {"k": "v"}})),
            409,
            "AlreadyExists",
            f'{resource.qualified} "a" already exists',
        )
        details = {"name": "a", "group": resource.group, "kind": resource.plural}
        assert status["details"] == {key: value for key, value in details.items() if value}
        assert place.get(resource, "a") == before


@case()
def a_new_object_has_no_resource_version(place: Place) -> None:
    for resource in both(place):
        answer = place.send("POST", resource, body=resource.body("a", metadata={"resourceVersion": "5"}))
        refused(answer, 500, None, "resourceVersion should not be set on objects to be created")
        assert not place.exists(resource, "a")


@case()
def another_kind_is_a_bad_request(place: Place) -> None:
    body = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}}
    words = 'Secret in version "v1" cannot be handled as a ConfigMap'
    refused(place.send("POST", CONFIG_MAPS, body=body), 400, "BadRequest", words)


@case()
def another_api_version_is_a_bad_request(place: Place) -> None:
    body = {"kind": "ConfigMap", "apiVersion": "v2", "metadata": {"name": "a"}}
    words = ('ConfigMap in version "v2" cannot be handled as a ConfigMap: ', 'no kind "ConfigMap" is registered')
    refused(place.send("POST", CONFIG_MAPS, body=body), 400, "BadRequest", *words)
    group = place.widgets.group
    body = {"kind": "Widget", "apiVersion": f"{group}/v2", "metadata": {"name": "a"}}
    refused(
        place.send("POST", place.widgets, body=body),
        400,
        "BadRequest",
        f"the API version in the data ({group}/v2) does not match the expected API version ({group}/v1)",
    )


@case()
def another_kind_of_a_custom_resource_is_invalid(place: Place) -> None:
    body = {"kind": "Foo", "apiVersion": place.widgets.api_version, "metadata": {"name": "a"}}
    words = f'Foo.{place.widgets.group} "a" is invalid: kind: Invalid value: "Foo": must be Widget'
    refused(place.send("POST", place.widgets, body=body), 422, "Invalid", words)


@case()
def a_built_in_object_may_leave_out_its_kind(place: Place) -> None:
    made = succeeded(place.send("POST", CONFIG_MAPS, body={"metadata": {"name": "a"}}), 201)
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")


@case()
def a_custom_resource_must_tell_its_kind(place: Place) -> None:
    answer = place.send("POST", place.widgets, body={"metadata": {"name": "a"}})
    refused(answer, 400, "BadRequest", "Object 'Kind' is missing in")


@case()
def a_body_that_is_not_json_is_a_bad_request(place: Place) -> None:
    for resource in both(place):
        unreadable = (
            f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get version/kind; "
        )
        for body, words in (
            (b"", "json parse error: unexpected end of JSON input (<empty>)"),
            (b"{", "json parse error: unexpected end of JSON input ({)"),
            (b"[]", "json parse error: json: cannot unmarshal array into Go value of type"),
            (b'{"kind": "A"} x', "json parse error: invalid character 'x' after top-level value"),
        ):
            refused(place.send("POST", resource, body=body), 400, "BadRequest", unreadable, words)


@case()
def a_field_of_a_wrong_type_is_a_bad_request(place: Place) -> None:
    for body in (
        CONFIG_MAPS.body("a", data="text"),
        CONFIG_MAPS.body("a", data={"k": 5}),
        CONFIG_MAPS.body("a", metadata={"labels": {"k": 5}}),
        CONFIG_MAPS.body("a", metadata={"labels": []}),
        CONFIG_MAPS.body("a", immutable="yes"),
    ):
        refused(
            place.send("POST", CONFIG_MAPS, body=body),
            400,
            "BadRequest",
            'ConfigMap in version "v1" cannot be handled as a ConfigMap: ',
        )


@case()
def metadata_of_a_wrong_type_is_a_bad_request(place: Place) -> None:
    for metadata in (
        {"name": 5},
        {"name": "a", "labels": {"k": 5}},
        {"name": "a", "labels": []},
        {"finalizers": "f"},
    ):
        body = {"apiVersion": place.widgets.api_version, "kind": "Widget", "metadata": metadata}
        refused(place.send("POST", place.widgets, body=body), 400, "BadRequest")


@case()
def yaml_is_read_too(place: Place) -> None:
    text = f"apiVersion: {place.widgets.api_version}\nkind: Widget\nmetadata:\n  name: a\nspec:\n  size: small\n"
    made = succeeded(place.send("POST", place.widgets, body=text.encode(), headers={"Content-Type": YAML}), 201)
    assert made["spec"]["size"] == "small"
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 'v'}\n"
    made = succeeded(place.send("POST", CONFIG_MAPS, body=text.encode(), headers={"Content-Type": YAML}), 201)
    assert made["data"] == {"k": "v"}


@case()
def a_body_over_3_mib_is_too_large(place: Place) -> None:
    body = CONFIG_MAPS.body("a", data={"k": "x" * (3 << 20)})
    answer = place.send("POST", CONFIG_MAPS, body=body)
    refused(answer, 413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


@case()
def a_custom_resource_has_to_fit_into_the_store(place: Place) -> None:
    fitting = place.create(place.gadgets, "fits", spec={"text": "x" * (1 << 20)})
    assert len(fitting["spec"]["text"]) == 1 << 20
    answer = place.send("POST", place.gadgets, body=place.gadgets.body("a", spec={"text": "x" * (7 << 18)}))
    refused(answer, 500, None, "etcdserver: request is too large")
    assert not place.exists(place.gadgets, "a")


@case()
def a_config_map_holds_a_mebibyte(place: Place) -> None:
    body = CONFIG_MAPS.body("a", data={"k": "x" * ((1 << 20) + 1)})
    status = refused(place.send("POST", CONFIG_MAPS, body=body), 422, "Invalid", "Too long: ", "1048576 bytes")
    assert status["details"]["causes"][0]["reason"] == "FieldValueTooLong"

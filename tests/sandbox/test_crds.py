"""CustomResourceDefinitions: which are accepted, what they make the server serve, and their status.

``recorded_crds.jsonl`` holds CRDs, or only their schemas, with the causes that kube-apiserver v1.20.2 gave for
refusing them; none means that it accepted. What this server says otherwise is in the tables below and in
test_structural.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zenctl.manifests.load import crd_yaml
from zenctl.sandbox.apiserver.crds import (
    NOTHING_TAKEN,
    described_versions,
    established_status,
    taken_names,
    validate_crd,
    with_defaults,
)
from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.kinds import Served

Json = dict[str, Any]
RECORDED = [
    msgspec.json.decode(line) for line in Path(__file__).with_name("recorded_crds.jsonl").read_bytes().splitlines()
]
NOW = datetime(2026, 11, 23, 2, 0, 0, 500, tzinfo=UTC)
LATER = datetime(2026, 11, 24, tzinfo=UTC)


def version(name: str = "v1", **fields: object) -> Json:
    return {
        "name": name,
        "served": True,
        "storage": name == "v1",
        "schema": {"openAPIV3Schema": {"type": "object"}},
        **fields,
    }


def crd(plural: str = "things", *, versions: list[Json] | None = None, **spec: object) -> Json:
    kind = plural.removesuffix("s").title()
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.ex.example.com"},
        "spec": {
            "group": "ex.example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": versions or [version()],
            **spec,
        },
    }


def named(plural: str, **names: object) -> Json:
    return crd(plural, names={"plural": plural, **names})


def established(document: Json) -> Json:
    return {**document, "status": established_status(document, now=NOW)}


def said(document: Json, old: Json | None = None) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in validate_crd(document, old)]


# -- accepting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["about"])
def test_causes_are_those_of_a_real_server(case):
    document = case.get("document") or crd(versions=[version(schema={"openAPIV3Schema": case["schema"]})])
    causes = [{"field": c.field, "reason": c.reason, "message": c.message} for c in validate_crd(document)]

    by_text = msgspec.json.encode
    assert sorted(causes, key=by_text) == sorted(case["causes"], key=by_text)


def test_our_own_crd_is_accepted():
    assert said(yaml.safe_load(crd_yaml())) == []


ONE_STORAGE = "must have exactly one version marked as storage version"
LISTED = '[{"name":"v1","served":true,"storage":true},{"name":"v%d","served":true,"storage":%s}]'
PRESERVE = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (
            crd(versions=[version(), version("v2", storage=True)]),
            [
                f"spec.versions: Invalid value: {LISTED % (2, 'true')}: {ONE_STORAGE}",
                'status.storedVersions: Invalid value: []string{"v1"}: must have the storage version v2',
            ],
        ),
        (
            crd(versions=[version(), version(storage=False)]),
            [f"spec.versions: Invalid value: {LISTED % (1, 'false')}: must contain unique version names"],
        ),
        (
            crd(conversion={"strategy": "Webhook", "webhook": {"conversionReviewVersions": ["v1"]}}),
            ['spec.conversion.strategy: Invalid value: "Webhook": this server has no conversion webhooks, only None'],
        ),
        (crd(preserveUnknownFields=True), [f"spec.preserveUnknownFields: Invalid value: true: {PRESERVE}"]),
    ],
)
def test_what_this_server_says_in_other_words(document, problems):
    assert said(document) == problems


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        ("https://github.com/kubernetes/kubernetes/pull/1", ""),
        ("unapproved, for a test", ""),
        ("http", "Invalid value"),
        ("", "Required value"),
    ],
)
def test_groups_of_kubernetes_itself_need_an_approval(annotation, problem):
    document = crd(group="x.k8s.io")
    document["metadata"] = {"name": "things.x.k8s.io", "annotations": {"api-approved.kubernetes.io": annotation}}
    problems = said(document)
    assert len(problems) == bool(problem)
    assert all(each.startswith(f"metadata.annotations[api-approved.kubernetes.io]: {problem}") for each in problems)


@pytest.mark.parametrize(("length", "problems"), [(256, 0), (257, 1)])
def test_a_deprecation_is_told_in_few_words(length, problems):
    assert len(said(crd(versions=[version(deprecated=True, deprecationWarning="x" * length)]))) == problems


def test_a_value_of_the_wrong_type_is_no_crd():
    with pytest.raises(ApiError, match="Expected `str`, got `int`") as refused:
        validate_crd(crd(group=5))
    assert refused.value.code == 400


def test_null_counts_as_absent_but_for_values():
    schema: Json = {
        "type": "object",
        "required": None,
        "properties": {"default": {"type": "string", "nullable": True}, "x": None},
    }
    schema["properties"]["default"]["enum"] = ["a", None]
    document = crd(versions=[version(schema={"openAPIV3Schema": schema}, subresources=None)], conversion=None)
    assert said(document) == []


def test_null_in_a_default_is_a_value():
    spec = {"type": "object", "default": {"b": None}, "properties": {"b": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    (problem,) = said(crd(versions=[version(schema={"openAPIV3Schema": schema})]))
    assert problem.endswith('.default.b: Invalid value: "null": b in body must be of type string: "null"')


SELECTABLE = {
    "type": "object",
    "properties": {
        "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
        "spec": {
            "type": "object",
            "properties": {"color": {"type": "string"}, "on": {"type": "boolean"}, "l": {"type": "object"}},
        },
    },
}
NO_FIELD = "is an invalid path: no field of the schema is there"
NO_SCALAR = (
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are"
)


@pytest.mark.parametrize(
    ("paths", "problems"),
    [
        ([".spec.color", ".spec.on"], []),
        ([""], ["[0].jsonPath: Required value"]),
        ([".spec.no"], [f'[0].jsonPath: Invalid value: ".spec.no": {NO_FIELD}']),
        (["spec"], [f'[0].jsonPath: Invalid value: "spec": {NO_FIELD}']),
        ([".metadata.name"], ['[0].jsonPath: Invalid value: ".metadata.name": must not point to fields in metadata']),
        ([".spec.l"], [f'[0].jsonPath: Invalid value: ".spec.l": {NO_SCALAR} allowed.']),
        ([".spec.color", ".spec.color"], ['[1].jsonPath: Duplicate value: ".spec.color"']),
    ],
)
def test_selectable_fields_are_fields_of_the_schema(paths, problems):
    selectable = [{"jsonPath": path} for path in paths]
    document = crd(versions=[version(schema={"openAPIV3Schema": SELECTABLE}, selectableFields=selectable)])
    assert said(document) == [f"spec.selectableFields{problem}" for problem in problems]


OTHER_KIND = {"plural": "things", "kind": "Other"}
OTHER_SHORT_NAME = {"plural": "things", "kind": "Thing", "shortNames": ["th"]}
IN_STORE = (
    "missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a "
    "storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions"
)


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        ({"scope": "Cluster"}, ['spec.scope: Invalid value: "Cluster": field is immutable']),
        ({"names": OTHER_KIND}, ['spec.names.kind: Invalid value: "Other": field is immutable']),
        ({"names": OTHER_SHORT_NAME}, []),
        ({"versions": [version("v2", storage=True)]}, [f'status.storedVersions[0]: Invalid value: "v1": {IN_STORE}']),
        ({"versions": [version(storage=False), version("v2", storage=True)]}, []),
    ],
)
def test_what_may_change_once_a_crd_is_established(change, problems):
    assert said(crd(**change), established(crd())) == problems


def test_scope_and_kind_may_change_before():
    assert said(crd(scope="Cluster", names={"plural": "things", "kind": "Other"}), crd()) == []


def test_defaults_are_filled_in_and_nothing_else_is():
    document = crd()
    before = copy.deepcopy(document)
    filled = with_defaults(document)
    assert document == before
    assert filled["spec"].pop("conversion") == {"strategy": "None"}
    assert filled["spec"]["names"] == {
        "plural": "things",
        "kind": "Thing",
        "singular": "thing",
        "listKind": "ThingList",
    }
    assert {**filled, "spec": {**filled["spec"], "names": before["spec"]["names"]}} == before


# -- serving ------------------------------------------------------------------------------------------


def served_versions(document: Json) -> tuple[Served, ...]:
    return tuple(served for served, is_served in described_versions(document) if is_served)


def test_nothing_is_served_before_a_crd_is_established():
    assert served_versions(crd()) == ()


def test_each_served_version_is_described():
    status: Json = {"status": {}}
    document = crd(
        scope="Cluster",
        names={"plural": "things", "kind": "Thing", "shortNames": ["th"], "categories": ["all"]},
        versions=[version(), version("v2", subresources=status), version("v3", served=False)],
    )
    first, second = served_versions(established(document))
    assert first.type.full_name == "things.ex.example.com"
    assert (first.type.version, first.type.kind, first.type.singular) == ("v1", "Thing", "thing")
    assert (first.type.short_names, first.categories, first.kind_of_list) == (("th",), ("all",), "ThingList")
    assert not first.type.namespaced
    assert (first.generation, first.builtin, first.unconditional_update) == (True, False, False)
    assert first.schema == {"type": "object"}
    assert (first.type.status_subresource, dict(first.subresources)) == (False, {})
    assert second.type.status_subresource
    assert second.subresources["status"].verbs == {"get", "patch", "update"}


def test_a_scale_subresource_is_accepted_and_not_served():
    scale = {"scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}}
    document = crd(versions=[version(subresources=scale)])
    assert said(document) == []
    assert not served_versions(established(document))[0].subresources


def columns(*declared: tuple[str, str, str]) -> list[tuple[str, object]]:
    listed = [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in declared]
    (served,) = served_versions(established(crd(versions=[version(additionalPrinterColumns=listed)])))
    obj = {"metadata": {"name": "a", "creationTimestamp": "2026-11-23T01:00:00Z"}, "spec": {"n": 7, "s": "x"}}
    return [(column.name, column.cell(obj, NOW)) for column in served.columns]


def test_columns_are_those_of_the_crd():
    declared = (("S", "string", ".spec.s"), ("N", "integer", ".spec.n"), ("None", "string", ".spec.none"))
    assert columns(*declared) == [("Name", "a"), ("S", "x"), ("N", 7), ("None", None)]


def test_without_columns_there_is_the_age():
    assert columns() == [("Name", "a"), ("Age", "60m")]


def test_columns_end_before_the_first_that_cannot_be_read():
    assert columns(("S", "string", ".spec.s"), ("Bad", "string", ".spec["), ("N", "integer", ".spec.n")) == [
        ("Name", "a"),
        ("S", "x"),
    ]
    assert columns(("Bad", "string", ".spec[")) == [("Name", "a")]


def test_selectable_fields_can_be_read():
    selectable = [{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.on"}]
    document = crd(versions=[version(schema={"openAPIV3Schema": SELECTABLE}, selectableFields=selectable)])
    (served,) = served_versions(established(document))
    obj = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"on": True}}
    assert {name: read(obj) for name, read in served.field_selectors.items()} == {
        "metadata.name": "a",
        "metadata.namespace": "b",
        "spec.color": "",
        "spec.on": "true",
    }


# -- status: what a real server showed for CRDs of one group, made one after another --------------------

FIRST = named("as", kind="Aa", shortNames=["x", "y"], categories=["all"])


def status_after(document: Json, *others: Json, previous: Json | None = None, now: datetime = NOW) -> Json:
    taken = taken_names(others, "ex.example.com")
    return established_status(document, now=now, previous=previous, taken=taken)


def test_a_crd_without_rivals_is_established_at_once():
    assert status_after(FIRST) == {
        "conditions": [
            {"type": "NamesAccepted", "status": "True", "lastTransitionTime": "2026-11-23T02:00:00Z",
             "reason": "NoConflicts", "message": "no conflicts found"},
            {"type": "Established", "status": "True", "lastTransitionTime": "2026-11-23T02:00:00Z",
             "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
        ],
        "acceptedNames": {"plural": "as", "singular": "aa", "shortNames": ["x", "y"], "kind": "Aa",
                          "listKind": "AaList", "categories": ["all"]},
        "storedVersions": ["v1"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "reason", "message", "accepted"),
    [
        (named("bs", kind="Aa"), "ListKindConflict", '"AaList" is already in use', {"plural": "bs", "kind": ""}),
        (named("cs", kind="Cc", singular="aa", shortNames=["y", "z"]), "ShortNamesConflict", '"y" is already in use',
         {"plural": "cs", "kind": "Cc", "listKind": "CcList"}),
        (named("ds", kind="Dd", singular="ds", shortNames=["as"], listKind="AaList"), "ListKindConflict",
         '"AaList" is already in use', {"plural": "ds", "singular": "ds", "kind": "Dd"}),
        (named("es", kind="Ee", shortNames=["x", "y"], categories=["k"]), "ShortNamesConflict",
         '["x" is already in use, "y" is already in use]',
         {"plural": "es", "singular": "ee", "kind": "Ee", "listKind": "EeList", "categories": ["k"]}),
    ],
)  # fmt: skip
def test_names_that_another_crd_holds_are_not_accepted(document, reason, message, accepted):
    status = status_after(document, established(FIRST))
    names, established_condition = status["conditions"]
    assert (names["status"], names["reason"], names["message"]) == ("False", reason, message)
    assert (established_condition["status"], established_condition["reason"]) == ("False", "NotAccepted")
    assert status["acceptedNames"] == accepted
    assert served_versions({**document, "status": status}) == ()


def test_names_are_accepted_when_the_rival_has_gone():
    document = named("cs", kind="Cc", shortNames=["y", "z"])
    refused = status_after(document, established(FIRST))
    status = status_after(document, previous=refused, now=LATER)
    assert [each["status"] for each in status["conditions"]] == ["True", "True"]
    assert {each["lastTransitionTime"] for each in status["conditions"]} == {"2026-11-24T00:00:00Z"}


def test_a_name_that_the_crd_itself_holds_is_in_use_too():
    document = named("ds", kind="Dd", singular="ds", shortNames=["ds", "as"])
    refused = status_after(document, established(FIRST))
    assert refused["conditions"][0]["message"] == '"as" is already in use'
    assert status_after(document, previous=refused)["conditions"][0]["message"] == '"ds" is already in use'


def test_a_crd_stays_established_when_new_names_clash():
    document = named("cs", kind="Cc")
    status = status_after(document)
    status = status_after(named("cs", kind="Cc", shortNames=["x"]), established(FIRST), previous=status, now=LATER)
    names, established_condition = status["conditions"]
    assert (names["status"], names["lastTransitionTime"]) == ("False", "2026-11-24T00:00:00Z")
    assert (established_condition["status"], established_condition["lastTransitionTime"]) == (
        "True",
        "2026-11-23T02:00:00Z",
    )
    (served,) = served_versions({**named("cs", kind="Cc", shortNames=["x"]), "status": status})
    assert served.type.short_names == ()


def test_other_conditions_and_stored_versions_are_kept():
    previous = {**status_after(crd()), "storedVersions": ["v0"]}
    previous["conditions"] = [{"type": "Terminating", "status": "True"}, *previous["conditions"]]
    status = status_after(crd(), previous=previous)
    assert [each["type"] for each in status["conditions"]] == ["Terminating", "NamesAccepted", "Established"]
    assert status["storedVersions"] == ["v0", "v1"]


def test_names_of_another_group_do_not_count():
    assert taken_names([established(FIRST)], "other.example.com") == NOTHING_TAKEN


NAMES = st.sampled_from(["as", "bs", "cs"])


@given(st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=2), st.sampled_from(["Aa", "Bb"])), max_size=5))
@settings(max_examples=100, deadline=None)
def test_no_two_crds_of_a_group_hold_one_name(wanted):
    """The last status of each CRD counts; whatever they ask for and in which order, none shares a name."""
    made: dict[str, Json] = {}
    for plural, short, kind in wanted:
        document = named(plural, kind=kind, singular=f"one-{plural}", shortNames=short)
        previous = made.get(plural, {}).get("status")
        status = status_after(document, *made.values(), previous=previous)
        made[plural] = {**document, "status": status}
    held = [taken_names([each], "ex.example.com") for each in made.values()]
    assert sum(len(each.resources) for each in held) == len(frozenset().union(*(each.resources for each in held)))
    assert sum(len(each.kinds) for each in held) == len(frozenset().union(*(each.kinds for each in held)))

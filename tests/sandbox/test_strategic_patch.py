"""zenctl.sandbox.apiserver.strategic: strategic merge patches, as kube-apiserver applies them.

The tables up to "what is merged with nothing" were sent to a kube-apiserver 1.20: results and errors are its own,
less the defaults that it fills in.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zenctl.sandbox.apiserver.errors import ApiError
from zenctl.sandbox.apiserver.merge_keys import merge_rules
from zenctl.sandbox.apiserver.patch import strategic_merge_patch
from zenctl.sandbox.apiserver.types import DEFINITIONS, reference

CONFIG_MAP_RULES = merge_rules(reference("io.k8s.api.core.v1.ConfigMap"), DEFINITIONS)
DEPLOYMENT_RULES = merge_rules(reference("io.k8s.api.apps.v1.Deployment"), DEFINITIONS)

A, B = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
HTTP = {"containerPort": 80, "name": "http", "protocol": "TCP"}
WEB = {"name": "web", "image": "nginx:1", "args": ["a", "b"], "env": [A, B], "ports": [HTTP]}
SIDE = {"name": "side", "image": "busybox"}
CFG, TMP = {"name": "cfg", "configMap": {"name": "cm"}}, {"name": "tmp", "emptyDir": {}}
S1, S2 = {"name": "s1"}, {"name": "s2"}
ONE, TWO, NEW = "x.io/one", "x.io/two", "x.io/new"

METADATA = {
    "name": "cm",
    "namespace": "default",
    "labels": {"a": "1", "b": "2"},
    "annotations": {"k": "v"},
    "finalizers": [ONE, TWO],
}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": METADATA, "data": {"x": "1", "y": "2"}}
POD_SPEC = {
    "containers": [WEB, SIDE],
    "volumes": [CFG, TMP],
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "imagePullSecrets": [S1, S2],
}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": ROLLING,
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": POD_SPEC},
    },
}


def changed(value: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return the value with members replaced; None removes one."""
    return {key: item for key, item in {**value, **changes}.items() if item is not None}


# -- objects --------------------------------------------------------------------------------------------

CONFIG_MAP_PATCHES: list[tuple[Any, dict[str, Any]]] = [
    (None, {}),
    ({}, {}),
    ({"data": {"x": None, "z": "3"}}, {"data": {"y": "2", "z": "3"}}),
    ({"data": None}, {"data": None}),
    ({"data": {"$patch": "replace", "z": "3"}}, {"data": {"z": "3"}}),
    ({"data": {"$patch": "delete", "z": "3"}}, {"data": None}),
    ({"data": {"$retainKeys": ["x", "w"], "w": "9"}}, {"data": {"x": "1", "w": "9"}}),
    ({"data": {"$retainKeys": ["x"], "y": None}}, {"data": {"x": "1"}}),
    ({"immutable": True}, {"immutable": True}),
    (
        {"$patch": "replace", "metadata": {"name": "cm", "namespace": "default"}, "data": {"o": "1"}},
        {"apiVersion": None, "kind": None, "metadata": {"name": "cm", "namespace": "default"}, "data": {"o": "1"}},
    ),
]


@pytest.mark.parametrize(("patch", "changes"), CONFIG_MAP_PATCHES)
def test_objects_are_merged(patch, changes):
    result = strategic_merge_patch(CONFIG_MAP, patch, CONFIG_MAP_RULES)
    assert changed(result, {"data": result.get("data") or None}) == changed(CONFIG_MAP, changes)


# -- arrays of scalars ----------------------------------------------------------------------------------

DELETE, ORDER = "$deleteFromPrimitiveList/finalizers", "$setElementOrder/finalizers"
METADATA_PATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"labels": {"a": None, "c": "3"}}, {"labels": {"b": "2", "c": "3"}}),
    ({"finalizers": [NEW]}, {"finalizers": [NEW, ONE, TWO]}),
    ({"finalizers": [TWO, NEW, ONE]}, {"finalizers": [TWO, NEW, ONE]}),
    ({"finalizers": []}, {}),
    ({"finalizers": None}, {"finalizers": None}),
    ({DELETE: [ONE, "x.io/unknown"]}, {"finalizers": [TWO]}),
    ({DELETE: [ONE], "finalizers": [NEW]}, {"finalizers": [NEW, TWO]}),
    ({DELETE: []}, {}),
    ({DELETE: None}, {"finalizers": None}),
    ({"$deleteFromPrimitiveList/unknown": ["x"]}, {}),
    ({ORDER: [TWO, ONE]}, {"finalizers": [TWO, ONE]}),
    ({ORDER: [TWO, NEW, ONE], "finalizers": [NEW]}, {"finalizers": [TWO, NEW, ONE]}),
    ({ORDER: [ONE, TWO], DELETE: [ONE]}, {"finalizers": [TWO]}),
    ({ORDER: [TWO]}, {}),
    ({ORDER: []}, {}),
    ({ORDER: [1]}, {}),
    ({"$setElementOrder/ownerReferences": [{"uid": "x"}]}, {}),
    (
        {"$retainKeys": ["name", "namespace", "labels"], "labels": {"c": "1"}},
        {"labels": {"a": "1", "b": "2", "c": "1"}, "annotations": None, "finalizers": None},
    ),
]


@pytest.mark.parametrize(("patch", "changes"), METADATA_PATCHES)
def test_arrays_of_scalars_are_united(patch, changes):
    result = strategic_merge_patch(CONFIG_MAP, {"metadata": patch}, CONFIG_MAP_RULES)
    assert result == {**CONFIG_MAP, "metadata": changed(METADATA, changes)}


# -- arrays of objects ----------------------------------------------------------------------------------

ORDER_OF = "$setElementOrder/containers"


def web(**changes: Any) -> dict[str, Any]:
    return {"containers": [{**WEB, **changes}, SIDE]}


POD_SPEC_PATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"containers": [{"name": "web", "image": "nginx:2"}]}, web(image="nginx:2")),
    ({"containers": [{"name": "new", "image": "n"}]}, {"containers": [{"name": "new", "image": "n"}, WEB, SIDE]}),
    (
        {"containers": [{"name": "new", "image": "n"}, {"name": "web", "image": "nginx:9"}]},
        {"containers": [{"name": "new", "image": "n"}, {**WEB, "image": "nginx:9"}, SIDE]},
    ),
    ({"containers": []}, {}),
    ({"containers": [{"name": "web", "$patch": "delete"}]}, {"containers": [SIDE]}),
    (
        {"containers": [{"name": "web", "$patch": "delete"}, {"name": "web", "image": "again"}]},
        {"containers": [{"name": "web", "image": "again"}, SIDE]},
    ),
    (
        {"containers": [{"$patch": "replace"}, {"name": "o", "image": "i"}]},
        {"containers": [{"name": "o", "image": "i"}]},
    ),
    (
        {"containers": [{"name": "web", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}]},
        web(env=[A, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]),
    ),
    ({"containers": [{"name": "web", "env": [{"name": "A", "$patch": "delete"}]}]}, web(env=[B])),
    ({"containers": [{"name": "web", "env": [{"name": "A", "value": None}]}]}, web(env=[{"name": "A"}, B])),
    ({"containers": [{"name": "web", "args": ["c"]}]}, web(args=["c"])),
    (
        {"containers": [{"name": "web", "ports": [{"containerPort": 80, "name": "www"}]}]},
        web(ports=[{**HTTP, "name": "www"}]),
    ),
    (
        {"containers": [{"name": "web", "volumeMounts": [{"name": "cfg", "mountPath": "/a"}]}]},
        web(volumeMounts=[{"name": "cfg", "mountPath": "/a"}]),
    ),
    ({ORDER_OF: [{"name": "side"}, {"name": "web"}]}, {"containers": [SIDE, WEB]}),
    (
        {ORDER_OF: [{"name": "side"}, {"name": "web"}], "containers": [{"name": "web", "image": "nginx:7"}]},
        {"containers": [SIDE, {**WEB, "image": "nginx:7"}]},
    ),
    (
        {
            ORDER_OF: [{"name": "side"}, {"name": "new"}, {"name": "web"}],
            "containers": [{"name": "new", "image": "n"}],
        },
        {"containers": [SIDE, {"name": "new", "image": "n"}, WEB]},
    ),
    ({ORDER_OF: [{"name": "side"}], "containers": [{"name": "web", "$patch": "delete"}]}, {"containers": [SIDE]}),
    (
        {"volumes": [{"name": "tmp", "$retainKeys": ["name", "configMap"], "configMap": {"name": "cm2"}}]},
        {"volumes": [CFG, {"name": "tmp", "configMap": {"name": "cm2"}}]},
    ),
    (
        {"volumes": [{"name": "new", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]},
        {"volumes": [{"name": "new", "emptyDir": {}}, CFG, TMP]},
    ),
    ({"volumes": [{"name": "cfg", "$patch": "delete"}]}, {"volumes": [TMP]}),
    ({"volumes": None}, {"volumes": None}),
    ({"tolerations": [{"key": "z", "operator": "Exists"}]}, {"tolerations": [{"key": "z", "operator": "Exists"}]}),
    ({"imagePullSecrets": [{"name": "s0"}]}, {"imagePullSecrets": [{"name": "s0"}, S1, S2]}),
    ({"imagePullSecrets": [{"name": "s1", "$patch": "delete"}]}, {"imagePullSecrets": [S2]}),
    (
        {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]},
        {"hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]},
    ),
]


@pytest.mark.parametrize(("patch", "changes"), POD_SPEC_PATCHES)
def test_arrays_of_objects_are_merged_by_their_keys(patch, changes):
    result = strategic_merge_patch(DEPLOYMENT, {"spec": {"template": {"spec": patch}}}, DEPLOYMENT_RULES)
    assert result["spec"]["template"]["spec"] == changed(POD_SPEC, changes)


STRATEGY_PATCHES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"$retainKeys": ["type"], "type": "Recreate"}, {"type": "Recreate"}),
    ({"$patch": "replace", "type": "Recreate"}, {"type": "Recreate"}),
    ({"rollingUpdate": {"maxSurge": 3}}, {**ROLLING, "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}}),
    ({"type": "Recreate", "rollingUpdate": None}, {"type": "Recreate"}),
]


@pytest.mark.parametrize(("patch", "strategy"), STRATEGY_PATCHES)
def test_a_union_is_changed_with_retain_keys(patch, strategy):
    result = strategic_merge_patch(DEPLOYMENT, {"spec": {"strategy": patch}}, DEPLOYMENT_RULES)
    assert result == {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "strategy": strategy}}  # type: ignore[dict-item]


# -- errors ---------------------------------------------------------------------------------------------

RETAIN = (400, "invalid patch format of retainKeys")
SCALAR_LIST = (400, "invalid patch format of primitive list")


def order_error(patch: str, order: str) -> tuple[int, str]:
    return 500, f"The order in patch list:\n{patch}\n doesn't match $setElementOrder list:\n{order}\n"


CONFIG_MAP_ERRORS: list[tuple[Any, tuple[int, str]]] = [
    ([], (400, "json: cannot unmarshal array into Go value of type map[string]interface {}")),
    (5, (400, "json: cannot unmarshal number into Go value of type map[string]interface {}")),
    ("x", (400, "json: cannot unmarshal string into Go value of type map[string]interface {}")),
    ({"$patch": "bad"}, (500, "unknown patch type: bad in map: map[$patch:bad]")),
    ({"data": {"$patch": "merge", "z": "3"}}, (500, "unknown patch type: merge in map: map[$patch:merge z:3]")),
    ({"data": {"$patch": 5}}, (500, "unknown patch type: %!s(int64=5) in map: map[$patch:5]")),
    ({"data": {"$patch": True}}, (500, "unknown patch type: %!s(bool=true) in map: map[$patch:true]")),
    ({"data": {"$patch": None}}, (500, "unknown patch type: %!s(<nil>) in map: map[$patch:<nil>]")),
    ({"metadata": {"$retainKeys": ["name"], "labels": {"c": "1"}}}, RETAIN),
    ({"metadata": {"$retainKeys": "name"}}, RETAIN),
    ({"metadata": {"$retainKeys": None}}, RETAIN),
    ({"metadata": {"$deleteFromPrimitiveList": ["x"]}}, SCALAR_LIST),
    ({"metadata": {"$deleteFromPrimitiveListX/finalizers": [ONE]}}, SCALAR_LIST),
    (
        {"metadata": {DELETE: [{}]}},
        (500, "list element types are not identical: [[x.io/one x.io/two] [map[]]]"),
    ),
    ({"metadata": {"finalizers": [1]}}, (500, "list element types are not identical: [[x.io/one x.io/two] [1]]")),
    (
        {"metadata": {"finalizers": [None]}},
        (500, "list element types are not identical: [[x.io/one x.io/two] [<nil>]]"),
    ),
    ({"metadata": {"$setElementOrder": [ONE]}}, (400, "invalid patch format of setElementOrder list")),
    ({"metadata": {ORDER: "x"}}, (500, "expected a []interface {}, but received a string")),
    ({"metadata": {ORDER: None}}, (500, "expected a []interface {}, but received a %!s(<nil>)")),
    (
        {"metadata": {"$setElementOrder/labels": ["x"]}},
        (500, "expected a []interface {}, but received a map[string]interface {}"),
    ),
    (
        {"metadata": {"$setElementOrder/nope": ["x"]}},
        (500, 'unable to find api field in struct ObjectMeta for the json field "nope"'),
    ),
    (
        {"metadata": {ORDER: [NEW, TWO], "finalizers": [TWO, NEW]}},
        order_error("[x.io/two x.io/new]", "[x.io/new x.io/two]"),
    ),
]  # fmt: skip
POD_SPEC_ERRORS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"containers": [{"image": "n"}]}, (500, "map: map[image:n] does not contain declared merge key: name")),
    (
        {"containers": [{"$patch": "delete"}]},
        (500, "map: map[$patch:delete] does not contain declared merge key: name"),
    ),
    (
        {"containers": [{"name": "web", "ports": [{"name": "http"}]}]},
        (500, "map: map[name:http] does not contain declared merge key: containerPort"),
    ),
    ({"containers": [{"name": "o", "$patch": "merge"}]}, (500, "merging lists cannot yet be specified in the patch")),
    (
        {"containers": [{"name": "o", "$patch": "bogus"}]},
        (500, "unknown patch type: bogus in map: map[$patch:bogus name:o]"),
    ),
    (
        {ORDER_OF: [{"name": "side"}], "containers": [{"name": "web", "image": "i"}]},
        order_error("[map[image:i name:web]]", "[map[name:side]]"),
    ),
    (
        {ORDER_OF: [{"nope": "side"}], "containers": [{"name": "web", "image": "x"}]},
        (500, "map: map[nope:side] does not contain declared merge key: name"),
    ),
    ({"volumes": [{"name": "tmp", "$retainKeys": ["configMap"], "configMap": {"name": "cm2"}}]}, RETAIN),
]


def refusal(document: dict[str, Any], patch: Any, rules: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        strategic_merge_patch(document, patch, rules)
    assert caught.value.reason == {400: "BadRequest", 422: "Invalid", 500: ""}[caught.value.code]
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(("patch", "refused"), CONFIG_MAP_ERRORS)
def test_what_is_no_patch_of_a_config_map(patch, refused):
    assert refusal(CONFIG_MAP, patch, CONFIG_MAP_RULES) == refused


@pytest.mark.parametrize(("patch", "refused"), POD_SPEC_ERRORS)
def test_what_is_no_patch_of_a_pod_template(patch, refused):
    assert refusal(DEPLOYMENT, {"spec": {"template": {"spec": patch}}}, DEPLOYMENT_RULES) == refused


# -- what is merged with nothing: as releases from 1.28 on do --------------------------------------------


@pytest.mark.parametrize(
    ("patch", "changes"),
    [
        ({"nodeSelector": {"a": None, "b": "c"}}, {"nodeSelector": {"b": "c"}}),
        ({"nodeSelector": {"$retainKeys": ["b"], "b": "c"}}, {"nodeSelector": {"b": "c"}}),
        ({"nodeSelector": {"$patch": "delete"}}, {}),
        ({"affinity": {"$patch": "replace", "nodeAffinity": {}}}, {}),
        ({"affinity": {"nodeAffinity": None, "podAffinity": {"$patch": "delete"}}}, {"affinity": {}}),
        ({"initContainers": [{"name": "i", "$patch": "delete"}]}, {"initContainers": []}),
        ({"$setElementOrder/initContainers": [{"name": "i"}], "initContainers": [{"name": "i", "$patch": "delete"}]},
         {"initContainers": []}),
        ({"$setElementOrder/hostAliases": [{"ip": "2"}, {"ip": "1"}], "hostAliases": [{"ip": "2"}, {"ip": "1"}]},
         {"hostAliases": [{"ip": "2"}, {"ip": "1"}]}),
        ({"$deleteFromPrimitiveList/hostAliases": ["x"]}, {}),
        ({"containers": [{"name": "new", "env": [{"name": "A", "value": None}], "$setElementOrder/env": []}]},
         {"containers": [{"name": "new", "env": [{"name": "A"}]}, WEB, SIDE]}),
        ({"containers": [{"name": "web", "$deleteFromPrimitiveList/args": ["a"]}]}, web(args=["b"])),
        ({"volumes": "x"}, {"volumes": "x"}),
        ({"volumes": {"a": None}}, {"volumes": {}}),
        ({"volumes": {"$patch": "delete"}}, {"volumes": None}),
    ],
)  # fmt: skip
def test_what_is_merged_with_nothing_brings_neither_nulls_nor_directives(patch, changes):
    result = strategic_merge_patch(DEPLOYMENT, {"spec": {"template": {"spec": patch}}}, DEPLOYMENT_RULES)
    assert result["spec"]["template"]["spec"] == changed(POD_SPEC, changes)


@pytest.mark.parametrize(
    ("document", "patch", "refused"),
    [
        ({"a": []}, {"a": [["x"]]}, (422, "the server rejected our request due to an error in our request")),
        ({"a": []}, {"a": [{"x": 1}]}, (500, "cannot merge lists without merge key for type struct")),
        ({"a": []}, {"$setElementOrder/a": ["x"]}, (500, "no elements in any of the given slices")),
        (
            {"b": [{"x": 1}]},
            {"$setElementOrder/b": []},
            (500, "cannot merge lists without merge key for type struct"),
        ),
        ({"a": [{"x": 1}]}, {"$deleteFromPrimitiveList/a": [{"x": 1}]}, SCALAR_LIST),
    ],
)
def test_arrays_that_cannot_be_merged(document, patch, refused):
    rules = merge_rules({"properties": {"a": {"type": "array", "x-kubernetes-patch-strategy": "merge"}, "b": {}}}, {})
    assert refusal(document, patch, rules) == refused


# -- properties -----------------------------------------------------------------------------------------

NAMES = st.lists(st.sampled_from("abcdef"), unique=True)
CONTAINERS = DEFINITIONS["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
RULES = merge_rules({"properties": {"containers": CONTAINERS}}, DEFINITIONS)


def named(names: list[str], **fields: str) -> list[dict[str, str]]:
    return [{"name": name, **fields} for name in names]


@given(NAMES, NAMES)
def test_merging_unites_by_key_and_both_orders_stay(live, patch):
    result = strategic_merge_patch(
        {"containers": named(live, image="old", tty="t")}, {"containers": named(patch, image="new")}, RULES
    )["containers"]
    names = [item["name"] for item in result]
    assert sorted(names) == sorted({*live, *patch})
    assert [name for name in names if name in patch] == patch
    assert [name for name in names if name not in patch] == [name for name in live if name not in patch]
    assert all(item["image"] == ("new" if item["name"] in patch else "old") for item in result)
    assert all(("tty" in item) == (item["name"] in live) for item in result)


@given(NAMES.filter(bool), st.randoms(use_true_random=False))
def test_an_array_comes_in_the_order_that_is_set(live, random):
    order = random.sample(live, len(live))
    patch = {"$setElementOrder/containers": named(order)}
    assert strategic_merge_patch({"containers": named(live)}, patch, RULES) == {"containers": named(order)}


@given(NAMES, NAMES)
def test_what_is_deleted_is_gone_and_nothing_else(live, gone):
    patch = {"containers": [{"name": name, "$patch": "delete"} for name in gone]}
    result = strategic_merge_patch({"containers": named(live)}, patch, RULES)
    assert result == {"containers": [item for item in named(live) if item["name"] not in gone]}

"""The bodies of the differential suite: random objects of each of its kinds, right and wrong ones.

Everything is drawn from the one Random that is given; no servers, no requests.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from tests.conformance.api import Document
from tests.conformance.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    Resource,
)

Path = tuple[str | int, ...]
Content = Callable[[random.Random], Document]

ANYTHING: tuple[Any, ...] = (
    None, "", "x", "A b", 0, 5, -1, 1.5, 2**40, 1e30, True, False, [], {}, ["a"], ["a", "a"], [None], {"a": "b"},
    {"a": None}, "a.b/c", "x" * 300, "2020-01-02T03:04:05Z", [{"name": "a"}, {"name": "a"}],
)  # fmt: skip
NAMES = ("a", "b", "c")
ODD_NAMES = ("A", "a_b", "-a", "a.b", "a b", "x" * 254, "a/b", "a%b", "..", "ü", "")
LABELS: tuple[Document, ...] = ({"app": "a"}, {"app": "b"}, {"app": "a", "tier": "x"}, {"example.com/app": ""})
_ODD_LABELS: tuple[Any, ...] = (
    {"a b": "x"}, {"app": "a b"}, {"app": 5}, {"app": None}, {"x" * 64: ""}, {"": ""}, {"a/b/c": ""}, "x", [], None,
)  # fmt: skip
_HOLD = "example.com/hold"
_ODD_METADATA: tuple[Document, ...] = (
    {"finalizers": ["hold"]}, {"finalizers": ["a b"]}, {"finalizers": [_HOLD, _HOLD]}, {"finalizers": "x"},
    {"finalizers": ["orphan", "foregroundDeletion"]}, {"finalizers": [None]}, {"finalizers": [""]},
    {"annotations": {"a b": "x"}}, {"annotations": {"A": None}}, {"annotations": {"a": 5}}, {"annotations": []},
    {"ownerReferences": [{}]}, {"ownerReferences": [{"apiVersion": "v1", "kind": "Event", "name": "a", "uid": "1"}]},
    {"ownerReferences": [{"apiVersion": "a/b/c", "kind": "X", "name": "a", "uid": "1"}]}, {"ownerReferences": {}},
    {"uid": "1"}, {"uid": 5}, {"generation": 7}, {"generation": -1}, {"resourceVersion": "1"}, {"unknown": 1},
    {"resourceVersion": "x"}, {"creationTimestamp": "2020-01-02T03:04:05Z"}, {"creationTimestamp": None},
    {"creationTimestamp": "soon"}, {"deletionTimestamp": "2020-01-02T03:04:05Z"}, {"deletionGracePeriodSeconds": 5},
    {"namespace": "other"}, {"namespace": 5}, {"selfLink": "x"}, {"generateName": "x"}, {"generateName": "X-"},
    {"managedFields": []}, {"managedFields": [{"manager": "x", "operation": "Foo"}]}, {"managedFields": "x"},
)  # fmt: skip


def metadata(rng: random.Random, name: str) -> Document:
    """Return metadata, odd in one case of eight."""
    made: Document = {"name": name}
    if rng.random() < 0.5:
        made["labels"] = rng.choice(LABELS)
    if rng.random() < 0.2:
        made["annotations"] = {"note": rng.choice("xyz")}
    if rng.random() < 0.15:
        made["finalizers"] = [_HOLD]
    if rng.random() < 0.08:
        made |= rng.choice(_ODD_METADATA)
    if rng.random() < 0.04:
        made["labels"] = rng.choice(_ODD_LABELS)
    return made


def some(rng: random.Random, fields: Mapping[str, Sequence[Any]], share: float = 0.4) -> Document:
    """Return an object with some of the fields, each with one of its values."""
    return {name: deepcopy(rng.choice(values)) for name, values in fields.items() if rng.random() < share}


_WIDGET: Mapping[str, Sequence[Any]] = {
    "size": ("small", "large"),
    "weight": (0, 50, 100, 5.0),
    "ratio": (0.5, 1.5, 2.5),
    "enabled": (True, False),
    "code": ("ab", "xyz"),
    "when": ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05.123+01:00"),
    "colour": ("blue", ""),
    "note": ("x", "", None),
    "port": (80, "http"),
    "free": ({}, {"a": {"b": None}}, {"a": [1, None]}),
    "loose": ({"x": 1}, {"strict": {"a": "x"}}, {"strict": {"a": "x", "b": 1}}),
    "template": ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"a": "b"}}, "x": 1},),
    "limits": ({"cpu": "1"}, {"cpu": "1", "memory": "2"}, {"cpu": "1", "memory": None}),
    "tags": ([], ["a"], ["a", "b"]),
    "parts": ([], [{"name": "a"}], [{"name": "a", "count": 2}, {"name": "b"}]),
    "levels": ({}, {"a": 1}, {"a": 1, "b": 2}),
    "choice": ({"left": "x"}, {"right": "y"}),
}
_ODD_WIDGET: Mapping[str, Sequence[Any]] = {
    "size": ("huge", 5, None, ""),
    "weight": (-1, 101, "5", 1.5, None, True, 1e3, 2**70),
    "ratio": (0.3, "1", None, -0.5),
    "enabled": ("true", 0, None),
    "code": ("a", "abcdef", "AB", "", 5, None, "ä"),
    "when": ("soon", "", 5, "2020-01-02", None),
    "colour": (5, None, []),
    "note": (5, {}, []),
    "port": (1.5, True, {}, None, [], 1.0),
    "free": ([], "x", 5, None),
    "loose": ({"strict": 5}, {"strict": {"a": 5}}, {"strict": None}, "x", None),
    "template": (
        {}, {"apiVersion": "v1"}, {"kind": "Pod"}, {"apiVersion": 5, "kind": "Pod"}, {"apiVersion": "v1", "kind": ""},
        {"apiVersion": "a/b/c", "kind": "Pod"}, {"apiVersion": "v1", "kind": "a b"}, [], None, "x",
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a b": "c"}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "A/b", "unknown": 1}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": 5}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"finalizers": [5], "creationTimestamp": "soon"}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": 5}, {"apiVersion": "v1", "kind": "Pod", "metadata": None},
    ),
    "limits": ({}, {"cpu": None}, {"cpu": 5}, {"memory": "1"}, {"cpu": "1", "x": 1}, [], None),
    "tags": (["a", "a"], ["a", "b", "c", "d"], [1], [None], "x", None, {}, [[]]),
    "parts": ([{"count": 1}], [{"name": "a"}, {"name": "a"}], [{}], [None], ["x"], [{"name": None}], {},
              [{"name": "a", "count": None}], [{"name": "a", "count": "x"}], [{"name": "a", "x": 1}], None),
    "levels": ({"a": "x"}, {"a": 1, "b": 2, "c": 3}, {"a": None}, {"a": 1.5}, [], None),
    "choice": ({}, {"left": "x", "right": "y"}, {"left": 5}, {"left": None}, {"x": 1}, None),
    "unknown": (1, {}, None),
}  # fmt: skip


def _widget(rng: random.Random) -> Document:
    spec = some(rng, _WIDGET, 0.3)
    if rng.random() < 0.4:
        spec |= some(rng, _ODD_WIDGET, 0.06)
    return {"spec": spec, **({"status": _widget_status(rng)} if rng.random() < 0.2 else {})}


def _widget_status(rng: random.Random) -> Document:
    return some(rng, {"phase": ("Ready", "Off", None, 5), "count": (1, 2, "x"), "unknown": (1,)}, 0.5)


def _open(rng: random.Random) -> Document:
    return {"spec": some(rng, {"a": (1, "x", None, {"b": None}), "b": ([], [{"c": 1}], {}), "c": (1.0, 1.5, 2**60)})}


def _open_status(rng: random.Random) -> Document:
    return some(rng, {"phase": ("Ready", "Off", None), "count": (1, 2)}, 0.6)


def _config_map(rng: random.Random) -> Document:
    return some(
        rng,
        {
            "data": (
                {"k": "v"},
                {"k": "w", "l": ""},
                {},
                {"k": "v"},
                {"k": 5},
                {"a b": "x"},
                {"k": None},
                {"..": ""},
            ),
            "binaryData": ({"b": "AAA="}, {"k": "AAA="}, {"b": "no base64"}, {"b": ""}),
            "immutable": (False, False, False, True, None, "x"),
        },
    )


def _secret(rng: random.Random) -> Document:
    tls = {"tls.crt": "AA==", "tls.key": "AA=="}
    return some(
        rng,
        {
            "data": ({"k": "AA=="}, {"k": "AQ==", "l": ""}, {}, tls, {"k": "%"}, {"a b": "AA=="}, {"k": None}),
            "stringData": ({"k": "v"}, {"s": ""}, {"a b": "x"}, {"k": 5}, None),
            "type": ("Opaque", "Opaque", "kubernetes.io/tls", "example.com/x", "", "kubernetes.io/basic-auth"),
            "immutable": (False, False, False, True),
        },
    )


_RULES: tuple[Any, ...] = (
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"]},
)
_ODD_RULES: tuple[Any, ...] = (
    {}, {"verbs": ["get"]}, {"apiGroups": [""], "resources": ["pods"]}, {"apiGroups": [""], "verbs": ["get"]},
    {"nonResourceURLs": ["/healthz"], "verbs": ["get"]}, {"apiGroups": "x"}, None,
    {"nonResourceURLs": ["/healthz"], "verbs": ["get"], "resources": ["pods"]},
)  # fmt: skip


def _role(rng: random.Random) -> Document:
    rules = [deepcopy(rng.choice(_RULES)) for _ in range(rng.randrange(3))]
    if rng.random() < 0.25:
        rules.append(deepcopy(rng.choice(_ODD_RULES)))
    return some(rng, {"rules": (rules,)}, 0.9)


def _role_binding(rng: random.Random) -> Document:
    group = "rbac.authorization.k8s.io"
    good = {"apiGroup": group, "kind": "Role", "name": "a"}
    refs: list[Any] = [good] * 12 + [
        {"apiGroup": group, "kind": "ClusterRole", "name": "view"}, {"kind": "Role", "name": "a"},
        {"apiGroup": group, "kind": "Foo", "name": "a"}, {"apiGroup": group, "kind": "Role"}, {}, None,
        {"apiGroup": "x", "kind": "Role", "name": "a"}, {"apiGroup": group, "kind": "Role", "name": "a/b"},
    ]  # fmt: skip
    subjects: list[Any] = [
        {"kind": "User", "name": "u"}, {"kind": "User", "name": "u", "apiGroup": group},
        {"kind": "Group", "name": "g"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"}, {"kind": "ServiceAccount", "name": "s"},
    ]  # fmt: skip
    odd: list[Any] = [
        {"kind": "Foo", "name": "u"}, {"kind": "User"}, {"kind": "User", "name": "u", "apiGroup": "x"}, {}, None,
        {"kind": "ServiceAccount", "name": "A b", "namespace": "n"}, {"kind": "User", "name": "u", "namespace": "n"},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n", "apiGroup": group},
    ]  # fmt: skip
    chosen = [deepcopy(rng.choice(subjects)) for _ in range(rng.randrange(3))]
    if rng.random() < 0.2:
        chosen.append(deepcopy(rng.choice(odd)))
    return {"roleRef": deepcopy(rng.choice(refs)), **some(rng, {"subjects": (chosen,)}, 0.8)}


def _lease(rng: random.Random) -> Document:
    return some(
        rng,
        {
            "spec": (
                some(
                    rng,
                    {
                        "holderIdentity": ("a", "b", "", 5),
                        "leaseDurationSeconds": (15, 15, 30, 0, -1, "x", 1.5),
                        "leaseTransitions": (0, 1, -1),
                        "acquireTime": ("2020-01-02T03:04:05.000000Z", "2020-01-02T03:04:05Z", "soon"),
                        "renewTime": ("2020-01-02T03:04:05.1234567Z", "2020-01-02T04:04:05+01:00", None, 5),
                    },
                ),
            )
        },
        0.9,
    )


def _container(rng: random.Random, name: str) -> Document:
    return {
        "name": name,
        "image": rng.choice(("busybox", "busybox:1.36", "example.com/a:latest", "a@sha256:00")),
        **some(
            rng,
            {
                "command": (["sleep", "1"], []),
                "env": ([{"name": "A", "value": "1"}], [{"name": "A", "value": "1"}, {"name": "B"}]),
                "ports": ([{"containerPort": 80}], [{"containerPort": 80, "name": "web"}, {"containerPort": 81}]),
                "resources": (
                    {"requests": {"cpu": 0.5}}, {"limits": {"cpu": "1", "memory": "0.5Gi"}},
                    {"requests": {"cpu": "100m", "memory": 1000}, "limits": {"cpu": "1000m"}},
                ),
            },
            0.25,
        ),
    }  # fmt: skip


def _pod_spec(rng: random.Random) -> Document:
    return {
        "containers": [_container(rng, name) for name in ("main", "side")[: rng.choice((1, 1, 2))]],
        **some(
            rng,
            {
                "restartPolicy": ("Always",),
                "terminationGracePeriodSeconds": (5, 30),
                "nodeSelector": ({"disk": "ssd"},),
                "tolerations": ([{"key": "a", "operator": "Exists"}],),
                "volumes": ([{"name": "v"}], [{"name": "v"}, {"name": "w"}]),
                "hostNetwork": (False,),
            },
            0.2,
        ),
    }


def _pod(rng: random.Random) -> Document:
    return {"spec": _pod_spec(rng)}


def _pod_status(rng: random.Random) -> Document:
    condition = {"type": "Ready", "status": rng.choice(("True", "False"))}
    fields = {"phase": ("Running", "Failed"), "message": ("x",), "conditions": ([condition],), "podIP": ("10.0.0.1",)}
    return some(rng, {**fields, "reason": ("x", 5)}, 0.4)


def _deployment(rng: random.Random) -> Document:
    app = rng.choice("aaab")
    template = {"metadata": {"labels": {"app": app}}, "spec": _pod_spec(rng)}
    spec = {"selector": {"matchLabels": {"app": app}}, "template": template}
    more = {
        "replicas": (0, 1, 3), "minReadySeconds": (5,), "paused": (True,), "revisionHistoryLimit": (2,),
        "strategy": ({"type": "Recreate"}, {"type": "RollingUpdate"}, {"rollingUpdate": {"maxSurge": 1}}),
    }  # fmt: skip
    return {"spec": {**spec, **some(rng, more, 0.3)}}


def _deployment_status(rng: random.Random) -> Document:
    return some(rng, {"replicas": (1, 2), "observedGeneration": (1,), "readyReplicas": (1, "x")}, 0.5)


class Kind(NamedTuple):
    """A resource of the suite, and how its objects are filled."""

    resource: Resource
    content: Content
    plain: Document
    """What an object must have."""
    status: Content | None = None
    anything: bool = True
    """Whether odd values are put anywhere: what a pod may be is judged by the types of its fields only."""

    @property
    def builtin(self) -> bool:
        return "." not in self.resource.group or self.resource.group.endswith(".k8s.io")


_CONTAINERS: Document = {"containers": [{"name": "main", "image": "busybox"}]}
_BUILT_IN = (
    Kind(CONFIG_MAPS, _config_map, {}),
    Kind(SECRETS, _secret, {}),
    Kind(ROLES, _role, {}),
    Kind(ROLE_BINDINGS, _role_binding, {"roleRef": {"apiGroup": ROLES.group, "kind": "Role", "name": "a"}}),
    Kind(LEASES, _lease, {}),
    Kind(PODS, _pod, {"spec": _CONTAINERS}, _pod_status, anything=False),
    Kind(
        DEPLOYMENTS,
        _deployment,
        {
            "spec": {
                "selector": {"matchLabels": {"app": "a"}},
                "template": {"metadata": {"labels": {"app": "a"}}, "spec": _CONTAINERS},
            }
        },
        _deployment_status,
        anything=False,
    ),
)


def kinds(widgets: Resource, gadgets: Resource, planets: Resource) -> tuple[Kind, ...]:
    """Return everything that the suite works on."""
    return (
        Kind(widgets, _widget, {}, _widget_status),
        Kind(gadgets, _open, {}),
        Kind(planets, _open, {}, _open_status),
        *_BUILT_IN,
    )


def paths(value: Any, path: Path = ()) -> list[Path]:
    """Return the paths of everything in a document."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found += paths(item, (*path, key))
    return found


def changed(document: Any, path: Path, value: Any) -> Any:
    """Return a document with a value at a path, or without what is there where the value is DELETE."""
    if not path:
        return deepcopy(value)
    made = deepcopy(document)
    at = made
    for step in path[:-1]:
        at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
    if value is DELETE:
        del at[path[-1]]
    else:
        at[path[-1]] = deepcopy(value)
    return made


DELETE = object()

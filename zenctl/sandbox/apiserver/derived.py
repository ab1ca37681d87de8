"""What a server fills into built-in kinds beyond fixed defaults: fields that follow from others.

Runs after the defaults of ``types.json`` and before validation. It fills in what is absent and never changes what
was sent, so that running it again changes nothing. What needs more than the object is not here: addresses and node
ports of services, service accounts and their tokens, taints of new nodes.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from zenctl.sandbox.apiserver.columns import dig, items

Json = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "/pods": ("spec",),
    "apps/deployments": ("spec", "template", "spec"),
    "apps/replicasets": ("spec", "template", "spec"),
    "batch/jobs": ("spec", "template", "spec"),
    "batch/cronjobs": ("spec", "jobTemplate", "spec", "template", "spec"),
}
"""Where kinds keep the specification of pods."""
_WITH_METADATA = ("template", "jobTemplate")
"""What has metadata of its own, and there, as Go writes it, a time that it never gets."""
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_NOT_READY, _UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"
_TOLERATED_SECONDS = 300
_PRIORITIES = {"": 0, "system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""The priority classes that every cluster has."""
_AFFINITY_SECONDS = 10_800


def derive(storage_key: str, document: Json, *, creating: bool) -> None:
    """Fill in, in place, what follows from other fields of an object of a built-in kind.

    ``creating`` adds what only a create does: the class of a pod, the selector of a job. Fields of a wrong
    type are left for validation to refuse.
    """
    path = _TEMPLATES.get(storage_key, ("",))
    spec = dig(document, *path)
    if isinstance(spec, dict):
        _pod_spec(spec)
    for depth, step in enumerate(path):
        if step in _WITH_METADATA:
            _made(_part(document, *path[: depth + 1]), "metadata").setdefault("creationTimestamp", None)
    rule = _RULES.get(storage_key)
    if rule is not None:
        rule(document, creating)


def _part(document: Json, *path: str) -> Json:
    """Return the object under keys, or an empty one that belongs to nobody."""
    found = dig(document, *path)
    return found if isinstance(found, dict) else {}


def _made(document: Json, key: str) -> Json:
    """Return the object under a key, which is made where there is none."""
    document.setdefault(key, {})
    return _part(document, key)


def _each(document: object, *path: str) -> Iterator[Json]:
    """Yield the objects in the list under keys."""
    yield from (item for item in items(document, *path) if isinstance(item, dict))


# -- pods ----------------------------------------------------------------------------------------------


def pull_policy(image: str) -> str:
    """Return when an image is pulled by default: always where it is the latest by its tag or for want of one."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2] or ("" if digest or not name else "latest")
    return "Always" if tag == "latest" else "IfNotPresent"


def _containers(spec: Json) -> Iterator[Json]:
    for field in _CONTAINERS:
        yield from _each(spec, field)


def _pod_spec(spec: Json) -> None:
    for container in _containers(spec):
        container.setdefault("imagePullPolicy", pull_policy(str(container.get("image", ""))))
    for volume in _each(spec, "volumes"):
        if not volume.keys() - {"name"}:
            volume["emptyDir"] = {}
    account, old_name = spec.get("serviceAccountName"), spec.get("serviceAccount")
    if account or old_name:
        spec["serviceAccountName"] = spec["serviceAccount"] = account or old_name


def _pod(pod: Json, creating: bool) -> None:
    spec = _part(pod, "spec")
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        resources = _part(container, "resources")
        if isinstance(resources.get("limits"), dict):
            resources["requests"] = {**resources["limits"], **_part(resources, "requests")}
        for port in _each(container, "ports") if spec.get("hostNetwork") is True else ():
            port.setdefault("hostPort", port.get("containerPort"))
    _admitted(spec)
    status = _part(pod, "status")
    if status.get("podIP"):
        first = next(_each(status, "podIPs"), {})
        if first.get("ip") != status["podIP"]:
            status["podIPs"] = [{"ip": status["podIP"]}]
    if creating and isinstance(pod.get("status"), dict):
        pod["status"].setdefault("qosClass", qos_class(spec))


def _admitted(spec: Json) -> None:
    """Add what the admission plugins of every server add to a pod that comes without."""
    priority = _PRIORITIES.get(str(spec.get("priorityClassName", "")))
    if priority is not None:
        spec.setdefault("priority", priority)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    for key in (_NOT_READY, _UNREACHABLE):
        if not any(_tolerates(toleration, key) for toleration in _each(spec, "tolerations")):
            added = {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED_SECONDS}
            spec["tolerations"] = [*items(spec, "tolerations"), added]


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")


def qos_class(spec: Json) -> str:
    """Return the class of a pod by its cpu and memory: Guaranteed, Burstable or BestEffort."""
    asked = [
        {kind: _counted(container, kind) for kind in ("requests", "limits")}
        for field in _CONTAINERS[:2]
        for container in _each(spec, field)
    ]
    if not any(each["requests"] or each["limits"] for each in asked):
        return "BestEffort"
    guaranteed = all(len(each["limits"]) == 2 and each["limits"] == each["requests"] for each in asked)
    return "Guaranteed" if guaranteed else "Burstable"


def _counted(container: Json, kind: str) -> Json:
    found = _part(container, "resources", kind)
    return {name: found[name] for name in ("cpu", "memory") if str(found.get(name, "0")) != "0"}


# -- other kinds ---------------------------------------------------------------------------------------


def _service(service: Json, _creating: bool) -> None:
    spec = _part(service, "spec")
    for port in _each(spec, "ports"):
        if not port.get("targetPort") and "port" in port:
            port["targetPort"] = port["port"]
    if spec.get("sessionAffinity") == "ClientIP":
        client = _made(_made(spec, "sessionAffinityConfig"), "clientIP")
        client.setdefault("timeoutSeconds", _AFFINITY_SECONDS)
    kind = spec.get("type")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if "clusterIP" in spec:
        spec.setdefault("clusterIPs", [spec["clusterIP"]])


def _namespace(namespace: Json, creating: bool) -> None:
    metadata = _part(namespace, "metadata")
    if metadata.get("name"):
        metadata["labels"] = {**_part(metadata, "labels"), "kubernetes.io/metadata.name": metadata["name"]}
    spec = _part(namespace, "spec")
    if creating and "kubernetes" not in items(spec, "finalizers"):
        spec["finalizers"] = [*items(spec, "finalizers"), "kubernetes"]


def _secret(secret: Json, _creating: bool) -> None:
    """Move stringData, which is only ever written, into data."""
    plain = secret.pop("stringData", None)
    if isinstance(plain, dict) and plain:
        encoded = {key: b64encode(str(value).encode()).decode() for key, value in plain.items()}
        secret["data"] = {**_part(secret, "data"), **encoded}


def _node(node: Json, _creating: bool) -> None:
    status = _part(node, "status")
    if isinstance(status.get("capacity"), dict):
        status.setdefault("allocatable", dict(status["capacity"]))


def _deployment(deployment: Json, _creating: bool) -> None:
    strategy = _part(deployment, "spec", "strategy")
    if strategy.get("type") == "RollingUpdate":
        update = _made(strategy, "rollingUpdate")
        update.setdefault("maxUnavailable", "25%")
        update.setdefault("maxSurge", "25%")


def _job(job: Json, creating: bool) -> None:
    spec, metadata = _part(job, "spec"), _part(job, "metadata")
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    policy = "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed"
    defaults = {"parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False}
    for field, value in {**defaults, "podReplacementPolicy": policy}.items():
        spec.setdefault(field, value)
    template = _part(spec, "template", "metadata")
    if creating and spec.get("manualSelector") is not True and "uid" in metadata:
        _select_own_pods(spec, template, str(metadata["uid"]), str(metadata.get("name", "")))
    if _part(template, "labels") and not metadata.get("labels"):
        metadata["labels"] = dict(template["labels"])


def _select_own_pods(spec: Json, template: Json, uid: str, name: str) -> None:
    """Make a job select its own pods, by the labels under their old and their present names."""
    prefix = "batch.kubernetes.io/"
    marks = {f"{prefix}controller-uid": uid, f"{prefix}job-name": name, "controller-uid": uid, "job-name": name}
    template["labels"] = {**_part(template, "labels"), **marks}
    spec.setdefault("selector", {"matchLabels": {f"{prefix}controller-uid": uid}})


def _network_policy(policy: Json, _creating: bool) -> None:
    spec = _part(policy, "spec")
    spec.setdefault("policyTypes", ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _role(role: Json, _creating: bool) -> None:
    role["rules"] = role.get("rules") or None  # what is empty comes back as null from a real server's storage


def _binding(binding: Json, _creating: bool) -> None:
    if isinstance(binding.get("roleRef"), dict):
        binding["roleRef"]["apiGroup"] = binding["roleRef"].get("apiGroup") or _RBAC
    for subject in _each(binding, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            subject.setdefault("apiGroup", _RBAC)


def _crd(crd: Json, _creating: bool) -> None:
    names = _part(crd, "spec", "names")
    kind = names.get("kind")
    if isinstance(kind, str) and kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")


_RULES: Mapping[str, Callable[[Json, bool], None]] = {
    "/pods": _pod,
    "/services": _service,
    "/namespaces": _namespace,
    "/secrets": _secret,
    "/nodes": _node,
    "apps/deployments": _deployment,
    "batch/jobs": _job,
    "networking.k8s.io/networkpolicies": _network_policy,
    f"{_RBAC}/roles": _role,
    f"{_RBAC}/clusterroles": _role,
    f"{_RBAC}/rolebindings": _binding,
    f"{_RBAC}/clusterrolebindings": _binding,
    "apiextensions.k8s.io/customresourcedefinitions": _crd,
}

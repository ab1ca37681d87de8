"""What a server demands of pods and deployments beyond their schemas, as far as clients run into it.

Names and images of containers, what never changes in a pod, selectors of deployments that fit their pods. The many
rules about single fields of pods are not here: such a field is kept as it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from zenctl.core.names import dns_label
from zenctl.core.selectors import from_structured
from zenctl.sandbox.apiserver.causes import duplicate, invalid_value, not_allowed, not_supported, required
from zenctl.sandbox.apiserver.errors import Cause
from zenctl.sandbox.apiserver.objects import Json

_MAY_CHANGE = (
    "pod updates may not change fields other than `spec.containers[*].image`, `spec.initContainers[*].image`, "
    "`spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to existing tolerations) or "
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_CONTAINERS = ("containers", "initContainers")
_STRATEGIES = ("Recreate", "RollingUpdate")


def pod_causes(pod: Json, old: Mapping[str, Any] | None) -> Iterator[Cause]:
    """Yield what is wrong with a pod that fits its schema."""
    spec = pod.get("spec") or {}
    yield from _pod_spec(spec, "spec")
    if old is not None and spec != old.get("spec"):
        yield from _pod_change(spec, old.get("spec") or {})


def _pod_spec(spec: Mapping[str, Any], at: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{at}.containers")
    seen: set[str] = set()
    for field in _CONTAINERS:
        for place, container in enumerate(spec.get(field) or ()):
            here, name = f"{at}.{field}[{place}]", container.get("name") or ""
            if not name:
                yield required(f"{here}.name")
            for problem in dns_label(name) if name else ():
                yield invalid_value(f"{here}.name", name, problem)
            if name and name in seen:
                yield duplicate(f"{here}.name", name)
            seen.add(name)
            if not container.get("image"):
                yield required(f"{here}.image")


def _pod_change(spec: Mapping[str, Any], old: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield what may not change in a pod: almost everything."""
    for field in _CONTAINERS:
        if len(spec.get(field) or ()) != len(old.get(field) or ()):
            yield not_allowed(f"spec.{field}", "pod updates may not add or remove containers")
            return
    kept = [_without_seconds(each) for each in spec.get("tolerations") or ()]
    if not all(_without_seconds(each) in kept for each in old.get("tolerations") or ()):
        yield not_allowed("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds")
    if _fixed(spec) != _fixed(old):
        yield not_allowed("spec", _MAY_CHANGE)


def _without_seconds(toleration: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def _fixed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what never changes in a pod's specification."""
    found = {key: value for key, value in spec.items() if key not in ("activeDeadlineSeconds", "tolerations")}
    for field in _CONTAINERS:
        if field in found:
            found[field] = [{key: value for key, value in each.items() if key != "image"} for each in found[field]]
    return found


def deployment_causes(deployment: Json, old: Mapping[str, Any] | None) -> Iterator[Cause]:
    """Yield what is wrong with a deployment that fits its schema."""
    spec = deployment.get("spec") or {}
    yield from _not_negative(spec, "spec", ("replicas", "minReadySeconds", "revisionHistoryLimit"))
    yield from _selector(spec)
    template = (spec.get("template") or {}).get("spec") or {}
    yield from _pod_spec(template, "spec.template.spec")
    policy = template.get("restartPolicy", "Always")
    if policy != "Always":
        yield not_supported("spec.template.spec.restartPolicy", policy, ["Always"])
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == _STRATEGIES[0] and strategy.get("rollingUpdate") is not None:
        why = "may not be specified when strategy `type` is 'Recreate'"
        yield not_allowed("spec.strategy.rollingUpdate", why)
    elif strategy.get("type", _STRATEGIES[0]) not in _STRATEGIES:
        yield not_supported("spec.strategy", strategy["type"], _STRATEGIES)
    yield from _deployment_status(deployment.get("status") or {})
    if old is not None and spec.get("selector") != (old.get("spec") or {}).get("selector"):
        yield invalid_value("spec.selector", spec.get("selector"), "field is immutable")


def _selector(spec: Mapping[str, Any]) -> Iterator[Cause]:
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield invalid_value("spec.selector", selector, "empty selector is invalid for deployment")
        return
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    try:
        fits = selector is not None and from_structured(selector).matches(labels)
    except ValueError as error:
        yield invalid_value("spec.selector", selector, str(error))
        return
    if not fits:
        why = "`selector` does not match template `labels`"
        yield invalid_value("spec.template.metadata.labels", labels, why)


def _deployment_status(status: Mapping[str, Any]) -> Iterator[Cause]:
    parts = ("updatedReplicas", "readyReplicas", "availableReplicas")
    yield from _not_negative(status, "status", ("replicas", *parts, "unavailableReplicas", "observedGeneration"))
    for part in parts:
        if status.get(part, 0) > status.get("replicas", 0):
            yield invalid_value(f"status.{part}", status[part], "cannot be greater than status.replicas")
    if status.get("availableReplicas", 0) > status.get("readyReplicas", 0):
        why = "cannot be greater than readyReplicas"
        yield invalid_value("status.availableReplicas", status["availableReplicas"], why)


def _not_negative(value: Mapping[str, Any], at: str, fields: Iterable[str]) -> Iterator[Cause]:
    for field in fields:
        if value.get(field, 0) < 0:
            yield invalid_value(f"{at}.{field}", value[field], "must be greater than or equal to 0")

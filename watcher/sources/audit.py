"""Events of the API server's audit webhook to Events: what was deleted, and who touched secrets or rights.

One audit event in; lists of them are split before, so that a broken item loses no other. Bodies of
requests and answers are looked at and never repeated: they hold secrets. No files, no clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from watcher.sources.event import Event, ReportError, Subject, UnknownReport
from watcher.sources.report import group_of
from watcher.sources.values import bounded, instant, mapping, one_line, without_empty
from zenctl.core.observation import Severity

SOURCE = "audit"
GROUP = "audit.k8s.io"
SEVERITY = Severity.HIGH

_RBAC = "rbac.authorization.k8s.io"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_DELETES = frozenset({"delete", "deletecollection"})
_SECRETS = frozenset({"secrets", "configmaps"})
_INTO_PODS = frozenset({"exec", "attach", "portforward"})
_FINAL = frozenset({"ResponseComplete", "Panic"})
_SWITCHED = 101
"""An exec is answered with 101 when it begins; the stage at its end may be hours away."""
_TIMES = ("requestReceivedTimestamp", "stageTimestamp", "timestamp")
_KINDS = {
    "pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap", "services": "Service", "nodes": "Node",
    "serviceaccounts": "ServiceAccount", "namespaces": "Namespace", "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume", "endpoints": "Endpoints", "events": "Event", "deployments": "Deployment",
    "replicasets": "ReplicaSet", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "jobs": "Job",
    "cronjobs": "CronJob", "ingresses": "Ingress", "networkpolicies": "NetworkPolicy", "leases": "Lease",
    "roles": "Role", "rolebindings": "RoleBinding", "clusterroles": "ClusterRole",
    "clusterrolebindings": "ClusterRoleBinding", "customresourcedefinitions": "CustomResourceDefinition",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Request:
    """What an audit event says of a request, read once."""

    verb: str
    user: str
    group: str
    resource: str
    subresource: str
    code: int | None
    body: Mapping[Any, Any]
    subject: Subject


def parse(report: object) -> tuple[Event, ...]:
    """Return the finding of one audit event; none where the request is of no interest, or not over yet.

    Raises UnknownReport for what is no audit event, ReportError for one that does not say what was asked.
    """
    if not isinstance(report, dict) or not _is_audit_event(report):
        raise UnknownReport(f"a {type(report).__name__} without audit ID and verb is no audit event")
    request = _request(report)
    if not request.verb:
        raise ReportError(f"audit event {one_line(report.get('auditID')) or '(without an ID)'}: it has no verb")
    if not _is_answered(report, request):
        return ()
    event_type = _event_type(request)
    if not event_type:
        return ()
    return (_event(report, request, event_type),)


def _is_audit_event(report: Mapping[Any, Any]) -> bool:
    if report.get("apiVersion"):
        return group_of(report) == GROUP and one_line(report.get("kind")) == "Event"
    return bool(report.get("auditID")) and "verb" in report


def _request(report: Mapping[Any, Any]) -> _Request:
    reference, status = mapping(report.get("objectRef")), mapping(report.get("responseStatus"))
    body, answer = mapping(report.get("requestObject")), mapping(report.get("responseObject"))
    resource, group = one_line(reference.get("resource")), one_line(reference.get("apiGroup"))
    version = one_line(reference.get("apiVersion"))
    # The name of what is created stands in the objects, if it was logged at all.
    names = (
        reference.get("name"), mapping(answer.get("metadata")).get("name"), mapping(body.get("metadata")).get("name"),
    )  # fmt: skip
    code = status.get("code")
    return _Request(
        verb=one_line(report.get("verb")).lower(),
        user=one_line(mapping(report.get("user")).get("username")) or "(unknown)",
        group=group,
        resource=resource,
        subresource=one_line(reference.get("subresource")),
        code=code if isinstance(code, int) and not isinstance(code, bool) else None,
        body=body,
        subject=Subject(
            kind=_KINDS.get(resource, resource) or "Request",
            name=next(filter(None, map(one_line, names)), ""),
            namespace=one_line(reference.get("namespace")),
            api_version=f"{group}/{version}" if group and version else version,
        ),
    )


def _is_answered(report: Mapping[Any, Any], request: _Request) -> bool:
    stage = one_line(report.get("stage"))
    return stage in _FINAL or (stage == "ResponseStarted" and request.code == _SWITCHED)


def _event_type(request: _Request) -> str:
    """Return what kind of finding a request is, the most telling first; "" for none."""
    into_pod = request.subresource in _INTO_PODS and request.verb in {"create", "get"}
    if request.resource == "pods" and into_pod:
        return "pod-exec"
    if request.verb not in _WRITES:
        return ""
    if request.resource == "pods" and request.verb == "create" and any(_privileged(request.body)):
        return "privileged-pod-creation"
    if request.group == _RBAC:
        return "rbac-change"
    if request.group == "" and request.resource in _SECRETS:
        return "secret-access"
    return "resource-deletion" if request.verb in _DELETES else ""


def _privileged(pod: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the names of a pod's privileged containers."""
    for key in ("containers", "initContainers", "ephemeralContainers"):
        containers = mapping(pod.get("spec")).get(key)
        for container in containers if isinstance(containers, list) else ():
            if mapping(mapping(container).get("securityContext")).get("privileged") is True:
                yield one_line(mapping(container).get("name")) or "(without a name)"


def _event(report: Mapping[Any, Any], request: _Request, event_type: str) -> Event:
    denied = request.code is not None and request.code >= 400
    path = "/".join(filter(None, (request.resource, request.subresource)))
    what = " ".join(filter(None, (path, request.subject.namespace, request.subject.name)))
    outcome = "" if request.code is None else f" ({'refused' if denied else 'answered'} with {request.code})"
    addresses = report.get("sourceIPs")
    details = {
        "auditID": one_line(report.get("auditID")),
        "verb": request.verb,
        "username": request.user,
        "impersonated": one_line(mapping(report.get("impersonatedUser")).get("username")),
        "statusCode": request.code,
        "apiGroup": request.group,
        "resource": path,
        "sourceIPs": [one_line(entry) for entry in addresses[:8]] if isinstance(addresses, list) else [],
        "userAgent": one_line(report.get("userAgent")),
        "containers": list(_privileged(request.body)) if event_type == "privileged-pod-creation" else [],
        "roleRef": _role(request) if event_type == "rbac-change" else {},
    }
    return Event(
        source=SOURCE,
        category="compliance",
        event_type=event_type,
        severity=SEVERITY,
        message=one_line(f"{request.user}: {request.verb} {what}{outcome}", 512),
        subject=request.subject,
        identity=(event_type, request.user, request.verb, request.group, path, "refused" if denied else "done"),
        time=next(filter(None, (instant(report.get(key)) for key in _TIMES)), None),
        details=bounded(details),
        tags=("refused",) if denied else (),
        occurrence=one_line(report.get("auditID")),
        actor=request.user,
    )


def _role(request: _Request) -> Mapping[str, str]:
    reference = mapping(request.body.get("roleRef"))
    return without_empty({key: one_line(reference.get(key)) for key in ("kind", "name")})

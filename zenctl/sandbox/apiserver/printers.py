"""The columns of the built-in kinds, as the API server's own printers have them since Kubernetes 1.31.

A column is a name and a function of one object and a time; all are pure. A server sends every column in full and
leaves it to kubectl to show those of priority 1 only in wide output. What a pod's columns say is in podprinter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from zenctl.core.instants import read_instant
from zenctl.sandbox.apiserver.columns import (
    AGE,
    CREATED_AT,
    NAME,
    NONE,
    UNKNOWN,
    Cell,
    Object,
    PrinterColumn,
    at,
    count,
    dig,
    human_duration,
    items,
    time_since,
)
from zenctl.sandbox.apiserver.podprinter import pod_summary, readiness_gates

_UNSET = "<unset>"
_ENDPOINTS_SHOWN = 3
_ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
_ROLE_LABEL, _ROLE_PREFIX = "kubernetes.io/role", "node-role.kubernetes.io/"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"


def _text(name: str, cell: Cell, *, wide: bool = False) -> PrinterColumn:
    return PrinterColumn(name, "string", cell, priority=int(wide))


def _plain(show: Callable[[Object], object]) -> Cell:
    """Return a cell that does not depend on the time."""
    return lambda obj, _now: show(obj)


def _number(*path: str) -> Cell:
    return lambda obj, _now: count(obj, *path)


# -- what several kinds show ---------------------------------------------------------------------------


def _labels(labels: object) -> str:
    if not isinstance(labels, Mapping) or not labels:
        return NONE
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _selector(selector: object) -> str:
    """Return a label selector in one line, by key: "app=a,tier in (b,c),!old"."""
    found = [(key, f"{key}={value}") for key, value in (dig(selector, "matchLabels") or {}).items()]
    for expression in items(selector, "matchExpressions"):
        key, values = str(expression.get("key")), ",".join(sorted(items(expression, "values")))
        shapes = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "DoesNotExist": f"!{key}"}
        found.append((key, shapes.get(str(expression.get("operator")), key)))
    return ",".join(text for _, text in sorted(found, key=lambda pair: pair[0])) or NONE


def _containers(*path: str) -> tuple[PrinterColumn, PrinterColumn]:
    """Return the columns of the containers of a pod template that lies under a path."""

    def joined(field: str) -> Cell:
        return _plain(lambda obj: ",".join(str(c.get(field, "")) for c in items(obj, *path, "containers")))

    return _text("Containers", joined("name"), wide=True), _text("Images", joined("image"), wide=True)


def _spec_selector(obj: Object) -> str:
    return _selector(dig(obj, "spec", "selector"))


def _true_conditions(obj: Object) -> list[str]:
    return [str(c.get("type")) for c in items(obj, "status", "conditions") if c.get("status") == "True"]


# -- pods, nodes, services -----------------------------------------------------------------------------


def _pod_ip(pod: Object) -> object:
    addresses = items(pod, "status", "podIPs")
    return dig(pod, "status", "podIP") or (dig(addresses[0], "ip") if addresses else None) or NONE


def _node_status(node: Object) -> str:
    ready = [c.get("status") for c in items(node, "status", "conditions") if c.get("type") == "Ready"]
    status = ("Ready" if ready[-1] == "True" else "NotReady") if ready else "Unknown"
    return f"{status},SchedulingDisabled" if dig(node, "spec", "unschedulable") else status


def _node_roles(node: Object) -> str:
    roles = set()
    for key, value in (dig(node, "metadata", "labels") or {}).items():
        if key.startswith(_ROLE_PREFIX):
            roles.add(key.removeprefix(_ROLE_PREFIX))
        elif key == _ROLE_LABEL:
            roles.add(value)
    return ",".join(sorted(roles - {""})) or NONE


def _node_address(kind: str) -> Cell:
    def show(node: Object) -> str:
        found = (str(a.get("address")) for a in items(node, "status", "addresses") if a.get("type") == kind)
        return next(found, NONE)

    return _plain(show)


def _external_ip(service: Object) -> str:
    kind, own = dig(service, "spec", "type"), [str(ip) for ip in items(service, "spec", "externalIPs")]
    if kind == "ExternalName":
        return str(dig(service, "spec", "externalName") or "")
    if kind == "LoadBalancer":
        ingress = items(service, "status", "loadBalancer", "ingress")
        given = {str(each.get("ip") or each.get("hostname") or "") for each in ingress} - {""}
        return ",".join([*sorted(given), *own]) or "<pending>"
    return ",".join(own) or NONE


def _cluster_ip(service: Object) -> object:
    addresses = items(service, "spec", "clusterIPs")
    return (addresses[0] if addresses else dig(service, "spec", "clusterIP")) or NONE


def _ports(service: Object) -> str:
    shown = []
    for port in items(service, "spec", "ports"):
        node_port = f":{port['nodePort']}" if count(port, "nodePort") else ""
        shown.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(shown) or NONE


def _endpoints(obj: Object) -> str:
    if not items(obj, "subsets"):
        return NONE
    found: list[str] = []
    for subset in items(obj, "subsets"):
        addresses = [str(address.get("ip")) for address in items(subset, "addresses")]
        hosts = [f"[{address}]" if ":" in address else address for address in addresses]
        ports = [port.get("port") for port in items(subset, "ports")]
        found += [f"{host}:{port}" for port in ports for host in hosts] if ports else addresses
    more = len(found) - _ENDPOINTS_SHOWN
    return ",".join(found[:_ENDPOINTS_SHOWN]) + (f" + {more} more..." if more > 0 else "")


# -- the rest of the core API --------------------------------------------------------------------------


def _event_first(event: Object, now: datetime) -> str:
    return time_since(dig(event, "firstTimestamp") or dig(event, "eventTime"), now)


def _event_last(event: Object, now: datetime) -> str:
    if dig(event, "series") is not None:
        return time_since(dig(event, "series", "lastObservedTime"), now)
    last = dig(event, "lastTimestamp")
    return time_since(last, now) if last else _event_first(event, now)


def _event_count(event: Object) -> int:
    if dig(event, "series") is not None:
        return count(event, "series", "count")
    return count(event, "count") or 1


def _event_object(event: Object) -> str:
    kind, name = (str(dig(event, "involvedObject", key) or "") for key in ("kind", "name"))
    return f"{kind.lower()}/{name}" if name else kind.lower()


def _event_source(event: Object) -> str:
    component = dig(event, "source", "component") or dig(event, "reportingComponent") or ""
    host = dig(event, "source", "host") or dig(event, "reportingInstance") or ""
    return f"{component}, {host}" if host else str(component)


def _message(event: Object) -> str:
    return str(dig(event, "message") or "").strip()


def _claim_status(claim: Object) -> object:
    return "Terminating" if dig(claim, "metadata", "deletionTimestamp") else dig(claim, "status", "phase") or ""


def _claim_capacity(claim: Object) -> object:
    return (dig(claim, "spec", "volumeName") and dig(claim, "status", "capacity", "storage")) or ""


def _claim_modes(claim: Object) -> str:
    if not dig(claim, "spec", "volumeName"):
        return ""
    sent = items(claim, "status", "accessModes")
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in sent)


def _claim_class(claim: Object) -> object:
    return dig(claim, "metadata", "annotations", _BETA_CLASS) or dig(claim, "spec", "storageClassName") or ""


def _entries(*fields: str) -> Cell:
    return _plain(lambda obj: sum(len(dig(obj, field) or ()) for field in fields))


# -- workloads -----------------------------------------------------------------------------------------


def _ready_replicas(deployment: Object) -> str:
    return f"{count(deployment, 'status', 'readyReplicas')}/{count(deployment, 'spec', 'replicas')}"


def _job_status(job: Object) -> str:
    true = _true_conditions(job)
    for kind, shown in (("Complete", "Complete"), ("Failed", "Failed")):
        if kind in true:
            return shown
    if dig(job, "metadata", "deletionTimestamp"):
        return "Terminating"
    return next((kind for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if kind in true), "Running")


def _job_completions(job: Object) -> str:
    done, wanted = count(job, "status", "succeeded"), dig(job, "spec", "completions")
    if wanted is not None:
        return f"{done}/{wanted}"
    at_once = count(job, "spec", "parallelism")
    return f"{done}/1 of {at_once}" if at_once > 1 else f"{done}/1"


def _job_duration(job: Object, now: datetime) -> str:
    begun = read_instant(dig(job, "status", "startTime")).instant
    if begun is None:
        return ""
    return human_duration((read_instant(dig(job, "status", "completionTime")).instant or now) - begun)


def _suspend(obj: Object) -> str:
    value = dig(obj, "spec", "suspend")
    return _UNSET if value is None else str(value)


def _last_schedule(obj: Object, now: datetime) -> str:
    last = dig(obj, "status", "lastScheduleTime")
    return time_since(last, now) if last else NONE


def _limit(field: str) -> Cell:
    """Return a cell for a number or percentage, as text."""

    def show(obj: Object) -> str:
        value = dig(obj, "spec", field)
        return "N/A" if value is None else str(value)

    return _plain(show)


def _subjects(kind: str, show: Callable[[Object], str]) -> Cell:
    def joined(subjects: Iterable[Object]) -> str:
        return ", ".join(show(subject) for subject in subjects if subject.get("kind") == kind)

    return _plain(lambda obj: joined(items(obj, "subjects")))


def _subject_name(subject: Object) -> str:
    return str(subject.get("name", ""))


PLAIN = (NAME, AGE)
NAMESPACES = (NAME, _text("Status", at("status", "phase")), AGE)
CONFIG_MAPS = (NAME, _text("Data", _entries("data", "binaryData")), AGE)
SECRETS = (NAME, _text("Type", at("type")), _text("Data", _entries("data")), AGE)
SERVICE_ACCOUNTS = (NAME, _text("Secrets", _entries("secrets")), AGE)
EVENTS = (
    _text("Last Seen", _event_last),
    _text("Type", at("type")),
    _text("Reason", at("reason")),
    _text("Object", _plain(_event_object)),
    _text("Subobject", at("involvedObject", "fieldPath"), wide=True),
    _text("Source", _plain(_event_source), wide=True),
    _text("Message", _plain(_message)),
    _text("First Seen", _event_first, wide=True),
    _text("Count", _plain(_event_count), wide=True),
    PrinterColumn("Name", "string", NAME.cell, format="name", priority=1),
)
PODS = (
    NAME,
    _text("Ready", lambda pod, now: pod_summary(pod, now).ready),
    _text("Status", lambda pod, now: pod_summary(pod, now).status),
    _text("Restarts", lambda pod, now: pod_summary(pod, now).restarts),
    AGE,
    _text("IP", _plain(_pod_ip), wide=True),
    _text("Node", at("spec", "nodeName", default=NONE), wide=True),
    _text("Nominated Node", at("status", "nominatedNodeName", default=NONE), wide=True),
    _text("Readiness Gates", _plain(readiness_gates), wide=True),
)
NODES = (
    NAME,
    _text("Status", _plain(_node_status)),
    _text("Roles", _plain(_node_roles)),
    AGE,
    _text("Version", at("status", "nodeInfo", "kubeletVersion")),
    _text("Internal-IP", _node_address("InternalIP"), wide=True),
    _text("External-IP", _node_address("ExternalIP"), wide=True),
    _text("OS-Image", at("status", "nodeInfo", "osImage", default=UNKNOWN), wide=True),
    _text("Kernel-Version", at("status", "nodeInfo", "kernelVersion", default=UNKNOWN), wide=True),
    _text("Container-Runtime", at("status", "nodeInfo", "containerRuntimeVersion", default=UNKNOWN), wide=True),
)
SERVICES = (
    NAME,
    _text("Type", at("spec", "type")),
    _text("Cluster-IP", _plain(_cluster_ip)),
    _text("External-IP", _plain(_external_ip)),
    _text("Port(s)", _plain(_ports)),
    AGE,
    _text("Selector", _plain(lambda obj: _labels(dig(obj, "spec", "selector"))), wide=True),
)
ENDPOINTS = (NAME, _text("Endpoints", _plain(_endpoints)), AGE)
PERSISTENT_VOLUME_CLAIMS = (
    NAME,
    _text("Status", _plain(_claim_status)),
    _text("Volume", at("spec", "volumeName")),
    _text("Capacity", _plain(_claim_capacity)),
    _text("Access Modes", _plain(_claim_modes)),
    _text("StorageClass", _plain(_claim_class)),
    _text("VolumeAttributesClass", at("spec", "volumeAttributesClassName", default=_UNSET)),
    AGE,
    _text("VolumeMode", at("spec", "volumeMode", default=_UNSET), wide=True),
)
_TEMPLATE = (*_containers("spec", "template", "spec"), _text("Selector", _plain(_spec_selector), wide=True))
DEPLOYMENTS = (
    NAME,
    _text("Ready", _plain(_ready_replicas)),
    _text("Up-to-date", _number("status", "updatedReplicas")),
    _text("Available", _number("status", "availableReplicas")),
    AGE,
    *_TEMPLATE,
)
REPLICA_SETS = (
    NAME,
    PrinterColumn("Desired", "integer", _number("spec", "replicas")),
    PrinterColumn("Current", "integer", _number("status", "replicas")),
    PrinterColumn("Ready", "integer", _number("status", "readyReplicas")),
    AGE,
    *_TEMPLATE,
)
JOBS = (
    NAME,
    _text("Status", _plain(_job_status)),
    _text("Completions", _plain(_job_completions)),
    _text("Duration", _job_duration),
    AGE,
    *_TEMPLATE,
)
CRON_JOBS = (
    NAME,
    _text("Schedule", at("spec", "schedule")),
    _text("Timezone", at("spec", "timeZone", default=NONE)),
    PrinterColumn("Suspend", "boolean", _plain(_suspend)),
    PrinterColumn("Active", "integer", _plain(lambda obj: len(items(obj, "status", "active")))),
    _text("Last Schedule", _last_schedule),
    AGE,
    *_containers("spec", "jobTemplate", "spec", "template", "spec"),
    _text("Selector", _plain(lambda obj: _selector(dig(obj, "spec", "jobTemplate", "spec", "selector"))), wide=True),
)
NETWORK_POLICIES = (
    NAME,
    _text("Pod-Selector", _plain(lambda obj: _selector(dig(obj, "spec", "podSelector")))),
    AGE,
)
POD_DISRUPTION_BUDGETS = (
    NAME,
    _text("Min Available", _limit("minAvailable")),
    _text("Max Unavailable", _limit("maxUnavailable")),
    PrinterColumn("Allowed Disruptions", "integer", _number("status", "disruptionsAllowed")),
    AGE,
)
LEASES = (NAME, _text("Holder", at("spec", "holderIdentity")), AGE)
ROLES = (NAME, CREATED_AT)
ROLE_BINDINGS = (
    NAME,
    _text("Role", _plain(lambda obj: f"{dig(obj, 'roleRef', 'kind')}/{dig(obj, 'roleRef', 'name')}")),
    AGE,
    _text("Users", _subjects("User", _subject_name), wide=True),
    _text("Groups", _subjects("Group", _subject_name), wide=True),
    _text(
        "ServiceAccounts",
        _subjects("ServiceAccount", lambda subject: f"{subject.get('namespace', '')}/{subject.get('name', '')}"),
        wide=True,
    ),
)
CUSTOM_RESOURCE_DEFINITIONS = (NAME, CREATED_AT)
POD_METRICS = (NAME, _text("Window", at("window")))
NODE_METRICS = (NAME, _text("CPU", at("usage", "cpu")), _text("Memory", at("usage", "memory")), *POD_METRICS[1:])

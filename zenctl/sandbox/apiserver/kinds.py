"""What the server serves: the shape of one served resource, and the closed table of the built-in ones.

Everything else in the core learns about a kind from here. The table holds facts; what a request does with them, and
what the columns print (printers), is not decided here. Custom resources become Served when their CRD is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from msgspec import structs

from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.sandbox.apiserver import printers
from zenctl.sandbox.apiserver.columns import Object, PrinterColumn, dig
from zenctl.sandbox.apiserver.types import DEFINITIONS, Schema, reference

__all__ = ["BUILT_IN", "FIELDS", "NAME_FIELD", "FieldReader", "NameRule", "PrinterColumn", "Served", "SubResource"]

NameRule = Literal["subdomain", "label", "service", "path-segment"]
"""How names are checked: DNS subdomain or label (RFC 1123), DNS label (RFC 1035), or anything without "/" and "%"."""

FieldReader = Callable[[Object], str]
"""Gives the text that a field selector compares: "" for an absent text, "false" for an absent boolean."""


@dataclass(frozen=True, slots=True)
class SubResource:
    """What hangs below an object. Group and version are those of the kind that is sent, where it is another one."""

    kind: str
    verbs: frozenset[str]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """One resource at one version, with everything that the server has to know of it."""

    type: ResourceType
    schema: Schema = field(default_factory=dict)
    """Of the whole object; for a custom resource its openAPIV3Schema. An empty one allows anything."""
    definitions: Schema = field(default_factory=lambda: DEFINITIONS)
    """What the ``$ref`` in the schema mean; the schemas of custom resources have none."""
    columns: tuple[PrinterColumn, ...] = printers.PLAIN
    list_kind: str = ""
    """Where it is not the kind with "List" behind it."""
    categories: tuple[str, ...] = ()
    subresources: Mapping[str, SubResource] = field(default_factory=dict)
    name_rule: NameRule = "subdomain"
    generation: bool = False
    """Whether metadata.generation is kept: it counts changes of all fields but metadata and status."""
    annotations_count: bool = False
    """Whether a change of annotations raises the generation as well."""
    field_selectors: Mapping[str, FieldReader] = field(default_factory=lambda: FIELDS)
    initial_status: Mapping[str, object] | None = None
    """The status that an object is created with; None for no field of that name."""
    keeps_status: bool = False
    """Whether the status in a create is taken as it is sent."""
    create_on_update: bool = False
    """Whether PUT of a name that does not exist creates it."""
    unconditional_update: bool = True
    """Whether PUT may come without a resourceVersion."""
    builtin: bool = True
    loaded: bool = False
    """Whether nobody writes it: its objects are data that was loaded."""
    virtual: bool = False
    """Whether there are no objects of it: a create is a question and its answer."""

    @property
    def storage_key(self) -> str:
        """The key that all versions of one resource share."""
        return f"{self.type.group}/{self.type.plural}"

    @property
    def kind_of_list(self) -> str:
        """The kind of a collection."""
        return self.list_kind or f"{self.type.kind}List"


def _reads(path: str, absent: str = "") -> FieldReader:
    keys = path.split(".")

    def read(obj: Object) -> str:
        value = dig(obj, *keys)
        if isinstance(value, bool):
            return "true" if value else "false"
        return absent if value is None else str(value)

    return read


def _texts(*paths: str) -> dict[str, FieldReader]:
    return {path: _reads(path) for path in paths}


def _event_source(obj: Object) -> str:
    return str(dig(obj, "source", "component") or dig(obj, "reportingComponent") or "")


FIELDS: Mapping[str, FieldReader] = _texts("metadata.name", "metadata.namespace")
"""What most kinds can be selected by, those without a namespace too."""
NAME_FIELD: Mapping[str, FieldReader] = _texts("metadata.name")
"""What custom resources without a namespace can be selected by."""

_ALL = frozenset(("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"))
_READ = frozenset(("get", "list"))
_ASK = frozenset(("create",))
_CORE, _APPS, _BATCH, _RBAC = (f"io.k8s.api.{api}." for api in ("core.v1", "apps.v1", "batch.v1", "rbac.v1"))
_AUTHORIZATION = "authorization.k8s.io/v1"


def _type(
    api: str, kind: str, plural: str, *short: str, namespaced: bool = True, verbs: frozenset[str] = _ALL
) -> ResourceType:
    """Return a resource type; ``api`` is "v1" or "apps/v1"."""
    group, _, version = api.rpartition("/")
    return ResourceType(group, version, kind, plural, kind.lower(), short, namespaced, verbs)


def _with_status(resource: ResourceType) -> ResourceType:
    return structs.replace(resource, status_subresource=True)


def _status(kind: str) -> dict[str, SubResource]:
    return {"status": SubResource(kind, frozenset(("get", "patch", "update")))}


_CORE_KINDS = (
    Served(
        _with_status(structs.replace(NAMESPACE, verbs=_ALL - {"deletecollection"})),
        reference(_CORE + "Namespace"),
        columns=printers.NAMESPACES,
        name_rule="label",
        subresources=_status("Namespace") | {"finalize": SubResource("Namespace", frozenset(("update",)))},
        field_selectors={**NAME_FIELD, **_texts("status.phase")},
        initial_status={"phase": "Active"},
    ),
    Served(
        structs.replace(CONFIG_MAP, verbs=_ALL),
        reference(_CORE + "ConfigMap"),
        columns=printers.CONFIG_MAPS,
    ),
    Served(
        _type("v1", "Secret", "secrets"),
        reference(_CORE + "Secret"),
        columns=printers.SECRETS,
        field_selectors={**FIELDS, "type": _reads("type")},
    ),
    Served(
        _type("v1", "ServiceAccount", "serviceaccounts", "sa"),
        reference(_CORE + "ServiceAccount"),
        columns=printers.SERVICE_ACCOUNTS,
    ),
    Served(
        _type("v1", "Event", "events", "ev"),
        reference(_CORE + "Event"),
        columns=printers.EVENTS,
        field_selectors={
            **FIELDS,
            **_texts(
                *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
                *(
                    "involvedObject.resourceVersion",
                    "involvedObject.fieldPath",
                    "reason",
                    "reportingComponent",
                    "type",
                ),
            ),
            "source": _event_source,
        },
        name_rule="path-segment",
        create_on_update=True,
    ),
    Served(
        _with_status(_type("v1", "Pod", "pods", "po")),
        reference(_CORE + "Pod"),
        columns=printers.PODS,
        categories=("all",),
        subresources=_status("Pod") | {"log": SubResource("Pod", frozenset(("get",)))},
        field_selectors={
            **FIELDS,
            **_texts("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
            **_texts("status.phase", "status.podIP", "status.nominatedNodeName"),
            "spec.hostNetwork": _reads("spec.hostNetwork", absent="false"),
        },
        initial_status={"phase": "Pending"},
    ),
    Served(
        _with_status(_type("v1", "Node", "nodes", "no", namespaced=False)),
        reference(_CORE + "Node"),
        columns=printers.NODES,
        subresources=_status("Node"),
        field_selectors={
            **NAME_FIELD,
            "spec.unschedulable": _reads("spec.unschedulable", absent="false"),
        },
        keeps_status=True,
    ),
    Served(
        _with_status(_type("v1", "Service", "services", "svc")),
        reference(_CORE + "Service"),
        columns=printers.SERVICES,
        categories=("all",),
        subresources=_status("Service"),
        name_rule="service",
        field_selectors={**FIELDS, **_texts("spec.clusterIP", "spec.type")},
        initial_status={"loadBalancer": {}},
        unconditional_update=False,
    ),
    Served(
        _type("v1", "Endpoints", "endpoints", "ep"),
        reference(_CORE + "Endpoints"),
        columns=printers.ENDPOINTS,
        create_on_update=True,
    ),
    Served(
        _with_status(_type("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc")),
        reference(_CORE + "PersistentVolumeClaim"),
        columns=printers.PERSISTENT_VOLUME_CLAIMS,
        subresources=_status("PersistentVolumeClaim"),
        initial_status={"phase": "Pending"},
    ),
)

_WORKLOADS = (
    Served(
        _with_status(_type("apps/v1", "Deployment", "deployments", "deploy")),
        reference(_APPS + "Deployment"),
        columns=printers.DEPLOYMENTS,
        categories=("all",),
        subresources=_status("Deployment"),
        generation=True,
        annotations_count=True,
        initial_status={},
    ),
    Served(
        _with_status(_type("apps/v1", "ReplicaSet", "replicasets", "rs")),
        reference(_APPS + "ReplicaSet"),
        columns=printers.REPLICA_SETS,
        categories=("all",),
        subresources=_status("ReplicaSet"),
        generation=True,
        initial_status={"replicas": 0},
    ),
    Served(
        _with_status(_type("batch/v1", "Job", "jobs")),
        reference(_BATCH + "Job"),
        columns=printers.JOBS,
        categories=("all",),
        subresources=_status("Job"),
        generation=True,
        field_selectors={**FIELDS, "status.successful": _reads("status.succeeded", absent="0")},
        initial_status={},
    ),
    Served(
        _with_status(_type("batch/v1", "CronJob", "cronjobs", "cj")),
        reference(_BATCH + "CronJob"),
        columns=printers.CRON_JOBS,
        categories=("all",),
        subresources=_status("CronJob"),
        generation=True,
        initial_status={},
    ),
    Served(
        _type("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol"),
        reference("io.k8s.api.networking.v1.NetworkPolicy"),
        columns=printers.NETWORK_POLICIES,
        generation=True,
    ),
    Served(
        _with_status(_type("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb")),
        reference("io.k8s.api.policy.v1.PodDisruptionBudget"),
        columns=printers.POD_DISRUPTION_BUDGETS,
        subresources=_status("PodDisruptionBudget"),
        name_rule="path-segment",
        generation=True,
        initial_status={"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0},
        unconditional_update=False,
    ),
    Served(
        _type("coordination.k8s.io/v1", "Lease", "leases"),
        reference("io.k8s.api.coordination.v1.Lease"),
        columns=printers.LEASES,
        create_on_update=True,
        unconditional_update=False,
    ),
)


def _rbac(kind: str, plural: str, columns: tuple[PrinterColumn, ...], *, namespaced: bool) -> Served:
    return Served(
        _type("rbac.authorization.k8s.io/v1", kind, plural, namespaced=namespaced),
        reference(_RBAC + kind),
        columns=columns,
        name_rule="path-segment",
        create_on_update=True,
    )


def _question(api: str, kind: str, *, namespaced: bool = False) -> Served:
    """Return a kind of which only POST is served: the answer comes in its status."""
    group = api.partition(".")[0]
    return Served(
        _type(api, kind, f"{kind.lower()}s", namespaced=namespaced, verbs=_ASK),
        reference(f"io.k8s.api.{group}.v1.{kind}"),
        virtual=True,
    )


def _metrics(kind: str, plural: str, columns: tuple[PrinterColumn, ...], *, namespaced: bool) -> Served:
    resource = _type("metrics.k8s.io/v1beta1", kind, plural, namespaced=namespaced, verbs=_READ)
    return Served(
        structs.replace(resource, singular=""),
        reference(f"io.k8s.metrics.pkg.apis.metrics.v1beta1.{kind}"),
        columns=columns,
        loaded=True,
    )


BUILT_IN: tuple[Served, ...] = (
    *_CORE_KINDS,
    *_WORKLOADS,
    _rbac("Role", "roles", printers.ROLES, namespaced=True),
    _rbac("RoleBinding", "rolebindings", printers.ROLE_BINDINGS, namespaced=True),
    _rbac("ClusterRole", "clusterroles", printers.ROLES, namespaced=False),
    _rbac("ClusterRoleBinding", "clusterrolebindings", printers.ROLE_BINDINGS, namespaced=False),
    Served(
        structs.replace(CUSTOM_RESOURCE_DEFINITION, verbs=_ALL),
        reference("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition"),
        columns=printers.CUSTOM_RESOURCE_DEFINITIONS,
        categories=("api-extensions",),
        subresources=_status("CustomResourceDefinition"),
        generation=True,
        unconditional_update=False,
    ),
    _metrics("PodMetrics", "pods", printers.POD_METRICS, namespaced=True),
    _metrics("NodeMetrics", "nodes", printers.NODE_METRICS, namespaced=False),
    _question(_AUTHORIZATION, "SelfSubjectAccessReview"),
    _question(_AUTHORIZATION, "SubjectAccessReview"),
    _question(_AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True),
    _question(_AUTHORIZATION, "SelfSubjectRulesReview"),
    _question("authentication.k8s.io/v1", "SelfSubjectReview"),
)
"""Every kind that the server knows without a CRD; one that is not here is not served (404)."""

"""A small cluster behind a real socket, and a kubeconfig for it. No test belongs in here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.apiserver import Answer, ApiServer, Request, answer, failure, serving
from tests.backup.samples import config_map, definition, observation
from tests.core.helm_samples import revision
from zenctl.core.observation import GROUP
from zenctl.product.crd import OBSERVATIONS

OLD = "2020-01-01T00:00:00Z"
EVENTS = f"/apis/{GROUP}/v1alpha1/zenevents"
CONFIG_MAPS = "/api/v1/namespaces/zen-system/configmaps"
SECRETS = "/api/v1/namespaces/zen-system/secrets"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{OBSERVATIONS.full_name}"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/zen-system/leases"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
KUBE_SYSTEM = "/api/v1/namespaces/kube-system"
_RESOURCES = [
    {"name": "zenevents", "singularName": "zenevent", "namespaced": True, "kind": "Observation",
     "verbs": ["get", "list", "delete", "create", "update", "watch"], "shortNames": ["ze"]},
    {"name": "zenevents/status", "namespaced": True, "kind": "Observation", "verbs": ["get", "update"]},
]  # fmt: skip
_GROUPS = [
    {"name": GROUP, "versions": [{"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}],
     "preferredVersion": {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}}
]  # fmt: skip


class World:
    """What the server answers by path, to be changed by a test; and the folder of its kubeconfig and store."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.store = folder / "store"
        self.kubeconfig = folder / "kubeconfig"
        self.groups: list[Any] = _GROUPS
        self.events = [_served(observation(f"o-{n}", timestamp=OLD), n) for n in range(3)]
        self.lease: dict[str, Any] | None = None
        self.special: dict[str, Answer | Callable[[Request], Answer]] = {}
        server.otherwise = self._answer
        self.write_kubeconfig(server.url)

    def write_kubeconfig(self, url: str, **user: Any) -> Path:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [{"name": "test", "cluster": {"server": url}}],
            "users": [{"name": "test", "user": user or {"token": "good"}}],
        }
        self.kubeconfig.write_text(json.dumps(document))
        return self.kubeconfig

    def at(self, *arguments: str | Path) -> list[str]:
        """Return the arguments with those that name this cluster and this store."""
        more = ("--kubeconfig", self.kubeconfig, "--store", self.store, "--request-timeout", "10s")
        return [str(argument) for argument in (*arguments, *more)]

    def told(self, path: str) -> Answer:
        """Return what is usually answered at a path."""
        return answer(self._documents()[path])

    def _answer(self, request: Request) -> Answer:
        special = self.special.get(request.path) or self.special.get(f"{request.method} {request.path}")
        if special is not None:
            return special if isinstance(special, Answer) else special(request)
        if request.header("Authorization") != "Bearer good":
            return failure(401, "Unauthorized", "Unauthorized")
        if request.path.startswith(LEASES) and request.method in ("POST", "PUT"):
            self.lease = json.loads(request.body)
            self.lease["metadata"]["resourceVersion"] = str(len(self.server.requests))
        if request.method == "DELETE":
            return answer({"kind": "Status", "status": "Success"})
        found = self._documents().get(request.path)
        return failure(404, f"{request.path} not found", "NotFound") if found is None else answer(found)

    def _documents(self) -> dict[str, Any]:
        named = {
            f"{EVENTS.replace('zenevents', 'namespaces/team-a/zenevents')}/{e['metadata']['name']}": e
            for e in self.events
        }
        taken = (LEASES, f"{LEASES}/{self.lease['metadata']['name']}") if self.lease else ()
        leases = dict.fromkeys(taken, self.lease)
        return named | leases | {
            "/version": {"gitVersion": "v1.32.4"},
            "/apis": {"kind": "APIGroupList", "groups": self.groups},
            f"/apis/{GROUP}/v1alpha1": {"kind": "APIResourceList", "resources": _RESOURCES},
            KUBE_SYSTEM: {"metadata": {"name": "kube-system", "uid": "cluster-uid"}},
            "/api/v1/namespaces/team-a": {"metadata": {"name": "team-a", "uid": "n"}},
            "/api/v1/namespaces/zen-system": {"metadata": {"name": "zen-system", "uid": "n"}},
            CRD: definition(),
            EVENTS: {"kind": "ObservationList", "metadata": {"resourceVersion": "9"}, "items": self.events},
            CONFIG_MAPS: {
                "kind": "ConfigMapList", "metadata": {"resourceVersion": "9"}, "items": [config_map("filters")],
            },
            SECRETS: {
                "kind": "SecretList", "metadata": {"resourceVersion": "9"}, "items": [revision(1)],
            },
            REVIEWS: {"status": {"allowed": True}},
        }  # fmt: skip


def _served(document: dict[str, Any], number: int) -> dict[str, Any]:
    document["metadata"] |= {"uid": f"u-{number}", "resourceVersion": str(number + 1), "creationTimestamp": OLD}
    return document


@contextmanager
def a_world(folder: Path) -> Iterator[World]:
    with serving() as server:
        yield World(server, folder)

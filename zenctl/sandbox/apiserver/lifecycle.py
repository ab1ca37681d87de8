"""What follows from a change for other objects: namespaces, CRDs, aggregated roles, dependents; at once, in order.

On a real server controllers do this a moment later; here it is done before the answer is sent. Nothing else that
controllers do is done at all: no pods for a Deployment, no scheduling, no service account tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from zenctl.access.aggregate import aggregate
from zenctl.access.identity import User
from zenctl.sandbox.apiserver.authorization import GROUP, Authorizer, written
from zenctl.sandbox.apiserver.collector import Collector
from zenctl.sandbox.apiserver.crds import (
    described_versions,
    established_status,
    taken_names,
    validate_crd,
    with_defaults,
)
from zenctl.sandbox.apiserver.deletes import DeleteOptions, Deleter
from zenctl.sandbox.apiserver.errors import ApiError, conflict, forbidden, invalid, not_found
from zenctl.sandbox.apiserver.kinds import Served
from zenctl.sandbox.apiserver.objects import Json, loaded, stored
from zenctl.sandbox.apiserver.registry import Registry
from zenctl.sandbox.apiserver.store import Store
from zenctl.sandbox.apiserver.writes import Lifecycle, Target, Writer

NAMESPACES, CRDS = "/namespaces", "apiextensions.k8s.io/customresourcedefinitions"
CLUSTER_ROLES = "rbac.authorization.k8s.io/clusterroles"
_UNDELETABLE = frozenset({"default", "kube-public", "kube-system"})
_OWN_FINALIZER = "kubernetes"
_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


class Controllers(Lifecycle):
    """The controllers that this server has."""

    def __init__(self, store: Store, registry: Registry, authorizer: Authorizer) -> None:
        self._store, self._registry, self._authorizer = store, registry, authorizer
        self._namespaces = registry.built_in("", "v1", "namespaces")
        self._crds = registry.built_in("apiextensions.k8s.io", "v1", "customresourcedefinitions")
        self._cluster_roles = registry.built_in(GROUP, "v1", "clusterroles")
        self._collector = Collector(store, registry)
        self._writer: Writer
        self._deleter: Deleter

    def attach(self, writer: Writer, deleter: Deleter) -> None:
        """Give it the hands to work with."""
        self._writer, self._deleter = writer, deleter
        self._collector.attach(writer, deleter)

    # -- before ------------------------------------------------------------------------------------------

    def admit(self, target: Target, document: Json, old: Json | None, user: User | None) -> None:
        """Refuse what may not be; complete namespaces and CRDs."""
        key = target.served.storage_key
        if old is None and target.served.type.namespaced:
            self._require_namespace(target)
        if key == NAMESPACES:
            _complete_namespace(document)
        elif key == CRDS:
            self._complete_crd(target, document, old)
        else:
            self._authorizer.check(target.served, document, old, user)
        if old is None and not target.served.builtin:
            self._require_living_crd(target)

    def creating_by_update(self, target: Target, user: User | None) -> None:
        """Ask for the right to create as well."""
        if user is not None:
            self._authorizer.require_create(user, target.served, target.namespace, target.name)

    def removing(self, target: Target, old: Json) -> None:
        """Refuse to delete the namespaces that a cluster cannot be without, or a second time."""
        if target.served.storage_key != NAMESPACES:
            return
        if target.name in _UNDELETABLE:
            raise forbidden(target.served.type, target.name, "this namespace may not be deleted")
        if "deletionTimestamp" in old["metadata"]:
            raise conflict(
                target.served.type,
                target.name,
                "The system is ensuring all content is removed from this namespace.  Upon completion, this "
                "namespace will automatically be purged by the system.",
            )

    def marking(self, target: Target, document: Json) -> None:
        """Show that a namespace is going, and hold a CRD until its objects have gone."""
        key = target.served.storage_key
        if key == NAMESPACES:
            document["status"] = {**(document.get("status") or {}), "phase": "Terminating"}
        elif key == CRDS:
            finalizers = document["metadata"].get("finalizers", [])
            document["metadata"]["finalizers"] = [*(f for f in finalizers if f != _CLEANUP), _CLEANUP]

    def holds(self, target: Target) -> bool:
        """Namespaces and CRDs go when what is in them has gone."""
        return target.served.storage_key in (NAMESPACES, CRDS)

    def _require_namespace(self, target: Target) -> None:
        body = self._store.collection(NAMESPACES).get(target.namespace)
        if body is None:
            raise not_found(self._namespaces.type, target.namespace)
        if "deletionTimestamp" in loaded(body, self._namespaces.type)["metadata"]:
            why = f"unable to create new content in namespace {target.namespace} because it is being terminated"
            error = forbidden(target.served.type, target.name, why)
            message = f"namespace {target.namespace} is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
            error.details = {**(error.details or {}), "causes": [cause]}
            raise error

    def _require_living_crd(self, target: Target) -> None:
        crd = self._crd_of(target.served)
        if crd is not None and "deletionTimestamp" in crd["metadata"]:
            raise ApiError(
                405, "MethodNotAllowed", "create not allowed while custom resource definition is terminating"
            )

    def _crd_of(self, served: Served) -> Json | None:
        body = self._store.collection(CRDS).get(served.type.full_name)
        return loaded(body, self._crds.type) if body else None

    def _complete_crd(self, target: Target, document: Json, old: Json | None) -> None:
        completed = with_defaults(document)
        causes = validate_crd(completed, old)
        if causes:
            raise invalid(target.served.type.kind, target.served.type.group, target.name, causes)
        document.update(completed)
        if target.subresource != "status":
            others = [each for each in self._documents(self._crds) if each["metadata"]["name"] != target.name]
            document["status"] = established_status(
                document,
                now=self._writer.clock(),
                previous=(old or {}).get("status"),
                taken=taken_names(others, document["spec"]["group"]),
            )

    # -- after -------------------------------------------------------------------------------------------

    def changed(self, target: Target, document: Json) -> None:
        """Serve what a CRD describes, empty what is going, unite aggregated roles, note who owns what."""
        key, going = target.served.storage_key, "deletionTimestamp" in document["metadata"]
        self._collector.stored(target, document)
        if key == CRDS:
            self._serve(target.name, document)
            if going:
                self._empty_crd(target.name)
        elif key == NAMESPACES and going:
            self._empty_namespace(target.name)
        elif key == CLUSTER_ROLES:
            self._aggregate()

    def removed(self, target: Target, document: Json) -> None:
        """Let dependents follow, and finish the namespace or the CRD that waited for this object to go."""
        key = target.served.storage_key
        if key == CRDS:
            self._registry.set_custom(target.name, ())
        elif key == CLUSTER_ROLES:
            self._aggregate()
        self._collector.removed(target, document)
        if target.namespace:
            self._finish(Target(self._namespaces, "", target.namespace))
        if not target.served.builtin:
            self._finish(Target(self._crds, "", target.served.type.full_name))

    def _serve(self, crd: str, document: Json) -> None:
        before = [served.schema for served in self._registry.of_crd(crd)]
        self._registry.set_custom(crd, described_versions(document))
        if before and [served.schema for served in self._registry.of_crd(crd)] != before:
            self._fill_in_defaults(crd)

    def _fill_in_defaults(self, crd: str) -> None:
        """Give what is stored the defaults of a new schema; a real server does so whenever it reads."""
        versions = self._registry.of_crd(crd)
        if versions:
            default, of = self._registry.shape(versions[0]).default, versions[0].type
            self._store.collection(versions[0].storage_key).rewrite(lambda body: stored(default(loaded(body, of))))

    def serve_stored(self) -> None:
        """Begin anew with what is stored, once the store has been filled from elsewhere."""
        self._registry.clear_custom()
        self._authorizer.forget()
        for document in self._documents(self._crds):
            self._registry.set_custom(document["metadata"]["name"], described_versions(document))
        self._collector.begin(self._everything())

    def _everything(self) -> Iterator[tuple[Target, Json]]:
        """Yield every stored object."""
        for served in self._registry.stored_kinds():
            for document in self._documents(served):
                metadata = document["metadata"]
                yield Target(served, metadata.get("namespace", ""), metadata["name"]), document

    def _empty_namespace(self, name: str) -> None:
        for served in self._registry.namespaced():
            self._deleter.delete_all(served, self._bodies(served, f"{name}/"), DeleteOptions())
        self._finish(Target(self._namespaces, "", name))

    def _empty_crd(self, name: str) -> None:
        for served in self._registry.of_crd(name)[:1]:
            self._deleter.delete_all(served, self._bodies(served), DeleteOptions())
        self._finish(Target(self._crds, "", name))

    def _finish(self, holder: Target) -> None:
        """Let a namespace or CRD go that is going, and in which nothing is left."""
        body = self._store.collection(holder.served.storage_key).get(holder.name)
        if body is None:
            return
        document = loaded(body, holder.served.type)
        metadata = document["metadata"]
        if "deletionTimestamp" not in metadata or self._left_in(holder):
            return
        metadata["finalizers"] = [each for each in metadata.get("finalizers", ()) if each != _CLEANUP]
        others = [each for each in _spec_finalizers(document) if each != _OWN_FINALIZER]
        if not metadata["finalizers"] and not others:
            self._writer.finish(holder, document)
        elif holder.served is self._namespaces and others != _spec_finalizers(document):
            document["spec"]["finalizers"] = others
            self._writer.store_document(holder, document)

    def _left_in(self, holder: Target) -> bool:
        if holder.served is self._crds:
            return any(self._store.collection(s.storage_key).live for s in self._registry.of_crd(holder.name))
        return any(
            self._store.collection(served.storage_key).live_in(holder.name) for served in self._registry.namespaced()
        )

    def _aggregate(self) -> None:
        """Write the rules of aggregated ClusterRoles anew where they have changed."""
        stored = {role.name: role for role in self._authorizer.roles()}
        for role in aggregate(stored.values()):
            if role.aggregation is not None and role.rules != stored[role.name].rules:
                target = Target(self._cluster_roles, "", role.name)
                document = loaded(self._writer.current(target), target.served.type)
                document["rules"] = [written(rule) for rule in role.rules]
                self._writer.store_document(target, document)
                return  # that was a change too, and is looked at in its turn

    def _bodies(self, served: Served, prefix: str = "") -> list[bytes]:
        return [body for _, body in self._store.collection(served.storage_key).scan("", prefix, self._store.revision)]

    def _documents(self, served: Served) -> list[Json]:
        return [loaded(body, served.type) for body in self._bodies(served)]


def _complete_namespace(document: Json) -> None:
    phase = "Terminating" if "deletionTimestamp" in document["metadata"] else "Active"
    document["status"] = {**(document.get("status") or {}), "phase": phase}


def _spec_finalizers(document: Json) -> list[str]:
    """Return what holds a namespace beside the finalizers in its metadata."""
    return list((document.get("spec") or {}).get("finalizers") or ())

"""Roles and bindings for tests: short builders, and random documents from any source of randomness.

The random ones are decoded Kubernetes objects, so that tests of the evaluator, an independent model of it and a real
API server can be given the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from zenctl.access.attributes import Attributes, NonResourceAttributes, ResourceAttributes
from zenctl.access.identity import User, implicit_groups, service_account_username
from zenctl.access.read import read_binding, read_role
from zenctl.access.rules import Binding, PolicyRule, Role, RoleRef, Subject

API = "rbac.authorization.k8s.io"
Document = dict[str, Any]


def rule(verbs: str, resources: str, *, groups: str = "", names: str = "") -> PolicyRule:
    """``rule("get list", "pods pods/log")``; the group is the core group where none is given."""
    return PolicyRule(
        verbs=tuple(verbs.split()),
        api_groups=tuple(groups.split()) or ("",),
        resources=tuple(resources.split()),
        resource_names=tuple(names.split()),
    )


def path_rule(verbs: str, urls: str) -> PolicyRule:
    return PolicyRule(verbs=tuple(verbs.split()), non_resource_urls=tuple(urls.split()))


def cluster_role(name: str, *rules: PolicyRule) -> Role:
    return Role(kind="ClusterRole", name=name, rules=rules)


def role(namespace: str, name: str, *rules: PolicyRule) -> Role:
    return Role(kind="Role", namespace=namespace, name=name, rules=rules)


def subject(text: str) -> Subject:
    """``User:jane``, ``Group:admins``, ``ServiceAccount:bot`` or ``ServiceAccount:one/bot``."""
    kind, _, name = text.partition(":")
    namespace, slash, account = name.partition("/")
    return Subject(kind, account, namespace) if slash and kind == "ServiceAccount" else Subject(kind, name)


def everywhere(to: str, *subjects: str, name: str = "binding") -> Binding:
    """A ClusterRoleBinding of a ClusterRole."""
    return Binding(
        kind="ClusterRoleBinding",
        name=name,
        role_ref=RoleRef("ClusterRole", to),
        subjects=tuple(map(subject, subjects)),
    )


def within(namespace: str, to: str, *subjects: str, name: str = "binding") -> Binding:
    """A RoleBinding; ``to`` is ``Role/name`` or ``ClusterRole/name``."""
    kind, _, target = to.partition("/")
    return Binding(
        kind="RoleBinding",
        name=name,
        namespace=namespace,
        role_ref=RoleRef(kind, target),
        subjects=tuple(map(subject, subjects)),
    )


def ask(text: str, *, namespace: str = "", name: str = "", group: str = "") -> Attributes:
    """``ask("get pods/log", namespace="one")``, or ``ask("get /metrics")`` for a path."""
    verb, _, target = text.partition(" ")
    if target.startswith("/"):
        return NonResourceAttributes(verb=verb, path=target)
    resource, _, subresource = target.partition("/")
    return ResourceAttributes(
        verb=verb, resource=resource, subresource=subresource, group=group, namespace=namespace, name=name
    )


class World(NamedTuple):
    """The names that random policies are about; everything in it may be taken by a cluster for tests."""

    prefix: str
    namespaces: tuple[str, ...]
    odd: bool = False
    """Also make what no server accepts: unknown kinds, service accounts without a namespace, mixed rules."""

    def named(self, *endings: str) -> list[str]:
        """Return names of this world."""
        return [f"{self.prefix}{ending}" for ending in endings]


VERBS = ("get", "list", "create", "bind", "Get")
RULE_VERBS = (*VERBS, "*")
GROUPS = ("", "apps", "*")
RESOURCES = ("pods", "secrets", "*")
SUBRESOURCES = ("", "log", "scale", "*")
RULE_RESOURCES = ("pods", "secrets", "pods/log", "*/log", "*/scale", "pods/*", "*/*", "*")
NAMES = ("a", "b", "*")
PATHS = ("/m", "/metrics", "/metrics/x", "/zz", "*")
RULE_URLS = ("/m", "/metrics", "/metrics/*", "/m*", "/m**", "/*", "*", "/*/x")


def _some(random: Random, values: Sequence[str], least: int = 1) -> list[str]:
    return random.sample(list(values), random.randint(least, 2))


def random_rule(random: Random, world: World, *, paths: bool) -> Document:
    """Make one rule; rules on paths only where they are wanted."""
    made: Document = {"verbs": _some(random, RULE_VERBS)}
    on_paths = paths and random.random() < 0.3
    if on_paths:
        made["nonResourceURLs"] = _some(random, RULE_URLS)
    if not on_paths or (world.odd and random.random() < 0.3):
        made |= {"apiGroups": _some(random, GROUPS), "resources": _some(random, RULE_RESOURCES)}
        if random.random() < 0.4:
            made["resourceNames"] = _some(random, NAMES, 0) or None
    return made


def random_subject(random: Random, world: World, *, namespace: str) -> Document:
    """Make a subject of a binding in a namespace; "" for a ClusterRoleBinding."""
    kind = random.choice(["User", "Group", "ServiceAccount", *(["Robot"] if world.odd else [])])
    if kind == "ServiceAccount":
        account: Document = {"kind": kind, "name": random.choice(["bot", "fan"])}
        if not (namespace or world.odd) or random.random() < 0.6:
            account["namespace"] = random.choice(world.namespaces)
        return account
    names = world.named("jane", "joe") if kind == "User" else world.named("g1", "g2")
    names.append("*")
    if kind == "User":
        names.append(service_account_username(world.namespaces[0], "bot"))
    if kind == "Group":
        names.append(f"system:serviceaccounts:{world.namespaces[-1]}")
    return {"kind": kind, "apiGroup": API, "name": random.choice(names)}


def random_policy(random: Random, world: World, *, bindings: int = 6) -> list[Document]:
    """Make ClusterRoles and Roles, then bindings, some of them to roles that do not exist."""
    made = []
    names = world.named("r1", "r2", "r3")
    for name in names[:-1]:
        rules = [random_rule(random, world, paths=True) for _ in range(random.randint(0, 3))]
        made.append(_document("ClusterRole", name, "", rules=rules))
    for namespace in world.namespaces:
        for name in random.sample(names, 2):
            rules = [random_rule(random, world, paths=world.odd) for _ in range(random.randint(1, 3))]
            made.append(_document("Role", name, namespace, rules=rules))
    for number in range(random.randint(1, bindings)):
        namespace = random.choice(["", *world.namespaces])
        kind = "RoleBinding" if namespace else "ClusterRoleBinding"
        may_be_role = namespace or (world.odd and random.random() < 0.1)
        target = {
            "apiGroup": API,
            "kind": random.choice(["ClusterRole", "Role"] if may_be_role else ["ClusterRole"]),
            "name": random.choice(names),
        }
        subjects = [random_subject(random, world, namespace=namespace) for _ in range(random.randint(0, 4))]
        made.append(_document(kind, f"{world.prefix}b{number}", namespace, roleRef=target, subjects=subjects or None))
    return made


class Case(NamedTuple):
    """A user and what they ask."""

    user: User
    asked: Attributes


def random_case(random: Random, world: World, documents: Sequence[Document]) -> Case:
    """Make a user and a question, mostly ones that some binding of the documents is about."""
    bindings = [each for each in documents if each["kind"].endswith("Binding")]
    binding = random.choice([each for each in bindings if each["subjects"]] or bindings)
    user = random_user(random, world)
    if binding["subjects"] and random.random() < 0.8:
        user = _named_by(random.choice(binding["subjects"]), binding["metadata"].get("namespace", ""))
    rules = [
        rule
        for each in documents
        if (each["kind"], each["metadata"]["name"]) == (binding["roleRef"]["kind"], binding["roleRef"]["name"])
        for rule in each["rules"]
    ]
    if not rules or random.random() < 0.2:
        return Case(user, random_question(random, world))
    namespace = binding["metadata"].get("namespace", "")
    if random.random() < 0.3:
        namespace = random.choice(["", *world.namespaces])
    return Case(user, _near(random, random.choice(rules), namespace))


def random_user(random: Random, world: World) -> User:
    """Make a user with all groups that a server would see: a person, or a service account."""
    if random.random() < 0.5:
        name = service_account_username(random.choice(world.namespaces), random.choice(["bot", "fan"]))
        return User(name, implicit_groups(name))
    name = random.choice(world.named("jane", "joe"))
    return User(name, implicit_groups(name, _some(random, world.named("g1", "g2", "g3"), 0)))


def random_question(random: Random, world: World) -> Attributes:
    """Make a question about anything."""
    if random.random() < 0.2:
        return NonResourceAttributes(verb=random.choice(VERBS), path=random.choice(PATHS))
    return ResourceAttributes(
        verb=random.choice(RULE_VERBS),
        group=random.choice(GROUPS),
        resource=random.choice(RESOURCES),
        subresource=random.choice(SUBRESOURCES),
        namespace=random.choice(["", *world.namespaces]),
        name=random.choice(["", *NAMES]),
    )


def _named_by(subject: Document, namespace: str) -> User:
    """Return a user that a subject names, as nearly as its kind permits."""
    if subject["kind"] == "Group":
        return User("someone", implicit_groups("someone", [subject["name"]]))
    name = subject["name"]
    if subject["kind"] == "ServiceAccount":
        name = service_account_username(subject.get("namespace", namespace), name)
    return User(name, implicit_groups(name))


def _near(random: Random, rule: Document, namespace: str) -> Attributes:
    """Make a question that this rule may or may not allow, depending on its wildcards and on nothing else."""
    verb = random.choice(rule["verbs"]).replace("*", "list")
    if rule.get("nonResourceURLs") and not (rule.get("resources") and random.random() < 0.5):
        url = random.choice(rule["nonResourceURLs"])
        return NonResourceAttributes(verb=verb, path=url.replace("*", random.choice(["", "x", "/metrics"])))
    resource, slash, subresource = random.choice(rule["resources"]).partition("/")
    return ResourceAttributes(
        verb=verb,
        group=random.choice(rule["apiGroups"]).replace("*", "apps"),
        resource=resource.replace("*", "pods"),
        subresource=subresource if slash else random.choice(["", "", *SUBRESOURCES]),
        namespace=namespace,
        name=random.choice([*(rule.get("resourceNames") or ()), "a", ""]),
    )


def read_roles(documents: Sequence[Document]) -> list[Role]:
    return [read_role(each, each["kind"]) for each in documents if each["kind"] in ("Role", "ClusterRole")]


def read_bindings(documents: Sequence[Document]) -> list[Binding]:
    return [read_binding(each, each["kind"]) for each in documents if each["kind"].endswith("Binding")]


def _document(kind: str, name: str, namespace: str, **fields: object) -> Document:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": metadata, **fields}

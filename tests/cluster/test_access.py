"""The evaluator against a real API server: the same random roles and bindings, the same questions, the same answers.

Objects have names of their own and name users, groups and service accounts that exist nowhere else, so that a
cluster for tests gives nobody rights by this.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

import pytest

from tests.access.samples import (
    API,
    Case,
    Document,
    World,
    ask,
    random_case,
    random_policy,
    random_rule,
    read_bindings,
    read_roles,
)
from tests.cluster.kubectl import Kubectl
from zenctl.access.attributes import Attributes, NonResourceAttributes
from zenctl.access.cover import escalation_message, uncovered
from zenctl.access.evaluate import Policy
from zenctl.access.identity import User, implicit_groups, service_account
from zenctl.access.read import read_role

QUESTIONS = 200
SEED = 20
OWNERS = 3
KINDS = "clusterroles,roles,clusterrolebindings,rolebindings"


class Installed(NamedTuple):
    """What was put on the server, and the policy read back from it."""

    world: World
    documents: list[Document]
    policy: Policy


@pytest.fixture(scope="module")
def installed(kubectl: Kubectl) -> Iterator[Installed]:
    run = f"test-{secrets.token_hex(4)}"
    world = World(f"{run}-", (f"{run}-one", f"{run}-two"))
    documents = random_policy(Random(SEED), world, bindings=25)
    owners = [document for number in range(OWNERS) for document in _owner(world, number)]
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in world.namespaces]
    made = [*namespaces, *documents, *owners, *_sentinels(world)]
    for document in made:
        document["metadata"]["labels"] = {"zenctl-test": run}
    try:
        kubectl("create", "--validate=false", "-f", "-", stdin=_list(made))
        _wait_until_effective(kubectl, world)
        stored = kubectl.json("get", KINDS, "--all-namespaces")["items"]
        yield Installed(world, documents, Policy(read_roles(stored), read_bindings(stored)))
    finally:
        kubectl("delete", "clusterroles,clusterrolebindings", "-l", f"zenctl-test={run}")
        kubectl("delete", "namespaces", "--ignore-not-found", "--wait=false", *world.namespaces)


def test_subject_access_reviews(kubectl, installed):
    random = Random(SEED)
    cases = [random_case(random, installed.world, installed.documents) for _ in range(QUESTIONS)]
    # The server's own roles, too: whatever this release has.
    discovery = User("someone", implicit_groups("someone"))
    cases += [
        Case(discovery, ask("get /version")),
        Case(discovery, ask("get /metrics")),
        Case(discovery, ask("create selfsubjectaccessreviews", group="authorization.k8s.io")),
        Case(User("system:kube-scheduler"), ask("create pods/binding", namespace=installed.world.namespaces[0])),
        Case(User("system:kube-scheduler"), ask("get secrets")),
        Case(service_account("kube-system", "namespace-controller"), ask("deletecollection secrets")),
    ]
    answers = _create(kubectl, [_review(user, asked) for user, asked in cases])
    for (user, asked), answer in zip(cases, answers, strict=True):
        allowed, reason = answer["status"]["allowed"], answer["status"].get("reason", "")
        grants = list(installed.policy.grants(user, asked))
        assert allowed is bool(grants), (user, asked, reason)
        if allowed:  # which of several bindings it names is the server's choice
            assert reason in {grant.reason for grant in grants}
        else:
            assert _messages(reason) == _messages(installed.policy.refusal(user, asked)), (user, asked)
    yes = sum(answer["status"]["allowed"] for answer in answers)
    assert 20 < yes < len(answers) - 20, "the questions are good for nothing"


def test_self_subject_rules_reviews(kubectl, installed):
    random = Random(SEED)
    for _ in range(3):
        user, _ = random_case(random, installed.world, installed.documents)
        for namespace in installed.world.namespaces:
            review = {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectRulesReview",
                "spec": {"namespace": namespace},
            }
            (answer,) = _create(kubectl, [review], *_as(user))
            ours = installed.policy.rules_for(user, namespace)
            assert _read(answer["status"]["resourceRules"]) == sorted(map(str, ours.resource_rules))
            assert _read(answer["status"]["nonResourceRules"]) == sorted(map(str, ours.non_resource_rules))
            error = answer["status"].get("evaluationError", "")
            assert _messages(error) == _messages(ours.evaluation_error)


@pytest.mark.parametrize("number", range(OWNERS))
def test_nobody_grants_what_they_lack(kubectl, installed, number):
    world, policy = installed.world, installed.policy
    owner = User(f"{world.prefix}owner{number}", ("system:authenticated",))
    held = [grant.rule for grant in policy.held(owner, "")]
    may_escalate = policy.allows(owner, ask("escalate clusterroles", group=API))
    random = Random(SEED + number)
    roles = [_variant(random, world, number, f"{world.prefix}w{each}") for each in range(12)]
    options = ("--dry-run=server", "--validate=false", "-o", "name")
    done = kubectl.run("create", *options, *_as(owner), "-f", "-", stdin=_list(roles))
    created = set(done.stdout.split())
    for role in roles:
        name = role["metadata"]["name"]
        missing = [] if may_escalate else uncovered(held, read_role(role, "ClusterRole").rules)
        assert (f"clusterrole.{API}/{name}" in created) is (not missing), (role, missing, done.stderr)
        if missing:
            assert f'"{name}" is forbidden: {escalation_message(owner, missing)}\n' in done.stderr
    assert 0 < len(created) < len(roles), "the roles are good for nothing"


def _owner(world: World, number: int) -> list[Document]:
    """Make a user who may create ClusterRoles, and has a few random rights to put into them."""
    random, name = Random(number), f"{world.prefix}owner{number}"
    creates = {"verbs": ["create"], "apiGroups": [API], "resources": ["clusterroles"]}
    rules = [random_rule(random, world, paths=True) for _ in range(4)]
    return [_role("ClusterRole", name, [*rules, creates]), _binding("ClusterRoleBinding", name, name)]


def _variant(random: Random, world: World, number: int, name: str) -> Document:
    """Make a role of one rule that the owner has, or has but for one of its fields."""
    rules = _owner(world, number)[0]["rules"]
    rule = random.choice([rule for rule in rules if API not in rule.get("apiGroups", ())])
    other = random_rule(random, world, paths=True)
    field = random.choice(list(rule))
    return _role("ClusterRole", name, [{**rule, field: other.get(field, rule[field])}])


def _sentinels(world: World) -> list[Document]:
    """Make objects of all four kinds to be created last: when they count, all others do."""
    name, namespace = f"{world.prefix}last", world.namespaces[0]
    rules = [{"verbs": ["get"], "apiGroups": [name], "resources": ["all", "local"]}]
    return [
        _role("ClusterRole", name, rules),
        _role("Role", name, rules, namespace),
        _binding("ClusterRoleBinding", name, f"{name}-all"),
        _binding("RoleBinding", name, f"{name}-local", namespace),
    ]


def _wait_until_effective(kubectl: Kubectl, world: World) -> None:
    name, namespace = f"{world.prefix}last", world.namespaces[0]
    asked = [
        _review(User(f"{name}-all"), ask("get all", group=name)),
        _review(User(f"{name}-local"), ask("get local", group=name, namespace=namespace)),
    ]
    deadline = time.monotonic() + 20
    while not all(answer["status"]["allowed"] for answer in _create(kubectl, asked)):
        assert time.monotonic() < deadline, "the authorizer never saw the new bindings"
        time.sleep(0.1)


def _role(kind: str, name: str, rules: list[Document], namespace: str = "") -> Document:
    return {**_head(kind, name, namespace), "rules": rules}


def _binding(kind: str, name: str, user: str, namespace: str = "") -> Document:
    """Bind a user to the role that has the binding's name and scope."""
    return {
        **_head(kind, name, namespace),
        "roleRef": {"apiGroup": API, "kind": kind.removesuffix("Binding"), "name": name},
        "subjects": [{"apiGroup": API, "kind": "User", "name": user}],
    }


def _head(kind: str, name: str, namespace: str) -> Document:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{API}/v1", "kind": kind, "metadata": metadata}


def _review(user: User, asked: Attributes) -> Document:
    """Make a SubjectAccessReview."""
    if isinstance(asked, NonResourceAttributes):
        question: Document = {"nonResourceAttributes": {"verb": asked.verb, "path": asked.path}}
    else:
        fields = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
        question = {"resourceAttributes": {field: getattr(asked, field) for field in fields}}
    spec = {"user": user.name, "groups": list(user.groups), **question}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def _create(kubectl: Kubectl, documents: Sequence[Document], *options: str) -> list[Document]:
    """Create objects and return what the server answered to each."""
    text = kubectl("create", "--validate=false", "-o", "json", *options, "-f", "-", stdin=_list(documents))
    decoder, answers, position = json.JSONDecoder(), [], 0
    while position < len(text):
        answer, position = decoder.raw_decode(text, position)
        answers += answer.get("items", [answer])
        position += len(text[position:]) - len(text[position:].lstrip())
    return answers


def _list(documents: Sequence[Document]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": documents})


def _as(user: User) -> list[str]:
    return [f"--as={user.name}", *(f"--as-group={group}" for group in user.groups)]


def _read(rules: list[Document]) -> list[str]:
    return sorted(map(str, read_role({"rules": rules}, "Role").rules))


def _messages(text: str) -> set[str]:
    """Split what the server joined; the order is its own."""
    text = text.removeprefix("RBAC: ")
    return set(text[1:-1].split(", ")) if text.startswith("[") else {text}

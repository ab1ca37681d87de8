"""The evaluator against an independent model of RBAC, and properties that no policy may break.

The model works on the decoded objects themselves: it writes each rule as a regular expression over questions
written as lines of text.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.access.samples import (
    Document,
    World,
    random_case,
    random_policy,
    random_question,
    random_rule,
    read_bindings,
    read_roles,
)
from zenctl.access.attributes import Attributes, NonResourceAttributes, ResourceAttributes
from zenctl.access.cover import breakdown, compact, uncovered
from zenctl.access.evaluate import Policy, rule_allows
from zenctl.access.identity import User
from zenctl.access.rules import PolicyRule

ODD = World("", ("one", "two"), odd=True)
VALID = World("", ("one", "two"))
QUESTIONS = range(12)
randoms = st.randoms(use_true_random=False)


# ---------------------------------------------------------------- the model


def line(asked: Attributes) -> str:
    if isinstance(asked, NonResourceAttributes):
        return f"path|{asked.verb}|{asked.path}"
    whole = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    return f"{asked.namespace}|{asked.verb}|{asked.group}|{whole}|{asked.name}"


ANY, NONE = "[^|]*", "(?!)"


def either(values: list[str] | None, star: str) -> str:
    """Write alternatives, in which ``*`` stands for ``star``; without any, nothing matches."""
    return "|".join(star if value == "*" else re.escape(value) for value in values) if values else NONE


def resource_patterns(values: list[str] | None) -> str:
    whole = either([value for value in values or [] if not value.startswith("*/")], ANY)
    return "|".join([whole, *(f"[^|/]*{re.escape(value[1:])}" for value in values or [] if value.startswith("*/"))])


def patterns(rule: Document, namespace: str | None) -> list[str]:
    """Write a rule as it holds in a namespace; None is everywhere, where paths are within reach too."""
    verbs, groups = either(rule["verbs"], ANY), either(rule.get("apiGroups"), ANY)
    names = rule.get("resourceNames")
    place = ANY if namespace is None else re.escape(namespace)
    pinned = either(names, re.escape("*")) if names else ANY
    parts = (place, verbs, groups, resource_patterns(rule.get("resources")), pinned)
    made = ["\\|".join(f"({part})" for part in parts)]
    if namespace is None:
        for url in rule.get("nonResourceURLs") or []:
            stem = url.rstrip("*")
            made.append(f"path\\|({verbs})\\|{re.escape(stem)}{'.*' if stem != url else ''}")
    return made


def names_of(subject: Document, namespace: str | None) -> str:
    if subject["kind"] == "ServiceAccount":
        home = subject.get("namespace") or namespace
        return f"User system:serviceaccount:{home}:{subject['name']}" if home else "nobody"
    return f"{subject['kind']} {subject['name']}"


def model_allows(documents: list[Document], user: User, asked: Attributes) -> bool:
    me = {f"User {user.name}", *(f"Group {group}" for group in user.groups)}
    held: list[str] = []
    for binding in documents:
        if not binding["kind"].endswith("Binding"):
            continue
        home: str | None = binding["metadata"].get("namespace")
        if me.isdisjoint(names_of(subject, home) for subject in binding["subjects"] or []):
            continue
        for role in documents:
            wanted: list[Any] = [binding["roleRef"]["kind"], binding["roleRef"]["name"]]
            place = role["metadata"].get("namespace")
            if [role["kind"], role["metadata"]["name"]] == wanted and place in (None, home):
                held += [text for rule in role["rules"] for text in patterns(rule, home)]
    return any(re.fullmatch(pattern, line(asked)) for pattern in held)


# ---------------------------------------------------------------- properties


def policy_of(documents: list[Document]) -> Policy:
    return Policy(read_roles(documents), read_bindings(documents))


@settings(max_examples=120, deadline=None)
@given(randoms)
def test_the_evaluator_agrees_with_the_model(random: Random) -> None:
    documents = random_policy(random, ODD)
    policy = policy_of(documents)
    for _ in QUESTIONS:
        user, asked = random_case(random, ODD, documents)
        assert (policy.allows(user, asked) is not None) == model_allows(documents, user, asked)


def test_random_policies_allow_and_refuse_in_earnest() -> None:
    """A differential test proves nothing where every answer is the same."""
    random = Random(7)
    answers = []
    for _ in range(500):
        documents = random_policy(random, ODD)
        policy = policy_of(documents)
        answers.append(policy.allows(*random_case(random, ODD, documents)))
    allowed = [answer for answer in answers if answer]
    assert 50 < len(allowed) < 450
    assert {grant.binding.kind for grant in allowed} == {"RoleBinding", "ClusterRoleBinding"}
    assert {subject.kind for grant in allowed for subject in grant.subjects} == {"User", "Group", "ServiceAccount"}


@settings(max_examples=60, deadline=None)
@given(randoms)
def test_a_further_binding_never_takes_a_right_away(random: Random) -> None:
    documents = random_policy(random, ODD)
    bindings = read_bindings(documents)
    fewer = Policy(read_roles(documents), bindings[1:])
    more = Policy(read_roles(documents), bindings)
    for _ in QUESTIONS:
        user, asked = random_case(random, ODD, documents)
        if fewer.allows(user, asked):
            assert more.allows(user, asked)


@settings(max_examples=60, deadline=None)
@given(randoms)
def test_the_grants_are_all_the_reasons_and_each_is_reason_enough(random: Random) -> None:
    documents = random_policy(random, ODD)
    roles, bindings = read_roles(documents), read_bindings(documents)
    policy = Policy(roles, bindings)
    for _ in QUESTIONS:
        user, asked = random_case(random, ODD, documents)
        grants = list(policy.grants(user, asked))
        for grant in grants:
            assert Policy([grant.role], [grant.binding]).allows(user, asked) is not None
        named = [grant.binding for grant in grants]
        assert Policy(roles, [each for each in bindings if each not in named]).allows(user, asked) is None


@settings(max_examples=60, deadline=None)
@given(randoms)
def test_the_listed_rules_say_what_is_allowed(random: Random) -> None:
    documents = random_policy(random, ODD)
    policy = policy_of(documents)
    for _ in QUESTIONS:
        user, asked = random_case(random, ODD, documents)
        review = policy.rules_for(user, asked.namespace)
        rules = review.resource_rules if isinstance(asked, ResourceAttributes) else review.non_resource_rules
        assert any(rule_allows(rule, asked) for rule in rules) == (policy.allows(user, asked) is not None)


def rules_of(random: Random) -> list[PolicyRule]:
    rules = [random_rule(random, VALID, paths=True) for _ in range(random.randint(1, 3))]
    (role,) = read_roles([{"kind": "ClusterRole", "rules": rules}])
    return list(role.rules)


@settings(max_examples=60, deadline=None)
@given(randoms)
def test_rules_cover_themselves_whole_broken_down_and_compacted(random: Random) -> None:
    rules = rules_of(random)
    atoms = [atom for rule in rules for atom in breakdown(rule)]
    for same in (rules, atoms, compact(atoms)):
        assert uncovered(rules, same) == []
        assert uncovered(same, rules) == []


@settings(max_examples=80, deadline=None)
@given(randoms)
def test_covering_is_transitive(random: Random) -> None:
    most, servant = rules_of(random), rules_of(random)
    owner = [*rules_of(random), *uncovered(rules_of(random), servant)]
    most += uncovered(most, owner)
    covered = [atom for rule in servant for atom in breakdown(rule) if uncovered(owner, [atom]) == []]
    assert uncovered(most, owner) == []
    assert uncovered(most, covered) == []


@settings(max_examples=80, deadline=None)
@given(randoms)
def test_what_is_covered_is_never_more_than_the_owner_may(random: Random) -> None:
    owner, servant = rules_of(random), rules_of(random)
    owner += uncovered(owner, servant)[1:]
    missing = uncovered(owner, servant)
    for _ in QUESTIONS:
        asked = random_question(random, VALID)
        if any(rule_allows(rule, asked) for rule in servant):
            assert any(rule_allows(rule, asked) for rule in [*owner, *missing])

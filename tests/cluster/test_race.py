"""A cleanup while another client reopens, edits, deletes and recreates the same objects at random.

What the server's own watch says is the proof: of each object that went, and that the other client did not delete,
the state at its deletion must have met the rule.
"""

from __future__ import annotations

import json
import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cluster.test_main_job import WEEK, Zenctl
from zenctl.cleanup.judge import Policy, Reason, Rule, judge
from zenctl.core.instants import format_instant
from zenctl.core.objects import KeyFields, ObjectKey, RawObject, ResourceType
from zenctl.core.observation import ObservationFields
from zenctl.errors import Conflict, NotFound
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.ports import ListQuery
from zenctl.product.labels import PROTECTED

COUNT = 400
QPS = 150


@pytest.fixture
def client(kubeconfig: Path) -> Iterator[Client]:
    made = Client(Connection(ConnectOptions(kubeconfig=str(kubeconfig)), {}), timeout_seconds=30, user_agent="other")
    yield made
    made.close()


def body(namespace: str, name: str, at: datetime, phase: str = "Resolved") -> bytes:
    spec = {"source": "trivy", "category": "security", "severity": "HIGH", "timestamp": format_instant(at)}
    return json.dumps(
        {
            "apiVersion": "zen.kube-zen.io/v1alpha1",
            "kind": "Observation",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {**spec, "eventType": "vulnerability", "message": "a finding"},
            "status": {"phase": phase},
        }
    ).encode()


class Other:
    """The other client: changes one object after the other until it is told to stop."""

    def __init__(self, gateway: Gateway, resource: ResourceType, namespace: str, names: list[str], seed: int) -> None:
        self._gateway, self._resource, self._namespace, self._names = gateway, resource, namespace, names
        self._random = random.Random(seed)
        self.deleted: set[str] = set()
        self.done: dict[str, int] = {}

    def work(self, stop: threading.Event) -> None:
        actions: list[Callable[[ObjectKey], None]] = [
            self._reopen,
            self._see_again,
            self._protect,
            self._relabel,
            self._make_young,
            self._delete,
            self._recreate,
        ]
        while not stop.is_set():
            action = self._random.choice(actions)
            try:
                action(ObjectKey(self._namespace, self._random.choice(self._names)))
            except (Conflict, NotFound):  # it went, or changed, under our hands
                continue
            name = action.__name__.removeprefix("_")
            self.done[name] = self.done.get(name, 0) + 1

    def _found(self, key: ObjectKey) -> tuple[dict[str, Any], RawObject[KeyFields]]:
        found = self._gateway.get(self._resource, key, KeyFields)
        return msgspec.json.decode(found.body), found

    def _set_status(self, key: ObjectKey, **status: str) -> None:
        document, _ = self._found(key)
        document["status"] = {**document.get("status", {}), **status}
        self._gateway.replace_status(self._resource, key, msgspec.json.encode(document))

    def _edit(self, key: ObjectKey, change: Callable[[dict[str, Any]], None]) -> None:
        document, _ = self._found(key)
        change(document)
        self._gateway.replace(self._resource, key, msgspec.json.encode(document))

    def _reopen(self, key: ObjectKey) -> None:
        self._set_status(key, phase="Active")

    def _see_again(self, key: ObjectKey) -> None:
        self._set_status(key, lastSeen=format_instant(datetime.now(UTC)))

    def _protect(self, key: ObjectKey) -> None:
        self._edit(key, lambda document: document["metadata"].setdefault("labels", {}).update({PROTECTED: "true"}))

    def _relabel(self, key: ObjectKey) -> None:
        self._edit(key, lambda document: document["metadata"].setdefault("labels", {}).update(touched="yes"))

    def _make_young(self, key: ObjectKey) -> None:
        self._edit(key, lambda document: document["spec"].update(timestamp=format_instant(datetime.now(UTC))))

    def _delete(self, key: ObjectKey) -> None:
        _, found = self._found(key)
        metadata = found.fields.metadata
        self._gateway.delete(self._resource, key, uid=metadata.uid, resource_version=metadata.resource_version)
        self.deleted.add(metadata.uid)

    def _recreate(self, key: ObjectKey) -> None:
        at = datetime.now(UTC) - timedelta(days=self._random.choice([1, 30]))
        made = self._gateway.create(self._resource, self._namespace, body(*key, at))
        document = msgspec.json.decode(made.body)
        document["status"] = {"phase": self._random.choice(["Active", "Resolved"])}
        self._gateway.replace_status(self._resource, key, msgspec.json.encode(document))


class Witness:
    """Follows the watch from the beginning, and keeps what each object was at its deletion."""

    def __init__(self, gateway: Gateway, resource: ResourceType, namespace: str, since: str) -> None:
        self._gateway, self._resource, self._namespace, self._since = gateway, resource, namespace, since
        self.at_deletion: dict[str, ObservationFields] = {}
        self._last: dict[str, ObservationFields] = {}
        self.ended_at = threading.Event()

    def learn(self, items: list[RawObject[ObservationFields]]) -> None:
        self._last.update((item.fields.metadata.uid, item.fields) for item in items)

    def watch(self) -> None:
        query = ListQuery(self._namespace)
        for event in self._gateway.watch(self._resource, ObservationFields, query, self._since):
            metadata = event.object.fields.metadata
            if metadata.name == "the-end":
                self.ended_at.set()
                return
            if event.type == "DELETED":
                # The event itself carries the new resourceVersion; what it was before is the event before.
                self.at_deletion[metadata.uid] = self._last[metadata.uid]
            else:
                self._last[metadata.uid] = event.object.fields


@pytest.mark.parametrize("seed", [1, 2])
def test_no_object_goes_whose_state_failed_the_rule(client, kubeconfig, kubectl, observation_crd, tmp_path, seed):
    namespace = f"race-{secrets.token_hex(3)}"
    kubectl("create", "namespace", namespace)
    zenctl = Zenctl(kubeconfig, tmp_path / "store", namespace)
    names = [f"o-{n:04d}" for n in range(COUNT)]
    old = datetime.now(UTC) - timedelta(days=30)
    file = tmp_path / "objects.ndjson"
    file.write_text("\n".join(body(namespace, name, old).decode() for name in names))
    zenctl("restore", str(file), "--yes")

    gateway, resource = Gateway(client), Discovery(client).resolve("ze")
    pages = list(gateway.pages(resource, ObservationFields, ListQuery(namespace)))
    witness = Witness(gateway, resource, namespace, pages[-1].resource_version)
    for page in pages:
        witness.learn(list(page.objects))
    watching = threading.Thread(target=witness.watch, daemon=True)
    watching.start()
    other, stop = Other(gateway, resource, namespace, names, seed), threading.Event()
    working = threading.Thread(target=other.work, args=(stop,), daemon=True)
    working.start()
    try:
        answer = _clean(zenctl, namespace)
    finally:
        stop.set()
        working.join()
    gateway.create(resource, namespace, body(namespace, "the-end", old))
    watching.join(timeout=60)
    assert witness.ended_at.is_set()

    _prove(witness, other, answer, zenctl.store)
    # The namespace controller deletes one object after the other, and others wait for it.
    kubectl("delete", "--raw", observation_crd.path(namespace))
    kubectl("delete", "namespace", namespace, "--wait=false")


def _clean(zenctl: Zenctl, namespace: str) -> dict[str, Any]:
    arguments = ("--older-than", "7d", "-n", namespace, "--max-percent", "100", "--qps", str(QPS), "--yes")
    time.sleep(0.3)  # let the other one begin
    data: dict[str, Any] = zenctl("cleanup", *arguments)["data"]
    return data


def _prove(witness: Witness, other: Other, answer: dict[str, Any], store: Path) -> None:
    now = datetime.fromisoformat(answer["scope"]["now"])
    policy = Policy((Rule(older_than=WEEK),))
    ours = {uid: state for uid, state in witness.at_deletion.items() if uid not in other.deleted}
    wrong = [state for state in ours.values() if judge(state, policy, now).reason is not Reason.EXPIRED]
    assert wrong == []
    lines = [json.loads(line) for line in (store / "cleanup-audit.ndjson").read_text().splitlines()]
    assert {line["uid"] for line in lines if line["answer"] == "deleted"} == set(ours)
    assert answer["deleted"] == len(ours) > 0
    assert answer["changedCount"] > 0, f"nothing raced: {other.done}"
    assert other.done.keys() >= {"reopen", "delete", "recreate"}
    accounted = answer["deleted"] + answer["changedCount"] + answer["gone"]
    assert accounted == answer["scope"]["planned"] == len(lines)


def test_a_rule_that_is_not_kept_would_be_noticed():
    """The proof itself: an object that was reopened before it went is one that fails the rule."""
    state = msgspec.convert({"metadata": {"name": "a"}, "status": {"phase": "Active"}}, ObservationFields)
    assert judge(state, Policy((Rule(older_than=WEEK),)), datetime.now(UTC)).reason is Reason.OTHER_PHASE

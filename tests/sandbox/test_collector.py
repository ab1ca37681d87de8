"""Dependents when their owner goes: in the background, in the foreground, as orphans."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.embedded import InProcessApi, sandbox
from zenctl.sandbox.apiserver.server import ApiServer

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
HOLD = ["example.com/hold"]


@pytest.fixture
def server() -> ApiServer:
    return sandbox()


@pytest.fixture
def api(server) -> InProcessApi:
    return InProcessApi(server)


def create(api: InProcessApi, name: str, *owners: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """Create a ConfigMap that belongs to others."""
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": each["metadata"]["name"], "uid": each["metadata"]["uid"]}
        for each in owners
    ]
    body = {"metadata": {"name": name, "ownerReferences": references, **metadata}}
    answer = api.request("POST", CONFIG_MAPS, body)
    assert answer.status == 201, answer
    return answer.json


def delete(api: InProcessApi, name: str, policy: str | None = None) -> None:
    answer = api.request("DELETE", f"{CONFIG_MAPS}/{name}", {"propagationPolicy": policy} if policy else None)
    assert answer.status == 200, answer


def names(api: InProcessApi) -> list[str]:
    return [item["metadata"]["name"] for item in api.request("GET", CONFIG_MAPS).json["items"]]


def metadata(api: InProcessApi, name: str) -> dict[str, Any]:
    found: dict[str, Any] = api.request("GET", f"{CONFIG_MAPS}/{name}").json["metadata"]
    return found


@pytest.mark.parametrize("policy", [None, "Background", "Foreground"])
def test_dependents_go_with_their_owner_at_any_depth(api, policy):
    owner = create(api, "owner")
    child = create(api, "child", owner)
    create(api, "grandchild", child)
    create(api, "stranger")
    delete(api, "owner", policy)
    assert names(api) == ["stranger"]


def test_orphans_stay_without_the_reference(api):
    create(api, "child", create(api, "owner"))
    delete(api, "owner", "Orphan")
    assert names(api) == ["child"]
    assert "ownerReferences" not in metadata(api, "child")


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_another_owner_keeps_a_dependent(api, policy):
    first, second = create(api, "first"), create(api, "second")
    create(api, "child", first, second)
    delete(api, "first", policy)
    assert names(api) == ["child", "second"]
    assert [owner["name"] for owner in metadata(api, "child")["ownerReferences"]] == ["second"]
    delete(api, "second", policy)
    assert names(api) == []


def test_in_the_foreground_the_owner_waits_for_what_is_held(api):
    create(api, "held", create(api, "owner"), finalizers=HOLD)
    delete(api, "owner", "Foreground")
    assert names(api) == ["held", "owner"]
    assert metadata(api, "owner")["finalizers"] == ["foregroundDeletion"]
    patch = {"metadata": {"finalizers": None}}
    headers = {"Content-Type": "application/merge-patch+json"}
    assert api.request("PATCH", f"{CONFIG_MAPS}/held", patch, headers=headers).status == 200
    assert names(api) == []


def test_in_the_background_the_owner_does_not_wait(api):
    create(api, "held", create(api, "owner"), finalizers=HOLD)
    delete(api, "owner")
    assert names(api) == ["held"]
    assert "deletionTimestamp" in metadata(api, "held")


def test_a_new_object_of_the_same_name_is_not_the_owner(api):
    create(api, "child", create(api, "owner"))
    assert api.request("PATCH", f"{CONFIG_MAPS}/child", {"metadata": {"ownerReferences": None}},
                       headers={"Content-Type": "application/merge-patch+json"}).status == 200  # fmt: skip
    delete(api, "owner")
    assert names(api) == ["child"]


def test_what_was_loaded_without_its_owner_stays(server, api):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "elsewhere"}],
        },
        "spec": {"containers": [{"name": "a", "image": "i"}]},
    }
    assert server.load([pod]) == (1, [])
    assert api.request("GET", "/api/v1/namespaces/default/pods/web").status == 200

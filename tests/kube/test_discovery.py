"""Discovery: the aggregated form in both versions and the legacy form give the same answers."""

from __future__ import annotations

import msgspec
import pytest

from tests.apiserver import Answer, Request, answer, failure, html
from tests.kube.world import EVENTS, GROUP
from zenctl.core.objects import CONFIG_MAP
from zenctl.errors import ApiFailure, Denied, NotFound, UsageError
from zenctl.kube.discovery import Discovery

VERBS = ["create", "delete", "get", "list", "update", "watch"]
MISSING = Answer(404, b"404 page not found\n", content_type="text/plain")


def _aggregated_resource(
    plural: str, kind: str, *subresources: str, short: tuple[str, ...] = ()
) -> dict[str, object]:
    return {
        "resource": plural,
        "responseKind": {"group": "g", "version": "v", "kind": kind},
        "scope": "Cluster" if plural == "widgets" else "Namespaced",
        "singularResource": kind.lower() if kind != "Observation" else "zenevent",
        "verbs": VERBS,
        **({"shortNames": list(short)} if short else {}),
        "subresources": [{"subresource": name, "verbs": ["get"]} for name in subresources],
    }


EVENT_ENTRY = _aggregated_resource("zenevents", "Observation", "status", short=("ze", "zevt"))
AGGREGATED = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "apps"},
            "versions": [
                {"version": "v1", "resources": [_aggregated_resource("deployments", "Deployment", "scale")]}
            ],
        },
        {
            "metadata": {"name": GROUP},
            "versions": [
                {"version": "v1alpha1", "freshness": "Current", "resources": [EVENT_ENTRY]},
                {
                    "version": "v1",
                    "resources": [EVENT_ENTRY, _aggregated_resource("widgets", "Widget")],
                },
            ],
        },
    ],
}


def _legacy_resource(plural: str, kind: str, **more: object) -> dict[str, object]:
    return {"name": plural, "singularName": "", "kind": kind, "namespaced": True, "verbs": VERBS, **more}


def _legacy_list(*resources: dict[str, object]) -> dict[str, object]:
    return {"kind": "APIResourceList", "groupVersion": "g/v", "resources": list(resources)}


EVENT_LEGACY = _legacy_resource("zenevents", "Observation", singularName="zenevent", shortNames=["ze", "zevt"])
LEGACY = {
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {"name": "apps", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}},
            {"name": "metrics.example", "versions": [{"version": "v1"}], "preferredVersion": {"version": "v1"}},
            {
                "name": GROUP,
                "versions": [{"groupVersion": "x", "version": "v1"}, {"version": "v1alpha1"}],
                "preferredVersion": {"version": "v1alpha1"},
            },
        ],
    },
    "/api/v1": _legacy_list(
        _legacy_resource("configmaps", "ConfigMap", shortNames=["cm"]),
        _legacy_resource("pods", "Pod"),
        _legacy_resource("pods/status", "Pod"),
    ),
    "/apis/apps/v1": _legacy_list(
        _legacy_resource("deployments", "Deployment"), _legacy_resource("deployments/scale", "Scale")
    ),
    f"/apis/{GROUP}/v1alpha1": _legacy_list(EVENT_LEGACY, _legacy_resource("zenevents/status", "Observation")),
    f"/apis/{GROUP}/v1": _legacy_list(
        EVENT_LEGACY, _legacy_resource("widgets", "Widget", namespaced=False, singularName="widget")
    ),
}
AGGREGATED_WORLD = {"/apis": AGGREGATED, "/api/v1": LEGACY["/api/v1"]}


def _serve(server, documents) -> None:
    def script(request: Request) -> Answer:
        if request.path == "/apis/metrics.example/v1":
            return failure(503, "the server is currently unable to handle the request")
        return answer(documents[request.path]) if request.path in documents else MISSING

    server.otherwise = script


@pytest.fixture(params=["v2", "v2beta1", "legacy"])
def documents(request):
    if request.param == "legacy":
        return LEGACY
    aggregated = {**AGGREGATED, "apiVersion": f"apidiscovery.k8s.io/{request.param}"}
    return {**AGGREGATED_WORLD, "/apis": aggregated}


@pytest.fixture
def discovery(client):
    return Discovery(client)


def test_both_forms_give_the_groups_resources_at_their_preferred_version(server, discovery, documents):
    _serve(server, documents)
    events, widgets = discovery.group(GROUP)
    assert events == msgspec.structs.replace(EVENTS, verbs=frozenset(VERBS))
    assert (widgets.plural, widgets.version, widgets.namespaced) == ("widgets", "v1", False)
    assert not widgets.status_subresource


@pytest.mark.parametrize(
    "name",
    [
        "zenevents",
        "zenevent",
        "ze",
        "ZEVT",
        "Observation",
        "observation",
        f"zenevents.{GROUP}",
        f"ze.v1alpha1.{GROUP}",
    ],
)
def test_every_name_that_kubectl_takes_is_understood(server, discovery, documents, name):
    _serve(server, documents)
    assert discovery.resolve(name).full_name == f"zenevents.{GROUP}"


def test_core_resources_are_understood(server, discovery, documents):
    _serve(server, documents)
    for name in ("cm", "configmap", "ConfigMap", "configmaps"):
        assert discovery.resolve(name).full_name == CONFIG_MAP.full_name
    assert discovery.resolve("pods").status_subresource
    assert not discovery.resolve("cm").status_subresource
    assert discovery.resolve("deployments.apps").group == "apps"


@pytest.mark.parametrize("name", ["", ".", "no\x1bthing.apps", "zenevents.apps", "zenevents.zen", f".{GROUP}"])
def test_other_names_are_usage_errors(server, discovery, name):
    _serve(server, AGGREGATED_WORLD)
    with pytest.raises(UsageError, match="serves no resource named") as caught:
        discovery.resolve(name)
    assert caught.value.message.isprintable()


def test_a_group_that_is_not_served_has_no_resources(server, discovery, documents):
    _serve(server, documents)
    assert discovery.group("absent.example") == ()


def test_aggregated_discovery_takes_one_request_and_is_kept(server, discovery):
    _serve(server, AGGREGATED_WORLD)
    for _ in range(3):
        discovery.group(GROUP)
        discovery.group("apps")
    assert server.asked() == ["GET /apis"]
    accepted = str(server.requests[0].header("Accept"))
    assert accepted.index("v=v2;") < accepted.index("v=v2beta1;") < accepted.rindex("application/json")
    discovery.refresh()
    discovery.group(GROUP)
    assert server.asked() == ["GET /apis"] * 2


def test_legacy_discovery_asks_only_for_the_group_in_question(server, discovery):
    _serve(server, LEGACY)
    discovery.group(GROUP)
    discovery.group(GROUP)
    assert server.asked() == ["GET /apis", f"GET /apis/{GROUP}/v1alpha1", f"GET /apis/{GROUP}/v1"]


def test_a_group_whose_own_server_is_away_hides_no_other(server, discovery):
    _serve(server, LEGACY)
    assert discovery.resolve("ze").group == GROUP
    with pytest.raises(ApiFailure, match="unable to handle"):
        discovery.resolve("nodemetrics")
    with pytest.raises(ApiFailure, match="unable to handle"):
        discovery.group("metrics.example")


def test_a_version_that_vanished_meanwhile_has_no_resources(server, discovery):
    _serve(server, {path: document for path, document in LEGACY.items() if path != f"/apis/{GROUP}/v1"})
    assert [resource.plural for resource in discovery.group(GROUP)] == ["zenevents"]


@pytest.mark.parametrize("page", [html(200), Answer(200, b"{}"), Answer(200, b"\xff"), answer({"error": "login"})])
def test_a_login_page_is_told_apart_from_an_empty_cluster(server, discovery, page):
    server.otherwise = page
    with pytest.raises(ApiFailure) as caught:
        discovery.group(GROUP)
    assert "login page" in str(caught.value.hint)
    assert "secret-page" not in caught.value.message


def test_a_login_page_behind_legacy_discovery(server, discovery):
    server.will(answer(LEGACY["/apis"]), html(200))
    with pytest.raises(ApiFailure, match="not what an API server sends"):
        discovery.group(GROUP)


def test_an_account_that_may_not_ask_is_denied(server, discovery):
    server.otherwise = failure(403, "forbidden")
    with pytest.raises(Denied):
        discovery.group(GROUP)


def test_a_server_without_groups_is_not_found(server, discovery):
    server.otherwise = MISSING
    with pytest.raises(NotFound):
        discovery.group(GROUP)

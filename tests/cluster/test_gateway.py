"""The gateway on a real API server: the suite of the ports, and what only a real one can show."""

from __future__ import annotations

import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.apiserver import Answer, Certificates, serving
from tests.cluster.controlplane import ControlPlane
from tests.kube.ports_suite import CHECKS, Place, named
from zenctl.core.objects import CONFIG_MAP, NAMESPACE, KeyFields, ObjectKey, ResourceType
from zenctl.errors import Denied, Expired, Invalid, NotFound, Unreachable, UsageError, ZenctlError
from zenctl.kube.connect import Connection, ConnectOptions
from zenctl.kube.discovery import Discovery
from zenctl.kube.gateway import Gateway
from zenctl.kube.http import Client
from zenctl.kube.workers import Workers
from zenctl.ports import ALL, ListQuery

OBJECTS = 1_200
LIST_CONFIG_MAPS = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]

Connect = Callable[..., Client]


def _sleep_briefly(seconds: float) -> None:
    time.sleep(seconds / 10)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Give a factory of clients, closed in the end."""
    clients: list[Client] = []

    def make(path: Path, **options: object) -> Client:
        connection = Connection(ConnectOptions(kubeconfig=str(path), **options), {})  # type: ignore[arg-type]
        clients.append(Client(connection, timeout_seconds=30, user_agent="zenctl/test", sleep=_sleep_briefly))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Connect, kubeconfig: Path) -> Client:
    """Give the administrator's client."""
    return connect(kubeconfig)


@pytest.fixture
def gateway(client: Client) -> Gateway:
    """Give the administrator's gateway."""
    return Gateway(client)


@pytest.fixture
def observations(client: Client, observation_crd: object) -> ResourceType:
    """Give the resource as discovery describes it."""
    return Discovery(client).resolve("ze")


@pytest.fixture
def place(gateway: Gateway, observations: ResourceType, namespace: str) -> Place:
    """Give an empty namespace for Observations."""
    return Place(gateway, observations, namespace)


@pytest.mark.parametrize("check", CHECKS, ids=named)
def test_the_ports(place, check):
    check(place)


# -- discovery -----------------------------------------------------------------------------------------


def test_discovery_finds_the_groups_crds(client, observation_crd):
    discovery = Discovery(client)
    (found,) = (each for each in discovery.group(observation_crd.group) if each.plural == observation_crd.plural)
    assert (found.kind, found.version, found.singular) == ("Observation", observation_crd.version, "zenevent")
    assert found.namespaced
    assert found.status_subresource
    assert set(found.short_names) == {"ze", "zevt"}
    assert {"list", "watch", "create", "delete"} <= found.verbs
    assert discovery.resolve(observation_crd.name) == discovery.resolve("zevt") == found
    assert discovery.resolve("deploy").full_name == "deployments.apps"
    assert discovery.resolve("cm").api_version == "v1"
    assert discovery.group("absent.example") == ()
    with pytest.raises(UsageError):
        discovery.resolve("no-such-thing")


def test_a_resource_that_is_not_served_is_not_found(gateway):
    absent = ResourceType("absent.example", "v1", "Thing", "things", "thing")
    with pytest.raises(NotFound):
        list(gateway.pages(absent, KeyFields))


# -- dry run -------------------------------------------------------------------------------------------


def test_a_dry_run_stores_nothing(place, gateway, observations):
    gateway.create(observations, place.namespace, place.body("new"), dry_run=True)
    assert place.names() == []
    metadata = place.create("a").metadata
    before, key = place.document("a"), place.key("a")
    changed = json.loads(json.dumps(before))
    changed["spec"]["severity"] = "LOW"
    changed["status"] = {"phase": "Resolved"}
    gateway.replace(observations, key, json.dumps(changed).encode(), dry_run=True)
    gateway.replace_status(observations, key, json.dumps(changed).encode(), dry_run=True)
    patch = b'{"status":{"phase":"Resolved"}}'
    gateway.patch(observations, key, patch, subresource="status", dry_run=True)
    version = metadata.resource_version
    gateway.delete(observations, key, uid=metadata.uid, resource_version=version, dry_run=True)
    assert place.document("a") == before
    with pytest.raises(Invalid):
        gateway.create(
            observations, place.namespace, place.body("a").replace(b'"Observation"', b'"Other"'), dry_run=True
        )


def test_a_patch_changes_only_what_it_names(place, gateway, observations):
    place.create("a", labels={"keep": "1"})
    gateway.patch(observations, place.key("a"), b'{"metadata":{"labels":{"new":"2"}},"status":{"phase":"Resolved"}}')
    gateway.patch(observations, place.key("a"), b'{"status":{"count":5}}', subresource="status")
    found = place.document("a")
    assert found["metadata"]["labels"] == {"keep": "1", "new": "2"}
    assert found["status"]["count"] == 5
    assert found["status"].get("phase") != "Resolved"


# -- many objects --------------------------------------------------------------------------------------


@pytest.fixture
def many(client: Client, place: Place) -> Place:
    """Give a namespace with more objects than two pages hold."""
    names = [f"n{number:05d}" for number in range(OBJECTS)]
    answers = dict(Workers(client.pressure).run(names, place.create))
    assert [answer for answer in answers.values() if isinstance(answer, ZenctlError)] == []
    assert len(answers) == OBJECTS
    return place


def _touch(control_plane: ControlPlane) -> None:
    """Move the revision on, so that compaction takes the one of running lists away."""
    control_plane.request(
        "POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"generateName": "moves-on-"}}
    )
    control_plane.compact()


def test_paging_restarting_and_mixing(many, gateway, observations, control_plane):
    query = ListQuery(many.namespace)
    pages = list(gateway.pages(observations, KeyFields, query))
    names = [item.key.name for page in pages for item in page.objects]
    assert names == sorted(names)
    assert len(set(names)) == OBJECTS
    assert [page.remaining for page in pages] == [700, 200, None]
    assert len({page.resource_version for page in pages}) == 1

    _restarts(gateway, observations, query, control_plane)
    _mixes(gateway, observations, query, control_plane)


def test_a_whole_list_is_one_stream_or_else_pages(many, client, gateway, observations):
    """A server without streams says so, and is asked once."""
    streams = _has_streams(gateway.server_version())
    for expected in (1, 1) if streams else (1 + 3, 3):
        before = client.requests
        pages = list(gateway.pages(observations, KeyFields, ListQuery(many.namespace), whole=True))
        names = [item.key.name for page in pages for item in page.objects]
        assert names == sorted(names)
        assert len(set(names)) == OBJECTS
        assert not any(page.restarted or page.mixed for page in pages)
        assert client.requests - before == expected


def _has_streams(version: str) -> bool:
    """Say whether a release has the feature gate WatchList on by default; in 1.33 it was off again."""
    minor = int(version.split(".")[1])
    return minor == 32 or minor >= 34


def test_who_may_list_and_not_watch_reads_in_pages(gateway, restricted_kubeconfig, connect, namespace):
    client = connect(restricted_kubeconfig(LIST_CONFIG_MAPS))
    (page,) = Gateway(client).pages(CONFIG_MAP, KeyFields, ListQuery(namespace), whole=True)
    assert not page.restarted
    assert client.requests == 2


def _restarts(gateway: Gateway, resource: ResourceType, query: ListQuery, control_plane: ControlPlane) -> None:
    listing = gateway.pages(resource, KeyFields, query)
    next(listing)
    _expire_what_is_ahead(listing, control_plane)
    names: list[str] = []
    restarted = False
    for page in listing:
        restarted = restarted or page.restarted
        names = [] if page.restarted else names
        names += [item.key.name for item in page.objects]
        assert not page.mixed
    assert restarted
    assert len(names) == len(set(names)) == OBJECTS


def _mixes(gateway: Gateway, resource: ResourceType, query: ListQuery, control_plane: ControlPlane) -> None:
    listing = gateway.pages(resource, KeyFields, query, restarts=0)
    names = [item.key.name for item in next(listing).objects]
    names += _expire_what_is_ahead(listing, control_plane)
    rest = list(listing)
    assert rest[-1].mixed
    assert not any(page.restarted for page in rest)
    names += [item.key.name for page in rest for item in page.objects]
    assert len(names) == len(set(names)) == OBJECTS
    assert names == sorted(names)


def _expire_what_is_ahead(listing: Iterator[object], control_plane: ControlPlane) -> list[str]:
    """Let the token of the third page expire while the second waits to be used.

    The second page was asked for when the first was handed out; taking it makes the client ask for the third.
    So the history is compacted in between, once the second has surely arrived.
    """
    frame = listing.gi_frame  # type: ignore[attr-defined]
    frame.f_locals["coming"].result()
    _touch(control_plane)
    page = next(listing)
    assert not page.restarted  # type: ignore[attr-defined]
    return [item.key.name for item in page.objects]  # type: ignore[attr-defined]


def test_a_watch_from_too_far_back_is_expired(place, gateway, observations, control_plane):
    since = place.version()
    for name in ("a", "b"):
        place.create(name)
    _touch(control_plane)
    control_plane.restart_apiserver()  # its watch cache would still know
    with pytest.raises(Expired):
        next(gateway.watch(observations, KeyFields, ListQuery(place.namespace), since))


def test_a_watch_outlives_its_connection(control_plane, place, connect, observations, tmp_path):
    """Through a proxy that drops every connection: nothing is missed, nothing comes twice."""
    config = json.loads(control_plane.kubeconfig().read_text())
    with serving() as proxy:
        proxy.otherwise = Answer(200)
        config["clusters"][0]["cluster"]["proxy-url"] = proxy.url
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(config))
        watching = Gateway(connect(path)).watch(observations, KeyFields, ListQuery(place.namespace), place.version())
        seen = []
        for name in ("a", "b", "c"):
            place.create(name)
            place.create(f"{name}-too")
            seen += [event.object.key.name for event in itertools.islice(watching, 2)]
            proxy.cut()
        watching.close()  # type: ignore[attr-defined]
        assert len(proxy.requests) == 3
    assert seen == ["a", "a-too", "b", "b-too", "c", "c-too"]


def test_after_a_restart_of_the_api_server_a_watch_goes_on_or_is_expired(place, gateway, observations, control_plane):
    """A server whose watch cache is new may have forgotten what was just before; then listing again tells all."""
    watching = gateway.watch(observations, KeyFields, ListQuery(place.namespace), place.version())
    place.create("a")
    assert next(watching).object.key.name == "a"
    control_plane.restart_apiserver()
    for name in ("b", "c"):
        place.create(name)
    try:
        assert [event.object.key.name for event in itertools.islice(watching, 2)] == ["b", "c"]
    except Expired:
        assert place.names() == ["a", "b", "c"]
        watching = gateway.watch(observations, KeyFields, ListQuery(place.namespace), place.version())
        place.create("d")
        assert next(watching).object.key.name == "d"
    watching.close()


# -- who may do what -----------------------------------------------------------------------------------


def test_a_restricted_user_is_told_what_is_missing(restricted_kubeconfig, connect, namespace):
    limited = Gateway(connect(restricted_kubeconfig(LIST_CONFIG_MAPS, namespace=namespace)))
    assert limited.allowed(CONFIG_MAP, "list", namespace=namespace)
    assert not limited.allowed(CONFIG_MAP, "list")
    assert not limited.allowed(CONFIG_MAP, "delete", namespace=namespace)
    list(limited.pages(CONFIG_MAP, KeyFields, ListQuery(namespace)))
    with pytest.raises(Denied, match="cannot list resource"):
        list(limited.pages(CONFIG_MAP, KeyFields, ALL))


def test_impersonation_by_flags_with_every_group(kubectl, kubeconfig, connect, namespace):
    """Each of two groups may do one thing; only who is in both may do both."""
    verbs = {"test:one, and more": "list", "test:two": "create"}
    for number, (group, verb) in enumerate(verbs.items()):
        _bind(kubectl, f"{namespace}-{number}", namespace, group, verb)
    for groups in ((), ("test:two",), tuple(verbs)):
        acting = Gateway(connect(kubeconfig, as_user="jürgen", as_groups=groups))
        for group, verb in verbs.items():
            assert acting.allowed(CONFIG_MAP, verb, namespace=namespace) is (group in groups)
    with pytest.raises(Denied, match='User "jürgen" cannot delete'):
        acting.delete(CONFIG_MAP, ObjectKey(namespace, "x"), uid="x", resource_version="1")


def _bind(kubectl, name: str, namespace: str, group: str, verb: str) -> None:
    api = "rbac.authorization.k8s.io"
    metadata = {"name": name, "namespace": namespace}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": [verb]}]
    role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    binding = {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": api, "kind": "Role", "name": name},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }
    kubectl.apply(role, binding)


def test_a_client_certificate_is_a_way_in(control_plane, connect):
    masters = Gateway(connect(control_plane.kubeconfig("jane", groups=["system:masters"])))
    assert masters.allowed(NAMESPACE, "delete")
    nobody = Gateway(connect(control_plane.kubeconfig("nobody")))
    assert not nobody.allowed(NAMESPACE, "delete")
    with pytest.raises(Denied, match='User "nobody" cannot'):
        nobody.uid()


def test_an_unknown_token_is_denied(control_plane, connect, tmp_path):
    config = json.loads(control_plane.kubeconfig().read_text())
    config["users"][0]["user"] = {"token": "unknown"}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with pytest.raises(Denied, match="does not accept these credentials"):
        Gateway(connect(path)).uid()


def test_a_rotated_token_file_is_read_again(control_plane, connect, tmp_path):
    config = json.loads(control_plane.kubeconfig().read_text())
    token = tmp_path / "token"
    token.write_text("expired\n")
    config["users"][0]["user"] = {"tokenFile": "token"}
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    gateway = Gateway(connect(path))
    token.write_text(control_plane.token() + "\n")
    assert gateway.uid()


def test_another_authority_is_unreachable(control_plane, connect, tmp_path):
    config = json.loads(control_plane.kubeconfig().read_text())
    config["clusters"][0]["cluster"] = {
        "server": control_plane.url,
        "certificate-authority": str(Certificates(tmp_path / "other").ca),
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    with pytest.raises(Unreachable, match="its certificate is not trusted"):
        Gateway(connect(path)).uid()


def test_a_stopped_api_server_is_unreachable(control_plane, connect):
    path = control_plane.kubeconfig()
    control_plane.stop_apiserver()
    try:
        with pytest.raises(Unreachable, match="connection refused"):
            Gateway(connect(path)).uid()
    finally:
        control_plane.start_apiserver()


def test_nothing_is_created_in_a_namespace_that_is_going(kubectl, gateway):
    name = f"test-{secrets.token_hex(5)}"
    finalizer = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "holds-it", "namespace": name, "finalizers": ["zen.kube-zen.io/test"],
    }}  # fmt: skip
    kubectl("create", "namespace", name)
    kubectl.apply(finalizer)
    kubectl("delete", "namespace", name, "--wait=false")
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}).encode()
    try:
        with pytest.raises(Denied, match="being terminated"):
            gateway.create(CONFIG_MAP, name, body)
    finally:
        kubectl("-n", name, "patch", "configmap", "holds-it", "--type=merge", '-p={"metadata":{"finalizers":null}}')

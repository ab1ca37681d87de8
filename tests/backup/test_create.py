"""What goes into a backup, what it calls itself, and that a failed one leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from tests.archive.fakes import MemoryStore
from tests.backup.samples import (
    OBSERVATION_FOLDER,
    UID,
    a_cluster,
    back_up,
    contents,
    definition,
    observation,
    ports_of,
    request,
)
from tests.fakes import NOW, Call, FakeCluster
from zenctl.archive.verify import How, Level, verify
from zenctl.backup.catalogue import find
from zenctl.backup.create import create_backup
from zenctl.backup.report import created_report
from zenctl.blob.folder import FolderStore
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, ObjectKey
from zenctl.errors import ApiFailure, Denied, ExitCode, Expired, Refused, Unreachable
from zenctl.product.crd import OBSERVATIONS

LIST_OBSERVATIONS = f"list {OBSERVATIONS.full_name}"


def collection_of(archive, folder: str = OBSERVATION_FOLDER):
    collection = archive.collection(folder)
    assert collection is not None
    return collection


def at_page(number: int, do: Callable[[], None]) -> Callable[[Call], None]:
    """Return a hook that does something at the nth request for a page of Observations, once."""
    seen = 0

    def hook(call: Call) -> None:
        nonlocal seen
        seen += call.rule == LIST_OBSERVATIONS
        if seen == number:
            seen += 1
            do()

    return hook


def raising(error: Exception) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


def test_crds_objects_and_the_watchers_config_maps_go_in():
    created, archive = back_up(a_cluster())
    assert contents(archive) == {
        "CustomResourceDefinition.apiextensions.k8s.io": [OBSERVATIONS.full_name],
        OBSERVATION_FOLDER: [
            "team-a/o-00000", "team-a/o-00002", "team-a/o-00004", "team-b/o-00001", "team-b/o-00003",
        ],
        "ConfigMap.core": ["zen-system/filters"],
    }  # fmt: skip
    footer = created.written.footer
    assert (footer.complete, footer.objects, footer.set_name, footer.encrypted) == (True, 7, "backup", False)
    assert (footer.cluster_id, footer.cluster_name, footer.created_at) == (UID, UID, NOW)
    assert archive.manifest.cluster.server_version == "v1.32.4"
    assert created_report(created).verdict is ExitCode.GOOD


def test_objects_are_kept_as_the_server_gave_them():
    cluster = a_cluster()
    _, archive = back_up(cluster)
    for key, line in archive.objects(collection_of(archive)):
        assert msgspec.json.decode(line) == cluster.stored(OBSERVATIONS, ObjectKey(*key.split("/")))


def test_every_kind_of_the_group_goes_in():
    ingesters = msgspec.structs.replace(OBSERVATIONS, plural="ingesters", singular="ingester", kind="Ingester")
    cluster = a_cluster(ingesters)
    cluster.put(ingesters, {**observation("i"), "kind": "Ingester"})
    _, archive = back_up(cluster)
    assert contents(archive)["Ingester.zen.kube-zen.io"] == ["team-a/i"]


def test_one_namespace_alone_and_the_config_maps_still():
    _, archive = back_up(a_cluster(), namespace="team-b")
    assert contents(archive)[OBSERVATION_FOLDER] == ["team-b/o-00001", "team-b/o-00003"]
    assert contents(archive)["ConfigMap.core"] == ["zen-system/filters"]
    assert archive.manifest.scope.namespaces == ("team-b",)


def test_an_empty_cluster_has_a_backup_too():
    created, archive = back_up(a_cluster(observations=0))
    assert (created.written.footer.complete, contents(archive)[OBSERVATION_FOLDER]) == (True, [])


def test_an_undisturbed_listing_is_a_snapshot():
    _, archive = back_up(a_cluster())
    collection = collection_of(archive)
    assert (collection.consistency, collection.restarts, len(collection.resource_versions)) == ("snapshot", 0, 1)
    assert collection.sorted


def test_a_restarted_listing_says_so_and_holds_nothing_twice():
    cluster = a_cluster()
    cluster.hooks.append(at_page(3, raising(Expired("expired", status=410))))
    _, archive = back_up(cluster)
    collection = collection_of(archive)
    assert (collection.consistency, collection.restarts, collection.count) == ("restarted", 1, 5)
    assert len(collection.resource_versions) == 1


def test_a_restarted_listing_drops_what_is_gone_meanwhile():
    cluster = a_cluster()

    def expire() -> None:
        cluster.remove(OBSERVATIONS, ObjectKey("team-a", "o-00000"))
        raise Expired("expired", status=410)

    cluster.hooks.append(at_page(2, expire))
    _, archive = back_up(cluster)
    assert "team-a/o-00000" not in contents(archive)[OBSERVATION_FOLDER]
    assert collection_of(archive).count == 4


def test_a_listing_that_outlives_every_snapshot_calls_itself_mixed():
    cluster = a_cluster(observations=9)
    expired = Expired("expired", status=410)
    expired.continue_token = "go on"
    pages = 0

    def expire_often(call: Call) -> None:
        nonlocal pages
        if call.rule == LIST_OBSERVATIONS:
            pages += 1
            if pages in (2, 4, 6):
                cluster.put(OBSERVATIONS, observation("late", "zen-system"))
                raise expired

    cluster.hooks.append(expire_often)
    created, archive = back_up(cluster)
    collection = collection_of(archive)
    assert (collection.consistency, collection.count) == ("mixed", 10)
    assert len(collection.resource_versions) == 2
    assert created.written.footer.complete
    assert "mixed" in str(created_report(created).blocks)


def expiring_at(cluster: FakeCluster, *pages: int, token: str = "") -> None:
    """Let the snapshot expire at the requests for these pages of Observations, counted from the first."""
    expired = Expired("expired", status=410)
    expired.continue_token = token
    for page in pages:
        cluster.hooks.append(at_page(page, raising(expired)))


def test_a_store_that_takes_nothing_back_gets_the_whole_backup_once_more():
    cluster, store = a_cluster(observations=2_500, page_size=500), MemoryStore(rewinds=False)
    expiring_at(cluster, 5)
    created, archive = back_up(cluster, store)
    collection = collection_of(archive)
    assert list(store.blobs) == [created.name]
    assert (collection.consistency, collection.restarts, collection.count) == ("restarted", 1, 2_500)
    assert verify(store, created.name, How(Level.OBJECTS)).sound
    config_maps = collection_of(archive, "ConfigMap.core")
    assert (config_maps.consistency, config_maps.restarts) == ("snapshot", 0)


def test_what_expires_once_more_there_goes_on_mixed():
    cluster, store = a_cluster(observations=2_500, page_size=500), MemoryStore(rewinds=False)
    expiring_at(cluster, 5, 9, token="go on")
    created, archive = back_up(cluster, store)
    collection = collection_of(archive)
    assert (collection.consistency, collection.restarts, collection.count) == ("mixed", 1, 2_500)
    assert created.written.footer.complete


def test_where_there_is_no_way_to_go_on_nothing_is_kept():
    cluster, store = a_cluster(observations=2_500, page_size=500), MemoryStore(rewinds=False)
    expiring_at(cluster, 5, 9)
    with pytest.raises(Expired):
        create_backup(ports_of(cluster, store), request())
    assert store.blobs == {}


def test_what_such_a_store_still_holds_in_memory_is_restarted_as_anywhere():
    cluster, store = a_cluster(), MemoryStore(rewinds=False)
    expiring_at(cluster, 2)
    _, archive = back_up(cluster, store)
    assert (collection_of(archive).consistency, collection_of(archive).count) == ("restarted", 5)


def test_config_maps_that_may_not_be_read_are_named_and_make_it_incomplete():
    cluster, store = a_cluster(), MemoryStore()
    cluster.forbidden.add("list configmaps")
    created, archive = back_up(cluster, store)
    assert [omission.what for omission in archive.manifest.omissions] == ["configmaps"]
    assert "forbidden" in archive.manifest.omissions[0].why
    assert (created.written.footer.complete, created_report(created).verdict) == (False, ExitCode.DENIED)
    assert contents(archive)[OBSERVATION_FOLDER]
    with pytest.raises(Refused, match="no complete backup"):
        find(store, "latest", UID)
    assert find(store, created.written.footer.archive_id, "") == created.name


def test_a_crd_that_may_not_be_read_costs_only_the_crd():
    cluster = a_cluster()
    cluster.forbidden.add(f"get {CUSTOM_RESOURCE_DEFINITION.full_name}")
    created, archive = back_up(cluster)
    assert [o.what for o in archive.manifest.omissions] == [
        f"customresourcedefinitions.apiextensions.k8s.io/{OBSERVATIONS.full_name}"
    ]
    assert len(contents(archive)[OBSERVATION_FOLDER]) == 5
    assert created_report(created).verdict is ExitCode.DENIED


def test_without_any_of_the_objects_there_is_no_backup():
    cluster, store = a_cluster(), MemoryStore()
    cluster.forbidden.add(LIST_OBSERVATIONS)
    with pytest.raises(Denied):
        create_backup(ports_of(cluster, store), request())
    assert store.blobs == {}


def test_one_of_two_kinds_that_may_not_be_read_is_named():
    ingesters = msgspec.structs.replace(OBSERVATIONS, plural="ingesters", singular="ingester", kind="Ingester")
    cluster = a_cluster(ingesters)
    cluster.forbidden.add(f"list {ingesters.full_name}")
    created, archive = back_up(cluster)
    assert [o.what for o in archive.manifest.omissions] == [ingesters.full_name]
    assert not created.written.footer.complete


def test_a_cluster_without_the_group_is_refused():
    store = MemoryStore()
    with pytest.raises(Refused, match="serves no resources") as caught:
        create_backup(ports_of(FakeCluster(CONFIG_MAP), store), request())
    assert (caught.value.code, store.blobs) == (ExitCode.REFUSED, {})
    assert "zenctl manifests crd" in str(caught.value.hint)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_whatever_breaks_leaves_the_store_as_it_was(page, tmp_path):
    store, cluster = FolderStore(tmp_path / "store"), a_cluster()
    create_backup(ports_of(cluster, store), request(1))
    before = sorted(path.name for path in store.path.iterdir())
    cluster.hooks.append(at_page(page, raising(ApiFailure("the connection broke", status=500))))
    with pytest.raises(Unreachable):
        create_backup(ports_of(cluster, store), request(2))
    assert sorted(path.name for path in store.path.iterdir()) == before


def test_an_interruption_leaves_the_store_as_it_was(tmp_path):
    store, cluster = FolderStore(tmp_path), a_cluster()
    cluster.hooks.append(at_page(2, raising(KeyboardInterrupt())))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        create_backup(ports_of(cluster, store), request())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_visible_before_the_archive_is_whole(tmp_path):
    store, cluster = FolderStore(tmp_path), a_cluster()
    visible: list[int] = []
    cluster.hooks.append(lambda _: visible.append(len(store.list())))
    create_backup(ports_of(cluster, store), request())
    assert visible
    assert set(visible) == {0}
    assert len(store.list()) == 1


def test_a_crd_that_an_extension_server_serves_without_is_no_omission():
    cluster = a_cluster()
    cluster.remove(CUSTOM_RESOURCE_DEFINITION, ObjectKey("", definition()["metadata"]["name"]))
    created, archive = back_up(cluster)
    assert created.written.footer.complete
    assert contents(archive)["CustomResourceDefinition.apiextensions.k8s.io"] == []


def test_a_name_for_the_cluster_stands_beside_its_id():
    created, _ = back_up(a_cluster(), cluster_name="prod-eu")
    assert (created.written.footer.cluster_id, created.written.footer.cluster_name) == (UID, "prod-eu")
    assert "prod-eu" in created.name

"""What is exported to which file, and that every reader of YAML finds in it what the archive holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml

from tests.archive.fakes import MemoryStore
from tests.backup.samples import a_cluster, back_up, observation
from tests.backup.test_diff import SECRET, written
from tests.core.yaml12 import core_schema
from tests.fakes import SilentProgress
from tests.restore.samples import empty_cluster, files_of, restore
from zenctl.archive.reader import Archive
from zenctl.backup.diff import EVERYTHING, compare
from zenctl.backup.export import Exported, export, exported_object, file_of
from zenctl.backup.helm import HELM_REVISION as HELM
from zenctl.backup.sides import ArchiveSide
from zenctl.core.documents import documents
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, ResourceType
from zenctl.core.provenance import ORIGINAL_CREATION, ORIGINAL_UID
from zenctl.errors import Damaged, Refused
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import SERVICE, SERVICE_ACCOUNT
from zenctl.restore.source import ArchiveSource

INGESTER = msgspec.structs.replace(OBSERVATIONS, plural="ingesters", singular="ingester", kind="Ingester")


def exported(archive: Archive, *, raw: bool = False) -> tuple[Exported, dict[str, str]]:
    """Export an archive; return what was told, and the files."""
    store = MemoryStore()
    told = export(archive, store, SilentProgress(), raw=raw)
    return told, {name: data.decode() for name, data in store.blobs.items()}


def an_archive(**changes: Any) -> Archive:
    return back_up(a_cluster(), MemoryStore(), **changes)[1]


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (CUSTOM_RESOURCE_DEFINITION, "crd.yaml"),
        (OBSERVATIONS, "events.yaml"),
        (CONFIG_MAP, "configmaps.yaml"),
        (NAMESPACE, "namespaces.yaml"),
        (SECRET, "Secret.core.yaml"),
        (INGESTER, "Ingester.zen.kube-zen.io.yaml"),
        (ResourceType("apps", "v1", "Deployment", "deployments"), "Deployment.apps.yaml"),
    ],
)
def test_files_have_the_guides_names_or_those_of_the_kind(resource, name):
    assert file_of(resource) == name


def test_the_layout_of_a_backup():
    told, files = exported(an_archive())
    assert {file.name: (file.kind, file.objects) for file in told.files} == {
        "configmaps.yaml": ("ConfigMap", 1),
        "crd.yaml": ("CustomResourceDefinition", 1),
        "events.yaml": ("Observation", 5),
        "namespaces.yaml": ("Namespace", 3),
    }
    assert {file.name: file.size_bytes for file in told.files} == {n: len(t.encode()) for n, t in files.items()}
    assert [each["metadata"]["name"] for each in documents(files["namespaces.yaml"].encode())] == [
        "team-a", "team-b", "zen-system",
    ]  # fmt: skip


def test_what_the_server_owns_is_taken_off_and_what_it_was_is_noted():
    (first, *_) = documents(exported(an_archive())[1]["events.yaml"].encode())
    assert set(first) == {"apiVersion", "kind", "metadata", "spec", "status"}
    assert set(first["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert set(first["metadata"]["annotations"]) == {ORIGINAL_UID, ORIGINAL_CREATION}
    (crd,) = documents(exported(an_archive())[1]["crd.yaml"].encode())
    assert set(crd) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(crd["metadata"]) == {"name", "labels"}


def test_an_earlier_provenance_is_kept():
    restored = observation("o")
    restored["metadata"] |= {"uid": "second", "annotations": {ORIGINAL_UID: "first"}}
    found = exported_object(OBSERVATIONS, restored)
    assert found["metadata"]["annotations"][ORIGINAL_UID] == "first"


def test_raw_keeps_everything_and_gives_every_object_its_type():
    archive = an_archive()
    _, files = exported(archive, raw=True)
    collection = archive.collection(OBSERVATIONS.kind_and_group)
    assert collection is not None
    archived = [msgspec.json.decode(line) for _, line in archive.objects(collection)]
    assert documents(files["events.yaml"].encode()) == archived
    (settings,) = documents(files["configmaps.yaml"].encode())
    assert (settings["apiVersion"], settings["kind"]) == ("v1", "ConfigMap")
    assert "resourceVersion" in settings["metadata"]


def test_a_round_trip_through_files_loses_nothing():
    archive = an_archive()
    _, files = exported(archive)
    run = restore(empty_cluster(crd=False), files_of(dict(files)))
    assert run.outcome.failures == ()
    again = back_up(run.cluster, MemoryStore())[1]
    found = compare(ArchiveSide(archive), ArchiveSide(again), EVERYTHING, SilentProgress())
    assert (found.tally.differing, found.tally.unchanged) == (0, 7)
    straight = restore(empty_cluster(crd=False), ArchiveSource(archive)).cluster
    for key in straight.keys(OBSERVATIONS):
        one, other = straight.stored(OBSERVATIONS, key), run.cluster.stored(OBSERVATIONS, key)
        assert one["metadata"]["annotations"] == other["metadata"]["annotations"]


AWKWARD = [
    "yes", "y", "N", "off", "null", "~", "", " ", "-", "1", "1.0", "1e3", "58e90123", "0x1f", "0o17", "017", "0b1",
    "1_000", ".5", "+.inf", ".nan", "12:30:00", "2026-11-23", "2026-11-23T02:00:00Z", "=", "<<", "!x", "&a", "*a",
    "# no comment", "a: b", "a #b", "[x", "{x", "a\nb\n", "a\n", "\ta", "a ", "ä\u2028b", "\x1b[31m", "\u202e",
    "\x85", "😀", "\ufeff", "|", ">", "'", '"', "%", "@", "`", "- a", "? a", "---", "...", "\\", "\x7f", "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", AWKWARD, ids=ascii)
def test_a_string_stays_that_string_for_readers_of_both_versions_of_yaml(text):
    value = {"value": text, f"k{text}": [text]}
    archive = written((CONFIG_MAP, [("n/a", {"data": value})]))
    file = exported(archive)[1]["configmaps.yaml"]
    assert yaml.safe_load(file)["data"] == value
    assert yaml.load(file, Loader=core_schema())["data"] == value
    (ours,) = documents(file.encode())
    assert ours["data"] == value


def test_numbers_stay_numbers():
    numbers = {"a": 1, "b": 1.5, "c": 1e21, "d": -0.0, "e": 2**63, "f": 1e-7}
    value: dict[str, Any] = {**numbers, "true": True, "none": None, "list": [], "map": {}}
    archive = written((OBSERVATIONS, [("n/a", {"spec": value})]))
    text = exported(archive)[1]["events.yaml"]
    assert documents(text.encode())[0]["spec"] == yaml.load(text, Loader=core_schema())["spec"] == value


def test_objects_are_streamed():
    """Chunks reach the file while the archive is still being read."""
    cluster = a_cluster(observations=6_000, page_size=500)
    source = MemoryStore()
    _, archive = back_up(cluster, source)
    source.reads.clear()
    sizes: list[tuple[int, int]] = []

    class Watching(MemoryStore):
        def put(self, name: str) -> Any:
            sink = super().put(name)
            plain = sink.write

            def write(data: bytes) -> None:
                sizes.append((len(source.reads), len(data)))
                plain(data)

            sink.write = write  # type: ignore[method-assign]
            return sink

    export(archive, Watching(), SilentProgress())
    assert len({reads for reads, _ in sizes}) > 2
    assert max(size for _, size in sizes) < 2 << 20


def test_kinds_without_objects_have_no_file_and_two_kinds_of_observations_one_each():
    other = msgspec.structs.replace(OBSERVATIONS, group="other.io", plural="observations")
    _, files = exported(written((OBSERVATIONS, [("n/a", {})]), (other, [("n/b", {})]), (SECRET, [])))
    assert sorted(files) == ["Observation.other.io.yaml", "Observation.zen.kube-zen.io.yaml", "namespaces.yaml"]


def test_namespaces_in_the_archive_are_not_made_up():
    _, files = exported(written((OBSERVATIONS, [("n/a", {})]), (NAMESPACE, [("/n", {"spec": {"x": 1}})])))
    assert documents(files["namespaces.yaml"].encode())[0]["spec"] == {"x": 1}


def test_what_one_cluster_gave_and_another_would_refuse_is_taken_off():
    service = {"spec": {"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": [{"port": 1}]}}
    headless = {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}
    assert exported_object(SERVICE, service)["spec"] == {"ports": [{"port": 1}]}
    assert exported_object(SERVICE, headless)["spec"] == headless["spec"]
    account = exported_object(
        SERVICE_ACCOUNT, {"metadata": {"name": "a"}, "secrets": [{"name": "a-token-x"}], "imagePullSecrets": []}
    )
    assert set(account) == {"apiVersion", "kind", "metadata", "imagePullSecrets"}


def test_secrets_are_pointed_out():
    assert exported(written((SECRET, [("n/a", {"data": {}})])))[0].holds_secrets
    assert not exported(written((SECRET, []), (CONFIG_MAP, [("n/a", {})])))[0].holds_secrets


# -- Helm -------------------------------------------------------------------------------------------------------


def revision(release: str, number: int, *, deployed: bool, namespace: str = "zen-system", **more: Any) -> Any:
    fields = {
        "release": release, "revision": number, "status": "deployed" if deployed else "superseded",
        "deployed": deployed, "latest": False, "values": f"tag: {number}\n", "manifest": f"---\n# {number}\n",
        "hooks": "",
    }  # fmt: skip
    return f"{namespace}/{release}.v{number}", {**fields, **more}


def test_values_and_manifest_are_those_of_the_latest_deployed_revision():
    archive = written(
        (HELM, [revision("zen", 1, deployed=True), revision("zen", 10, deployed=True),
                revision("zen", 11, deployed=False), revision("zen", 9, deployed=True)])
    )  # fmt: skip
    told, files = exported(archive)
    assert files == {"values.yaml": "tag: 10\n", "manifest.yaml": "---\n# 10\n"}
    assert {file.kind for file in told.files} == {
        "Helm values of zen, revision 10",
        "Helm manifest of zen, revision 10",
    }


def test_several_releases_have_files_of_their_own():
    archive = written((HELM, [revision("a", 1, deployed=True), revision("b", 2, deployed=True, values=None)]))
    _, files = exported(archive)
    assert sorted(files) == [
        "manifest-zen-system.a.yaml", "manifest-zen-system.b.yaml", "values-zen-system.a.yaml",
        "values-zen-system.b.yaml",
    ]  # fmt: skip
    assert files["values-zen-system.b.yaml"] == "{}\n"


def test_a_release_that_is_not_deployed_has_no_files_and_is_named():
    told, files = exported(written((HELM, [revision("zen", 1, deployed=False)])))
    assert (files, told.undeployed) == ({}, ("zen-system.zen",))


def test_a_release_cannot_choose_where_its_file_lies(tmp_path):
    from zenctl.blob.folder import FolderStore

    hostile = [revision("zen", 1, deployed=True), ("n/evil", {"release": "../../x", "revision": 1, "deployed": True})]
    with pytest.raises(Refused, match="cannot name a blob"):
        export(written((HELM, hostile)), FolderStore(tmp_path / "x"), SilentProgress())
    assert list(tmp_path.rglob("*")) == []


# -- what cannot be written -------------------------------------------------------------------------------------


def test_damage_ends_it():
    store = MemoryStore()
    made, archive = back_up(a_cluster(), store)
    data = bytearray(store.blobs[made.name])
    data[archive.manifest.collections[1].members[0].offset + 530] ^= 1
    store.blobs[made.name] = bytes(data)
    with pytest.raises(Damaged, match=made.name):
        export(archive, MemoryStore(), SilentProgress())


def test_an_object_too_deep_for_yaml_is_named():
    deep: Any = 1
    for _ in range(400):
        deep = {"a": deep}
    with pytest.raises(Damaged, match="object n/deep cannot be written as YAML: it is nested too deeply"):
        exported(written((OBSERVATIONS, [("n/deep", {"spec": deep})])))

"""Helm's releases and Secrets in a backup: byte for byte, readable beside it, and never in clear unasked."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.archive.fakes import MemoryStore, Mirror
from tests.backup.samples import an_installation, back_up, config_map, contents, named, ports_of, request, secret
from tests.core.helm_samples import HOOK, MANIFEST, encoded, release, revision, stored, zipped
from tests.fakes import Call, FakeCluster
from zenctl.archive.reader import Archive
from zenctl.archive.verify import How, Level, verify
from zenctl.backup.catalogue import find
from zenctl.backup.check import object_check
from zenctl.backup.create import create_backup
from zenctl.backup.helm import HELM_REVISION
from zenctl.backup.parts import Part, in_words
from zenctl.backup.releases import revisions_of
from zenctl.backup.report import contents_report, created_report
from zenctl.core.helm import RELEASE_BYTES, Storage
from zenctl.core.objects import CONFIG_MAP, ObjectKey
from zenctl.core.report import Report, Text
from zenctl.errors import Damaged, Denied, ExitCode, Expired, Refused
from zenctl.product.installation import SECRET

SECRET_FOLDER, REVISION_FOLDER = SECRET.kind_and_group, HELM_REVISION.kind_and_group
RELEASES = [f"zen-system/sh.helm.release.v1.zen-watcher.v{number}" for number in (1, 2, 3)]
HOW: dict[str, dict[str, Any]] = {"encrypted": {"seal": Mirror()}, "in clear": {"plaintext": True}}
HELM = frozenset({Part.HELM})


def lines(archive: Archive, folder: str) -> dict[str, bytes]:
    collection = archive.collection(folder)
    assert collection is not None
    return dict(archive.objects(collection))


def documents_of(cluster: FakeCluster) -> dict[str, Any]:
    """Return the documents of a backup of the cluster by their keys."""
    _, archive = back_up(cluster, plaintext=True)
    return {key: msgspec.json.decode(line) for key, line in lines(archive, REVISION_FOLDER).items()}


def last_words(report: Report) -> str:
    block = report.blocks[-1]
    return block.text if isinstance(block, Text) else ""


def with_revisions(*stored_objects: Any) -> FakeCluster:
    """Return an installation with these revisions and no others."""
    cluster = an_installation()
    for number in (1, 2, 3):
        cluster.remove(SECRET, ObjectKey("zen-system", f"sh.helm.release.v1.zen-watcher.v{number}"))
    for each in stored_objects:
        cluster.put(SECRET if each["kind"] == "Secret" else CONFIG_MAP, each)
    return cluster


# -- what goes in -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_every_revision_goes_in_as_it_is_and_no_other_secret(how):
    cluster = an_installation()
    created, archive = back_up(cluster, None, **how)
    assert contents(archive)[SECRET_FOLDER] == RELEASES
    for key, line in lines(archive, SECRET_FOLDER).items():
        whole = cluster.stored(SECRET, ObjectKey(*key.split("/")))
        assert {"apiVersion": "v1", "kind": "Secret", **msgspec.json.decode(line)} == whole
        assert whole["metadata"]["labels"]["team"] == "platform"
    assert (created.written.footer.complete, created.written.footer.left_out) == (True, ())
    assert not archive.manifest.scope.secrets


def test_the_payload_is_kept_byte_for_byte():
    payload = bytes(range(256)) * 3 + b"\n\r\x00"
    cluster = with_revisions(stored(payload))
    line = lines(back_up(cluster, plaintext=True)[1], SECRET_FOLDER)[RELEASES[0]]
    data = msgspec.json.decode(line)["data"]["release"]
    assert base64.b64decode(base64.b64decode(data)) == payload


def test_beside_them_lie_documents_that_people_can_read():
    created, archive = back_up(an_installation(), plaintext=True)
    collection = archive.collection(REVISION_FOLDER)
    assert collection is not None
    assert (collection.derived, collection.sorted, collection.count) == (True, True, 3)
    assert [c.resource.kind for c in archive.manifest.collections if c.derived] == ["HelmRevision"]
    line = archive.find(collection, "zen-system/zen-watcher.v2")
    assert line is not None
    assert msgspec.json.decode(line) == {
        "metadata": {"namespace": "zen-system", "name": "zen-watcher.v2"},
        "release": "zen-watcher",
        "revision": 2,
        "status": "deployed",
        "deployed": True,
        "latest": False,
        "chart": {"name": "zen-watcher", "version": "0.2.0", "appVersion": "1.2.3"},
        "problem": None,
        "storage": "Secret/sh.helm.release.v1.zen-watcher.v2",
        "firstDeployed": "2026-11-01T09:00:00.123456789+01:00",
        "lastDeployed": "2026-11-02T09:00:00.123456789+01:00",
        "description": "Upgrade complete",
        "values": "image:\n  tag: 1.2.3\nfilters:\n  minSeverity: HIGH\n'on': 'yes'\n",
        "defaultValues": "image:\n  repository: kubezen/zen-watcher\n  tag: ''\nreplicaCount: 1\n",
        "manifest": MANIFEST,
        "hooks": [
            {"name": HOOK["name"], "kind": "Pod", "path": HOOK["path"], "events": ["test"], "weight": 5,
             "deletePolicies": ["before-hook-creation"], "manifest": HOOK["manifest"]}
        ],
        "notes": "Zen Watcher is running.\n",
    }  # fmt: skip
    assert created.revisions == revisions_of(archive)


def test_no_values_are_told_from_empty_ones():
    found = documents_of(with_revisions(revision(1, config=None), revision(2, config={})))
    assert [document["values"] for document in found.values()] == [None, "{}\n"]


def test_the_latest_deployed_is_told_from_the_latest_by_number():
    statuses = {1: "superseded", 2: "superseded", 9: "deployed", 10: "failed", 11: "pending-upgrade"}
    found = documents_of(with_revisions(*(revision(*each) for each in statuses.items())))
    assert [name for name, document in found.items() if document["deployed"]] == ["zen-system/zen-watcher.v9"]
    assert [name for name, document in found.items() if document["latest"]] == ["zen-system/zen-watcher.v11"]
    assert list(found) == sorted(found)


def test_several_releases_of_the_namespace_are_told_apart():
    other = stored(zipped(encoded(release("exporter", 7))), "exporter.v7")
    created, _ = back_up(with_revisions(revision(1), other), plaintext=True)
    rows = created_report(created).data.helm_releases  # type: ignore[attr-defined]
    assert [(row.release, row.deployed, row.latest) for row in rows] == [("exporter", 7, 7), ("zen-watcher", 1, 1)]


def test_releases_in_config_maps_are_told_as_those_in_secrets():
    maps = [revision(1, "superseded", Storage.CONFIG_MAP), revision(2, "deployed", Storage.CONFIG_MAP)]
    cluster = with_revisions(*maps)
    _, archive = back_up(cluster, plaintext=True)
    assert contents(archive)[CONFIG_MAP.kind_and_group] == ["zen-system/filters", *RELEASES[:2]]
    assert contents(archive)[SECRET_FOLDER] == []
    found = documents_of(cluster)
    assert found["zen-system/zen-watcher.v2"]["values"].startswith("image:\n")
    assert found["zen-system/zen-watcher.v2"]["storage"] == "ConfigMap/sh.helm.release.v1.zen-watcher.v2"


def test_a_release_in_both_storages_has_both_documents():
    cluster = with_revisions(revision(1, "deployed", Storage.CONFIG_MAP), revision(1, "deployed"))
    assert list(documents_of(cluster)) == ["zen-system/zen-watcher.v1", "zen-system/zen-watcher.v1.configmap"]


def test_a_namespace_without_releases_says_so_by_empty_collections():
    created, archive = back_up(with_revisions(), plaintext=True)
    assert contents(archive)[SECRET_FOLDER] == contents(archive)[REVISION_FOLDER] == []
    assert created.written.footer.complete


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_the_archive_verifies_at_every_level(how):
    store = MemoryStore()
    created, archive = back_up(an_installation(), store, include_secrets=True, **how)
    for level in Level:
        result = verify(store, created.name, How(level, how.get("seal"), object_check))
        assert (result.problems, result.sound) == ((), True)
    checked = archive.manifest.self_check
    assert checked is None or (checked.objects, checked.problem_count) == (archive.manifest.objects, 0)


def test_a_listing_that_restarts_holds_no_revision_twice():
    cluster = an_installation()
    cluster.page_size = 1
    pages = 0

    def expire(call: Call) -> None:
        nonlocal pages
        if call.resource == SECRET:
            pages += 1
            if pages == 2:
                cluster.remove(SECRET, ObjectKey(*RELEASES[0].split("/")))
                raise Expired("expired", status=410)

    cluster.hooks.append(expire)
    _, archive = back_up(cluster, plaintext=True)
    assert contents(archive)[SECRET_FOLDER] == RELEASES[1:]
    assert contents(archive)[REVISION_FOLDER] == ["zen-system/zen-watcher.v2", "zen-system/zen-watcher.v3"]


def test_only_one_revision_is_decompressed_at_a_time():
    text = "x" * (4 * 2**20)
    cluster = with_revisions(*(revision(number, "superseded", manifest=text) for number in range(1, 25)))
    tracemalloc.start()
    try:
        back_up(cluster, plaintext=True)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 12 * len(text)


# -- what cannot be read ------------------------------------------------------------------------------------------

BROKEN = {
    "not base64": {**stored(b""), "data": {"release": "!"}},
    "truncated": stored(zipped(encoded(release()))[:-5]),
    "no JSON": stored(zipped(b"{")),
    "nothing": {**stored(b""), "data": {}},
    "a bomb": stored(zipped(b" " * (RELEASE_BYTES + 1))),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_revision_that_cannot_be_read_is_kept_and_named_and_stops_nothing(broken):
    cluster = with_revisions(broken, revision(2))
    created, archive = back_up(cluster, plaintext=True)
    kept = msgspec.json.decode(lines(archive, SECRET_FOLDER)[RELEASES[0]])
    assert kept["data"] == broken["data"]
    document = msgspec.json.decode(lines(archive, REVISION_FOLDER)["zen-system/zen-watcher.v1"])
    assert (document["release"], document["revision"], document["status"]) == ("zen-watcher", 1, None)
    assert document["problem"]
    assert document["values"] is document["manifest"] is None
    report = created_report(created)
    (finding,) = report.findings
    assert (finding.code, finding.subject) == ("ZA105", "zen-system/zen-watcher.v1")
    assert finding.detail == document["problem"]
    assert (report.verdict, created.written.footer.complete) == (ExitCode.GOOD, True)
    assert contents_report(archive).findings == report.findings


def test_a_part_of_another_shape_is_named_and_the_rest_is_there():
    document = documents_of(with_revisions(revision(1, hooks="none")))["zen-system/zen-watcher.v1"]
    assert document["problem"] == "these parts are not as Helm writes them: hooks"
    assert document["manifest"] == MANIFEST


def test_a_document_that_no_archive_could_hold_comes_without_its_texts(monkeypatch):
    monkeypatch.setattr("zenctl.backup.helm.OBJECT_BYTES", 1000)
    document = documents_of(with_revisions(revision(1, manifest="x" * 1000)))["zen-system/zen-watcher.v1"]
    assert document["problem"] == "it is too large to be written out"
    assert (document["manifest"], document["status"]) == (None, "deployed")


def test_whether_an_unreadable_revision_runs_is_unknown():
    created, _ = back_up(with_revisions(revision(1, "superseded"), {**revision(2), "data": {}}), plaintext=True)
    (row,) = created_report(created).data.helm_releases  # type: ignore[attr-defined]
    assert (row.deployed, row.latest, row.revisions[-1].status) == (None, 2, None)


def test_documents_of_a_strange_archive_are_damage(monkeypatch):
    _, archive = back_up(an_installation(), plaintext=True)
    collection = archive.collection(REVISION_FOLDER)
    assert collection is not None
    line = ("zen-system/a", b'{"metadata":{"name":"a"}}')
    monkeypatch.setattr(archive, "objects", lambda _: iter([line]))
    with pytest.raises(Damaged, match="HelmRevision"):
        revisions_of(archive)


# -- secrets in clear ---------------------------------------------------------------------------------------------


def texts_of(store: MemoryStore, archive: Archive) -> bytes:
    return b"\n".join(line for c in archive.manifest.collections for _, line in archive.objects(c))


def test_without_encryption_helm_data_is_left_out_said_and_no_failure():
    store = MemoryStore()
    cluster = with_revisions(revision(1), revision(2, "failed", Storage.CONFIG_MAP))
    created, archive = back_up(cluster, store)
    footer, report = created.written.footer, created_report(created)
    assert footer.left_out == archive.manifest.left_out == (Part.HELM,)
    assert footer.complete
    assert report.verdict is ExitCode.GOOD
    assert "without Helm data" in last_words(report)
    assert "--plaintext" in last_words(report)
    assert last_words(contents_report(archive)) == last_words(report)
    assert not {SECRET_FOLDER, REVISION_FOLDER} & set(contents(archive))
    assert contents(archive)[CONFIG_MAP.kind_and_group] == ["zen-system/filters"]
    assert b"minSeverity" not in texts_of(store, archive)
    assert b"release.v1" not in texts_of(store, archive)


def test_without_encryption_no_secret_is_even_asked_for():
    cluster = an_installation()
    cluster.forbidden.add("list secrets")
    assert back_up(cluster)[0].written.footer.complete
    assert not [call for call in cluster.calls if call.resource == SECRET]


def test_latest_finds_it_all_the_same():
    store = MemoryStore()
    created, archive = back_up(an_installation(), store)
    assert find(store, "latest", archive.footer.cluster_id) == created.name


def test_in_clear_it_is_said_that_it_lies_open():
    created, archive = back_up(an_installation(), plaintext=True)
    assert "secrets in clear" in last_words(created_report(created))
    assert "secrets in clear" in last_words(contents_report(archive))
    created, _ = back_up(with_revisions(), plaintext=True)
    assert "in clear" not in last_words(created_report(created))


def test_secrets_that_may_not_be_read_are_an_omission():
    cluster = an_installation()
    cluster.forbidden.add("list secrets")
    created, archive = back_up(cluster, seal=Mirror())
    assert [o.what for o in archive.manifest.omissions] == ["secrets"]
    assert created_report(created).verdict is ExitCode.DENIED
    assert contents(archive)[REVISION_FOLDER] == []


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_all_secrets_go_in_where_they_are_asked_for_but_not_the_tokens_of_accounts(how):
    created, archive = back_up(an_installation(), None, include_secrets=True, **how)
    assert contents(archive)[SECRET_FOLDER] == [*RELEASES, "zen-system/webhook"]
    assert archive.manifest.scope.secrets
    assert created.written.footer.complete
    assert len(created.revisions) == 3


def test_tokens_are_not_even_sent():
    cluster = an_installation()
    seen: list[str] = []
    pages = cluster.pages

    def watched(resource: Any, fields: Any, query: Any, **more: Any) -> Any:
        for page in pages(resource, fields, query, **more):
            seen.extend(item.key.name for item in page.objects if resource == SECRET)
            yield page

    cluster.pages = watched  # type: ignore[method-assign, assignment]
    back_up(cluster, include_secrets=True, seal=Mirror())
    assert seen
    assert not [name for name in seen if "token" in name]


def test_secrets_are_refused_where_the_archive_would_not_be_encrypted():
    store = MemoryStore()
    with pytest.raises(Refused, match="encrypted archive only") as caught:
        back_up(an_installation(), store, include_secrets=True)
    assert "--plaintext" in str(caught.value.hint)
    assert store.blobs == {}


# -- what is required ---------------------------------------------------------------------------------------------


def refused(cluster: FakeCluster, error: type[Exception], said: str, **changes: Any) -> Sequence[Call]:
    """Check that a backup is refused before the first object is read, and return the requests that were made."""
    store = MemoryStore()
    cluster.calls.clear()
    with pytest.raises(error, match=said):
        create_backup(ports_of(cluster, store), request(required=HELM, **changes))
    assert store.blobs == {}
    assert not [call for call in cluster.calls if call.resource.kind == "Observation"]
    return cluster.calls


def test_helm_that_is_required_and_may_not_go_in_is_refused_at_once():
    assert refused(an_installation(), Refused, "required") == []


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
def test_helm_that_is_required_and_not_there_is_refused(how):
    refused(with_revisions(), Refused, "zen-system holds no Helm release", **how)
    refused(an_installation(), Refused, "team-b holds no Helm release", system_namespace="team-b", **how)


def test_helm_that_is_required_and_may_not_be_read_is_denied():
    cluster = an_installation()
    cluster.forbidden.add("list secrets")
    refused(cluster, Denied, "list secrets", seal=Mirror())


@pytest.mark.parametrize("storage", Storage)
def test_helm_that_is_required_and_there_is_backed_up(storage):
    created, _ = back_up(with_revisions(revision(1, storage=storage)), plaintext=True, required=HELM)
    assert len(created.revisions) == 1


def test_a_config_map_of_anybody_else_is_no_release():
    cluster = with_revisions(named("owner", kind="ConfigMap", data={}, labels={"owner": "helm"}))
    cluster.put(CONFIG_MAP, config_map("release.v1"))
    refused(cluster, Refused, "holds no Helm release", plaintext=True)


def test_an_opaque_secret_of_a_releases_name_stays_out_unless_asked_for():
    odd = {**secret("sh.helm.release.v1.odd.v1"), "kind": "Secret"}
    _, archive = back_up(with_revisions(odd), plaintext=True)
    assert contents(archive)[SECRET_FOLDER] == []


def test_parts_of_a_later_version_are_called_by_their_own_word():
    assert in_words([Part.HELM, "volumes"]) == "Helm data, volumes"
    assert json.loads(msgspec.json.encode([Part.HELM])) == ["helm"]

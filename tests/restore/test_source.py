"""What files a restore takes objects from, and what it says of the rest."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
import yaml

from tests.archive.fakes import HEADING, OBSERVATION, MemoryStore, objects
from tests.backup.samples import INSTALLATION, an_installation, config_map, definition, observation
from tests.core.helm_samples import revision
from tests.restore.samples import archive_of, empty_cluster, files_of, restore
from zenctl.archive.reader import open_archive
from zenctl.archive.writer import ArchiveWriter
from zenctl.core.helm import Storage
from zenctl.core.objects import CONFIG_MAP, NAMESPACE, ObjectKey
from zenctl.core.provenance import ORIGINAL_CREATION
from zenctl.errors import ExitCode, UsageError
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import SECRET
from zenctl.restore.apply import Done
from zenctl.restore.batch import LeftOut
from zenctl.restore.report import plan_report
from zenctl.restore.source import ArchiveSource, FilesSource


def found(source: FilesSource) -> dict[str, list[str]]:
    return {
        batch.kind: [msgspec.json.decode(line)["metadata"]["name"] for line in source.objects(batch)]
        for batch in source.batches()
    }


def a_list(*items: Any, kind: str = "List") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "items": list(items), "metadata": {"resourceVersion": ""}}


A, B = observation("a"), observation("b", "team-b")

SHAPES = {
    "one YAML object": yaml.safe_dump(A) + "---\n" + yaml.safe_dump(B),
    "YAML documents with empty ones between": (
        f"---\n{yaml.safe_dump(A)}---\n---\n# nothing\n---\n{yaml.safe_dump(B)}...\n"
    ),
    "a YAML List": yaml.safe_dump(a_list(A, B)),
    "a JSON List": json.dumps(a_list(A, B)),
    "a List in a List": json.dumps(a_list(a_list(A), a_list(B))),
    "JSON lines": json.dumps(A) + "\n" + json.dumps(B) + "\n",
    "JSON values, one behind the other": json.dumps(A, indent=2) + "\n" + json.dumps(B, indent=2),
    "a JSON array": json.dumps([A, B]),
    "a typed list whose items have no type": json.dumps(
        {
            "apiVersion": OBSERVATIONS.api_version,
            "kind": "ObservationList",
            "items": [{k: v for k, v in item.items() if k not in ("apiVersion", "kind")} for item in (A, B)],
        }
    ),
    "with a byte order mark": "\ufeff" + json.dumps(a_list(A, B)),
}  # fmt: skip


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_objects_are_found_in_every_shape_that_kubectl_and_people_write(text):
    source = files_of({"file": text})
    assert found(source) == {"Observation": ["a", "b"]}
    (batch,) = source.batches()
    assert [msgspec.json.decode(line) for line in source.objects(batch)] == [A, B]
    assert source.left_out == ()


def test_unquoted_times_stay_text():
    text = yaml.safe_dump(A).replace("severity: HIGH", "severity: HIGH\n  timestamp: 2026-11-23T02:00:00+02:00")
    source = files_of({"a.yaml": text})
    (batch,) = source.batches()
    (line,) = source.objects(batch)
    assert msgspec.json.decode(line)["spec"]["timestamp"] == "2026-11-23T02:00:00+02:00"


def test_a_folder_as_the_guides_script_leaves_it():
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "zen-watcher"}}
    files = {
        "backup/crd.yaml": yaml.safe_dump(definition()),
        "backup/events.yaml": yaml.safe_dump(a_list(A, B)),
        "backup/manifest.yaml": yaml.safe_dump_all([deployment, config_map("filters", x="1")]),
        "backup/values.yaml": "image:\n  tag: 1.2.3\nreplicas: 1\n",
    }
    source = files_of(files)
    assert found(source) == {
        "CustomResourceDefinition": [OBSERVATIONS.full_name],
        "Observation": ["a", "b"],
        "ConfigMap": ["filters"],
    }
    assert source.left_out == (
        LeftOut("1 Deployment in backup/manifest.yaml", "only where it is asked for: --only deployment"),
        LeftOut("1 document without a Kubernetes object in backup/values.yaml", "not zenctl's to restore"),
    )
    run = restore(empty_cluster(crd=False), source)
    assert (run.done, run.outcome.verdict) == ({Done.CREATED: 3}, ExitCode.GOOD)
    assert run.cluster.stored(OBSERVATIONS, ObjectKey("team-a", "a"))["status"] == A["status"]
    assert run.cluster.stored(CONFIG_MAP, ObjectKey("zen-system", "filters"))["data"] == {"x": "1"}


def test_crds_come_first_wherever_they_stand():
    source = files_of({"all.yaml": yaml.safe_dump_all([A, config_map("c"), definition()])})
    assert next(iter(found(source))) == "CustomResourceDefinition"


def test_only_the_group_and_config_maps_are_taken():
    foreign = {**definition(), "spec": {**definition()["spec"], "group": "other.io"}}
    odd = {**A, "apiVersion": "other.io/v1"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {}}
    source = files_of({"all.json": json.dumps(a_list(foreign, odd, secret, A))})
    assert found(source) == {"Observation": ["a"]}
    assert len(source.left_out) == 3


def test_another_group_is_taken_where_it_is_asked_for():
    theirs = {**A, "apiVersion": "security.example.io/v1"}
    assert found(files_of({"a.json": json.dumps(theirs)}, "security.example.io")) == {"Observation": ["a"]}


def test_an_empty_list_is_no_complaint():
    source = files_of({"events.yaml": "apiVersion: v1\nitems: []\nkind: List\n"})
    assert (source.batches(), source.left_out) == ((), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{not json", "line 1"),
        ('{"a": 1}\n{"b": ', "line 2"),
        ("a: 1\n\tb: 2\n", "line 2"),
        (b"\xff\xfe\xfa", "text"),
    ],
)
def test_garbage_is_a_usage_error_that_names_the_file_and_the_place(text, said):
    with pytest.raises(UsageError) as caught:
        files_of({"events.yaml": text})
    assert "events.yaml" in caught.value.message
    assert said in caught.value.message
    assert "kubectl get" in str(caught.value.hint)


def test_a_recursive_object_is_refused():
    text = yaml.safe_dump(A).replace("source: trivy", "source: &x [*x]")
    with pytest.raises(UsageError, match=r"a\.yaml"):
        files_of({"a.yaml": text})


def test_an_archive_is_read_in_the_order_of_its_collections():
    source = archive_of()
    kinds = [batch.kind for batch in source.batches()]
    assert kinds == ["CustomResourceDefinition", "Observation", "ConfigMap"]
    assert all(len(list(source.objects(batch))) == batch.objects for batch in source.batches())


def test_provenance_that_a_file_brings_is_kept():
    restored = observation("a")
    restored["metadata"].update(
        uid="second",
        creationTimestamp="2026-11-22T00:00:00Z",
        annotations={ORIGINAL_CREATION: "2026-10-01T00:00:00Z"},
    )
    run = restore(empty_cluster(), files_of({"a.json": json.dumps(restored)}))
    stored = run.cluster.stored(OBSERVATIONS, ObjectKey("team-a", "a"))
    assert stored["metadata"]["annotations"][ORIGINAL_CREATION] == "2026-10-01T00:00:00Z"


@pytest.mark.parametrize("text", ["4e-05", "1e+21", "1.5e-3"])
def test_numbers_are_read_as_kubectl_writes_them(text):
    source = files_of({"a.yaml": yaml.safe_dump(A).replace("severity: HIGH", f"severity: HIGH\n  epss: {text}")})
    (batch,) = source.batches()
    (line,) = source.objects(batch)
    assert msgspec.json.decode(line)["spec"]["epss"] == float(text)


# -- what an archive holds beside what is restored ----------------------------------------------------------------


def a_full_archive() -> ArchiveSource:
    """Return the backup of an installation whose release is kept in Secrets, and another one in a ConfigMap."""
    cluster = an_installation()
    cluster.put(CONFIG_MAP, revision(9, storage=Storage.CONFIG_MAP))
    return archive_of(cluster, plaintext=True, include_secrets=True)


def test_the_installation_secrets_and_helm_are_left_alone_and_named():
    source = a_full_archive()
    assert [batch.kind for batch in source.batches()] == ["CustomResourceDefinition", "Observation", "ConfigMap"]
    why = {item.what: item.why for item in source.left_out}
    assert list(why) == [
        "1 Helm revisions in ConfigMaps",
        "3 Helm revisions in Secrets",
        "12 objects of the installation, of 10 kinds",
        "1 Secrets",
    ]
    words = ["helm", "helm", "installation", "secrets"]
    assert [reason.rpartition("; or: ")[2] for reason in why.values()] == [
        f"zenctl restore 00000001 --only {word}" for word in words
    ]


def test_a_restore_of_it_writes_what_one_without_it_would():
    cluster = empty_cluster(crd=False)
    cluster.put(NAMESPACE, {"metadata": {"name": "zen-system"}})
    run = restore(cluster, a_full_archive())
    assert (run.done, run.outcome.verdict, run.outcome.not_tried) == ({Done.CREATED: 6}, ExitCode.GOOD, 0)
    assert cluster.keys(CONFIG_MAP) == [ObjectKey("zen-system", "filters")]
    touched = {call.resource.full_name for call in cluster.calls}
    assert not touched & {resource.full_name for resource in (*INSTALLATION, SECRET)}
    assert [row.what for row in plan_report(run.plan).data.left_out][-1] == "1 Secrets"  # type: ignore[attr-defined]


def test_the_config_maps_of_helm_are_not_counted_among_those_to_restore():
    source = a_full_archive()
    (batch,) = [batch for batch in source.batches() if batch.kind == "ConfigMap"]
    assert batch.objects == len(list(source.objects(batch))) == 1


def test_a_derived_collection_is_left_alone_whatever_its_group():
    store = MemoryStore()
    with ArchiveWriter(store.put("a.tar"), HEADING) as writer:
        for resource, derived in ((OBSERVATION, False), (CONFIG_MAP, True)):
            writer.begin(msgspec.structs.replace(resource, group="zen.kube-zen.io"), derived=derived)
            writer.add(objects(2))
            writer.end(consistency="mixed", resource_versions=())
        writer.finish(complete=True)
    source = ArchiveSource(open_archive(store, "a.tar"))
    assert [batch.kind for batch in source.batches()] == ["Observation"]
    assert source.left_out == ()


def test_helms_config_maps_in_files_are_left_alone_too():
    source = files_of(
        {"all.json": json.dumps(a_list(config_map("filters"), revision(1, storage=Storage.CONFIG_MAP)))}
    )
    assert found(source) == {"ConfigMap": ["filters"]}
    assert [item.what for item in source.left_out] == ["1 ConfigMap in all.json"]


@pytest.mark.parametrize("metadata", [None, [], {}, {"name": 5}])
def test_a_config_map_without_a_name_is_for_the_plan_to_name(metadata):
    odd = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    assert len(files_of({"odd.json": json.dumps(odd)}).batches()) == 1

"""Which objects are drilled: everything, or a sample that is exact, seeded and fair to small collections."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.fakes import MemoryStore
from tests.backup.samples import OBSERVATION_FOLDER, a_cluster, back_up, config_map
from tests.backup.test_diff import SECRET, written
from tests.backup.test_export import revision
from tests.drill.samples import an_archive
from zenctl.archive.reader import Archive
from zenctl.backup.helm import HELM_REVISION
from zenctl.core.objects import CONFIG_MAP
from zenctl.drill.sample import Sample, choose, shares
from zenctl.product.crd import OBSERVATIONS


def keys(sample: Sample) -> dict[str, list[str]]:
    return {
        f"{batch.kind}.{batch.group or 'core'}": [key for key, _ in sample.in_key_order(batch)]
        for batch in sample.batches()
    }


@pytest.mark.parametrize(
    ("counts", "budget", "expected"),
    [
        ([10, 10], 100, [10, 10]),
        ([1_000, 3], 103, [100, 3]),
        ([1_000, 1_000], 100, [50, 50]),
        ([5, 0, 1_000, 40], 65, [5, 0, 30, 30]),
        ([], 5, []),
        ([7, 7, 7], 1, [0, 0, 1]),
    ],
)
def test_small_collections_are_kept_whole_and_large_ones_share_the_rest(counts, budget, expected):
    assert shares(counts, budget) == expected


@given(st.lists(st.integers(0, 10_000), max_size=8), st.integers(0, 30_000))
def test_shares_use_the_budget_and_no_more(counts, budget):
    given_ = shares(counts, budget)
    assert sum(given_) == min(budget, sum(counts))
    assert all(0 <= one <= most for one, most in zip(given_, counts, strict=True))


def test_a_small_archive_is_drilled_whole():
    sample = choose(an_archive(), 6, seed=1)
    assert not sample.is_part
    assert sum(map(len, keys(sample).values())) == 7  # the CRD is not counted against the limit


def test_a_large_one_in_part_with_every_crd():
    found = keys(choose(an_archive(200), 51, seed=1))
    assert {folder: len(each) for folder, each in found.items()} == {
        "CustomResourceDefinition.apiextensions.k8s.io": 1, OBSERVATION_FOLDER: 50, "ConfigMap.core": 1,
    }  # fmt: skip
    assert found[OBSERVATION_FOLDER] == sorted(set(found[OBSERVATION_FOLDER]))


def test_the_seed_decides():
    archive = an_archive(200)
    first, again, other = (keys(choose(archive, 50, seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_a_restore_gets_what_the_sample_has():
    sample = choose(an_archive(50), 11, seed=3)
    for batch in sample.batches():
        found = [msgspec.json.decode(line)["metadata"]["name"] for line in sample.objects(batch)]
        assert len(found) == batch.objects
        assert found == [key.rpartition("/")[2] for key, _ in sample.in_key_order(batch)]


def test_an_unsorted_archive_can_be_sampled():
    unsorted = written((OBSERVATIONS, [(f"n/{number:03d}", {}) for number in range(99, -1, -1)]))
    sample = choose(unsorted, 10, seed=0)
    (found,) = keys(sample).values()
    assert (len(found), found) == (10, sorted(found))
    (batch,) = sample.batches()
    names = [msgspec.json.decode(line)["metadata"]["name"] for line in sample.objects(batch)]
    assert sorted(found) == sorted(f"n/{name}" for name in names)


def test_only_what_a_restore_brings_back_is_drilled():
    release = "zen-system/sh.helm.release.v1.zen.v1"
    archive = written(
        (CONFIG_MAP, [("zen-system/filters", {}), (release, {})]),
        (SECRET, [(release, {})]),
        (HELM_REVISION, [revision("zen", 1, deployed=True)]),
        (OBSERVATIONS, [("n/a", {})]),
    )
    for most in (10, 1):
        found = keys(choose(archive, most, seed=0))
        assert set(found) == {"ConfigMap.core", OBSERVATION_FOLDER}
        assert release not in found["ConfigMap.core"]
    whole = choose(archive, 10, seed=0)
    assert keys(whole)["ConfigMap.core"] == ["zen-system/filters"]
    assert [each.what for each in whole.left_out] == ["1 Helm revisions in ConfigMaps", "1 Helm revisions in Secrets"]


def test_every_byte_is_read_though_a_sample_is_drilled():
    store = MemoryStore()
    cluster = a_cluster(observations=3_000, page_size=500)
    cluster.put(CONFIG_MAP, config_map("more"))
    archive: Archive = back_up(cluster, store)[1]
    sample = choose(archive, 10, seed=0)
    store.reads.clear()
    for batch in sample.batches():
        assert len(list(sample.objects(batch))) == batch.objects
    assert {read.offset for read in store.reads} == {member.offset for _, member in archive.members()}

"""How backups are told, in every format."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests import golden
from tests.archive.fakes import MemoryStore, Mirror
from tests.backup.samples import (
    OBSERVATION_FOLDER,
    an_installation,
    back_up,
    definition,
    observation,
    ports_of,
    request,
)
from tests.backup.samples import a_cluster as full_cluster
from tests.core.helm_samples import revision
from tests.fakes import FakeCluster, FixedClock
from zenctl.archive.reader import list_archives, open_archive
from zenctl.archive.verify import How, Level, Slice, verify
from zenctl.backup.check import object_check
from zenctl.backup.create import create_backup
from zenctl.backup.proof import Proof, store_report, verified_report, verify_store
from zenctl.backup.report import contents_report, created_report, list_report, object_report
from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION
from zenctl.core.report import Report
from zenctl.errors import ExitCode
from zenctl.product.crd import OBSERVATIONS
from zenctl.product.installation import SECRET
from zenctl.render import View, render


def a_cluster(observations: int = 5) -> FakeCluster:
    """Return a cluster with a CRD of few bytes, so that the sizes here do not follow the one that we ship."""
    return small_crd(full_cluster(observations=observations))


def helm_cluster() -> FakeCluster:
    """Return one with an installation, whose latest revision failed and whose first cannot be read."""
    cluster = small_crd(an_installation())
    cluster.put(SECRET, {**revision(1), "data": {"release": "!"}})
    return cluster


def small_crd(cluster: FakeCluster) -> FakeCluster:
    crd = definition()
    crd["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": {"type": "object"}}
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = []
    cluster.put(CUSTOM_RESOURCE_DEFINITION, crd)
    return cluster


def a_shelf() -> MemoryStore:
    store, clock = MemoryStore(), FixedClock()
    incomplete = a_cluster(observations=2)
    incomplete.forbidden.add("list configmaps")
    for number, cluster in enumerate((a_cluster(), incomplete), 1):
        clock.advance(timedelta(hours=1))
        create_backup(ports_of(cluster, store, clock), request(number))
    return store


def created() -> Report:
    return created_report(back_up(a_cluster())[0]._replace(seconds=1.5))


def incomplete() -> Report:
    cluster = a_cluster()
    cluster.forbidden.add("list configmaps")
    return created_report(back_up(cluster)[0]._replace(seconds=0.25))


def created_without_helm() -> Report:
    return created_report(back_up(helm_cluster())[0]._replace(seconds=0.25))


def created_with_helm() -> Report:
    created, _ = back_up(helm_cluster(), plaintext=True, include_secrets=True)
    return created_report(created._replace(seconds=0.25))


def shown_with_helm() -> Report:
    return contents_report(back_up(helm_cluster(), plaintext=True)[1])


def listed_with_helm() -> Report:
    store = MemoryStore()
    create_backup(ports_of(helm_cluster(), store), request(1, plaintext=True))
    create_backup(ports_of(helm_cluster(), store), request(2, namespace="team-a"))
    return list_report(list_archives(store))


def listed() -> Report:
    return list_report(list_archives(a_shelf()))


def listed_with_damage() -> Report:
    store = a_shelf()
    store.blobs["broken.tar"] = b"x" * 5120
    return list_report(list_archives(store))


def listed_nothing() -> Report:
    return list_report([])


def shown() -> Report:
    return contents_report(back_up(a_cluster(), namespace="team-a")[1])


def shown_object() -> Report:
    _, archive = back_up(a_cluster())
    collection = archive.collection(OBSERVATION_FOLDER)
    assert collection is not None
    line = archive.find(collection, "team-a/o-00000")
    assert line is not None
    return object_report(archive, msgspec.json.decode(line))


def verified() -> Report:
    store = MemoryStore()
    made, _ = back_up(a_cluster(), store)
    return verified_report(verify(store, made.name, How(Level.OBJECTS, checks=object_check)))


def verified_damage() -> Report:
    store = MemoryStore()
    made, archive = back_up(a_cluster(), store)
    collection = archive.collection(OBSERVATION_FOLDER)
    assert collection is not None
    data = bytearray(store.blobs[made.name])
    data[collection.members[0].offset + 530] ^= 0xFF
    store.blobs[made.name] = bytes(data)
    return verified_report(verify(store, made.name, How(Level.BYTES)))


def verified_part() -> Report:
    store = MemoryStore()
    made, _ = back_up(a_cluster(), store)
    return verified_report(verify(store, made.name, How(slice=Slice(2, 3))))


PROOF = Proof(FixedClock().now(), "0.0.0-test", lambda _: None)


def created_and_read_back() -> Report:
    store = MemoryStore()
    made, _ = back_up(a_cluster(), store)
    return created_report(made._replace(seconds=1.5), verify(store, made.name))


def verified_store() -> Report:
    store = a_shelf()
    store.blobs["broken.tar"] = b"x" * 5120
    back_up(a_cluster(), store, seal=Mirror(), archive_id="e0000003-0000-4000-8000-000000000000")
    return store_report(list(verify_store(store, How(Level.OBJECTS), PROOF, lambda _: None)))


def created_encrypted() -> Report:
    cluster = a_cluster()
    crd = definition()
    severity = {"type": "object", "properties": {"severity": {"type": "string"}}}
    crd["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": severity}}}
    crd["spec"]["versions"][0]["additionalPrinterColumns"] = []
    cluster.put(CUSTOM_RESOURCE_DEFINITION, crd)
    cluster.put(OBSERVATIONS, observation("o-wrong", severity=7))
    return created_report(back_up(cluster, seal=Mirror())[0]._replace(seconds=1.5))


def shown_encrypted() -> Report:
    return contents_report(back_up(a_cluster(), seal=Mirror())[1])


REPORTS = (
    created, incomplete, created_without_helm, created_with_helm, shown_with_helm, listed_with_helm,
    listed, listed_with_damage, listed_nothing, shown, shown_object, verified, verified_damage,
    created_and_read_back, verified_part, verified_store, created_encrypted, shown_encrypted,
)  # fmt: skip


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
@pytest.mark.parametrize("report", REPORTS, ids=lambda make: make.__name__)
def test_it_is_told_in_every_format(report, fmt):
    text = "".join(render(report(), fmt, View(width=None, colour=False)))
    golden.check(f"backup/{report.__name__}.{fmt}", text)


def test_damage_makes_the_verdict():
    assert listed_with_damage().verdict is verified_damage().verdict is ExitCode.DAMAGED
    assert listed().verdict is listed_nothing().verdict is verified().verdict is ExitCode.GOOD


def test_an_archive_can_be_opened_by_what_was_listed():
    store = a_shelf()
    assert [open_archive(store, item.name).footer.objects for item in list_archives(store)] == [7, 3]

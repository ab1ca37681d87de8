"""How differences and exports are told, in every format."""

from __future__ import annotations

from typing import Any

import pytest

from tests import golden
from tests.archive.fakes import MemoryStore
from tests.backup.samples import a_cluster, back_up, config_map, observation
from tests.backup.test_diff import SECRET, archive_of, diff, live, since, written
from tests.backup.test_export import exported, revision
from tests.backup.test_reports import a_cluster as small_crd
from tests.fakes import Call
from zenctl.archive.format import Omission
from zenctl.backup.diff_report import diff_report
from zenctl.backup.export_report import exported_report
from zenctl.backup.helm import HELM_REVISION
from zenctl.core.objects import CONFIG_MAP, ObjectKey
from zenctl.core.report import Report
from zenctl.errors import ExitCode, Expired
from zenctl.product.crd import OBSERVATIONS
from zenctl.render import View, render


def equal() -> Report:
    cluster = a_cluster()
    return diff_report(since(archive_of(cluster), cluster))


def differing() -> Report:
    cluster = a_cluster(observations=60)
    archive = archive_of(cluster)
    cluster.put(OBSERVATIONS, observation("o-00000", phase="Active", message="x" * 200, extra={"a.b": [1]}))
    for number in range(2, 60, 2):
        cluster.remove(OBSERVATIONS, ObjectKey("team-a", f"o-{number:05d}"))
    for number in range(1, 60, 2):
        cluster.put(OBSERVATIONS, observation(f"o-{number:05d}", "team-b", severity="LOW"))
    cluster.put(CONFIG_MAP, config_map("more"))
    return diff_report(since(archive, cluster))


def unknown() -> Report:
    def secrets(value: str, **more: Any) -> Any:
        return written((SECRET, [("n/a", {"data": {"key": value}})]), (OBSERVATIONS, []), name=f"{value}.tar", **more)

    left_out = [Omission(what="configmaps", why="forbidden")]
    return diff_report(diff(secrets("hunter2", complete=False, omissions=left_out), back_up(a_cluster())[1]))


def secret() -> Report:
    one, other = (written((SECRET, [("n/a", {"data": {"key": value}})])) for value in ("hunter2", "hunter3"))
    return diff_report(diff(one, other))


def mixed() -> Report:
    cluster = a_cluster()
    archive = archive_of(cluster, namespace="team-a")
    expired = Expired("expired", status=410)
    expired.continue_token = "go on"
    asked: list[Call] = []

    def expire(call: Call) -> None:
        asked.extend([call] if call.rule == f"list {OBSERVATIONS.full_name}" else [])
        if len(asked) == 2:
            asked.append(call)
            raise expired

    cluster.hooks.append(expire)
    return diff_report(diff(archive, live(cluster, archive)))


def files() -> Report:
    return exported_report(exported(back_up(small_crd(), MemoryStore())[1])[0], "out")


def files_with_more() -> Report:
    helm = [revision("zen", 3, deployed=True), revision("old", 1, deployed=False)]
    told, _ = exported(written((SECRET, [("n/a", {"data": {}})]), (HELM_REVISION, helm)), raw=True)
    return exported_report(told, "/backups/out")


REPORTS = (equal, differing, unknown, secret, mixed, files, files_with_more)


@pytest.mark.parametrize("fmt", ["table", "json", "yaml", "markdown"])
@pytest.mark.parametrize("report", REPORTS, ids=lambda make: make.__name__)
def test_it_is_told_in_every_format(report, fmt):
    text = "".join(render(report(), fmt, View(width=None, colour=False)))
    golden.check(f"backup/content_{report.__name__}.{fmt}", text)


def test_differences_and_what_is_not_known_make_the_verdict():
    assert equal().verdict is mixed().verdict is files().verdict is ExitCode.GOOD
    assert differing().verdict is secret().verdict is ExitCode.FINDINGS


def test_no_secret_is_told_in_any_format():
    for fmt in ("table", "json", "yaml", "markdown"):
        assert "hunter" not in "".join(render(secret(), fmt, View(width=None, colour=False)))

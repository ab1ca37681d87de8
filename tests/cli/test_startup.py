"""What commands load: modules are counted, not seconds."""

from __future__ import annotations

import pytest

from tests.cli.runner import modules_after

HEAVY = {
    "kubernetes",
    "pydantic",
    "requests",
    "aiohttp",
    "rich",
    "urllib3",
    "yaml",
    "zstandard",
    "prometheus_api_client",
}


@pytest.mark.parametrize(
    "arguments", [("--help",), ("version",), ("backup", "--help"), ("cleanup", "--help")], ids=" ".join
)
def test_help_and_version_load_nothing_heavy(arguments):
    assert not HEAVY & modules_after(*arguments)


def test_a_command_without_a_cluster_loads_no_client(tmp_path):
    loaded = modules_after("backup", "list", "--store", str(tmp_path))
    assert not {"kubernetes", "urllib3", "requests", "pydantic", "aiohttp", "yaml"} & loaded


def test_a_mistake_on_the_command_line_loads_no_client(tmp_path):
    assert not {"kubernetes", "urllib3", "requests"} & modules_after("cleanup", "--older-than", "7")

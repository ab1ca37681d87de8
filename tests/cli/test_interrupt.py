"""Interrupted in the middle: the exit code is 130, and no half archive is ever listed."""

from __future__ import annotations

import signal
import threading

import pytest

from tests.apiserver import Answer
from tests.cli.runner import run, start_program
from tests.cli.world import CONFIG_MAPS, EVENTS


@pytest.mark.parametrize("where", [EVENTS, CONFIG_MAPS], ids=["at the first collection", "at the last one"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_backup_leaves_only_the_earlier_one(world, sent, where):
    assert run(*world.at("backup")).code == 0
    before = sorted(path.name for path in world.store.iterdir())
    reached, never = threading.Event(), threading.Event()

    def stall(_request: object) -> Answer:
        reached.set()
        return Answer(wait=never)

    world.special[where] = stall
    process = start_program(*world.at("backup"))
    try:
        assert reached.wait(30)
        process.send_signal(sent)
        never.set()
        stdout, stderr = process.communicate(timeout=30)
    finally:
        never.set()
        process.kill()
        process.wait()
    assert (process.returncode, stdout) == (130, ""), stderr
    assert "zenctl: interrupted" in stderr
    assert "Traceback" not in stderr
    assert sorted(path.name for path in world.store.iterdir()) == before


def test_a_second_look_finds_the_earlier_backup_sound(world):
    assert run(*world.at("backup")).code == 0
    assert run(*world.at("backup", "verify", "--level", "3")).code == 0

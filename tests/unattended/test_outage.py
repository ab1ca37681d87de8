"""An outage of the API server costs time and no job; one that does not end is given up; a rate is kept."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.fakes import NOW, FixedClock, SequentialWorkers
from zenctl.errors import ApiFailure, Conflict, Unreachable, ZenctlError
from zenctl.unattended.outage import PATIENCE_SECONDS, PacedWorkers, PersistentWorkers


class Server:
    """Answers from a moment on; satisfies the part of ClusterInfo that is asked."""

    def __init__(self, clock: FixedClock, back_after: float) -> None:
        self.clock, self.back_at = clock, clock.monotonic() + back_after
        self.asked = 0

    def uid(self) -> str:
        return "u"

    def server_version(self) -> str:
        return "v"

    def now(self) -> datetime:
        self.asked += 1
        if self.clock.monotonic() < self.back_at:
            raise Unreachable("nobody answers")
        return NOW

    def do(self, job: int) -> int:
        if self.clock.monotonic() < self.back_at:
            raise Unreachable("connection refused")
        return job


def persistent(server: Server, said: list[str]) -> PersistentWorkers:
    return PersistentWorkers(SequentialWorkers(), server, server.clock, said.append)


@pytest.mark.parametrize("seconds", [1.0, 30.0, PATIENCE_SECONDS - 5])
def test_an_outage_is_sat_out(seconds):
    said: list[str] = []
    server = Server(FixedClock(), seconds)
    assert list(persistent(server, said).run(range(3), server.do)) == [(0, 0), (1, 1), (2, 2)]
    assert said == ["waiting for the API server: connection refused"]


def test_one_that_does_not_end_is_given_up_once_for_all():
    said: list[str] = []
    clock = FixedClock()
    server = Server(clock, 10 * PATIENCE_SECONDS)
    answers = [answer for _, answer in persistent(server, said).run(range(3), server.do)]
    assert [type(answer) for answer in answers] == [Unreachable] * 3
    assert clock.monotonic() < PATIENCE_SECONDS + 10
    assert len(said) == 1


@pytest.mark.parametrize("error", [Conflict("changed", status=409), ApiFailure("sad", status=500)])
def test_an_answer_is_an_answer(error):
    clock = FixedClock()
    server = Server(clock, 0)

    def do(_job: int) -> int:
        raise error

    answers: list[object] = [answer for _, answer in persistent(server, []).run(range(2), do)]
    assert answers == [error, error]
    assert server.asked == 0


def test_a_server_that_answers_with_an_error_is_there():
    clock = FixedClock()
    server = Server(clock, 0)
    tried: list[int] = []

    def now() -> datetime:
        raise ApiFailure("not ready", status=503)

    server.now = now  # type: ignore[method-assign]

    def do(job: int) -> int:
        tried.append(job)
        clock.sleep(1)
        if len(tried) == 1:
            raise Unreachable("reset")
        return job

    answers: list[tuple[int, int | ZenctlError]] = list(persistent(server, []).run([7], do))
    assert (answers, tried) == ([(7, 7)], [7, 7])


def test_jobs_begin_no_faster_than_the_rate():
    clock = FixedClock()
    begun: list[float] = []
    workers = PacedWorkers(SequentialWorkers(), clock, per_second=4)
    for _ in workers.run(range(9), lambda _: begun.append(clock.monotonic())):
        pass
    assert [round(at - begun[0], 6) for at in begun] == [n / 4 for n in range(9)]


def test_a_slow_job_is_not_made_up_for_by_a_burst():
    clock = FixedClock()
    begun: list[float] = []

    def do(job: int) -> None:
        begun.append(clock.monotonic())
        clock.sleep(10 if job == 0 else 0)

    for _ in PacedWorkers(SequentialWorkers(), clock, per_second=1).run(range(4), do):
        pass
    assert [at - begun[0] for at in begun] == [0, 10, 11, 12]

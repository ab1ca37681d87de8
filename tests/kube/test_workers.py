"""The pool: complete in any order, bounded, slower under pressure, and quiet once nobody listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from zenctl.errors import Conflict, Denied
from zenctl.kube.http import Pressure
from zenctl.kube.workers import MOST, START, Throttle, Workers

LONG_SECONDS = 20.0


@pytest.fixture
def pressure() -> Pressure:
    return Pressure()


@pytest.fixture
def workers(pressure) -> Workers:
    return Workers(pressure)


class Gauge:
    """Counts how many run at once."""

    def __init__(self) -> None:
        self.running = self.highest = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self.running += 1
            self.highest = max(self.highest, self.running)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.running -= 1


def test_every_job_is_done_once(workers):
    assert sorted(workers.run(range(500), lambda job: job * 2)) == [(job, job * 2) for job in range(500)]


@pytest.mark.parametrize("count", [0, 1])
def test_few_jobs(workers, count):
    assert list(workers.run(range(count), str)) == [(job, str(job)) for job in range(count)]


def test_each_answer_comes_as_it_ends(workers):
    """Also a slow first job does not hold the others up."""
    hold = threading.Event()

    def do(job: int) -> int:
        if job == 0:
            assert hold.wait(LONG_SECONDS)
        return job

    answers = workers.run(range(4), do)
    early = {next(answers)[0] for _ in range(3)}
    hold.set()
    assert early == {1, 2, 3}
    assert [job for job, _ in answers] == [0]


def test_our_errors_are_answers(workers):
    def do(job: int) -> int:
        if job % 2:
            raise Conflict(f"job {job}", status=409)
        return job

    answers = dict(workers.run(range(20), do))
    assert {job for job, found in answers.items() if isinstance(found, Conflict)} == set(range(1, 20, 2))


def test_concurrency_is_bounded(pressure):
    gauge, together = Gauge(), threading.Barrier(START)

    def do(_: int) -> None:
        with gauge:
            together.wait(LONG_SECONDS)

    list(Workers(pressure).run(range(START), do))
    assert gauge.highest == START
    gauge = Gauge()

    def count(_: int) -> None:
        with gauge:
            pass

    list(Workers(pressure, most=3).run(range(300), count))
    assert 1 <= gauge.highest <= 3


def test_a_run_never_exceeds_the_throttle(pressure):
    workers, gauge = Workers(pressure, most=MOST), Gauge()
    limits: list[int] = []

    def do(_: int) -> None:
        with gauge:
            limits.append(workers._throttle.limit)

    list(workers.run(range(400), do))
    assert gauge.highest <= MOST


def test_the_limit_grows_by_about_one_a_round_up_to_the_most(pressure):
    throttle = Throttle(pressure, start=4, most=6)
    for _ in range(5):
        throttle.enter()
        throttle.leave()
    assert throttle.limit == 5
    for _ in range(100):
        throttle.enter()
        throttle.leave()
    assert throttle.limit == 6


def test_pressure_halves_the_limit_at_most_once_in_a_while(pressure, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("zenctl.kube.workers.time.monotonic", lambda: now[0])
    throttle = Throttle(pressure, start=16, most=24)

    def one(*, refused: bool) -> int:
        throttle.enter()
        if refused:
            pressure.rise()
        throttle.leave()
        return throttle.limit

    assert [one(refused=True) for _ in range(5)] == [8] * 5
    now[0] += 0.4
    assert one(refused=True) == 8
    now[0] += 0.2
    assert one(refused=True) == 4
    for _ in range(10):
        now[0] += 1
        one(refused=True)
    assert throttle.limit == 1
    assert one(refused=False) == 2


def test_jobs_are_taken_lazily(workers):
    """What nobody consumes holds the source back."""
    taken: list[int] = []
    answers = workers.run(_noting(taken, 100_000), lambda job: job)
    next(answers)
    answers.close()
    assert len(taken) <= 6 * MOST


def test_a_job_is_taken_only_when_there_is_a_place(workers):
    taken: list[int] = []
    begun, hold = threading.Semaphore(0), threading.Event()

    def do(job: int) -> int:
        begun.release()
        assert hold.wait(LONG_SECONDS)
        return job

    answers = workers.run(_noting(taken, 1_000), do)
    consumer = threading.Thread(target=lambda: next(answers))
    consumer.start()
    for _ in range(START):
        assert begun.acquire(timeout=LONG_SECONDS)
    assert len(taken) == START
    hold.set()
    consumer.join()
    answers.close()


def _noting(taken: list[int], count: int) -> Iterator[int]:
    for number in range(count):
        taken.append(number)
        yield number


def test_closing_begins_no_further_job_and_waits_for_those_under_way(workers):
    begun: list[int] = []
    ended: list[int] = []
    enough, hold = threading.Event(), threading.Event()

    def do(job: int) -> int:
        begun.append(job)
        if len(begun) == START:
            enough.set()
        if job:
            assert hold.wait(LONG_SECONDS)
        ended.append(job)
        return job

    answers = workers.run(range(1_000), do)
    assert next(answers) == (0, 0)
    assert enough.wait(LONG_SECONDS)
    closer = threading.Thread(target=answers.close)
    closer.start()
    before = len(begun)
    closer.join(0.05)
    assert closer.is_alive()
    hold.set()
    closer.join(LONG_SECONDS)
    assert not closer.is_alive()
    assert sorted(ended) == sorted(begun)
    assert len(begun) - before <= 1
    assert not [thread for thread in threading.enumerate() if thread.name == "work"]


def test_a_job_that_the_source_gives_after_the_close_is_not_begun(workers):
    asked, hold = threading.Event(), threading.Event()
    begun: list[int] = []

    def jobs() -> Iterator[int]:
        yield 0
        asked.set()
        assert hold.wait(LONG_SECONDS)
        yield 1

    answers = workers.run(jobs(), begun.append)
    next(answers)
    assert asked.wait(LONG_SECONDS)
    closer = threading.Thread(target=answers.close)
    closer.start()
    closer.join(0.05)
    hold.set()
    closer.join(LONG_SECONDS)
    assert begun == [0]


@pytest.mark.parametrize("error", [KeyError("ours"), StopIteration("too"), KeyboardInterrupt()])
def test_other_exceptions_surface_in_the_consumer(workers, error):
    def do(job: int) -> int:
        if job == 30:
            raise error
        return job

    with pytest.raises((type(error), RuntimeError)):
        list(workers.run(range(10_000), do))
    assert not [thread for thread in threading.enumerate() if thread.name == "work"]


def test_when_the_source_fails_what_was_begun_is_still_answered(workers):
    hold = threading.Event()
    done: list[int] = []

    def jobs() -> Iterator[int]:
        yield from range(5)
        raise Denied("cannot list")

    def do(job: int) -> int:
        assert hold.wait(LONG_SECONDS)
        done.append(job)
        return job

    told: list[int] = []

    def consume() -> None:
        for job, _ in workers.run(jobs(), do):
            told.append(job)

    timer = threading.Timer(0.02, hold.set)
    timer.start()
    with pytest.raises(Denied):
        consume()
    timer.join()
    assert sorted(told) == sorted(done) == list(range(5))


def test_one_run_may_feed_another(pressure):
    """Even with room for one request only: whoever waits for a job holds no place."""
    workers = Workers(pressure, most=1)
    inner = workers.run(range(50), lambda job: job + 1)
    outer = workers.run((found for _, found in inner if isinstance(found, int)), lambda job: job * 2)
    assert sorted(found for _, found in outer if isinstance(found, int)) == [2 * job for job in range(1, 51)]


def test_a_run_that_is_never_iterated_starts_nothing(workers):
    workers.run(range(5), str).close()
    assert not [thread for thread in threading.enumerate() if thread.name == "work"]


def test_every_worker_keeps_its_connection(world, server):
    pool = world.connect(world.kubeconfig(server.url)).pool
    assert pool.connection_pool_kw["maxsize"] >= MOST

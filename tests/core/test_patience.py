"""When a bulk job is given up."""

from __future__ import annotations

import pytest

from zenctl.core.patience import LIMIT, Patience
from zenctl.errors import ApiFailure, Conflict, Denied, Invalid, NotFound, Refused, Throttled, Unreachable

LASTING = [
    Denied("no"), Unreachable("gone"), ApiFailure("broken", status=500), Throttled("busy", status=429),
]  # fmt: skip
OWN = [
    Conflict("changed", status=409),
    NotFound("gone", status=404),
    Invalid("bad", status=422),
    Refused("somebody made it"),
]


@pytest.mark.parametrize("error", LASTING, ids=lambda error: type(error).__name__)
def test_failures_in_a_row_that_say_nothing_of_their_object_spend_it(error):
    patience = Patience()
    for _ in range(LIMIT - 1):
        patience.note(error)
    assert not patience.spent
    patience.note(error)
    assert patience.spent


@pytest.mark.parametrize("error", [*OWN, None, "done"], ids=lambda error: type(error).__name__)
def test_anything_about_the_object_itself_begins_anew(error):
    patience = Patience(3)
    for _ in range(10):
        patience.note(Denied("no"))
        patience.note(Denied("no"))
        patience.note(error)
    assert not patience.spent


def test_spent_patience_passes_no_further_job():
    patience, passed = Patience(2), []
    for job in patience.guard(range(10)):
        passed.append(job)
        patience.note(Unreachable("gone"))
    assert passed == [0, 1]


def test_no_job_is_taken_that_will_not_be_passed():
    patience, taken = Patience(1), iter(range(10))
    guarded = patience.guard(taken)
    assert next(guarded) == 0
    patience.note(Denied("no"))
    assert list(guarded) == []
    assert next(taken) <= 2

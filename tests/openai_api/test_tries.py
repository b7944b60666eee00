"""`openai_api.tries`: one retry policy for everybody."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.openai_api import tries
from ai_library_bot.openai_api.tries import Passing, in_tries, without_waiting


class Attempts:
    """Fails with each of the faults in turn, then succeeds with the number of the try."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.seconds_left: list[float] = []

    async def __call__(self, seconds_left: float) -> int:
        self.seconds_left.append(seconds_left)
        if self.faults:
            raise self.faults.pop(0)
        return len(self.seconds_left)


def passing(wait_seconds: float | None = None) -> Passing:
    fault = Passing()
    fault.wait_seconds = wait_seconds
    return fault


async def test_what_succeeds_is_tried_once() -> None:
    assert await in_tries(Attempts(), seconds=1) == 1


async def test_a_passing_fault_is_tried_again() -> None:
    with without_waiting():
        assert await in_tries(Attempts(passing(), passing()), seconds=60) == 3


async def test_the_last_fault_is_raised_when_tries_are_used_up() -> None:
    faults = [passing() for _ in range(9)]
    attempts = Attempts(*faults)
    with without_waiting(), pytest.raises(Passing) as caught:
        await in_tries(attempts, tries=4, seconds=60)
    assert len(attempts.seconds_left) == 4
    assert caught.value is faults[3]


async def test_other_faults_are_not_tried_again() -> None:
    attempts = Attempts(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await in_tries(attempts, seconds=60)
    assert len(attempts.seconds_left) == 1


async def test_a_wait_that_does_not_fit_is_not_begun() -> None:
    attempts = Attempts(passing(3600))
    began = time.monotonic()
    with pytest.raises(Passing):
        await in_tries(attempts, seconds=60)
    assert len(attempts.seconds_left) == 1
    assert time.monotonic() - began < 30


async def test_a_wait_asked_for_is_kept() -> None:
    began = time.monotonic()
    assert await in_tries(Attempts(passing(0.02)), seconds=60) == 2
    assert time.monotonic() - began >= 0.02


async def test_each_try_hears_how_much_time_is_left() -> None:
    attempts = Attempts(passing(0.01), passing(0.01))
    await in_tries(attempts, seconds=60)
    first, second, third = attempts.seconds_left
    assert 60 >= first > second > third > 0


def test_waits_double() -> None:
    waits = tries._waits(math.inf)
    next(waits)
    for doubling in (0.5, 1, 2, 4):
        assert doubling <= waits.send(passing()) <= doubling * 1.5


@given(st.floats(0, 1000), st.floats(0, 1000))
def test_no_wait_is_shorter_than_asked_or_longer_than_the_time_left(asked: float, left: float) -> None:
    end = time.monotonic() + left
    waits = tries._waits(end)
    next(waits)
    try:
        wait = waits.send(passing(asked))
    except StopIteration:
        assert asked * 1.5 + time.monotonic() >= end
    else:
        assert asked <= wait < left

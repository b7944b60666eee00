"""The one retry policy: whoever asks a service tries again here and nowhere else, so that tries never multiply."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import backoff

Result = TypeVar("Result")

_FIRST_WAIT_SECONDS = 0.5
_JITTER = 0.5

_waiting: ContextVar[bool] = ContextVar("waiting", default=True)


class Passing(Exception):
    """A fault that another try may mend.

    `wait_seconds` is how long to wait before it, as the other side asks; None leaves it to the policy.
    """

    wait_seconds: float | None = None


async def in_tries(attempt: Callable[[float], Awaitable[Result]], *, tries: int = 5, seconds: float) -> Result:
    """What `attempt(seconds_left)` returns, after at most `tries` tries, none of them begun after `seconds`.

    Only `Passing` faults are tried again; the last one is raised when tries or time are used up, and at once when the
    wait before the next try would not fit into the time that is left. Waits double, with jitter.
    """
    end = time.monotonic() + seconds

    @backoff.on_exception(_waits, Passing, max_tries=tries, jitter=None, logger=None, end=end)
    async def one_try() -> Result:
        return await attempt(end - time.monotonic())

    return await one_try()


@contextmanager
def without_waiting() -> Iterator[None]:
    """For tests: tries follow one another at once, as if each wait had passed."""
    token = _waiting.set(False)
    try:
        yield
    finally:
        _waiting.reset(token)


def _waits(end: float) -> Generator[float, Any, None]:
    """The wait after each fault that is sent in; it ends when the next wait would last until `end`."""
    fault = yield 0  # backoff throws the first one away
    doubling = _FIRST_WAIT_SECONDS
    while True:
        asked = fault.wait_seconds
        # Jitter keeps requests that failed together from coming back together. One asked for is never shortened.
        wait = (doubling if asked is None else asked) * (1 + random.uniform(0, _JITTER))  # noqa: S311
        if time.monotonic() + wait >= end:
            return
        doubling *= 2
        fault = yield wait if _waiting.get() else 0

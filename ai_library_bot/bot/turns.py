"""Whose question is answered next: one of each person at a time; it is persons who queue, not questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ai_library_bot.bot.replicas import is_alive
from ai_library_bot.bot.store import Store

MOST_WAITING = 3
"""Questions of one person that may wait behind the one that is being answered."""

_AT_A_TIME = 100  # questions in work; most of them wait for a model
_LEASE = 900.0  # seconds after which a turn is free again, whatever became of it: longer than any answer takes
_LOOK = 0.2  # seconds between two looks at a turn that another replica holds


class TooManyQuestions(Exception):
    """So many questions of this person wait already that this one is not taken."""


class Turns:
    """Gives turns. With a `store` that several replicas share a person has one turn at a time among them all.

    Who waits for a place waits with one question only, so whoever asks much delays nobody who asks little.
    """

    def __init__(self, shared: Store | None = None, *, replica: str = "", at_a_time: int = _AT_A_TIME) -> None:
        self._places = asyncio.Semaphore(at_a_time)
        self._persons: dict[int, tuple[asyncio.Lock, int]] = {}
        self._shared, self._replica = shared, replica

    @property
    def waiting(self) -> int:
        """Questions that are in work or wait."""
        return sum(count for _, count in self._persons.values())

    @asynccontextmanager
    async def turn(self, person: int, *, urgent: bool = False) -> AsyncIterator[None]:
        """The person's turn; within the block nobody else has it. Raises TooManyQuestions, unless it is urgent."""
        lock, count = self._persons.get(person, (asyncio.Lock(), 0))
        if count > MOST_WAITING and not urgent:
            raise TooManyQuestions
        self._persons[person] = lock, count + 1
        try:
            async with lock, self._places, self._lease(person):
                yield
        finally:
            lock, count = self._persons.pop(person)
            if count > 1:
                self._persons[person] = lock, count - 1

    @asynccontextmanager
    async def _lease(self, person: int) -> AsyncIterator[None]:
        """The turn among all replicas. One that a dead replica holds is free."""
        if self._shared is None:
            yield
            return
        key, ours = f"turn/{person}", self._replica.encode()
        while not await self._shared.add(key, ours, seconds=_LEASE):
            holder = await self._shared.get(key)
            if holder == ours:
                break  # of a question that was given up: here nobody else has the turn
            if holder and not await is_alive(self._shared, holder.decode()):
                await self._shared.change(key, _without(holder), seconds=_LEASE)
            else:
                await asyncio.sleep(_LOOK)
        try:
            yield
        finally:
            await self._shared.change(key, _without(ours), seconds=_LEASE)


def _without(holder: bytes) -> Callable[[bytes | None], bytes | None]:
    """Frees a turn if that replica holds it still."""
    return lambda held: None if held == holder else held

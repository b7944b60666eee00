"""What each person may spend in a day, and has.

    spent/<YYYY-MM-DD>/<id>     questions, tokens, money, and of the last two what is set aside; kept for two days

Before a model is asked, the most that the request may use is set aside, and booked as what it did use afterwards. So
requests side by side, of several processes too, never go beyond a limit together. What a crash leaves set aside counts
as spent: it may have been. A day is one of this computer's clock.

Money is counted in whole millionths of a dollar, rounded up: sums of whole numbers come out even.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from datetime import datetime
from operator import itemgetter

from ai_library_bot.bot.store import Store
from ai_library_bot.types import Usage

_SECONDS_KEPT = 2 * 24 * 3600
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one person may spend in a day; None is for no limit. Money is in US dollars."""

    questions: int | None = None
    tokens: int | None = None
    money: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What one person spent in a day, and what is `…_aside` for requests under way; money in millionths of a dollar."""

    questions: int = 0
    tokens: int = 0
    millionths: int = 0
    tokens_aside: int = 0
    millionths_aside: int = 0

    @property
    def money(self) -> float:
        """In US dollars."""
        return self.millionths / _MILLION

    @property
    def money_aside(self) -> float:
        """In US dollars."""
        return self.millionths_aside / _MILLION


class Budget:
    """The accounts of all people in the store."""

    def __init__(self, store: Store, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock

    async def ask(self, user: int) -> bool:
        """Counts one question; False, and nothing is counted, if the person had all of today's."""

        def one_more(spent: Spent) -> Spent | None:
            more = replace(spent, questions=spent.questions + 1)
            return more if _within(more.questions, self._limits.questions) else None

        return await _book(self._store, self._account(user), one_more)

    async def give_back(self, user: int) -> None:
        """One question does not count: it was not answered, and that was our fault."""
        await _book(
            self._store, self._account(user), lambda spent: replace(spent, questions=max(0, spent.questions - 1))
        )

    def purse(self, user: int) -> Purse:
        """What the requests for one question of the person are paid from, all on the day it was asked."""
        return Purse(self._store, self._account(user), self._limits)

    async def spent(self, user: int) -> Spent:
        """What the person spent today."""
        return _read(await self._store.get(self._account(user)))

    async def everybody(self) -> list[tuple[int, Spent]]:
        """What each person spent today, by number."""
        kept = await self._store.items(self._today())
        return sorted(((int(key.rpartition("/")[2]), _read(value)) for key, value in kept), key=itemgetter(0))

    def _account(self, user: int) -> str:
        return f"{self._today()}{user}"

    def _today(self) -> str:
        return f"spent/{datetime.fromtimestamp(self._clock()).astimezone().date().isoformat()}/"


class Purse:
    """What one person has left on one day, for models to be paid from. `Budget.purse` makes it."""

    def __init__(self, store: Store, account: str, limits: Limits) -> None:
        self._store = store
        self._account = account
        self._limits = limits

    async def reserve(self, most: Usage) -> bool:
        """Sets aside the most that a request may use; False, and nothing is, if that is more than there is left."""

        def set_aside(spent: Spent) -> Spent | None:
            more = _set_aside(spent, most, 1)
            fits = _within(more.tokens + more.tokens_aside, self._limits.tokens) and _within(
                more.millionths + more.millionths_aside, _millionths(self._limits.money)
            )
            return more if fits else None

        return await _book(self._store, self._account, set_aside)

    async def settle(self, most: Usage, used: Usage) -> None:
        """Gives back what was set aside for a request, and books what it used, be it more or less."""

        def booked(spent: Spent) -> Spent:
            less = _set_aside(spent, most, -1)
            return replace(
                less, tokens=less.tokens + _tokens(used), millionths=less.millionths + (_millionths(used.cost) or 0)
            )

        await _book(self._store, self._account, booked)


async def _book(store: Store, account: str, entry: Callable[[Spent], Spent | None]) -> bool:
    """Makes an entry in the account. An `entry` of None is refused: then nothing changes, and the result is False."""
    refused = False

    def booked(value: bytes | None) -> bytes | None:
        nonlocal refused
        after = entry(_read(value))
        refused = after is None
        return value if after is None else json.dumps(astuple(after)).encode()

    await store.change(account, booked, seconds=_SECONDS_KEPT)
    return not refused


def _read(value: bytes | None) -> Spent:
    return Spent(*json.loads(value)) if value else Spent()


def _set_aside(spent: Spent, usage: Usage, times: int) -> Spent:
    return replace(
        spent,
        tokens_aside=spent.tokens_aside + times * _tokens(usage),
        millionths_aside=spent.millionths_aside + times * (_millionths(usage.cost) or 0),
    )


def _within(number: int, limit: int | None) -> bool:
    return limit is None or number <= limit


def _tokens(usage: Usage) -> int:
    return usage.prompt_tokens + usage.completion_tokens


def _millionths(dollars: float | None) -> int | None:
    """Rounded up. A thousandth more counts as nothing: it comes from how computers keep such numbers."""
    return None if dollars is None else math.ceil(round(dollars * _MILLION, 3))

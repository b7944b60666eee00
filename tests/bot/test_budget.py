"""Limits hold, whoever asks how much at once, and what was set aside and not used comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_library_bot.bot.budget import Budget, Limits, Purse, Spent
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.store import Store
from ai_library_bot.types import Usage
from tests.bot.stores import DAY, KINDS, Clock, Place, opened, places

ALICE, BOB = 17, 117


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened(lambda: SqliteStore(tmp_path / "bot.sqlite", clock=clock)) as store:
        yield store


@pytest.fixture
def budget(store: Store, clock: Clock) -> Budget:
    return Budget(store, Limits(questions=3, tokens=1000, money=0.5), clock=clock)


async def test_so_many_questions_and_no_more(budget: Budget) -> None:
    assert [await budget.ask(ALICE) for _ in range(5)] == [True, True, True, False, False]
    assert (await budget.spent(ALICE)).questions == 3
    assert await budget.ask(BOB)


async def test_a_question_that_was_not_answered_does_not_count(budget: Budget) -> None:
    for _ in range(3):
        await budget.ask(ALICE)
    await budget.give_back(ALICE)
    assert [await budget.ask(ALICE) for _ in range(2)] == [True, False]


async def test_nobody_gets_more_questions_than_a_day_has(budget: Budget) -> None:
    await budget.give_back(ALICE)
    assert await budget.spent(ALICE) == Spent()


async def test_the_next_day_everything_is_there_again_and_two_days_later_nothing_is_kept(
    budget: Budget, store: Store, clock: Clock
) -> None:
    for _ in range(3):
        await budget.ask(ALICE)
    await budget.purse(ALICE).reserve(Usage(1000, 0, 0.5))
    clock.now += 11.9 * 3600  # a little before midnight
    assert not await budget.ask(ALICE)
    clock.now += 0.2 * 3600
    assert await budget.spent(ALICE) == Spent()
    assert await budget.ask(ALICE)
    assert await budget.purse(ALICE).reserve(Usage(1000, 0, 0.5))
    clock.now += 1.995 * DAY
    assert len(await store.items("spent/")) == 1
    clock.now += DAY
    assert await store.items("spent/") == []


async def test_a_question_over_midnight_is_booked_on_its_own_day(budget: Budget, clock: Clock) -> None:
    purse = budget.purse(ALICE)
    await purse.reserve(Usage(600, 0, 0.1))
    clock.now += 13 * 3600
    await purse.settle(Usage(600, 0, 0.1), Usage(500, 0, 0.05))
    assert await budget.spent(ALICE) == Spent()
    clock.now -= 13 * 3600
    assert await budget.spent(ALICE) == Spent(tokens=500, millionths=50_000)


async def test_what_is_set_aside_is_not_there_for_others_and_what_is_not_used_comes_back(budget: Budget) -> None:
    purse, most = budget.purse(ALICE), Usage(500, 200, 0.1)
    assert await purse.reserve(most)
    assert not await purse.reserve(most)
    assert await budget.spent(ALICE) == Spent(tokens_aside=700, millionths_aside=100_000)
    await purse.settle(most, Usage(250, 50, 0.05))
    assert await budget.spent(ALICE) == Spent(tokens=300, millionths=50_000)
    assert await purse.reserve(most)


async def test_money_has_a_limit_of_its_own_and_a_price_that_is_unknown_costs_none(budget: Budget) -> None:
    purse = budget.purse(ALICE)
    assert not await purse.reserve(Usage(1, 0, 0.6))
    assert await purse.reserve(Usage(1, 0, 0.5))
    assert not await purse.reserve(Usage(1, 0, 0.000001))
    assert await purse.reserve(Usage(1, 0, None))
    await purse.settle(Usage(1, 0, None), Usage(1, 0, None))
    assert (await budget.spent(ALICE)).money == 0
    assert (await budget.spent(ALICE)).money_aside == 0.5


async def test_a_request_that_used_more_than_was_thought_is_booked_as_it_was(budget: Budget) -> None:
    purse = budget.purse(ALICE)
    await purse.reserve(Usage(900))
    await purse.settle(Usage(900), Usage(1100))
    assert await budget.spent(ALICE) == Spent(tokens=1100)
    assert not await purse.reserve(Usage(0))


async def test_without_limits_everything_is_counted_and_nothing_refused(store: Store, clock: Clock) -> None:
    budget = Budget(store, Limits(), clock=clock)
    for _ in range(50):
        assert await budget.ask(ALICE)
    assert await budget.purse(ALICE).reserve(Usage(10**9, 10**9, 10.0**6))
    assert await budget.spent(ALICE) == Spent(50, tokens_aside=2 * 10**9, millionths_aside=10**12)


async def test_everybody_is_listed_with_what_they_spent_today(budget: Budget, clock: Clock) -> None:
    await budget.ask(5)
    clock.now += DAY
    await budget.ask(BOB)
    await budget.ask(ALICE)
    await budget.ask(ALICE)
    assert await budget.everybody() == [(ALICE, Spent(2)), (BOB, Spent(1))]


async def test_money_is_rounded_up_to_a_millionth_and_what_comes_out_even_is_not(budget: Budget) -> None:
    purse = budget.purse(ALICE)
    await purse.settle(Usage(), Usage(1, 0, 0.0000001))
    assert (await budget.spent(ALICE)).millionths == 1
    await purse.settle(Usage(), Usage(1, 0, 0.07))  # 70000.00000000001 millionths
    assert (await budget.spent(ALICE)).millionths == 70_001


# At once


@pytest.fixture(scope="module", params=KINDS)
def new_place(request: pytest.FixtureRequest) -> Iterator[Callable[[], Place]]:
    with places(request.param, Clock()) as new_place:
        yield new_place


COSTS = st.none() | st.floats(0, 0.6)
AMOUNTS = st.builds(Usage, st.integers(0, 600), st.integers(0, 600), COSTS)
SHARES = st.floats(0, 1)
LIMITS = st.builds(Limits, st.none(), st.none() | st.integers(0, 2000), st.none() | st.floats(0, 2))


def part(most: Usage, share: float) -> Usage:
    cost = None if most.cost is None else most.cost * share
    return Usage(int(most.prompt_tokens * share), int(most.completion_tokens * share), cost)


def kept(spent: Spent, limits: Limits) -> bool:
    """Whether what is spent and set aside is within the limits."""
    tokens, millionths = spent.tokens + spent.tokens_aside, spent.millionths + spent.millionths_aside
    return (limits.tokens is None or tokens <= limits.tokens) and (
        limits.money is None or millionths <= limits.money * 1_000_000 + 1
    )


@given(LIMITS, st.lists(st.tuples(AMOUNTS, SHARES, st.integers(0, 3), st.integers(0, 3)), max_size=12))
@settings(max_examples=25)
def test_in_whatever_order_the_limits_hold_and_in_the_end_only_what_was_used_is_booked(
    new_place: Callable[[], Place], limits: Limits, requests: list[tuple[Usage, float, int, int]]
) -> None:
    async def check() -> None:
        async with opened(new_place()) as store:
            budget = Budget(store, limits, clock=Clock())
            used: list[Usage] = []

            async def pay(purse: Purse, most: Usage, share: float, before: int, between: int) -> None:
                await turns(before)
                if await purse.reserve(most):
                    await turns(between)
                    assert kept(await budget.spent(ALICE), limits)
                    await purse.settle(most, part(most, share))
                    used.append(part(most, share))

            await asyncio.gather(*(pay(budget.purse(ALICE), *request) for request in requests))
            spent = await budget.spent(ALICE)
            assert kept(spent, limits)
            assert (spent.tokens_aside, spent.millionths_aside) == (0, 0)
            assert spent.tokens == sum(usage.prompt_tokens + usage.completion_tokens for usage in used)
            exactly = sum(usage.cost or 0 for usage in used) * 1_000_000
            assert exactly - 0.1 <= spent.millionths <= exactly + len(used)

    asyncio.run(check())


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_several_processes_and_many_requests_share_one_limit(new_place: Callable[[], Place]) -> None:
    """A process is a store of its own here; of a SQLite file there is only one."""
    place = new_place()
    limits = Limits(questions=10, tokens=1000, money=1)
    async with opened(place) as one, opened(place) as two:
        stores = (one,) if isinstance(one, SqliteStore) else (one, two)
        budgets = [Budget(store, limits, clock=Clock()) for store in stores]
        calls: list[Coroutine[Any, Any, bool]] = []
        for budget in budgets * (40 // len(budgets)):
            calls += [budget.ask(ALICE), budget.purse(ALICE).reserve(Usage(60, 40, 0.04))]
        outcomes = await asyncio.gather(*calls)
        assert (outcomes[0::2].count(True), outcomes[1::2].count(True)) == (10, 10)
        assert await budgets[0].spent(ALICE) == Spent(10, tokens_aside=1000, millionths_aside=400_000)


async def test_what_a_crash_left_set_aside_counts_as_spent(budget: Budget, store: Store, clock: Clock) -> None:
    assert await budget.purse(ALICE).reserve(Usage(900))
    after = Budget(store, replace(Limits(), tokens=1000), clock=clock)
    assert not await after.purse(ALICE).reserve(Usage(200))
    clock.now += DAY
    assert await after.purse(ALICE).reserve(Usage(200))

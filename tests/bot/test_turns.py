"""Questions wait for their turn: one of each person at a time, and nobody behind another person's many."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ai_library_bot.bot import turns as turns_module
from ai_library_bot.bot.replicas import give_sign, take_leave
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.turns import MOST_WAITING, TooManyQuestions, Turns


async def test_a_person_has_one_turn_at_a_time_and_in_order() -> None:
    turns, order = Turns(), list[str]()

    async def ask(name: str) -> None:
        async with turns.turn(1):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(*map(ask, "abc"))
    assert order == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert turns.waiting == 0


async def test_a_slow_question_keeps_nobody_else_waiting() -> None:
    turns, done = Turns(), asyncio.Event()

    async def slow() -> None:
        async with turns.turn(1):
            await done.wait()

    task = asyncio.create_task(slow())
    for person in range(2, 60):
        async with asyncio.timeout(5), turns.turn(person):
            pass
    done.set()
    await task


async def test_who_asks_much_delays_nobody_who_asks_little() -> None:
    turns, order = Turns(at_a_time=1), list[int]()

    async def ask(person: int) -> None:
        async with turns.turn(person):
            order.append(person)
            await asyncio.sleep(0)

    await asyncio.gather(*map(ask, (1, 1, 1, 2, 3)))
    assert sorted(order) == [1, 1, 1, 2, 3]
    assert order.index(2) < 3
    assert order.index(3) < 4


async def test_too_many_questions_of_one_person_are_refused_but_not_what_is_urgent() -> None:
    turns, done = Turns(), asyncio.Event()

    async def ask() -> None:
        async with turns.turn(1):
            await done.wait()

    waiting = [asyncio.create_task(ask()) for _ in range(MOST_WAITING + 1)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyQuestions):
        async with turns.turn(1):
            pass
    async with turns.turn(2):
        pass
    done.set()
    async with turns.turn(1, urgent=True):
        assert [task.done() for task in waiting] == [True] * len(waiting)
    assert turns.waiting == 0


async def test_a_question_that_is_given_up_frees_its_turn() -> None:
    turns = Turns()

    async def ask() -> None:
        async with turns.turn(1):
            await asyncio.Event().wait()

    first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
    await asyncio.sleep(0)
    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    async with asyncio.timeout(5), turns.turn(1):
        pass


async def test_among_replicas_a_person_has_one_turn_and_a_dead_replica_holds_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "_LOOK", 0)
    store = SqliteStore(tmp_path / "shared.sqlite")
    try:
        here, there = Turns(store, replica="here"), Turns(store, replica="there")
        await give_sign(store, "here")
        async with here.turn(1):
            turn = there.turn(1)
            waiting = asyncio.create_task(turn.__aenter__())
            for _ in range(50):  # it looks again and again meanwhile
                await store.get("turn/1")
            assert not waiting.done()
            await take_leave(store, "here")  # it has died, and will never give the turn back
            async with asyncio.timeout(60):
                await waiting
        assert await store.get("turn/1") == b"there", "what another has now is not given back"
    finally:
        await store.close()


async def test_a_turn_that_was_given_up_half_way_stands_in_nobodys_way(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "shared.sqlite")
    try:
        await give_sign(store, "here")
        await store.put("turn/1", b"here")  # the question ended before it knew that the turn was its own
        async with asyncio.timeout(60), Turns(store, replica="here").turn(1):
            pass
        assert await store.get("turn/1") is None
    finally:
        await store.close()

"""Each update ends in an answer or in an excuse, also where two replicas disagree about which of them lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiogram.types import PollAnswer, Update

from ai_library_bot.bot.inbox import Accepted, Excuse, Inbox, Waiting
from ai_library_bot.bot.replicas import take_leave
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.store import Store
from ai_library_bot.errors import Unavailable

ASKED = Update(update_id=7, poll_answer=PollAnswer(poll_id="1", option_ids=[], option_persistent_ids=[]))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = SqliteStore(tmp_path / "bot.sqlite")
    yield store
    await store.close()


class Replica:
    """An inbox that answers once it is woken, and what it said."""

    def __init__(self, store: Store) -> None:
        self.said: list[str] = []
        self.begun, self.woken = asyncio.Event(), asyncio.Event()
        self.inbox = Inbox(
            store, handle=self._handle, excuse=self._excuse, waits=lambda _: Waiting(chat=1, user=1, message=1)
        )

    async def _handle(self, update: Update, accepted: Accepted) -> None:
        self.begun.set()
        await self.woken.wait()
        await accepted.sending()
        self.said.append("answer")
        await accepted.done()

    async def _excuse(self, waiting: Waiting, why: Excuse, question: str) -> None:
        self.said.append(why)


@pytest.fixture
async def busy(store: Store) -> Replica:
    """A replica that is at work on a question."""
    replica = Replica(store)
    await replica.inbox.recover(alone=False)
    assert await replica.inbox.accept([ASKED])
    await replica.begun.wait()
    return replica


async def test_who_gives_signs_of_life_is_excused_by_nobody(store: Store, busy: Replica) -> None:
    other = Replica(store)
    await other.inbox.recover(alone=False)
    busy.woken.set()
    await busy.inbox.idle()
    assert (busy.said, other.said) == (["answer"], [])


async def test_who_slept_so_long_that_another_excused_it_does_not_answer_as_well(
    store: Store, busy: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    other = Replica(store)
    await take_leave(store, busy.inbox.replica)
    await other.inbox.recover(alone=False)
    with caplog.at_level(logging.WARNING):
        busy.woken.set()
        await busy.inbox.idle()
    assert (busy.said, other.said) == ([], ["restarted"])
    assert "another bot has excused this one meanwhile" in caplog.text


async def test_what_could_not_be_written_down_is_taken_when_it_comes_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = Replica(store)
    replica.woken.set()
    add = store.add

    async def fails(key: str, value: bytes, *, seconds: float | None = None) -> bool:
        if key.startswith("pending/"):
            raise Unavailable("redis_slow", where="here", seconds=3)
        return await add(key, value, seconds=seconds)

    with monkeypatch.context() as patch:
        patch.setattr(store, "add", fails)
        with pytest.raises(Unavailable):
            await replica.inbox.accept([ASKED])
    assert await replica.inbox.accept([ASKED])
    await replica.inbox.idle()
    assert replica.said == ["answer"]


async def test_who_died_while_sending_has_perhaps_answered(store: Store, busy: Replica) -> None:
    other = Replica(store)
    await Accepted(store, busy.inbox.replica, ASKED.update_id, None).sending()
    await other.inbox.recover(alone=True)
    await other.inbox.recover(alone=True)
    assert other.said == ["perhaps"]
    await busy.inbox.drain(0)


async def test_an_update_that_comes_again_is_left_alone(store: Store, busy: Replica) -> None:
    other = Replica(store)
    assert await other.inbox.accept([ASKED])
    assert (other.inbox.running, busy.inbox.running) == (0, 1)
    busy.woken.set()
    await busy.inbox.idle()
    assert busy.said == ["answer"]


async def test_an_update_that_comes_again_while_it_is_in_work_is_excused_all_the_same(
    store: Store, busy: Replica
) -> None:
    other = Replica(store)
    assert await busy.inbox.accept([ASKED])
    await other.inbox.recover(alone=True)
    assert other.said == ["restarted"]
    await busy.inbox.drain(0)

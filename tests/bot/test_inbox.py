"""Each update ends in an answer or in an excuse, also where two replicas disagree about which of them lives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiogram.types import PollAnswer, Update

from ai_library_bot.bot.inbox import Accepted, Excuse, Inbox, Waiting
from ai_library_bot.bot.replicas import is_alive, take_leave
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.store import Store
from ai_library_bot.errors import Unavailable

ASKED = Update(update_id=7, poll_answer=PollAnswer(poll_id="1", option_ids=[], option_persistent_ids=[]))
WAITING = Waiting(chat=1, user=1, message=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = SqliteStore(tmp_path / "bot.sqlite")
    yield store
    await store.close()


class Replica:
    """An inbox that answers once it is woken, and what it said."""

    def __init__(self, store: Store) -> None:
        self.said: list[str] = []
        self.fails: Exception | None = None
        self.begun, self.woken = asyncio.Event(), asyncio.Event()
        self.inbox = Inbox(store, handle=self._handle, excuse=self._excuse, waits=lambda _: WAITING)

    async def _handle(self, update: Update, accepted: Accepted) -> None:
        self.begun.set()
        await self.woken.wait()
        if self.fails:
            raise self.fails
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


@pytest.mark.parametrize(
    ("state", "waits", "said"),
    [
        (b"begun", True, ["restarted"]),
        (b"sending", True, ["perhaps"]),
        (b"done", True, []),
        (None, True, []),
        (b"begun", False, []),
    ],
)
async def test_what_a_dead_replica_left_is_excused_once_according_to_how_far_it_was(
    store: Store, state: bytes | None, waits: bool, said: list[str]
) -> None:
    if state:
        await store.put("update/7", state)
    await store.put("pending/dead/7", WAITING.model_dump_json().encode() if waits else b"")
    replica = Replica(store)
    await replica.inbox.recover(alone=False)
    await store.put("pending/dead/7", WAITING.model_dump_json().encode())  # as if it had stopped in the midst
    await replica.inbox.recover(alone=False)
    assert replica.said == said
    assert await store.items("pending/") == []


@pytest.mark.parametrize("failure", [Unavailable("redis_slow", where="here", seconds=3), ZeroDivisionError()])
async def test_a_failure_is_excused_and_over(store: Store, busy: Replica, failure: Exception) -> None:
    busy.fails = failure
    busy.woken.set()
    await busy.inbox.idle()
    await Replica(store).inbox.recover(alone=True)
    assert busy.said == ["bug"]
    assert await store.items("pending/") == []


async def test_at_a_stop_nothing_new_is_taken_and_what_does_not_end_is_excused(store: Store, busy: Replica) -> None:
    await busy.inbox.drain(0)
    assert busy.said == ["stopping"]
    assert not await busy.inbox.accept([ASKED])
    assert await store.items("pending/") == []
    assert not await is_alive(store, busy.inbox.replica)


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

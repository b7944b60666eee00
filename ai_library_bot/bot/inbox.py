"""Updates that were accepted: each is written down before work on it begins, and ends in an answer or an excuse.

    pending/<replica>/<update>    whom to excuse if this replica dies; removed when the update is done
    update/<update>               "begun", "sending" or "done"; a day and an hour long, for Telegram sends for a day

Nothing that a person wrote is kept here.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Literal

from aiogram.types import Update
from pydantic import BaseModel

from ai_library_bot.bot.replicas import BEAT, give_sign, is_alive, take_leave
from ai_library_bot.bot.store import Store
from ai_library_bot.errors import LibraryError
from ai_library_bot.logs import begin_question, question_id

_LOG = logging.getLogger(__name__)

_REMEMBERED = 25 * 3600.0  # seconds
_LAST_WORDS = 5.0  # seconds for the excuses at a stop
_BEGUN, _SENDING, _DONE = b"begun", b"sending", b"done"

Excuse = Literal["restarted", "perhaps", "unconfirmed", "stopping", "bug"]
"""Why there is no answer: a crash, a crash while it was being sent, no word from Telegram that it has arrived, a stop,
a mistake in the program."""


class TakenOver(Exception):
    """Another replica took us for dead, as it may where a computer has slept, and has excused what is unanswered."""


class Waiting(BaseModel):
    """Whoever waits for an answer: the message that asked, and the one that will become the answer, if there is one."""

    chat: int
    user: int
    message: int
    thread: int | None = None
    language: str | None = None
    preview: int | None = None


class Accepted:
    """An update in work. Handlers get it as the argument `accepted`."""

    def __init__(self, store: Store, replica: str, number: int, waiting: Waiting | None) -> None:
        self.number = number
        self.waiting = waiting
        self._done = False
        self._store = store
        self._pending = f"pending/{replica}/{number}"
        self._state = f"update/{number}"

    async def begin(self) -> bool:
        """Writes it down. False if it was accepted before."""
        told = self.waiting.model_dump_json().encode() if self.waiting else b""
        # One after the other: what counts as begun must never be without anybody who sees to its end.
        is_ours = await self._store.add(self._pending, told, seconds=_REMEMBERED)
        is_new = await self._store.add(self._state, _BEGUN, seconds=_REMEMBERED)
        if is_ours and not is_new:  # if it is not ours, this replica works on the same update already
            await self._store.remove(self._pending)
        return is_new

    async def will_become(self, message: int) -> None:
        """A message stands there that says "looking…": it becomes the answer, or the excuse."""
        if self.waiting:
            self.waiting = self.waiting.model_copy(update={"preview": message})
            await self._store.put(self._pending, self.waiting.model_dump_json().encode(), seconds=_REMEMBERED)

    async def sending(self) -> None:
        """The answer goes out now: after a crash nobody knows whether it has arrived. Raises TakenOver."""
        state = await self._store.change(
            self._state, lambda state: state if state == _DONE else _SENDING, seconds=_REMEMBERED
        )
        if state == _DONE:
            raise TakenOver

    async def done(self) -> None:
        """It was answered, or excused; told twice, it is written down once."""
        if self._done:
            return
        self._done = True
        await asyncio.gather(
            self._store.put(self._state, _DONE, seconds=_REMEMBERED), self._store.remove(self._pending)
        )


class Inbox:
    """Takes updates, has each handled in a task of its own, and sees each to its end.

    `handle` does the work; `excuse` tells a person why there is no answer; `waits` says who waits for one.
    """

    def __init__(
        self,
        store: Store,
        *,
        handle: Callable[[Update, Accepted], Awaitable[None]],
        excuse: Callable[[Waiting, Excuse, str], Awaitable[None]],
        waits: Callable[[Update], Waiting | None],
    ) -> None:
        self.replica = secrets.token_hex(4)
        self._store = store
        self._handle, self._excuse, self._waits = handle, excuse, waits
        self._running: dict[asyncio.Task[None], Accepted] = {}
        self._open = True

    @property
    def running(self) -> int:
        """How many updates are in work."""
        return len(self._running)

    async def accept(self, updates: Sequence[Update]) -> bool:
        """Writes the updates down and begins to work on those that are new. False once the inbox is closed.

        Raises as the store does if one can't be written down; work on the others has begun all the same.
        """
        if not self._open:
            return False
        accepted = [Accepted(self._store, self.replica, update.update_id, self._waits(update)) for update in updates]
        new = await asyncio.gather(*(one.begin() for one in accepted), return_exceptions=True)
        for update, one, is_new in zip(updates, accepted, new, strict=True):
            if is_new is True:
                task = asyncio.create_task(self._work(update, one), name=f"update {update.update_id}")
                self._running[task] = one
                task.add_done_callback(self._running.pop)
        if failed := next((one for one in new if isinstance(one, BaseException)), None):
            raise failed
        return True

    async def idle(self) -> None:
        """Waits until nothing is in work."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def recover(self, *, alone: bool) -> None:
        """Gives a sign of life, and excuses what replicas that died have left. `alone`: no other replica lives.

        To be awaited once before the first `accept`: what a replica without a sign of life has begun is taken over.
        """
        await give_sign(self._store, self.replica)
        for key, told in await self._store.items("pending/"):
            _, replica, number = key.split("/")
            if replica == self.replica:
                continue
            if not alone and await is_alive(self._store, replica):
                continue
            left = await self._take_over(number)
            if left and told:
                await self._tell(Waiting.model_validate_json(told), "perhaps" if left == _SENDING else "restarted")
            await self._store.remove(key)

    async def live(self) -> None:
        """Looks after the other replicas again and again, and gives signs of life to them, until it is cancelled."""
        while True:
            try:
                await self.recover(alone=False)
            except LibraryError as error:
                _LOG.error("%s", error)
            await asyncio.sleep(BEAT)

    async def drain(self, seconds: float) -> None:
        """Takes nothing new, lets what runs come to its end for so long, and excuses the rest."""
        self._open = False
        if self._running:
            _LOG.info("waiting for %d updates in work", len(self._running))
            await asyncio.wait(set(self._running), timeout=seconds)
        late = list(self._running)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=_LAST_WORDS)
        with suppress(LibraryError):  # it is taken for dead soon
            await take_leave(self._store, self.replica)

    async def _work(self, update: Update, accepted: Accepted) -> None:
        begin_question(f"{self.replica}-{update.update_id}")
        began = time.monotonic()
        try:
            await self._handle(update, accepted)
        except asyncio.CancelledError:
            await self._tell(accepted.waiting, "stopping")
        except TakenOver:
            _LOG.warning("another bot has excused this one meanwhile")
        except LibraryError as error:  # the store does not answer
            _LOG.error("%s", error)
            await self._tell(accepted.waiting, "bug")
        except Exception:  # noqa: BLE001 - what nobody foresaw is a bug: the one place where it ends
            _LOG.exception("a mistake in the program")
            await self._tell(accepted.waiting, "bug")
        try:
            await accepted.done()
        except LibraryError as error:
            _LOG.error("%s", error)
        _LOG.info("update %s done in %.3f s", update.event_type, time.monotonic() - began)

    async def _tell(self, waiting: Waiting | None, why: Excuse) -> None:
        if waiting is None:
            return
        try:
            await self._excuse(waiting, why, question_id())
        except Exception as error:  # noqa: BLE001 - there is nobody left to tell
            _LOG.warning("the excuse was not sent: %s", type(error).__name__)

    async def _take_over(self, number: str) -> bytes | None:
        """How far the update was, which is done from now on; None if another replica was quicker, or it is done."""
        before: list[bytes | None] = []

        def ours(state: bytes | None) -> bytes | None:
            before.append(state)
            return _DONE if state in (_BEGUN, _SENDING) else state

        await self._store.change(f"update/{number}", ours, seconds=_REMEMBERED)
        return before[-1] if before[-1] != _DONE else None

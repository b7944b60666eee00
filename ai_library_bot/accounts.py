"""Whatever is paid for is written down as soon as it is: a run that is stopped half-way has spent money too.

And what has to be paid for is asked only where the purse of whoever asks grants it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from ai_library_bot.errors import Unavailable
from ai_library_bot.protocols import Embedded, Embedder, Purse, Reranker
from ai_library_bot.types import Usage
from ai_library_bot.usage import Kind

if TYPE_CHECKING:
    from ai_library_bot.openai_api.chat import ChatModel, Completion, Message, Schema
    from ai_library_bot.protocols import Vector

Result = TypeVar("Result")

Account = Callable[[Kind, str, Usage, float], None]
"""Writes down what a request was for, the model, what it used, and how many seconds it took."""


class AccountedEmbedder:
    """Does as `embedder` does, and has each request written down."""

    def __init__(self, embedder: Embedder, account: Account) -> None:
        self._embedder = embedder
        self._account = account

    @property
    def fingerprint(self) -> str:
        return self._embedder.fingerprint

    async def embed_question(self, question: str) -> tuple[Vector, Usage]:
        began = time.monotonic()
        vector, usage = await self._embedder.embed_question(question)
        self._account("question", self.fingerprint, usage, time.monotonic() - began)
        return vector, usage

    async def embed_passages(
        self, texts: Sequence[str], go_on: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Embedded]:
        began = time.monotonic()
        async for batch in self._embedder.embed_passages(texts, go_on):
            self._account("embedding", self.fingerprint, batch.usage, time.monotonic() - began)
            began = time.monotonic()
            yield batch

    def estimate(self, texts: Sequence[str]) -> Usage:
        return self._embedder.estimate(texts)


class Request:
    """A request on a bill; whoever makes it says what it `used`, as far as the model told."""

    def __init__(self) -> None:
        self.used = Usage()
        self.free = False


class Bill:
    """What one question costs: every request is paid from the purse, if there is one, written down and added up."""

    def __init__(self, account: Account, purse: Purse | None = None) -> None:
        self._account = account
        self._purse = purse
        self.usage = Usage()
        """What was used so far."""

    @asynccontextmanager
    async def request(self, kind: Kind, model: str, most: Usage) -> AsyncIterator[Request]:
        """Surrounds a request that may use `most`; one that uses no tokens is not for the purse.

        It is settled once, whatever becomes of it. What a request used that was broken off, or whose model does not
        tell, nobody knows: for the purse that is `most`.
        Raises Unavailable, and nothing may be asked, where the purse does not grant it.
        """
        purse = self._purse if _has_tokens(most) else None
        if purse:
            await _reserve(purse, most)
        request = Request()
        began = time.monotonic()
        try:
            yield request
        except Exception as fault:
            request.used = getattr(fault, "usage", Usage())
            request.free = getattr(fault, "free", False)
            raise
        finally:
            if _has_tokens(request.used):  # a model that tells nothing did not work for nothing
                self.usage += request.used
            self._account(kind, model, request.used, time.monotonic() - began)
            if purse:
                known = request.free or _has_tokens(request.used)
                await _settle(purse, most, request.used if known else most)


class BilledChat:
    """Does as `chat` does, and has each request for this `kind` of work on the bill."""

    def __init__(self, chat: ChatModel, kind: Kind, bill: Bill) -> None:
        self._chat = chat
        self._kind = kind
        self._bill = bill

    @property
    def name(self) -> str:
        return self._chat.name

    async def complete(
        self,
        messages: Sequence[Message],
        schema: type[Schema],
        *,
        seconds: float,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion[Schema]:
        async with self._bill.request(self._kind, self.name, self._chat.most(messages, schema)) as request:
            completion = await self._chat.complete(messages, schema, seconds=seconds, on_text=on_text)
            request.used = completion.usage
        return completion


class BilledReranker:
    """Does as `reranker` with that `model` does, and has each request on the bill; no purse pays for it."""

    def __init__(self, reranker: Reranker, model: str, bill: Bill) -> None:
        self._reranker = reranker
        self._model = model
        self._bill = bill

    async def rerank(self, question: str, texts: Sequence[str]) -> tuple[list[int], Usage]:
        async with self._bill.request("rerank", self._model, Usage()) as request:
            order, request.used = await self._reranker.rerank(question, texts)
        return order, request.used


def _has_tokens(usage: Usage) -> bool:
    return usage.prompt_tokens + usage.completion_tokens > 0


async def _reserve(purse: Purse, most: Usage) -> None:
    granted, stopped = await _to_its_end(purse.reserve(most))
    if stopped and granted:
        await _to_its_end(purse.settle(most, Usage()))
    if stopped:
        raise asyncio.CancelledError
    if not granted:
        raise Unavailable("budget_spent")


async def _settle(purse: Purse, most: Usage, used: Usage) -> None:
    _, stopped = await _to_its_end(purse.settle(most, used))
    if stopped:
        raise asyncio.CancelledError


async def _to_its_end(work: Coroutine[Any, Any, Result]) -> tuple[Result, bool]:
    """What the work returns, and whether somebody wanted to stop it: half of it done would falsify the accounts."""
    task = asyncio.create_task(work)
    stopped = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            stopped = True
    return task.result(), stopped

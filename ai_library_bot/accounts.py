"""Whatever is paid for is written down as soon as it is: a run that is stopped half-way has spent money too."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from ai_library_bot.errors import Unavailable
from ai_library_bot.protocols import AnswerWriter, Embedded, Embedder, Reranker
from ai_library_bot.types import Draft, Fault, SearchResult, Usage
from ai_library_bot.usage import Kind

if TYPE_CHECKING:
    from ai_library_bot.protocols import Vector

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


class AccountedWriter:
    """Does as `writer` does, and has what it used written down, also where nothing came of it."""

    def __init__(self, writer: AnswerWriter, account: Account) -> None:
        self._writer = writer
        self._account = account

    @property
    def name(self) -> str:
        return self._writer.name

    async def write(
        self, found: SearchResult, check: Callable[[Draft], Sequence[Fault]], on_draft: Callable[[Draft], None]
    ) -> Draft:
        began = time.monotonic()
        try:
            draft = await self._writer.write(found, check, on_draft)
        except Unavailable as error:
            self._account("answer", self.name, getattr(error, "usage", Usage()), time.monotonic() - began)
            raise
        self._account("answer", self.name, draft.usage, time.monotonic() - began)
        return draft


class AccountedReranker:
    """Does as `reranker` with that `model` does, and has each request written down."""

    def __init__(self, reranker: Reranker, model: str, account: Account) -> None:
        self._reranker = reranker
        self._model = model
        self._account = account

    async def rerank(self, question: str, texts: Sequence[str]) -> tuple[list[int], Usage]:
        began = time.monotonic()
        order, usage = await self._reranker.rerank(question, texts)
        self._account("rerank", self._model, usage, time.monotonic() - began)
        return order, usage

"""The models that the settings name, and who pays for them: all that a question needs besides the index."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot import adapters, metrics
from ai_library_bot.accounts import AccountedEmbedder, Bill, BilledChat, BilledReranker
from ai_library_bot.errors import BadSetting, Unavailable
from ai_library_bot.types import Notice, Usage
from ai_library_bot.usage import UsageLedger

if TYPE_CHECKING:
    from ai_library_bot.index.search import SearchIndex
    from ai_library_bot.local_model.hub import Fetched
    from ai_library_bot.openai_api.chat import Chat, ChatModel
    from ai_library_bot.openai_api.transcription import Transcriber
    from ai_library_bot.protocols import AnswerWriter, Embedder, Purse, Reranker, Vector
    from ai_library_bot.settings import Settings
    from ai_library_bot.usage import Kind


class Models:
    """The models, each made when it is first needed. What they are paid for stands in `ledger`, in `folder`."""

    def __init__(self, settings: Settings, folder: Path, on_fetch: Callable[[Fetched], None]) -> None:
        self.cache = adapters.cache(settings)
        self.ledger = UsageLedger(folder)
        self._settings = settings
        self._on_fetch = on_fetch

    async def close(self) -> None:
        """Lets go of what they hold."""
        if self.cache:
            await self.cache.close()

    @cached_property
    def embedder(self) -> Embedder | None:
        """What makes vectors."""
        return adapters.embedder(self._settings, self._on_fetch)

    @cached_property
    def accounted_embedder(self) -> Embedder | None:
        """The same, with each request written down: for books, which nobody's purse pays for."""
        return AccountedEmbedder(self.embedder, self._account) if self.embedder else None

    @cached_property
    def chat(self) -> ChatModel | None:
        """What writes."""
        return adapters.chat(self._settings)

    @cached_property
    def transcriber(self) -> Transcriber | None:
        """What understands speech."""
        return adapters.transcriber(self._settings)

    @cached_property
    def _endpoint_reranker(self) -> Reranker | None:
        return adapters.endpoint_reranker(self._settings)

    def bill(self, purse: Purse | None = None) -> Bill:
        """The bill of one question, paid from the purse if there is one."""
        return Bill(self._account, purse)

    def billed_chat(self, kind: Kind, bill: Bill) -> Chat | None:
        """What writes, on the bill."""
        return BilledChat(self.chat, kind, bill) if self.chat else None

    def reranker(self, bill: Bill) -> Reranker | None:
        """What orders passages anew, on the bill."""
        if self._endpoint_reranker:
            model = self._settings.rerank_model or str(self._settings.rerank_url)
            return BilledReranker(self._endpoint_reranker, model, bill)
        return adapters.chat_reranker(self._settings, self.billed_chat("rerank", bill))

    def writer(
        self, index: SearchIndex, filters: Mapping[str, Sequence[str]], bill: Bill, *, meaning: bool
    ) -> AnswerWriter | None:
        """The model as a writer that remembers; None where answers only quote."""
        chat = self.billed_chat("answer", bill)
        if chat is None:
            return None
        from ai_library_bot.answers.model import ModelWriter
        from ai_library_bot.answers.remembering import RememberingWriter

        writer = ModelWriter(chat, seconds=self._settings.answer_seconds)
        if self.cache is None:
            return writer
        found_with = index.embedder if meaning else "words"
        return RememberingWriter(
            writer,
            self.cache,
            generation=index.published.identity,
            filters=filters,
            circumstances=f"{found_with} {self._settings.min_relevance} {self._settings.rerank_model}",
            on_look_up=metrics.looked_up,
        )

    def cache_notices(self) -> tuple[Notice, ...]:
        """That answers are not kept, if they are not and should be."""
        if self.cache and self.cache.trouble:
            return (Notice("cache_unavailable", because=self.cache.trouble),)
        return ()

    async def meaning(
        self, index: SearchIndex, question: str, bill: Bill, *, seconds: float | None = None
    ) -> tuple[Vector | None, tuple[Notice, ...]]:
        """The question's vector, if the index can be searched by meaning; if not, why a person should know.

        The embedder has a limit of a few seconds; `seconds` may make it shorter.
        Raises BadSetting if another model than the one in the settings made the index.
        """
        if self.embedder is None:
            unused = index.embedder is not None and self._settings.embedder is None
            return None, (Notice("vectors_unused"),) if unused else ()
        if index.embedder is None:
            return None, (Notice("vectors_missing"),)
        from ai_library_bot.embedding import fingerprint

        if index.embedder != (asked_for := fingerprint(self.embedder)):
            raise BadSetting("embedder_changed", made_with=index.embedder, asked_for=asked_for)
        try:
            async with asyncio.timeout(seconds):
                vector, _ = await asyncio.gather(
                    self._vector(self.embedder, question, bill), asyncio.to_thread(index.open_vectors)
                )
        except Unavailable as error:
            because = error.key, error.details
        except TimeoutError:
            because = "service_slow", {"service": self.embedder.fingerprint, "seconds": round(seconds or 0, 1)}
        else:
            return vector, ()
        metrics.failed(because[0])
        return None, (Notice("search_by_words", because=because),)

    async def _vector(self, embedder: Embedder, question: str, bill: Bill) -> Vector:
        async with bill.request("question", embedder.fingerprint, embedder.estimate([question])) as request:
            vector, request.used = await embedder.embed_question(question)
        return vector

    def _account(self, kind: Kind, model: str, usage: Usage, seconds: float) -> None:
        """Writes down what a model was asked, if it was."""
        if usage.prompt_tokens or usage.completion_tokens:
            self.ledger.record(kind, model, usage, seconds)
            metrics.requested(kind, model, usage, seconds)

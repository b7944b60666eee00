"""Vectors from a service's embedding model."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.service import Connection, PassingFault, Refusal, Service
from ai_library_bot.openai_api.tokens import estimated_tokens
from ai_library_bot.openai_api.tries import in_tries
from ai_library_bot.prices import Price, priced
from ai_library_bot.protocols import Embedded
from ai_library_bot.types import Usage

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix, Vector

# Shortening these models' vectors to 512 numbers is what they were trained for, and costs them next to nothing
# (https://openai.com/index/new-embedding-models-and-api-updates/).
_SHORTENED = "text-embedding-3-"
_SHORT = 512

# What OpenAI takes in one request (https://platform.openai.com/docs/api-reference/embeddings/create).
_TOKENS_PER_REQUEST = 300_000
_TOKENS_PER_TEXT = 8192

# A token of any language stands for two bytes or more, so this many never hold too many tokens.
_BYTES_PER_TOKEN = 2

_QUESTION_SECONDS = 6
_QUESTION_TRIES = 2
_REQUEST_SECONDS = 120
_BATCH_SECONDS = 300


class Pace:
    """How much is asked at once: `size` texts in a request, `in_flight` requests.

    Together never more than OpenAI takes in one request, so that a kill loses no more than that. A server at home that
    works on one request at a time gets small ones; one that asks to slow down gets fewer.
    """

    largest = 256
    most = 8
    _first_size = 32
    _first_in_flight = 4
    _quick_seconds = 10
    _long_seconds = 60

    def __init__(self) -> None:
        self.size = self._first_size
        self.in_flight = self._first_in_flight

    def answered(self, seconds: float) -> None:
        """A request was answered after so long."""
        if seconds < self._quick_seconds:
            self.size = min(self.size * 2, self.largest)
            self.in_flight = min(self.in_flight + 1, self.most)
        elif seconds > self._long_seconds:
            self.size = max(self.size // 2, 1)

    def refused(self) -> None:
        """A request was turned away, or not answered in time."""
        self.in_flight = max(self.in_flight // 2, 1)


class OpenAIEmbedder:
    """The model `model` of a service; implements `protocols.Embedder`.

    Without `dimensions` OpenAI's current models are asked for 512, and others give what is theirs.
    """

    def __init__(
        self, service: Service, model: str, dimensions: int | None, prices: Mapping[str, Price] | None = None
    ) -> None:
        self._service = service
        self._model = model
        self._asked_for = dimensions or (_SHORT if model.startswith(_SHORTENED) else None)
        self._length = self._asked_for
        self._prices = prices or {}
        self._takes_base64 = True

    @property
    def fingerprint(self) -> str:
        named = f"openai:{self._service.name}:{self._model}"
        return f"{named}:{self._asked_for}" if self._asked_for else named

    async def embed_question(self, question: str) -> tuple[Vector, Usage]:
        async with self._service.connected() as connection:

            async def attempt(seconds: float) -> Embedded:
                return await self._embed(connection, 0, [question], seconds)

            embedded = await in_tries(attempt, tries=_QUESTION_TRIES, seconds=_QUESTION_SECONDS)
        return embedded.vectors[0], embedded.usage

    async def embed_passages(
        self, texts: Sequence[str], go_on: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Embedded]:
        pace = Pace()
        begun = 0
        under_way: set[asyncio.Task[Embedded]] = set()
        fault: Unavailable | None = None
        async with self._service.connected() as connection:
            try:
                while under_way or (begun < len(texts) and not fault and go_on()):
                    while begun < len(texts) and not fault and go_on() and len(under_way) < pace.in_flight:
                        batch = _first_request(texts, begun, pace.size)
                        under_way.add(asyncio.create_task(self._embed_batch(connection, begun, batch, pace)))
                        begun += len(batch)
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        try:
                            embedded = task.result()
                        except Unavailable as error:
                            fault = fault or error  # what else is under way is paid for: it is waited for
                            continue
                        yield embedded
            finally:
                for task in under_way:
                    task.cancel()
                await asyncio.gather(*under_way, return_exceptions=True)
        if fault:
            raise fault

    def estimate(self, texts: Sequence[str]) -> Usage:
        return priced(self._model, sum(estimated_tokens(text) for text in texts), 0, self._prices)

    async def _embed_batch(self, connection: Connection, start: int, texts: list[str], pace: Pace) -> Embedded:
        async def attempt(seconds: float) -> Embedded:
            began = time.monotonic()
            try:
                embedded = await self._embed(connection, start, texts, min(seconds, _REQUEST_SECONDS))
            except PassingFault:
                pace.refused()
                raise
            pace.answered(time.monotonic() - began)
            return embedded

        return await in_tries(attempt, seconds=_BATCH_SECONDS)

    async def _embed(self, connection: Connection, start: int, texts: list[str], seconds: float) -> Embedded:
        """One request; a second one at once if the service knows no base64."""
        payload: dict[str, Any] = {"model": self._model, "input": [_fitting(text) for text in texts]}
        if self._asked_for:
            payload["dimensions"] = self._asked_for
        if self._takes_base64:
            payload["encoding_format"] = "base64"
        try:
            answer = await connection.post("/embeddings", payload, seconds=seconds, setting="EMBEDDING_MODEL")
        except Refusal as refusal:
            if "encoding_format" not in payload or "encoding_format" not in refusal.reason:
                raise
            self._takes_base64 = False
            return await self._embed(connection, start, texts, seconds)
        return Embedded(start, self._vectors(answer, len(texts)), self._usage(answer))

    def _vectors(self, answer: dict[str, Any], count: int) -> Matrix:
        """The vectors of a service's answer, in order, of unit length."""
        try:
            rows = answer["data"]
            places = {row.get("index", place): place for place, row in enumerate(rows)}
            if len(rows) != count or set(places) != set(range(count)):
                raise self._service.nonsense(f"{len(rows)} vectors for {count} texts")
            vectors = [_vector(rows[places[number]]["embedding"]) for number in range(count)]
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise self._service.nonsense("no vectors") from None
        wanted = self._length or len(vectors[0])
        for vector in vectors:
            if len(vector) != wanted:
                raise Unavailable("vectors_other_length", model=self._model, got=len(vector), wanted=wanted)
        self._length = wanted
        matrix = numpy.stack(vectors)
        lengths = numpy.linalg.norm(matrix, axis=1, keepdims=True)
        if not (numpy.isfinite(lengths).all() and lengths.all()):
            raise self._service.nonsense("vectors that are no numbers")
        unit: Matrix = matrix / lengths
        return unit

    def _usage(self, answer: dict[str, Any]) -> Usage:
        usage = answer.get("usage")
        tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
        return priced(self._model, tokens if isinstance(tokens, int) else 0, 0, self._prices)


def _vector(embedding: str | list[float]) -> Vector:
    """One vector as it is sent: base64 of little-endian float32, or a list of numbers.

    Raises TypeError, ValueError or OverflowError for what is neither.
    """
    if isinstance(embedding, str):
        vector = numpy.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    else:
        with numpy.errstate(over="ignore"):  # what is too large becomes infinite, and is found as that
            vector = numpy.array(embedding, dtype=numpy.float32)
    if vector.ndim != 1 or not vector.size:
        raise ValueError("not a vector")
    return vector


def _first_request(texts: Sequence[str], start: int, size: int) -> list[str]:
    """As many texts from `start` on as go into one request, at least one."""
    batch: list[str] = []
    tokens = 0
    for text in texts[start : start + size]:
        tokens += _most_tokens(text)
        if batch and tokens > _TOKENS_PER_REQUEST:
            break
        batch.append(text)
    return batch


def _fitting(text: str) -> str:
    """The text as a request may hold it: not too long, not empty, all of it real characters."""
    return _encoded(text)[: _TOKENS_PER_TEXT * _BYTES_PER_TOKEN].decode("utf-8", "ignore") or " "


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # what a terminal hands over may hold halves of characters


def _most_tokens(text: str) -> int:
    return min(len(_encoded(text)) // _BYTES_PER_TOKEN + 1, _TOKENS_PER_TEXT)

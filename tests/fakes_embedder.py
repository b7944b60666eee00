"""An embedder that needs no model: a text's vector is made of its words, so texts that share words are near."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

import numpy

from ai_library_bot.protocols import Embedded
from ai_library_bot.text import words
from ai_library_bot.types import Usage

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix, Vector

PRICE = 0.001
"""US dollars for a token, which is here a word."""


def hashed_words(text: str, dimensions: int) -> Vector:
    """The unit vector of a text: each word adds to one of its numbers, chosen by the word's hash."""
    vector = numpy.zeros(dimensions, dtype=numpy.float32)
    for word in words(text):
        vector[int.from_bytes(hashlib.blake2b(word.folded.encode(), digest_size=4).digest()) % dimensions] += 1
    if not vector.any():
        vector[0] = 1
    return vector / numpy.linalg.norm(vector)


class FakeEmbedder:
    """Embeds by `hashed_words`, `batch` texts at a time; `paid` notes every text whose vector was handed over.

    `before` hears of each batch before it is embedded, and may raise to play an outage.
    """

    def __init__(
        self,
        name: str = "words",
        *,
        dimensions: int = 64,
        batch: int = 4,
        before: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> None:
        self.fingerprint = f"fake:{name}:{dimensions}"
        self.dimensions = dimensions
        self.batch = batch
        self.before = before
        self.paid: list[str] = []
        self.requests = 0

    async def embed_question(self, question: str) -> tuple[Vector, Usage]:
        self.requests += 1
        self.before([question])
        return hashed_words(question, self.dimensions), self.estimate([question])

    async def embed_passages(
        self, texts: Sequence[str], go_on: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Embedded]:
        starts = range(0, len(texts), self.batch)
        for start in reversed(starts):  # any order is right
            if not go_on():
                break
            batch = texts[start : start + self.batch]
            await asyncio.sleep(0)
            self.requests += 1
            self.before(batch)
            self.paid.extend(batch)
            yield Embedded(start, self.matrix(batch), self.estimate(batch))

    def matrix(self, texts: Sequence[str]) -> Matrix:
        """The vectors of the texts."""
        return numpy.stack([hashed_words(text, self.dimensions) for text in texts])

    def estimate(self, texts: Sequence[str]) -> Usage:
        tokens = sum(1 for text in texts for _ in words(text))
        return Usage(prompt_tokens=tokens, cost=tokens * PRICE)

"""The doors behind which implementations may be exchanged; one contract suite runs over all of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ai_library_bot.types import Draft, Fault, SearchResult, Usage

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Vector = NDArray[numpy.float32]
    """`(d,)` float32 of unit length."""

    Matrix = NDArray[numpy.float32]
    """`(n, d)` float32, every row of unit length."""


class Embedded(NamedTuple):
    """The vectors of `texts[start : start + len(vectors)]`, and what they cost."""

    start: int
    vectors: Matrix
    usage: Usage


class Embedder(Protocol):
    """Turns texts into vectors of unit length whose inner product tells how near their meanings are.

    Raises Unavailable when its service or model does not answer as it should.
    """

    @property
    def fingerprint(self) -> str:
        """Names all that the vectors depend on: vectors of two fingerprints never meet in one search."""

    async def embed_question(self, question: str) -> tuple[Vector, Usage]:
        """The vector of a question, in a few seconds at most."""

    def embed_passages(self, texts: Sequence[str], go_on: Callable[[], bool] = ...) -> AsyncIterator[Embedded]:
        """The vectors of texts, each batch as soon as it is there, in any order; every text comes once.

        Once `go_on` says no nothing more is asked for, but what is under way still comes: it is paid for. The batches
        that arrived before an error stay good.
        """

    def estimate(self, texts: Sequence[str]) -> Usage:
        """What embedding the texts would cost, about; nothing is sent."""


class AnswerWriter(Protocol):
    """Proposes an answer from passages."""

    @property
    def name(self) -> str:
        """The name of the model, or of the method."""

    async def write(
        self, found: SearchResult, check: Callable[[Draft], Sequence[Fault]], on_draft: Callable[[Draft], None]
    ) -> Draft:
        """The best draft it can make. `check` tells what is wrong with one; `on_draft` hears of it as it grows.

        Raises Unavailable when its model does not answer as it should.
        """


class Reranker(Protocol):
    """Orders passages anew by how well they answer a question. Raises Unavailable."""

    async def rerank(self, question: str, texts: Sequence[str]) -> tuple[list[int], Usage]:
        """The numbers of the texts, best first; each comes once."""


class AnswerCache(Protocol):
    """Keeps answers for a while. It may forget any of them at any time, and never fails: at worst it has nothing."""

    @property
    def trouble(self) -> tuple[str, dict[str, str | int | float]] | None:
        """Why it keeps nothing at the moment: the key of the error and its details."""

    async def get(self, key: str) -> bytes | None:
        """What was put under the key."""

    async def put(self, key: str, value: bytes) -> None:
        """Keeps the value under the key."""

    async def close(self) -> None:
        """Lets go of what it holds."""


class Purse(Protocol):
    """What the requests to models for one question are paid from. It answers at once, or nearly."""

    async def reserve(self, most: Usage) -> bool:
        """Sets aside the most that a request may use; False if that is not to be had."""

    async def settle(self, most: Usage, used: Usage) -> None:
        """Gives back what was set aside, and books what was used."""

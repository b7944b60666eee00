"""Vectors for the books that have none: from the store of those paid for, the rest from the embedder.

Whatever arrives is stored at once. So a run that is stopped, killed or cut off from its service has lost nothing that
was delivered, and the next one asks only for the rest.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy

from ai_library_bot.errors import Unavailable
from ai_library_bot.index import embedding_store
from ai_library_bot.index.embedding_store import EmbeddingStore
from ai_library_bot.types import Usage

if TYPE_CHECKING:
    from ai_library_bot.index.entries import Entry
    from ai_library_bot.protocols import Embedder, Matrix

_PREPARATION = 1
"""Goes up when `prepared` changes: texts that were prepared otherwise have other vectors."""

_AT_ONCE = 32_768  # texts handed to the embedder together: many requests, and some 50 MB
_LOOK_UP = 0.1  # seconds between looks whether the person wants to stop
_LAST_ARRIVALS = 5  # seconds that vectors which are paid for already may take to arrive after that
_REFUSED = "service_refused"
_SHARES = (2, 4)  # a text that is refused is tried again by its first half, then by its first quarter
_REFUSED_IN_A_ROW = 3  # texts, no other in between: then it is not the texts


def fingerprint(embedder: Embedder) -> str:
    """Names all that the vectors of passages depend on: the embedder, and how their texts are prepared."""
    return f"{embedder.fingerprint}:{_PREPARATION}"


def prepared(entry: Entry) -> str:
    """The text that is embedded for a passage: what it stands under, then the passage itself."""
    return f"{entry.context}\n{entry.passage.text}"


@dataclass(slots=True)
class Outcome:
    """What an embedding run came to: the books whose vectors are all in the store, each with the keys in order.

    `error` is why the others are not there.
    """

    books: dict[str, list[bytes]] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    error: Unavailable | None = None


def embed(
    books: Iterable[tuple[str, list[str]]],
    embedder: Embedder,
    store: EmbeddingStore,
    dimensions: int | None,
    on_progress: Callable[[int], None],
    while_waiting: Callable[[], None],
) -> Outcome:
    """Brings the vectors of the books' texts into the store: of each book its id and its texts in order.

    `dimensions` is the length of those that they will stand beside, if there are any. `on_progress` hears how many
    texts are done. `while_waiting` is called several times a second; what it raises ends the run. An outage does not:
    what the store has is looked up all the same. Raises CannotWrite and Busy as the store does.
    """
    run = _Run(embedder, store, dimensions, on_progress)
    return asyncio.run(run.watched(books, while_waiting))


def stored(store: EmbeddingStore, books: Mapping[str, Sequence[bytes]]) -> Iterator[tuple[str, Matrix]]:
    """The vectors of books, by the keys of their texts, book by book; without books of which one has gone missing."""
    for book_id, keys in books.items():
        found = store.get(keys)
        if all(key in found for key in keys):
            yield book_id, numpy.stack([found[key] for key in keys])


def missing(
    books: Iterable[tuple[str, list[str]]], embedder: Embedder, store: EmbeddingStore, while_waiting: Callable[[], None]
) -> tuple[int, Usage]:
    """How many texts of the books are not paid for yet, and about what they cost. `while_waiting` as in `embed`."""
    asked_for: set[bytes] = set()
    usage = Usage()
    for group in _groups(books, fingerprint(embedder)):
        while_waiting()
        for key in asked_for.intersection(group.missing) | store.get(list(group.missing)).keys():
            del group.missing[key]
        if group.missing:
            usage += embedder.estimate(list(group.missing.values()))
        asked_for |= group.missing.keys()
    return len(asked_for), usage


@dataclass(slots=True)
class _Group:
    """Some books with the keys of their texts; `missing` are the texts whose vectors are not in the store."""

    books: dict[str, list[bytes]] = field(default_factory=dict)
    missing: dict[bytes, str] = field(default_factory=dict)

    def complete(self) -> dict[str, list[bytes]]:
        """The books of which nothing is missing."""
        return {book_id: keys for book_id, keys in self.books.items() if self.missing.keys().isdisjoint(keys)}


def _groups(books: Iterable[tuple[str, list[str]]], fingerprint: str) -> Iterator[_Group]:
    """The books, so many at once that they fill some requests and no memory."""
    group = _Group()
    for book_id, texts in books:
        group.books[book_id] = keys = [embedding_store.key(fingerprint, text) for text in texts]
        group.missing.update(zip(keys, texts, strict=True))
        if len(group.missing) >= _AT_ONCE:
            yield group
            group = _Group()
    if group.books:
        yield group


class _Run:
    """One embedding run."""

    def __init__(
        self, embedder: Embedder, store: EmbeddingStore, dimensions: int | None, on_progress: Callable[[int], None]
    ) -> None:
        self._embedder = embedder
        self._store = store
        self._dimensions = dimensions
        self._on_progress = on_progress
        self._done = 0
        self._accepted = False
        self._refused_in_a_row = 0
        self._go_on = True
        self._result = Outcome()

    async def watched(self, books: Iterable[tuple[str, list[str]]], while_waiting: Callable[[], None]) -> Outcome:
        """Brings the vectors of the books into the store. What `while_waiting` raises ends that."""
        work = asyncio.create_task(self._embed(books))
        try:
            while not (await asyncio.wait({work}, timeout=_LOOK_UP))[0]:
                while_waiting()
        except BaseException:  # Ctrl-C too: what is under way is paid for, so it is waited for, then this goes on
            self._go_on = False
            await asyncio.wait({work}, timeout=_LAST_ARRIVALS)
            raise
        return work.result()

    async def _embed(self, books: Iterable[tuple[str, list[str]]]) -> Outcome:
        cut_off = False
        for group in _groups(books, fingerprint(self._embedder)):
            found = self._store.get(list(group.missing))
            self._strike_off(group, [key for key, vector in found.items() if self._fits(len(vector))])
            await asyncio.sleep(0)  # where all is in the store nothing else would let `while_waiting` have its turn
            if not self._go_on:
                break
            if not cut_off:
                try:
                    await self._pay(group, list(group.missing))
                except Unavailable as error:
                    self._result.error, cut_off = error, True
            self._result.books |= group.complete()
        return self._result

    async def _pay(self, group: _Group, keys: list[bytes]) -> None:
        """Has texts embedded. A text that the service refuses is told from the others by dividing them."""
        if not keys:
            return
        try:
            await self._send(group, keys, [group.missing[key] for key in keys])
        except Unavailable as error:
            if error.key != _REFUSED:
                raise
            left = [key for key in keys if key in group.missing]
            if len(left) == 1:
                await self._pay_in_part(group, left[0], error)
            else:
                middle = len(left) // 2 if self._accepted else 1  # perhaps the service accepts nothing at all
                await self._pay(group, left[:middle])
                await self._pay(group, left[middle:])

    async def _pay_in_part(self, group: _Group, key: bytes, error: Unavailable) -> None:
        """Has the beginning of a text embedded in its place: many models take no more than 512 tokens."""
        text = group.missing[key]
        for share in _SHARES:
            try:
                await self._send(group, [key], [text[: math.ceil(len(text) / share)]])
            except Unavailable as still:
                if still.key != _REFUSED:
                    raise
            else:
                return
        self._refused_in_a_row += 1
        if self._refused_in_a_row == _REFUSED_IN_A_ROW:
            raise error
        self._result.error = error

    async def _send(self, group: _Group, keys: list[bytes], texts: list[str]) -> None:
        """Has texts embedded, and stores each vector as soon as it arrives."""
        async for start, vectors, usage in self._embedder.embed_passages(texts, lambda: self._go_on):
            self._result.usage += usage
            if not self._fits(length := vectors.shape[1]):
                model = self._embedder.fingerprint
                raise Unavailable("vectors_other_length", model=model, got=length, wanted=self._dimensions or 0)
            arrived = keys[start : start + len(vectors)]
            self._store.put(arrived, vectors)
            self._accepted, self._refused_in_a_row = True, 0
            self._strike_off(group, arrived)

    def _strike_off(self, group: _Group, keys: Iterable[bytes]) -> None:
        for key in keys:
            del group.missing[key]
            self._done += 1
        self._on_progress(self._done)

    def _fits(self, length: int) -> bool:
        """Whether vectors of that length can stand beside the others; the first ones decide."""
        self._dimensions = self._dimensions or length
        return length == self._dimensions

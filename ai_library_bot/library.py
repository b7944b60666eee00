"""The library: the one object that the terminal, the bot and programs hold."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ai_library_bot.index.generations import Generations
from ai_library_bot.types import (
    Answer,
    Book,
    Check,
    Excerpt,
    Generation,
    IngestReport,
    Progress,
    SearchResult,
    Verification,
)

if TYPE_CHECKING:
    from ai_library_bot.index.search import SearchIndex
    from ai_library_bot.ingest import Rules
    from ai_library_bot.settings import Settings

Notice = tuple[str, dict[str, str | int | float]]
"""Something a person should know besides the result: a message key under `notice.` and its details."""


class Library:
    """A person's books, their index and the ways to ask it. Making one opens nothing.

    Every search and every answer comes from one generation of the index, whole, also while an ingest publishes the
    next one. Methods raise the children of `errors.LibraryError`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._generations = Generations(settings.faiss_path.absolute())
        self._opened: SearchIndex | None = None
        self._notices: dict[str, Notice] = {}

    @classmethod
    def open(cls, settings: Settings) -> Library:
        """The library of these settings, for `async with`."""
        return cls(settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened = None

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What came up that a person should know."""
        return tuple(self._notices.values())

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> SearchResult:
        """The `limit` passages that match a query best, from the named books, authors and languages if any are."""
        return await asyncio.to_thread(
            lambda: self._index().search(query, limit, books=books, authors=authors, languages=languages)
        )

    async def ask(
        self,
        question: str,
        *,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> Answer:
        """The answer to a question, with quotations that stand in the books, or `found=False`."""
        from ai_library_bot import ask

        return await asyncio.to_thread(
            lambda: ask.answer(
                self._index(),
                question,
                min_relevance=self._settings.min_relevance,
                books=books,
                authors=authors,
                languages=languages,
            )
        )

    async def ingest(
        self, paths: Sequence[Path] = (), *, on_progress: Callable[[Progress], None] | None = None
    ) -> IngestReport:
        """Brings the index in step with the books under `paths`, or under the setting BOOKS_PATH.

        Cancelling stops it soon and leaves the index as it was.
        """
        from ai_library_bot import ingest

        stop = threading.Event()
        work = asyncio.create_task(
            asyncio.to_thread(
                ingest.ingest,
                self._generations,
                tuple(paths) or (self._settings.books_path,),
                self._rules(),
                on_progress or (lambda _: None),
                stop.is_set,
            )
        )
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.gather(work, return_exceptions=True)
            raise

    async def remove(self, books: Sequence[str]) -> IngestReport:
        """Takes the named books out of the index; their files stay where they are."""
        from ai_library_bot import ingest

        chosen = self._index().choose(books)
        return await asyncio.to_thread(ingest.remove, self._generations, chosen, self._rules())

    def books(self) -> tuple[Book, ...]:
        """The books in the index, by path."""
        return tuple(self._index().books.values())

    def show(self, passage: str, *, around: int = 1) -> Excerpt:
        """A passage by its id, with the passages of its chapter around it."""
        return self._index().show(passage, around)

    def generations(self) -> tuple[Generation, ...]:
        """The generations kept, newest first."""
        return self._generations.listed()

    def roll_back(self, to: int | None = None) -> tuple[int, int]:
        """Makes an earlier generation (or `to`) the active one; returns the numbers of the old one and the new."""
        return self._generations.roll_back(to)

    def verify(self) -> tuple[Verification, ...]:
        """Compares every byte of every generation with what was written, newest first."""
        return tuple(self._generations.verify(number) for number in self._generations.numbers())

    def check(self) -> tuple[Check, ...]:
        """What is set up and what is not."""
        from ai_library_bot.doctor import checks

        return tuple(checks(self._settings.books_path.absolute(), self._generations))

    def _index(self) -> SearchIndex:
        """The active generation, opened; the one in hand if it is still the active one."""
        from ai_library_bot.index.search import SearchIndex

        published = self._generations.current()
        for number in published.damaged:
            self._notices[f"damaged {number}"] = (
                "generation_damaged",
                {"damaged": number, "served": published.number},
            )
        opened = self._opened
        if opened is None or opened.published.folder != published.folder:
            try:
                opened = SearchIndex(published)
            except (OSError, ValueError):
                if published.folder.exists():
                    raise
                opened = SearchIndex(self._generations.current())  # pruned by an ingest between the two looks
            self._opened = opened
        return opened

    def _rules(self) -> Rules:
        from ai_library_bot.ingest import Rules

        return Rules(
            max_book_mb=self._settings.max_book_mb,
            min_passage_chars=self._settings.min_passage_chars,
            keep_generations=self._settings.keep_generations,
        )

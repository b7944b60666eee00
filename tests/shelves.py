"""A shelf to work with: a folder of small books and the index that is made of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from ai_library_bot import ingest, reading
from ai_library_bot.errors import UnreadableBook
from ai_library_bot.index.generations import Generations
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.ingest import Rules
from ai_library_bot.protocols import Embedder
from ai_library_bot.types import BookText, IngestPlan, IngestReport, Progress
from tests.readers.files import book_in

RULES = Rules(max_book_mb=1, min_passage_chars=20, keep_generations=5)

_LONG_AGO = 1_600_000_000_000_000_000  # nanoseconds
_TICKS = itertools.count(1)


class ReadingHere:
    """`readers.pool.ReaderPool` without its processes: books are read in this one, and their paths are noted."""

    def __init__(self) -> None:
        self.asked: list[Path] = []

    def __call__(self) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def read(
        self, paths: Iterable[Path], while_waiting: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[Path, BookText | UnreadableBook]]:
        for path in paths:
            while_waiting()
            self.asked.append(path)
            try:
                yield path, book_in(path)
            except UnreadableBook as error:
                yield path, error


class Shelf:
    """Books in `books` and an index beside that folder; `pool` notes which books were read."""

    def __init__(self, folder: Path, index: str = "index") -> None:
        self.books = folder / "books"
        self.books.mkdir(parents=True, exist_ok=True)
        self.index = folder / index
        self.generations = Generations(self.index)
        self.pool = ReadingHere()

    def put(
        self,
        name: str,
        *chapters: str,
        title: str = "",
        author: str = "Анна Север",
        language: str = "",
        data: bytes | None = None,
    ) -> Path:
        """Writes a Markdown book of that file name, one chapter for each text, or a file of any bytes.

        It looks as if it had been written long ago, later than the one before.
        """
        head = f"---\ntitle: {title or Path(name).stem}\nauthor: {author}\nlang: {language}\n---\n\n"
        body = "\n\n".join(f"## Глава {number}\n\n{text}" for number, text in enumerate(chapters, 1))
        path = self.books / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((head + body).encode() if data is None else data)
        self.touch(path)
        return path

    def touch(self, path: Path) -> None:
        """Gives the file a time of modification that no other has."""
        modified = _LONG_AGO + next(_TICKS) * 1_000_000_000
        os.utime(path, ns=(modified, modified))

    def ingest(
        self,
        *paths: Path,
        rules: Rules = RULES,
        listener: Callable[[Progress], None] = lambda _: None,
        stop_wanted: Callable[[], bool] = lambda: False,
        embedder: Embedder | None = None,
    ) -> IngestReport:
        """Ingests the paths, or all books. What was read before is forgotten by `pool`."""
        self.pool.asked.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "ReaderPool", self.pool)
            patch.setattr(os, "fsync", lambda descriptor: None)
            return ingest.ingest(self.generations, paths or (self.books,), rules, listener, stop_wanted, embedder)

    def plan(self, *paths: Path, embedder: Embedder | None = None) -> IngestPlan:
        """Plans to ingest the paths, or all books."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(reading, "ReaderPool", self.pool)
            return ingest.plan(self.generations, paths or (self.books,), RULES, lambda _: None, lambda: False, embedder)

    def open(self) -> SearchIndex:
        """The active generation."""
        return SearchIndex(self.generations.current())

    def found(self, query: str) -> list[str]:
        """The texts of the passages found, best first."""
        return [hit.passage.text for hit in self.open().search(query, 50)]

    def files(self) -> list[str]:
        """The names of the files in the catalogue, sorted."""
        return sorted(book.path.name for book in self.open().books.values())

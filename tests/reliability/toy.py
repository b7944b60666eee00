"""A small library that may be broken in every way, and what is true of it however that was done.

It was read once; since then books have come, gone and changed. An ingest that is cut short must leave the first state
or the second, and the next one must end in the second, which is what a clean build gives.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from ai_library_bot.index.entries import Entry
from ai_library_bot.index.generations import Generations
from ai_library_bot.index.lexical import LEXICAL, LexicalIndex
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.protocols import Embedder
from ai_library_bot.types import Book, IngestReport
from tests.fakes_embedder import FakeEmbedder, hashed_words
from tests.shelves import Shelf

QUERIES = ("лампа на маяке", "edition", "deep harbour 2", "старый мост", "смотрителю писем")
DIMENSIONS = 16


@dataclass(frozen=True)
class State:
    """All that an index says: its books, its passages and what it answers."""

    books: dict[str, Book]
    passages: list[Entry]
    hits: list[list[tuple[str, float]]]


def embedder() -> Embedder:
    return FakeEmbedder(dimensions=DIMENSIONS, batch=16)


class Toy:
    """The library in `folder`, as its `shelf`; with `vectors` it can be searched by meaning too."""

    def __init__(self, folder: Path, *, vectors: bool = False) -> None:
        self.vectors = vectors
        self.shelf = Shelf(folder)
        for number in range(4):
            self.shelf.put(f"{number}.md", *_chapters(number, "First"))
        self.ingest(self.shelf)
        self.before = self.state(self.shelf.generations)
        (self.shelf.books / "0.md").unlink()
        for number in (1, 5):
            self.shelf.put(f"{number}.md", *_chapters(number, "Second"))
        (self.shelf.books / "2.md").rename(self.shelf.books / "старый мост.md")
        clean = Shelf(folder, "clean")
        self.ingest(clean)
        self.after = self.state(clean.generations)
        assert self.before != self.after

    def copy(self, name: str) -> Shelf:
        """The same books with a copy of the index as it was before the change."""
        other = Shelf(self.shelf.books.parent, name)
        shutil.copytree(self.shelf.index, other.index)
        return other

    def ingest(self, shelf: Shelf) -> IngestReport:
        return shelf.ingest(embedder=embedder() if self.vectors else None)

    def state(self, generations: Generations) -> State:
        """What the active generation says."""
        published = generations.current()
        assert published.damaged == ()
        opened = SearchIndex(published)
        by_words = [opened.search(query, 50) for query in QUERIES]
        by_meaning = [
            opened.search(query, 50, vector=hashed_words(query, DIMENSIONS)) for query in QUERIES if self.vectors
        ]
        return State(
            books=opened.books,
            passages=sorted(LexicalIndex(published.folder / LEXICAL).entries(), key=lambda entry: entry.passage.id),
            hits=[[(hit.passage.id, round(hit.score, 9)) for hit in hits] for hits in (*by_words, *by_meaning)],
        )

    def check(self, shelf: Shelf) -> str:
        """Makes sure of what must be true of an index whose ingest was cut short: returns "old" or "new"."""
        generations = Generations(shelf.index)
        found = self.state(generations)
        assert generations.verify(generations.current().number).damages == ()
        assert found in (self.before, self.after), "neither the old state nor the new one"
        report = self.ingest(shelf)
        assert report.failed == ()
        assert self.state(generations) == self.after, "the next ingest does not end where a clean one does"
        left = [path.name for path in (shelf.index / "generations").iterdir() if path.suffix]
        assert left == [], "something is left lying about"
        return "old" if found == self.before else "new"


def _chapters(number: int, edition: str) -> list[str]:
    return [
        f"{edition} edition, book {number}, chapter {chapter}. Смотритель писал письма. " + "Лампа на маяке. " * 12
        for chapter in range(3)
    ]

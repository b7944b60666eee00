"""Flipped bytes and truncations in every file of a generation: found by `verify`, and never shown as a wrong text.

Wrong is a hit or an excerpt whose book, place or words differ from what was written, or that is of a book which was not
asked for. A passage that is not found, or found in another place of the order, because a list that it stood in is
damaged is not wrong; how often that happens is counted.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ai_library_bot.errors import BadData, MissingInput
from ai_library_bot.index import manifest
from ai_library_bot.index.generations import Generations
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.types import Book, Passage
from tests.fakes_embedder import hashed_words
from tests.reliability.tally import Tally
from tests.reliability.toy import DIMENSIONS, QUERIES, Toy

Found = list[list[tuple[str, float]]]


class Damage(NamedTuple):
    """What is done to a file: "byte", "bit" or "cut", by the number of the try."""

    file: str
    kind: str
    number: int

    def __call__(self, data: bytes) -> bytes:
        drawn = random.Random(f"{self}")
        at = drawn.randrange(len(data))
        if self.kind == "cut":
            return data[:at]
        change = 1 << drawn.randrange(8) if self.kind == "bit" else drawn.randrange(1, 256)
        return data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]


def flips(folder: Path, each: int) -> Tally:
    """Damages every file of a generation `each` times, one damage at a time."""
    toy = Toy(folder, vectors=True)
    index = toy.copy("damaged").index
    generation = Generations(index).current().folder
    sound = SearchIndex(Generations(index).current())
    passages = {entry.passage.id: entry.passage for entry in toy.before.passages}
    written = passages, sound.books, _asked(sound, passages, sound.books)
    kinds = ("byte", "bit", "byte", "cut")
    files = [*manifest.file_names(generation), manifest.NAME]
    trials = [Damage(file, kinds[number % 4], number) for file in files for number in range(each)]

    def damage(trial: Damage) -> str:
        path = generation / trial.file
        data = path.read_bytes()
        _replace(path, trial(data))
        try:
            shown = _shown(Generations(index), *written)
            assert Generations(index).verify(1).damages, "verify has not found it"
        finally:
            _replace(path, data)
        assert Generations(index).verify(1).damages == ()
        return f"{'cut' if trial.kind == 'cut' else 'flipped'} and {shown}"

    tally = Tally(f"damages to {len(files)} files").run(trials, damage)
    shutil.rmtree(index)
    return tally


def _replace(path: Path, data: bytes) -> None:
    path.unlink()  # an index that is open still maps the old file
    path.write_bytes(data)


def _shown(generations: Generations, passages: dict[str, Passage], books: dict[str, Book], expected: Found) -> str:
    """What becomes of some questions to a damaged generation. Raises AssertionError for a wrong text."""
    try:
        published = generations.current()
    except BadData:
        return "refused before it was opened"
    try:
        found = _asked(SearchIndex(published), passages, books)
    except BadData as error:
        if not generations.found_damaged(error):
            raise
        return "refused when it was read"
    if found == expected:
        return "without effect"
    ids, wanted = ([{name for name, _ in one} for one in each] for each in (found, expected))
    return "passages missed" if any(one - two for one, two in zip(wanted, ids, strict=True)) else "ordered otherwise"


def _asked(index: SearchIndex, passages: dict[str, Passage], books: dict[str, Book]) -> Found:
    """The hits of some queries, and what stands around each passage; all of it is compared with what was written.

    A hit is a passage's id with its score, a passage in an excerpt one with 0.
    """

    def hits(query: str, *, by_meaning: bool, book: str = "") -> Iterator[tuple[str, float]]:
        vector = hashed_words(query, DIMENSIONS) if by_meaning else None
        for hit in index.search(query, 50, vector=vector, books=[book] if book else ()):
            assert book in ("", hit.book.id), "a hit is of a book that was not asked for"
            assert hit.passage == passages[hit.passage.id], "a passage is not what was written"
            assert hit.book == books[hit.passage.book_id], "a book is not what was written"
            assert 0 <= hit.relevance <= 1, f"a relevance of {hit.relevance}"
            yield hit.passage.id, hit.score

    excerpts: Found = []
    for passage in passages:
        try:
            excerpt = index.show(passage, 1)
        except MissingInput:
            excerpts.append([])
            continue
        shown = [*excerpt.before, excerpt.passage, *excerpt.after]
        assert excerpt.passage.id == passage, "another passage is shown"
        assert shown == [passages[one.id] for one in shown], "a passage is not what was written"
        excerpts.append([(one.id, 0.0) for one in shown])
    found = [list(hits(query, by_meaning=by_meaning)) for query in QUERIES for by_meaning in (False, True)]
    found += [list(hits("edition", by_meaning=by_meaning, book=book)) for book in books for by_meaning in (False, True)]
    return found + excerpts

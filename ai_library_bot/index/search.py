"""Finding passages in one generation of the index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from ai_library_bot.errors import BadRequest, MissingInput, Unavailable
from ai_library_bot.index import catalogue, manifest, ranking
from ai_library_bot.index.entries import Entry
from ai_library_bot.index.lexical import LEXICAL, META, LexicalIndex
from ai_library_bot.index.manifest import Published
from ai_library_bot.index.query import asked_for, understand
from ai_library_bot.index.shards import LIST, VECTORS
from ai_library_bot.index.support import Support
from ai_library_bot.text import fold, guess_language, spans_of_words
from ai_library_bot.types import Book, Excerpt, Hit, Passage, SearchResult, Term, passage_id

if TYPE_CHECKING:
    from ai_library_bot.index.hybrid import Meaning
    from ai_library_bot.protocols import Vector

_CANDIDATES = 60
"""Passages that are read and ranked for a query; with 50, 70 or 100 one or two questions of a set change."""

_NEAREST = 20
"""Passages nearest in meaning that join them; with 30, 60 or 100 hardly a question changes."""


class SearchIndex:
    """One generation, opened for reading. It stays whole and the same however the index goes on.

    Every method, and making one, raises BadData rather than give a passage, a place or a book that is not what was
    written. Other damage (see `Generations.verify`) can at most keep a passage from being found.
    """

    def __init__(self, published: Published) -> None:
        manifest.check(published, (catalogue.NAME, f"{LEXICAL}/{META}"))
        self.published = published
        self.books = {book.id: book for book in catalogue.read(published.folder)}
        """The books by id, in the order of the catalogue."""
        self._lexical = LexicalIndex(published.folder / LEXICAL)

    def search(
        self,
        query: str,
        limit: int,
        *,
        vector: Vector | None = None,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
        marked: bool = True,
    ) -> SearchResult:
        """The passages that match best, best first; of the books named only, if any are (see `choose`).

        With the query's `vector` they are found by meaning too, where the generation has vectors. Unless `marked`, the
        hits are without their matches, which take a third of the time.
        Raises BadRequest for a query without a word, MissingInput for a filter that no book meets, Unavailable for a
        vector that is not as long as those of the generation.
        """
        if not any(character.isalnum() for character in query):
            raise BadRequest("empty_query")
        chosen = None
        if books or authors or languages:
            chosen = [book.id for book in self.choose(books, authors, languages)]
        understood = understand(query, self._lexical)
        candidates = self._lexical.candidates(understood.terms, max(_CANDIDATES, limit), chosen)
        meaning = self._meaning if vector is not None else None
        if vector is not None and meaning is not None:
            candidates += self._near(meaning, vector, max(_NEAREST, limit), chosen, candidates)
        ranked = ranking.rank(
            [(found.passage, *self._stems(found)) for found in candidates],
            understood.terms,
            understood.order,
            number_wanted=ranking.asks_number(fold(query)),
        )
        if vector is not None and meaning is not None:
            passages = [found.passage for found in candidates]
            known = [(passage.id, self.books[passage.book_id].language) for passage in passages]
            weight = ranking.total_weight(understood.terms)
            ranked = meaning.rank(vector, known, ranked, weight, asked_in=guess_language(query))
        hits = tuple(
            Hit(
                rank=rank,
                score=scored.score,
                relevance=scored.relevance,
                passage=(passage := candidates[scored.number].passage),
                book=self.books[passage.book_id],
            )
            for rank, scored in enumerate(ranked[:limit], 1)
        )
        return SearchResult(
            query=query,
            generation=self.published.number,
            mode="hybrid" if meaning else "lexical",
            hits=self.marked(hits, understood.terms) if marked else hits,
            terms=understood.terms,
            corrections=understood.corrections,
        )

    def marked(self, hits: Iterable[Hit], terms: tuple[Term, ...]) -> tuple[Hit, ...]:
        """The hits with the words that match the terms of a query."""
        asked = asked_for(terms, self._lexical.stem)
        return tuple(replace(hit, matches=tuple(spans_of_words(hit.passage.text, asked))) for hit in hits)

    def supporting(self, found: SearchResult) -> SearchResult:
        """The same result with only the hits that hold enough of what the query asks about (see `support`).

        What was found by meaning may say it in any words, so of such a result all hits stay.
        """
        if found.mode != "lexical":
            return found
        supports = Support(found.query, found.terms, self.stem)
        return replace(found, hits=tuple(filter(supports, found.hits)))

    def open_vectors(self) -> None:
        """Does what the first search by meaning would have to wait for, such as loading faiss."""
        _ = self._meaning

    @property
    def embedder(self) -> str | None:
        """The fingerprint of what made the vectors; None if there are none."""
        return self.published.embedder

    def passage(self, wanted: str) -> Excerpt | None:
        """The passage of exactly that id, with nothing around it."""
        found = self._lexical.passage(wanted)
        return Excerpt(self.books[found.book_id], (), found, ()) if found else None

    def find_in_book(self, book_id: str, text: str, limit: int) -> list[Passage]:
        """The passages of one book that share most with a text, best first."""
        terms = understand(text, self._lexical).terms
        return [entry.passage for entry in self._lexical.candidates(terms, limit, [book_id])]

    def choose(
        self, names: Sequence[str] = (), authors: Sequence[str] = (), languages: Sequence[str] = ()
    ) -> list[Book]:
        """The books that meet all the filters given; within one filter any name will do.

        A name is a part of the title or of the file name, or the beginning of the id; an author is a part of a name.
        Letter case, ё and quote marks make no difference. Raises MissingInput for a name that no book has, and where no
        book meets one of the filters, or all of them at once.
        """
        for name in names:
            if not any(_named(book, name) for book in self.books.values()):
                raise MissingInput("unknown_book", name=name)
        chosen = [book for book in self.books.values() if not names or any(_named(book, name) for name in names)]
        for key, fits, wanted in (
            ("unknown_author", _written_by, authors),
            ("unknown_language", _written_in, languages),
        ):
            if not wanted:
                continue
            fitting = {book.id for book in self.books.values() if any(fits(book, one) for one in wanted)}
            if not fitting:
                there = ", ".join(sorted({book.language for book in self.books.values()} - {""}))
                raise MissingInput(key, name=", ".join(wanted), there=there)
            chosen = [book for book in chosen if book.id in fitting]
        if not chosen:
            raise MissingInput("no_book_meets_all", name=", ".join((*names, *authors, *languages)))
        return chosen

    def stem(self, word: str) -> str:
        """The stem of a folded word, as in `Term.stems`."""
        return self._lexical.stem(word)

    def show(self, wanted: str, around: int) -> Excerpt:
        """A passage with up to `around` passages of its chapter before and behind.

        The book's part of the id may be cut short as long as one book fits. Raises MissingInput if there is none.
        """
        passage = self._find(wanted)
        before, after = (
            [self._lexical.passage(passage.beside(sign * step)) for step in range(1, around + 1)] for sign in (-1, 1)
        )
        return Excerpt(
            book=self.books[passage.book_id],
            before=tuple(reversed(_same_chapter(passage, before))),
            passage=passage,
            after=tuple(_same_chapter(passage, after)),
        )

    def _find(self, wanted: str) -> Passage:
        start, _, number = wanted.strip().partition(":")
        fitting = [book_id for book_id in self.books if start and book_id.startswith(start)]
        if len(fitting) == 1 and re.fullmatch(r"\d+", number):
            found = self._lexical.passage(passage_id(fitting[0], int(number)))
            if found is not None:
                return found
        raise MissingInput("unknown_passage", passage=wanted)

    @cached_property
    def _meaning(self) -> Meaning | None:
        """The vectors, if the generation has any; opened when the first query has one: faiss and numpy take 150 ms."""
        from ai_library_bot.index.hybrid import CALIBRATION, Meaning

        folder = self.published.folder / VECTORS
        if f"{VECTORS}/{LIST}" not in self.published.files:
            return None
        manifest.check(self.published, (f"{VECTORS}/{LIST}", f"{VECTORS}/{CALIBRATION}"))
        return Meaning(folder)

    def _near(
        self, meaning: Meaning, vector: Vector, limit: int, chosen: Sequence[str] | None, known: Sequence[Entry]
    ) -> list[Entry]:
        """The passages that are nearest to the vector, without those that are known already."""
        if len(vector) != meaning.dimensions:
            raise Unavailable(
                "vectors_other_length", model=self.embedder or "", got=len(vector), wanted=meaning.dimensions
            )
        ids = {found.passage.id for found in known}
        near = [
            self._lexical.entry(passage) for passage in meaning.nearest(vector, limit, chosen) if passage not in ids
        ]
        return [found for found in near if found]

    def _stems(self, found: Entry) -> tuple[Sequence[str], frozenset[str]]:
        return self._lexical.stems(found.passage.text), frozenset(self._lexical.stems(found.context))


def _same_chapter(passage: Passage, others: Iterable[Passage | None]) -> list[Passage]:
    chapter = []
    for other in others:
        if other is None or other.chapter != passage.chapter:
            break
        chapter.append(other)
    return chapter


def _written_by(book: Book, author: str) -> bool:
    return any(fold(author) in fold(written) for written in book.authors)


def _written_in(book: Book, language: str) -> bool:
    return book.language == language.strip().lower()


def _named(book: Book, name: str) -> bool:
    wanted = fold(name.strip())
    return (
        wanted in fold(book.title) or wanted in fold(book.path.name) or (len(wanted) > 3 and book.id.startswith(wanted))
    )

"""Which books a person means: the filters of a question, and the names of books that are to go."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from ai_library_bot.errors import BadRequest, MissingInput
from ai_library_bot.text import fold

if TYPE_CHECKING:
    from ai_library_bot.index.search import SearchIndex
    from ai_library_bot.types import Book

_LISTED = 5  # books that are named where a name fits several
_ID_SHOWN = 8  # of the sixteen digits of an id


def check_filters(index: SearchIndex, books: Sequence[str], authors: Sequence[str], languages: Sequence[str]) -> None:
    """Raises MissingInput, which says which filter no book meets, or that none meets all of them."""
    if books:
        index.choose(books)
    if not (authors or languages):
        return  # as nearly always: then nothing is gone through
    there = ", ".join(sorted({book.language for book in index.books.values()} - {""}))
    for key, filters in (
        ("unknown_author", {"authors": authors}),
        ("unknown_language", {"languages": languages}),
        ("no_book_meets_all", {"names": books, "authors": authors, "languages": languages}),
    ):
        if wanted := ", ".join(chain.from_iterable(filters.values())):
            try:
                index.choose(**filters)
            except MissingInput as unknown:
                raise MissingInput(key, name=wanted, there=there) from unknown


def books_to_remove(index: SearchIndex, names: Sequence[str]) -> list[Book]:
    """The book that each name means: the only one that it fits (see `SearchIndex.choose`), or that is called just so.

    Raises MissingInput for a name that fits no book, BadRequest for one that fits several.
    """
    return list({book.id: book for book in (_meant(index, name) for name in names)}.values())


def _meant(index: SearchIndex, name: str) -> Book:
    wanted = fold(name.strip())
    if not wanted:
        raise MissingInput("unknown_book", name=name)
    fitting = index.choose([name])
    called_so = [book for book in fitting if wanted in (fold(book.title), fold(book.path.name), book.id)]
    candidates = called_so or fitting
    if len(candidates) == 1:
        return candidates[0]
    listed = [f"{book.title} ({book.path.name}, {book.id[:_ID_SHOWN]})" for book in candidates[:_LISTED]]
    raise BadRequest("several_books", name=name, books="; ".join([*listed, "…"][: len(candidates)]))

"""Which books a person means by the names of those that are to go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ai_library_bot.errors import BadRequest, MissingInput
from ai_library_bot.text import fold

if TYPE_CHECKING:
    from ai_library_bot.index.search import SearchIndex
    from ai_library_bot.types import Book

_LISTED = 5  # books that are named where a name fits several
_ID_SHOWN = 8  # of the sixteen digits of an id


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

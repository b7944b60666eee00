"""A quotation → the page it stands on, as a picture."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ai_library_bot.errors import BadRequest, MissingInput, UnreadableBook
from ai_library_bot.readers.pool import ReaderPool
from ai_library_bot.scan import book_id
from ai_library_bot.types import Passage

if TYPE_CHECKING:
    from ai_library_bot.index.search import SearchIndex

_SECONDS = 20  # for one picture


class _Quotation(NamedTuple):
    """Where a quotation stands: `text` is what its passage has on that page, `text[start:end]` the quotation there."""

    path: Path
    page: int
    text: str
    start: int
    end: int


async def page_picture(index: SearchIndex, passage_id: str, start: int, end: int) -> bytes:
    """The page on which a quotation from a PDF begins, as PNG, with what stands there of the quotation marked.

    A process of its own draws it, and ends with it: that costs two tenths of a second.
    Raises MissingInput for a passage or file that is not there, BadRequest for a book without pages, Unavailable if no
    process starts, and UnreadableBook for a file that has changed since it was read or can't be drawn.
    """
    wanted = await asyncio.to_thread(_quotation, index, passage_id, start, end)
    with ReaderPool(1, seconds=_SECONDS) as pool:
        picture = await asyncio.to_thread(pool.picture, *wanted)
    if isinstance(picture, UnreadableBook):
        raise UnreadableBook("page_not_drawn", path=str(wanted.path), page=wanted.page) from picture
    return picture


def _quotation(index: SearchIndex, passage_id: str, start: int, end: int) -> _Quotation:
    found = index.show(passage_id, around=0)
    book, passage = found.book, found.passage
    if not 0 <= start < end <= len(passage.text):
        raise MissingInput("unknown_passage", passage=f"{passage_id} {start}–{end}")
    page = passage.page_at(start)
    if page is None or book.format != "pdf":
        raise BadRequest("no_pages", path=str(book.path))
    try:
        changed = book_id(book.path) != book.id
    except FileNotFoundError as error:
        raise MissingInput("no_such_path", path=str(book.path)) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnreadableBook("cannot_open", retry=True, path=str(book.path), reason=reason) from error
    if changed:
        raise UnreadableBook("book_changed", path=str(book.path))
    return _Quotation(book.path, page, *_on_page(passage, page, start, end))


def _on_page(passage: Passage, page: int, start: int, end: int) -> tuple[str, int, int]:
    """What the passage has on the page, and where the span begins and ends in it."""
    ends = [offset for offset, _ in passage.pages[1:]] + [len(passage.text)]
    parts = [(begin, behind) for (begin, number), behind in zip(passage.pages, ends, strict=True) if number == page]
    before_start, before_end = (
        sum(max(0, min(offset, behind) - begin) for begin, behind in parts) for offset in (start, end)
    )
    return "".join(passage.text[begin:behind] for begin, behind in parts), before_start, before_end

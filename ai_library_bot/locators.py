"""Where a passage stands, in words: for the terminal and for Telegram alike."""

from __future__ import annotations

from ai_library_bot.locales import Messages
from ai_library_bot.types import Book, Passage


def place(say: Messages, passage: Passage, offset: int = 0) -> list[str]:
    """The chapter of the character at `offset` of the passage, if it has one, then the page or the position."""
    page = passage.page_at(offset)
    if page is None:
        where = say("number.percent", number=say.number(100 * passage.position))
    else:
        where = say("locator.page", page=page)
    return [" › ".join(passage.chapter), where] if passage.chapter else [where]


def source(say: Messages, book: Book) -> str:
    """Authors and title."""
    return " · ".join([*book.authors, say("locator.title", title=book.title)])

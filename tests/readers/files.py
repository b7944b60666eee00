"""What the readers make of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ai_library_bot.readers import draw_page, read_book
from ai_library_bot.types import BookText


def book_in(path: Path, read: Callable[[bytes, Path], BookText] = read_book) -> BookText:
    """The book in a file, as `read` has it."""
    return read(path.read_bytes(), path)


def drawn(path: Path, page: int, text: str, start: int, end: int) -> bytes:
    """A page of a file, as `draw_page` draws it."""
    return draw_page(path.read_bytes(), path, page, text, start, end)

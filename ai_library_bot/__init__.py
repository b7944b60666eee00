"""Ask your own folder of books: answers with quotations checked word for word.

    async with Library.open(Settings()) as library:
        hits = await library.search("lighthouse")
        answer = await library.ask("Why does the keeper stop writing letters?")

Names are loaded when they are first used: importing the package does nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ai_library_bot.errors import LibraryError
    from ai_library_bot.library import Library
    from ai_library_bot.settings import Settings
    from ai_library_bot.types import Answer, Book, Citation, Hit, IngestReport, Passage, SearchResult

_HOMES = {
    "Library": "library",
    "Settings": "settings",
    "LibraryError": "errors",
    **dict.fromkeys(("Answer", "Book", "Citation", "Hit", "IngestReport", "Passage", "SearchResult"), "types"),
}

__all__ = [
    "Answer",
    "Book",
    "Citation",
    "Hit",
    "IngestReport",
    "Library",
    "LibraryError",
    "Passage",
    "SearchResult",
    "Settings",
]


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

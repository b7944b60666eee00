"""What `library doctor` looks at: whether the program can do its work here, and what to mend if not."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot.errors import LibraryError
from ai_library_bot.scan import scan
from ai_library_bot.types import Check

if TYPE_CHECKING:
    from ai_library_bot.index.generations import Generations


def checks(books: Path, generations: Generations) -> Iterator[Check]:
    """One check after another: the program, the folder of books, the index and its folder."""
    yield Check("program", True, {"version": version("ai-library-bot"), "python": platform.python_version()})
    yield _books(books)
    yield from _index(generations)
    yield _writable(generations.folder)


def _books(folder: Path) -> Check:
    try:
        found = scan([folder]).found
    except LibraryError:
        return Check("no_books", None, {"folder": str(folder)})
    return Check("books", True, {"folder": str(folder), "count": len(found)})


def _index(generations: Generations) -> Iterator[Check]:
    try:
        current = generations.current()
    except LibraryError as error:
        yield Check(error.key, None if error.key == "no_index" else False, error.details)
        return
    yield Check("index", True, {"generation": current.number, "count": current.books})
    for number in current.damaged:
        yield Check("damaged", False, {"damaged": number, "served": current.number})


def _writable(folder: Path) -> Check:
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    writable = os.access(nearest, os.W_OK)
    return Check("writable" if writable else "not_writable", writable, {"folder": str(folder)})

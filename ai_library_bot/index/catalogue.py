"""The catalogue of a generation, `books.jsonl`: one book a line.

The lines are plain ASCII: no character of a title or a path can be taken for a line end, and a file name that is not
valid Unicode comes back as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from ai_library_bot.errors import BadData
from ai_library_bot.index import disk
from ai_library_bot.types import Book

NAME = "books.jsonl"

_FIELDS = tuple(field.name for field in fields(Book))


def write(folder: Path, books: Iterable[Book]) -> None:
    """Writes the catalogue of the generation staged in `folder`, in place of the parent's. Raises CannotWrite."""
    lines = [json.dumps({name: getattr(book, name) for name in _FIELDS}, default=str) + "\n" for book in books]
    with disk.writing_into(folder):
        disk.write(folder / NAME, "".join(lines).encode("ascii"))


def read(folder: Path) -> tuple[Book, ...]:
    """The books of the generation in `folder`, in the order in which they were written. Raises BadData."""
    try:
        lines = (folder / NAME).read_text("ascii").splitlines()
        return tuple(map(_book, json.loads(f"[{','.join(lines)}]")))  # one parse, half the time of one a line
    except (ValueError, TypeError, KeyError) as error:
        raise BadData("file_damaged", file=str(folder / NAME)) from error


def _book(values: dict[str, Any]) -> Book:
    """A book from a line's values; JSON knows neither paths nor tuples."""
    values["path"] = Path(values["path"])
    values["authors"] = tuple(values["authors"])
    values["warnings"] = tuple(values["warnings"])
    return Book(**values)

"""What has to be done to bring the catalogue in step with the shelf. Books are told apart by content, not by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers import SUFFIXES, suffix_of
from ai_library_bot.scan import Found, Shelf
from ai_library_bot.types import Book, Failure, Skip

_MEGABYTE = 1_000_000  # bytes
_TOO_LARGE = "too_large"  # decided anew at every ingest: the limit may have been raised


@dataclass(frozen=True, slots=True)
class ToRead:
    """A new book, or the new content of a file whose former book it `replaces`."""

    id: str
    file: Found
    replaces: Book | None


@dataclass(slots=True)
class Changes:
    """The differences between shelf and catalogue. Books from outside the shelf appear in none of these."""

    to_read: list[ToRead] = field(default_factory=list)
    moved: list[tuple[Book, Found]] = field(default_factory=list)
    removed: list[Book] = field(default_factory=list)
    unchanged: list[Book] = field(default_factory=list)
    failed: list[tuple[Found, Failure]] = field(default_factory=list)
    skipped: list[Skip] = field(default_factory=list)


def compare(
    shelf: Shelf,
    catalogue: Iterable[Book],
    known_failures: Mapping[Path, tuple[tuple[int, int], Failure]],
    max_book_mb: float,
    identify: Callable[[Found], str],
) -> Changes:
    """The changes from the catalogue to the shelf.

    `identify` gives the id of a file's content and may raise OSError; it is not asked about files that still have
    the size and time of modification on record. A file that can't be read keeps its former book in the catalogue.
    """
    changes = Changes()
    by_id = {book.id: book for book in catalogue}
    by_path = {book.path: book for book in by_id.values()}
    ids: dict[Path, str] = {}
    for file in shelf.found:
        before = by_path.get(file.path)
        if failure := _refusal(file, known_failures.get(file.path), max_book_mb):
            changes.failed.append((file, failure))
        elif suffix_of(file.path) not in SUFFIXES:
            changes.skipped.append(
                Skip(file.path, "other_kind_of_book", {"path": str(file.path), "suffix": suffix_of(file.path)})
            )
        elif before and file.stamp == (before.size, before.modified_ns):
            ids[file.path] = before.id
        else:
            try:
                ids[file.path] = identify(file)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                unreadable = UnreadableBook("cannot_open", retry=True, path=str(file.path), reason=reason)
                changes.failed.append((file, failure_of(file.path, unreadable)))
    changes.skipped += [Skip(path, "leads_out", {"path": str(path)}) for path in shelf.outside]
    files = {file.path: file for file in shelf.found}
    keepers = _one_path_each(ids, by_id)
    for path, book_id in ids.items():
        known = by_id.get(book_id)
        if path != keepers[book_id]:
            changes.skipped.append(Skip(path, "duplicate", {"path": str(path), "of": str(keepers[book_id])}))
        elif known is None:
            former = by_path.get(path)
            lives_on = former is not None and former.id in keepers  # a copy was made before the file was changed
            changes.to_read.append(ToRead(book_id, files[path], None if lives_on else former))
        elif known.path == path:
            changes.unchanged.append(known)
        elif known.path.name == path.name:
            changes.moved.append((known, files[path]))
        else:
            changes.to_read.append(ToRead(book_id, files[path], known))  # the name may tell title and author
    spoken_for = {id(read.replaces) for read in changes.to_read} | {id(book) for book, _ in changes.moved}
    failing = {file.path for file, _ in changes.failed}
    for book in by_id.values():
        still_there = ids.get(book.path) == book.id or book.path in failing or not shelf.covers(book.path)
        if not still_there and id(book) not in spoken_for:
            changes.removed.append(book)
    return changes


def failure_of(path: Path, error: UnreadableBook) -> Failure:
    """What is recorded of a file that could not be read."""
    return Failure(path, error.key, error.details, error.retry)


def _refusal(file: Found, known: tuple[tuple[int, int], Failure] | None, max_book_mb: float) -> Failure | None:
    """Why the file is not even opened: it is too large, or has not changed since it could not be read."""
    if file.size > max_book_mb * _MEGABYTE:
        size = round(file.size / _MEGABYTE, 1)
        return failure_of(file.path, UnreadableBook(_TOO_LARGE, path=str(file.path), megabytes=size, limit=max_book_mb))
    if known and known[0] == file.stamp and not known[1].retry and known[1].reason != _TOO_LARGE:
        return known[1]
    return None


def _one_path_each(ids: Mapping[Path, str], by_id: Mapping[str, Book]) -> dict[str, Path]:
    """For each content the one path that stands for it: the one in the catalogue if it holds it still, or the first."""
    keepers: dict[str, Path] = {}
    for path, book_id in ids.items():
        keepers.setdefault(book_id, path)
    for book_id in keepers:
        known = by_id.get(book_id)
        if known and (ids.get(known.path) == book_id or (known.path not in ids and known.path.exists())):
            keepers[book_id] = known.path
    return keepers

"""From the shelf to the texts of its books, while a person watches and may stop it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ai_library_bot.changes import Changes, ToRead, compare, failure_of
from ai_library_bot.errors import UnreadableBook
from ai_library_bot.readers.pool import ReaderPool
from ai_library_bot.scan import Found, Shelf, book_id
from ai_library_bot.types import Book, BookText, Failure, Progress

Listener = Callable[[Progress], None]


class Stopped(Exception):
    """The person asked to stop. Nothing was published."""


class Reading:
    """Reads books in worker processes. `listener` hears of progress; `stop_wanted` is asked often."""

    def __init__(self, listener: Listener, stop_wanted: Callable[[], bool]) -> None:
        self.listener = listener
        self._stop_wanted = stop_wanted

    def go_on(self, progress: Progress) -> None:
        """Says how far it is; raises Stopped if the person wants no more."""
        self.stop_if_wanted()
        self.listener(progress)

    def stop_if_wanted(self) -> None:
        """Raises Stopped if the person wants no more."""
        if self._stop_wanted():
            raise Stopped

    def changes(
        self,
        shelf: Shelf,
        books: Iterable[Book],
        known_failures: Mapping[Path, tuple[tuple[int, int], Failure]],
        max_book_mb: float,
    ) -> Changes:
        """The changes from the catalogue to the shelf, as `compare` finds them."""
        hashed = itertools.count(1)

        def identify(file: Found) -> str:
            self.go_on(Progress("scan", next(hashed), len(shelf.found), file.path.name))
            return book_id(file.path)

        return compare(shelf, books, known_failures, max_book_mb, identify)

    def read(self, changes: Changes) -> Iterator[tuple[ToRead, BookText]]:
        """The books as the workers read them; those that can't be read are added to the failures."""
        total = len(changes.to_read)
        with ReaderPool() as pool:
            answers = pool.read((read.file.path for read in changes.to_read), self.stop_if_wanted)
            for done, (read, (path, text)) in enumerate(zip(changes.to_read, answers, strict=True)):
                self.go_on(Progress("read", done, total, path.name))
                if isinstance(text, UnreadableBook):
                    changes.failed.append((read.file, failure_of(path, text)))
                elif not read.file.still_there():
                    changed = UnreadableBook("changed_while_reading", retry=True, path=str(path))
                    changes.failed.append((read.file, failure_of(path, changed)))
                else:
                    yield read, text
            self.go_on(Progress("read", total, total))

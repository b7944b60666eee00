"""Books → new generation: bring the index in step with the shelf, reading only what is new or has changed."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from ai_library_bot.changes import Changes, ToRead, compare, failure_of
from ai_library_bot.chunking import passages
from ai_library_bot.errors import UnreadableBook
from ai_library_bot.index import catalogue, disk, failures
from ai_library_bot.index.generations import Generations, Writing
from ai_library_bot.index.lexical import LEXICAL, PRIVATE_FILES, Entry, LexicalIndex, LexicalWriter
from ai_library_bot.readers.pool import ReaderPool
from ai_library_bot.scan import Found, Shelf, book_id, scan, settled_ns
from ai_library_bot.types import Book, BookText, IngestReport, Progress

Listener = Callable[[Progress], None]


class Stopped(Exception):
    """The person asked to stop. Nothing was published."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say about books and generations; sizes in megabytes and characters."""

    max_book_mb: float
    min_passage_chars: int
    keep_generations: int


def ingest(
    generations: Generations,
    paths: Sequence[Path],
    rules: Rules,
    listener: Listener,
    stop_wanted: Callable[[], bool],
) -> IngestReport:
    """Reads the books under `paths` into a new generation and takes out those that are gone from there.

    Books from elsewhere stay as they are, and nothing is published where nothing has changed. `listener` hears of
    progress. Raises Stopped soon after `stop_wanted` says so; MissingInput, Busy, CannotWrite and BadData as `scan`
    and `Generations` do.
    """
    began = time.monotonic()
    listener(Progress("scan", 0, 0))
    shelf = scan(paths)
    with generations.writing() as writing, closing(_Run(generations, writing, rules, listener, stop_wanted)) as run:
        return run.sync(shelf, began)


def remove(generations: Generations, books: Sequence[Book], rules: Rules) -> IngestReport:
    """Takes books out of the index; their files stay where they are. Raises as `ingest`."""
    began = time.monotonic()
    with (
        generations.writing() as writing,
        closing(_Run(generations, writing, rules, lambda _: None, lambda: False)) as run,
    ):
        return run.carry_out(Changes(removed=list(books)), began)


class _Run:
    """One run of the writer: from the changes to the published generation."""

    def __init__(
        self,
        generations: Generations,
        writing: Writing,
        rules: Rules,
        listener: Listener,
        stop_wanted: Callable[[], bool],
    ) -> None:
        self._generations = generations
        self._writing = writing
        self._rules = rules
        self._listener = listener
        self._stop_wanted = stop_wanted
        self._lexical: LexicalWriter | None = None
        parent = writing.parent
        self._books = {book.id: book for book in catalogue.read(parent.folder)} if parent else {}

    def sync(self, shelf: Shelf, began: float) -> IngestReport:
        """Brings the index in step with the shelf, and the record of failures with it."""
        known = failures.read(self._generations.folder)
        hashed = self._identify(len(shelf.found))
        changes = compare(shelf, self._books.values(), known, self._rules.max_book_mb, hashed)
        report = self.carry_out(changes, began)
        elsewhere = {path: entry for path, entry in known.items() if not shelf.covers(path)}
        here = {file.path: (file.stamp, failure) for file, failure in changes.failed}
        if known != elsewhere | here:
            failures.write(self._generations.folder, (elsewhere | here).values())
        return report

    def carry_out(self, changes: Changes, began: float) -> IngestReport:
        """Makes the changes and publishes them as one generation, if there are any."""
        added: list[Path] = []
        updated = [file.path for _, file in changes.moved]
        for book in changes.removed:
            self._remove(book)
        for book, file in changes.moved:
            self._books[book.id] = replace(book, path=file.path, modified_ns=settled_ns(file.modified_ns))
        warned: dict[Path, tuple[str, ...]] = {}
        for read, text in self._read(changes):
            warned[read.file.path] = text.warnings
            if read.replaces:
                self._remove(read.replaces)
            self._add(read, text)
            (updated if read.replaces else added).append(read.file.path)
        parent = self._writing.parent
        number = parent.number if parent else None
        repairing = parent is not None and parent.damaged
        if changes.removed or updated or added or repairing:
            number = self._publish()
        return IngestReport(
            generation=number,
            parent=parent.number if parent else None,
            added=tuple(added),
            updated=tuple(updated),
            unchanged=len(changes.unchanged),
            removed=tuple(book.path for book in changes.removed),
            failed=tuple(failure for _, failure in changes.failed),
            skipped=tuple(changes.skipped),
            books=len(self._books),
            passages=sum(book.passages for book in self._books.values()),
            languages=dict(Counter(book.language for book in self._books.values()).most_common()),
            seconds=round(time.monotonic() - began, 3),
            warnings=tuple((path, key) for path, keys in warned.items() for key in keys),
        )

    def close(self) -> None:
        """Lets go of what was staged and not published."""
        if self._lexical:
            self._lexical.abandon()

    def _identify(self, total: int) -> Callable[[Found], str]:
        done = itertools.count(1)

        def identify(file: Found) -> str:
            self._go_on(Progress("scan", next(done), total, file.path.name))
            return book_id(file.path)

        return identify

    def _read(self, changes: Changes) -> Iterator[tuple[ToRead, BookText]]:
        """The books as the workers read them; those that can't be read are added to the failures."""
        total = len(changes.to_read)
        with ReaderPool() as pool:
            answers = pool.read((read.file.path for read in changes.to_read), self._stop_if_wanted)
            for done, (read, (path, text)) in enumerate(zip(changes.to_read, answers, strict=True)):
                self._go_on(Progress("read", done, total, path.name))
                if isinstance(text, UnreadableBook):
                    changes.failed.append((read.file, failure_of(path, text)))
                elif not read.file.still_there():
                    changed = UnreadableBook("changed_while_reading", retry=True, path=str(path))
                    changes.failed.append((read.file, failure_of(path, changed)))
                else:
                    yield read, text
            self._go_on(Progress("read", total, total))

    def _add(self, read: ToRead, text: BookText) -> None:
        cut = passages(read.id, text, self._rules.min_passage_chars)
        for passage in cut:
            self._writer().add(Entry(passage, " ".join((text.title, *text.authors))))
        self._books[read.id] = Book(
            id=read.id,
            path=read.file.path,
            title=text.title,
            authors=text.authors,
            language=text.language,
            year=text.year,
            format=text.format,
            size=read.file.size,
            modified_ns=settled_ns(read.file.modified_ns),
            passages=len(cut),
            characters=sum(len(section.text) for section in text.sections),
            warnings=text.warnings,
        )

    def _remove(self, book: Book) -> None:
        self._writer().remove(book.id)
        self._books.pop(book.id, None)  # another ingest may have taken it out since it was chosen

    def _writer(self) -> LexicalWriter:
        """The writer, begun when the first passage comes or goes: an ingest without changes has none."""
        if not self._lexical:
            self._lexical = LexicalWriter(self._stage / LEXICAL)
        return self._lexical

    @property
    def _stage(self) -> Path:
        return self._writing.stage(private=[f"{LEXICAL}/{name}" for name in PRIVATE_FILES])

    def _publish(self) -> int:
        """Writes, checks and publishes what was staged; returns the number of the generation."""
        self._go_on(Progress("index", 0, 1))
        if self._lexical:
            self._lexical.close()
            self._lexical = None
        books = sorted(self._books.values(), key=lambda book: book.path)
        with disk.writing_into(self._generations.folder):
            catalogue.write(self._stage, books)
        self._go_on(Progress("check", 0, 1))
        expected = sum(book.passages for book in books)
        if (found := LexicalIndex(self._stage / LEXICAL).passages) != expected:
            raise RuntimeError(f"the new index holds {found} passages instead of {expected}")
        published = self._writing.publish(
            books=len(books), passages=expected, embedder=None, keep=self._rules.keep_generations
        )
        self._listener(Progress("check", 1, 1))
        return published.number

    def _go_on(self, progress: Progress) -> None:
        self._stop_if_wanted()
        self._listener(progress)

    def _stop_if_wanted(self) -> None:
        if self._stop_wanted():
            raise Stopped

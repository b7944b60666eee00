"""Books → new generation: bring the index in step with the shelf, reading only what is new or has changed."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ai_library_bot.changes import Changes, ToRead
from ai_library_bot.chunking import passages
from ai_library_bot.errors import BadData
from ai_library_bot.index import catalogue, disk, failures, shards
from ai_library_bot.index.entries import Entry
from ai_library_bot.index.generations import Generations, Writing
from ai_library_bot.index.lexical import LEXICAL, PRIVATE_FILES, LexicalIndex, LexicalWriter
from ai_library_bot.index.shards import VECTORS
from ai_library_bot.reading import Listener, Reading
from ai_library_bot.scan import Shelf, scan, settled_ns
from ai_library_bot.types import Book, BookText, IngestPlan, IngestReport, Notice, Progress, Usage

if TYPE_CHECKING:
    from ai_library_bot.index.embedding_store import EmbeddingStore
    from ai_library_bot.index.manifest import Published
    from ai_library_bot.protocols import Embedder


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
    embedder: Embedder | None = None,
) -> IngestReport:
    """Reads the books under `paths` into a new generation and takes out those that are gone from there.

    Books from elsewhere stay as they are, and nothing is published where nothing has changed. With an embedder every
    book of the index that has no vectors of its making gets them; where the embedder fails, the others are published
    all the same, and a notice says what is left and why. Without one the vectors stay that are there. `listener`
    hears of progress. Raises Stopped soon after `stop_wanted` says so; MissingInput, Busy, CannotWrite and BadData as
    `scan` and `Generations` do.
    """
    began = time.monotonic()
    reading = Reading(listener, stop_wanted)
    listener(Progress("scan", 0, 0))
    shelf = scan(paths)
    while True:
        try:
            with generations.writing() as writing, closing(_Run(generations, writing, rules, reading, embedder)) as run:
                return run.sync(shelf, began)
        except BadData as error:
            if not generations.found_damaged(error):  # else the next try begins with a sound one, or with none
                raise


def remove(generations: Generations, books: Sequence[Book], rules: Rules) -> IngestReport:
    """Takes books out of the index; their files stay where they are. Raises as `ingest`."""
    began = time.monotonic()
    reading = Reading(lambda _: None, lambda: False)
    with generations.writing() as writing, closing(_Run(generations, writing, rules, reading, None)) as run:
        return run.carry_out(Changes(removed=list(books)), began)


def plan(
    generations: Generations,
    paths: Sequence[Path],
    rules: Rules,
    listener: Listener,
    stop_wanted: Callable[[], bool],
    embedder: Embedder | None = None,
) -> IngestPlan:
    """What `ingest` would do with the same arguments, and what that would cost. Nothing is published or paid.

    Raises as `ingest`.
    """
    began = time.monotonic()
    reading = Reading(listener, stop_wanted)
    listener(Progress("scan", 0, 0))
    shelf = scan(paths)
    parent = generations.newest_sound()
    books = _catalogue(parent)
    changes = reading.changes(shelf, books.values(), failures.read(generations.folder), rules.max_book_mb)
    added: list[Path] = []
    updated = [file.path for _, file in changes.moved]
    cut: list[int] = []

    def new_books() -> Iterator[tuple[str, list[Entry]]]:
        for read, text in reading.read(changes):
            (updated if read.replaces else added).append(read.file.path)
            entries = _cut(read, text, rules)
            cut.append(len(entries))
            yield read.id, entries

    to_embed, usage = 0, Usage()
    if embedder:
        from ai_library_bot.embedding import missing, prepared
        from ai_library_bot.index.embedding_store import EmbeddingStore

        gone = {book.id for book in changes.removed} | {read.replaces.id for read in changes.to_read if read.replaces}
        same_model = parent is not None and parent.embedder == _fingerprint(embedder)
        have = _with_vectors(parent)[0] if same_model else frozenset()
        left = [book for book in books.values() if book.id not in gone | have]
        every = itertools.chain(new_books(), _entries(parent.folder / LEXICAL, left) if parent else ())
        texts = ((book_id, [prepared(entry) for entry in entries]) for book_id, entries in every)
        with closing(EmbeddingStore(generations.folder)) as store:
            to_embed, usage = missing(texts, embedder, store, reading.stop_if_wanted)
    else:
        for _ in new_books():
            pass
    return IngestPlan(
        added=tuple(added),
        updated=tuple(updated),
        unchanged=len(changes.unchanged),
        removed=tuple(book.path for book in changes.removed),
        failed=tuple(failure for _, failure in changes.failed),
        skipped=tuple(changes.skipped),
        passages=sum(cut),
        embedder=embedder.fingerprint if embedder else None,
        to_embed=to_embed,
        tokens=usage.prompt_tokens,
        cost=usage.cost,
        seconds=round(time.monotonic() - began, 3),
    )


def _catalogue(published: Published | None) -> dict[str, Book]:
    """The books of a generation by their ids."""
    return {book.id: book for book in catalogue.read(published.folder)} if published else {}


def _with_vectors(published: Published | None) -> tuple[frozenset[str], int | None]:
    """The books that have vectors in a generation, by their ids, and how long these are."""
    if not published or not published.embedder:
        return frozenset(), None
    dimensions, listed = shards.read(published.folder / VECTORS)
    return frozenset(book.book_id for shard in listed for book in shard.books), dimensions


def _fingerprint(embedder: Embedder | None) -> str | None:
    """The fingerprint of the vectors that the embedder would make."""
    if not embedder:
        return None
    from ai_library_bot.embedding import fingerprint

    return fingerprint(embedder)


def _cut(read: ToRead, text: BookText, rules: Rules) -> list[Entry]:
    """The passages of a book as they are indexed."""
    under = " ".join((text.title, *text.authors))
    return [Entry(passage, under) for passage in passages(read.id, text, rules.min_passage_chars)]


def _entries(lexical: Path, books: Iterable[Book]) -> Iterator[tuple[str, list[Entry]]]:
    """Books that are in the lexical index, each with its passages in order."""
    index = LexicalIndex(lexical)
    for book in books:
        yield book.id, index.book_passages(book.id)


@dataclass(frozen=True, slots=True)
class _Vectors:
    """The vectors of the generation to come: what makes them, the books that keep theirs, and the keys of new ones."""

    embedder: str | None
    kept: Set[str]
    new: Mapping[str, Sequence[bytes]]


class _Run:
    """One run of the writer: from the changes to the published generation."""

    def __init__(
        self,
        generations: Generations,
        writing: Writing,
        rules: Rules,
        reading: Reading,
        embedder: Embedder | None,
    ) -> None:
        self._generations = generations
        self._writing = writing
        self._rules = rules
        self._reading = reading
        self._embedder = embedder
        self._lexical: LexicalWriter | None = None
        self._store: EmbeddingStore | None = None
        self._books = _catalogue(writing.parent)
        self._read: set[str] = set()
        self._there, self._dimensions = _with_vectors(writing.parent)
        self._wanted = _fingerprint(embedder)
        self._notices: list[Notice] = []
        self._usage = Usage()

    def sync(self, shelf: Shelf, began: float) -> IngestReport:
        """Brings the index in step with the shelf, and the record of failures with it."""
        known = failures.read(self._generations.folder)
        changes = self._reading.changes(shelf, self._books.values(), known, self._rules.max_book_mb)
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
        for read, text in self._reading.read(changes):
            warned[read.file.path] = text.warnings
            if read.replaces:
                self._remove(read.replaces)
            self._add(read, text)
            (updated if read.replaces else added).append(read.file.path)
        published = parent = self._writing.parent
        repairing = parent is not None and parent.damaged
        vectors = self._vectors()
        if changes.removed or updated or added or repairing or vectors.new:
            published = self._publish(vectors)
        if self._store and self._store.set_aside:
            self._notices.append(Notice("embedding_store_damaged", {"file": str(self._store.set_aside)}))
        return IngestReport(
            generation=published.number if published else None,
            parent=parent.number if parent else None,
            added=tuple(added),
            updated=tuple(updated),
            unchanged=len(changes.unchanged),
            removed=tuple(book.path for book in changes.removed),
            removed_books=tuple(changes.removed),
            failed=tuple(failure for _, failure in changes.failed),
            skipped=tuple(changes.skipped),
            books=len(self._books),
            passages=sum(book.passages for book in self._books.values()),
            languages=dict(Counter(book.language for book in self._books.values()).most_common()),
            seconds=round(time.monotonic() - began, 3),
            warnings=tuple((path, key) for path, keys in warned.items() for key in keys),
            embedded=self._embedded(published),
            notices=tuple(self._notices),
            usage=self._usage,
        )

    def close(self) -> None:
        """Lets go of what was staged and not published."""
        if self._lexical:
            self._lexical.abandon()
        if self._store:
            self._store.close()

    def _add(self, read: ToRead, text: BookText) -> None:
        entries = _cut(read, text, self._rules)
        for entry in entries:
            self._writer().add(entry)
        self._read.add(read.id)
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
            passages=len(entries),
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
        return self._writing.stage([*(f"{LEXICAL}/{name}" for name in PRIVATE_FILES), f"{VECTORS}/{shards.LIST}"])

    def _finish_lexical(self) -> None:
        """Completes what is staged of the lexical index; it can be read then."""
        if self._lexical:
            self._lexical.close()
            self._lexical = None

    def _vectors(self) -> _Vectors:
        """The vectors of the generation to come. Those that are new are in the store when this returns."""
        parent = self._writing.parent
        made_by = parent.embedder if parent else None
        kept = self._there & self._books.keys() - self._read
        if self._embedder:
            have = kept if made_by == self._wanted else frozenset()
            new = self._embed(
                [book for book in self._books.values() if book.passages and book.id not in have],
                self._embedder,
                self._dimensions if have else None,
            )
            if new:  # else a model that gives nothing would take away the vectors of another one
                return _Vectors(self._wanted, have, new)
        return _Vectors(made_by, kept, {})

    def _embed(
        self, books: Sequence[Book], embedder: Embedder, dimensions: int | None
    ) -> Mapping[str, Sequence[bytes]]:
        """Brings the vectors of books into the store; of those that are complete, the keys of their passages."""
        if not books:
            return {}
        from ai_library_bot.embedding import embed, prepared
        from ai_library_bot.index.embedding_store import EmbeddingStore

        total = sum(book.passages for book in books)
        self._reading.go_on(Progress("embed", 0, total))
        self._finish_lexical()
        parent = self._writing.parent
        lexical = (self._stage if self._read or not parent else parent.folder) / LEXICAL
        self._store = EmbeddingStore(self._generations.folder)
        outcome = embed(
            ((id_, [prepared(entry) for entry in entries]) for id_, entries in _entries(lexical, books)),
            embedder,
            self._store,
            dimensions,
            lambda done: self._reading.listener(Progress("embed", done, total)),
            self._reading.stop_if_wanted,
        )
        self._usage = outcome.usage
        if error := outcome.error:
            left = sum(book.passages for book in books if book.id not in outcome.books)
            self._notices.append(Notice("not_embedded", {"count": left}, (error.key, error.details)))
        return outcome.books

    def _embedded(self, published: Published | None) -> int | None:
        """How many passages can be found by meaning with the embedder there is; None without one."""
        if not self._embedder:
            return None
        books = _with_vectors(published)[0] if published and published.embedder == self._wanted else ()
        return sum(self._books[book_id].passages for book_id in books)

    def _publish(self, vectors: _Vectors) -> Published:
        """Writes, checks and publishes what was staged."""
        self._reading.go_on(Progress("index", 0, 1))
        self._finish_lexical()
        books = sorted(self._books.values(), key=lambda book: book.path)
        with disk.writing_into(self._generations.folder):
            catalogue.write(self._stage, books)
        if vectors.new or vectors.kept != self._there:
            self._write_vectors(vectors)
        self._reading.go_on(Progress("check", 0, 1))
        expected = sum(book.passages for book in books)
        if (found := LexicalIndex(self._stage / LEXICAL).passages) != expected:
            raise RuntimeError(f"the new index holds {found} passages instead of {expected}")
        published = self._writing.publish(
            books=len(books),
            passages=expected,
            embedder=vectors.embedder if (self._stage / VECTORS).exists() else None,
            keep=self._rules.keep_generations,
        )
        self._reading.listener(Progress("check", 1, 1))
        return published

    def _write_vectors(self, vectors: _Vectors) -> None:
        """Brings the staged vectors in step with the staged catalogue."""
        from ai_library_bot.embedding import stored
        from ai_library_bot.index import hybrid
        from ai_library_bot.index.vectors import write

        folder = self._stage / VECTORS
        parent = self._writing.parent
        if parent and parent.embedder != vectors.embedder:
            disk.discard(folder)
        new = stored(self._store, vectors.new) if self._store else ()
        write(folder, self._writing.number, new, vectors.kept)
        hybrid.calibrate(folder)

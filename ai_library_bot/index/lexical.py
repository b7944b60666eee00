"""The lexical engine: tantivy holds the stems of every passage and the passages themselves. Its only importer.

One chain of filters serves Russian and English in one field: each of the two Snowball stemmers leaves the other's
words alone. All text is folded (`text.fold`) before it is indexed or asked for.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from threading import Lock
from types import TracebackType

import tantivy

from ai_library_bot.errors import BadData, CannotWrite
from ai_library_bot.index import disk
from ai_library_bot.index.entries import Entry, packed, unpacked
from ai_library_bot.text import fold, words
from ai_library_bot.types import Passage, Term

LEXICAL = "lexical"
"""The folder of the lexical index inside a generation."""

META = "meta.json"
"""The file in it that lists all others."""

PRIVATE_FILES = (META, ".managed.json")
"""The files that a writer replaces; all others are never changed once written."""

_STEMS, _WORDS = "stems", "words"
_LOCK = ".lock"
_WRITER_MEMORY = 128_000_000  # bytes tantivy may fill before it writes a segment
_LONGEST_WORD = 60
_REMEMBERED_STEMS = 65_536  # some ten megabytes
_REMEMBERED_PASSAGES = 4096  # some twenty megabytes; people ask about the same few books again and again
_REMEMBERED_FREQUENCIES = 4096  # of the words of queries
_SIMILAR_SAMPLE = 10  # passages read for words like a misspelt one
_MOST_REMOVED = 0.3  # of all passages; with more of them removed the index is made anew
_BOOSTS = {"text": 1.0, "context": 0.4}  # of a match in the passage, and in title, author or chapter, for candidates
_RARE = 50  # a term in less than this part of the passages is worth a search of its own
_FEW = 10  # in less than this part of the passages it takes less time to look at each than to pass over most
_OTHER_FORMS = 0.1  # what the weaker forms of a word add to its strongest one


def _words() -> tantivy.TextAnalyzerBuilder:
    return (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(_LONGEST_WORD))
        .filter(tantivy.Filter.ascii_fold())
    )


def _stems() -> tantivy.TextAnalyzerBuilder:
    return _words().filter(tantivy.Filter.stemmer("russian")).filter(tantivy.Filter.stemmer("english"))


def _register_tokenizers(index: tantivy.Index) -> None:
    """Tantivy forgets its tokenizers each time an index is opened."""
    index.register_tokenizer(_STEMS, _stems().build())
    index.register_tokenizer(_WORDS, _words().build())


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("book", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("text", tokenizer_name=_STEMS, index_option="freq")
    builder.add_text_field("words", tokenizer_name=_WORDS, index_option="basic")  # for typing errors: stems hide them
    builder.add_text_field("context", tokenizer_name=_STEMS, index_option="freq")
    builder.add_bytes_field("stored", stored=True)
    return builder.build()


class LexicalWriter:
    """Changes the lexical index in `folder`, or begins one there. Nothing is written for good before `close`.

    Raises CannotWrite from every method when the disk is full or faulty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with _writing_into(folder):
            folder.mkdir(exist_ok=True)
            self._index = tantivy.Index(_schema(), str(folder))
            _register_tokenizers(self._index)
            self._writer = self._index.writer(_WRITER_MEMORY, 1)  # one thread: the same books make the same index

    def add(self, entry: Entry) -> None:
        """Adds a passage."""
        document = tantivy.Document()
        document.add_text("id", entry.passage.id)
        document.add_text("book", entry.passage.book_id)
        document.add_text("text", folded := fold(entry.passage.text))
        document.add_text("words", folded)
        document.add_text("context", fold(entry.context))
        document.add_bytes("stored", packed(entry))
        with _writing_into(self._folder):
            self._writer.add_document(document)

    def remove(self, book_id: str) -> None:
        """Removes all passages of a book."""
        with _writing_into(self._folder):
            self._writer.delete_documents_by_term("book", book_id)

    def abandon(self) -> None:
        """Lets go of the folder without finishing what was begun in it."""
        with suppress(ValueError, RuntimeError):  # what went wrong has been said; `close` may have come half the way
            self._writer.rollback()
            self._writer.wait_merging_threads()

    def close(self) -> None:
        """Writes everything and lets go of the folder."""
        with _writing_into(self._folder):
            self._writer.commit()
            self._writer.wait_merging_threads()
            for lock in self._folder.glob("*" + _LOCK):
                lock.unlink()
            everything, removed = _documents(self._folder)
            if removed > _MOST_REMOVED * everything:
                _rewrite(self._folder)


@contextmanager
def _writing_into(folder: Path) -> Iterator[None]:
    """Says in words what the disk has against writing; tantivy puts that into a ValueError that names no reason."""
    try:
        with disk.writing_into(folder):
            yield
    except ValueError as error:
        if shutil.disk_usage(folder).free < _WRITER_MEMORY:
            raise CannotWrite("disk_full", folder=str(folder)) from error
        raise CannotWrite("write_failed", folder=str(folder), error=str(error)) from error


def _documents(folder: Path) -> tuple[int, int]:
    """How many passages the files hold, and how many of these are removed: they still count when words are weighed."""
    segments = json.loads((folder / META).read_bytes())["segments"]
    removed = sum(segment["deletes"]["num_deleted_docs"] for segment in segments if segment["deletes"])
    return sum(segment["max_doc"] for segment in segments), removed


def _rewrite(folder: Path) -> None:
    """Makes the index anew from the passages it still holds."""
    fresh = folder.with_name(folder.name + ".new")
    writer = LexicalWriter(fresh)
    for entry in LexicalIndex(folder).entries():
        writer.add(entry)
    writer.close()
    shutil.rmtree(folder)
    fresh.rename(folder)


class LexicalIndex:
    """Reads the lexical index in `folder`; any number of these may be open."""

    def __init__(self, folder: Path) -> None:
        # tantivy opens an index only where it can make a lock file
        with disk.writable(folder, without=_LOCK) as place, _undamaged(folder):
            self._index = tantivy.Index.open(str(place))
            self._index.config_reader(reload_policy="manual")
            self._schema = self._index.schema
            _register_tokenizers(self._index)
            self._searcher = _Searcher(self._index, folder)
        self._documents, self._removed = _documents(folder)
        self._remembered = _Stems(_stems().build())
        self.stem = lru_cache(_REMEMBERED_STEMS)(self._stem)
        self.stems = lru_cache(_REMEMBERED_PASSAGES)(self._all_stems)
        self._stored = lru_cache(_REMEMBERED_PASSAGES)(self._read)
        self.frequency = lru_cache(_REMEMBERED_FREQUENCIES)(self._frequency)

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self._searcher.num_docs

    def _all_stems(self, text: str) -> tuple[str, ...]:
        """The stems of the words of a text, in order, as they are indexed."""
        return tuple(chain.from_iterable(map(self._remembered.__getitem__, _PIECE.findall(fold(text)))))

    def _stem(self, word: str) -> str:
        """The stem of one folded word; the word itself if it has none."""
        found = self._remembered[word]
        return found[0] if found else word

    def _frequency(self, stems: frozenset[str]) -> int:
        """How many passages hold one of the stems, or stand under a title, author or chapter that does if more do.

        Removed passages are not counted, as they are in the document frequency that tantivy has at hand.
        """
        return max(self._count("text", stems), self._count("context", stems))

    def _count(self, field: str, stems: Collection[str]) -> int:
        if len(stems) == 1 and not self._removed:
            return self._searcher.doc_freq(field, *stems)
        query, should = tantivy.Query, tantivy.Occur.Should
        terms = [query.term_query(self._schema, field, stem, index_option="basic") for stem in stems]
        return self._searcher.count(query.boolean_query([(should, term) for term in terms]))

    def entries(self) -> Iterator[Entry]:
        """All passages, in the order in which they were indexed."""
        for _, address in self._searcher.hits(tantivy.Query.all_query(), max(1, self.passages)):
            yield self._entry(address)

    def book_passages(self, book_id: str) -> list[Entry]:
        """The passages of a book, in reading order."""
        query = tantivy.Query.term_query(self._schema, "book", book_id, index_option="basic")
        found = self._searcher.hits(query, max(1, self._searcher.count(query)))
        entries = (self._entry(address) for _, address in found)
        of_the_book = (entry for entry in entries if entry.passage.book_id == book_id)
        return sorted(of_the_book, key=lambda entry: (entry.passage.section, entry.passage.start))

    def candidates(self, terms: Sequence[Term], limit: int, book_ids: Sequence[str] | None = None) -> list[Entry]:
        """The passages that BM25 puts first for the terms, best first; only of the books `book_ids` if given."""
        if not terms:
            return []
        query, must = tantivy.Query, tantivy.Occur.Must
        of_books = None
        if book_ids is not None:
            of_books = query.const_score_query(query.term_set_query(self._schema, "book", list(book_ids)), 0.0)

        def best(matching: tantivy.Query) -> list[tuple[float, tantivy.DocAddress]]:
            if of_books is not None:
                matching = query.boolean_query([(must, matching), (must, of_books)])
            return self._searcher.hits(matching, limit)

        rare = [term for term in terms if self.frequency(term.stems) * _RARE < self.passages]
        raising: list[Term] = []
        if rare and len(rare) < len(terms):
            found = best(self._any(rare))
            if len(found) == limit:
                raising = self._raising(terms, found[-1][0])
        matching = self._any(term for term in terms if term not in raising)
        for part in self._parts(raising):
            matching = query.boolean_query([(must, matching), (tantivy.Occur.Should, part)])
        entries = [self._entry(address) for _, address in best(matching)]
        # The passages are checked against their sums, the list of who is in which book is not: damage to it shows here.
        return [entry for entry in entries if book_ids is None or entry.passage.book_id in book_ids]

    def _raising(self, terms: Sequence[Term], score: float) -> list[Term]:
        """The terms that need not be looked for: by themselves they lift no passage to that score.

        So they only add to what the others find (MaxScore: Turtle & Flood, 1995). None if these find too much.
        """
        raising: list[Term] = []
        highest = 0.0
        for term in sorted(terms, key=self._highest_score):
            highest += self._highest_score(term)
            if highest >= score:
                break
            raising.append(term)
        found = sum(self.frequency(term.stems) for term in terms if term not in raising)
        return raising if found * _FEW < self.passages else []

    def _any(self, terms: Iterable[Term]) -> tantivy.Query:
        return tantivy.Query.boolean_query([(tantivy.Occur.Should, part) for part in self._parts(terms)])

    def _parts(self, terms: Iterable[Term]) -> Iterator[tantivy.Query]:
        for term in terms:
            for field, boost in _BOOSTS.items():
                yield tantivy.Query.boost_query(self._any_form(field, term.stems), boost * term.weight)

    def _highest_score(self, term: Term) -> float:
        """More than the term adds to the score of any passage: tantivy's BM25 saturates at 2.2 times the IDF."""
        return 2.2 * sum(
            boost * term.weight * math.log(1 + (self._documents + 0.5) / (frequency + 0.5))
            for field, boost in _BOOSTS.items()
            for stem in term.stems
            if (frequency := self._searcher.doc_freq(field, stem))
        )

    def passage(self, passage_id: str) -> Passage | None:
        """The passage of that id."""
        found = self.entry(passage_id)
        return found.passage if found else None

    def entry(self, passage_id: str) -> Entry | None:
        """The passage of that id, with what it stands under."""
        query = tantivy.Query.term_query(self._schema, "id", passage_id, index_option="basic")
        found = self._searcher.hits(query, 1)
        entry = self._entry(found[0][1]) if found else None
        if entry and entry.passage.id != passage_id:
            raise self._searcher.damaged
        return entry

    def similar_words(self, word: str, distance: int) -> set[str]:
        """Folded words of some passages that hold a word at most `distance` edits from the given one."""
        query = tantivy.Query.fuzzy_term_query(self._schema, "words", word, distance=distance)
        found = self._searcher.hits(query, _SIMILAR_SAMPLE)
        return {other.folded for _, address in found for other in words(self._entry(address).passage.text)}

    def _any_form(self, field: str, stems: Iterable[str]) -> tantivy.Query:
        forms = [tantivy.Query.term_query(self._schema, field, stem, index_option="freq") for stem in sorted(stems)]
        if len(forms) == 1:  # where all terms are such, tantivy passes over what can't come among the first
            return forms[0]
        return tantivy.Query.disjunction_max_query(forms, _OTHER_FORMS)

    def _entry(self, address: tantivy.DocAddress) -> Entry:
        return self._stored(address.segment_ord, address.doc)

    def _read(self, segment: int, document: int) -> Entry:
        try:
            return unpacked(self._searcher.stored(tantivy.DocAddress(segment, document)))
        except ValueError as error:
            raise self._searcher.damaged from error


class _Searcher:
    """tantivy's searcher, which says in words that a file is damaged."""

    def __init__(self, index: tantivy.Index, folder: Path) -> None:
        self._searcher = index.searcher()
        self._folder = folder
        self.num_docs: int = self._searcher.num_docs

    @property
    def damaged(self) -> BadData:
        return BadData("file_damaged", file=str(self._folder))

    def hits(self, query: tantivy.Query, limit: int) -> list[tuple[float, tantivy.DocAddress]]:
        """The best `limit` passages, each with its score."""
        with _undamaged(self._folder):
            return self._searcher.search(query, limit, count=False).hits

    def count(self, query: tantivy.Query) -> int:
        with _undamaged(self._folder):
            return int(self._searcher.search(query, 1).count)  # type: ignore[attr-defined]  # the stub has none

    def doc_freq(self, field: str, term: str) -> int:
        with _undamaged(self._folder):
            return self._searcher.doc_freq(field, term)

    def stored(self, address: tantivy.DocAddress) -> bytes:
        """The passage at that address, packed."""
        with _undamaged(self._folder):
            return bytes(self._searcher.doc(address)["stored"][0])


class _undamaged:  # noqa: N801 - reads like a function; @contextmanager would cost ten times as much, 100 times a query
    """Raises BadData for what tantivy says of damaged files in the folder: a ValueError, or a panic of Rust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ValueError) or (kind and kind.__name__ == "PanicException"):  # which is no Exception
            raise BadData("file_damaged", file=str(self._folder)) from error


_PIECE = re.compile(r"[^\s!-/:-@\[-`{-~]+")  # no token goes on beyond a space or a mark of ASCII


class _Stems(dict[str, list[str]]):
    """The stems of the pieces of texts, remembered: books say the same few thousand words again and again."""

    def __init__(self, analyzer: tantivy.TextAnalyzer) -> None:
        self._analyzer = analyzer
        self._analyzing = Lock()  # the analyzer refuses to work for two threads at once

    def __missing__(self, piece: str) -> list[str]:
        with self._analyzing:
            if len(self) >= _REMEMBERED_STEMS:
                self.clear()
            stems = self[piece] = self._analyzer.analyze(piece)
        return stems

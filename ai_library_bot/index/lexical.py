"""The lexical engine: tantivy holds the stems of every passage and the passages themselves. Its only importer.

One chain of filters serves Russian and English in one field: each of the two Snowball stemmers leaves the other's
words alone. All text is folded (`text.fold`) before it is indexed or asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import tantivy

from ai_library_bot.text import fold, words
from ai_library_bot.types import Passage, Term

LEXICAL = "lexical"
"""The folder of the lexical index inside a generation."""

PRIVATE_FILES = ("meta.json", ".managed.json")
"""The files that a writer replaces; all others are never changed once written."""

_STEMS, _WORDS = "stems", "words"
_WRITER_MEMORY = 128_000_000  # bytes tantivy may fill before it writes a segment
_LONGEST_WORD = 60
_REMEMBERED_STEMS = 65_536  # a few megabytes
_SIMILAR_SAMPLE = 10  # passages read for words like a misspelt one
_CONTEXT_BOOST = 0.4  # a match in title, author or chapter against one in the passage, when candidates are gathered
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


class Candidate(NamedTuple):
    """A passage that shares words with a query, and the title, authors and chapter it stands under."""

    passage: Passage
    context: str


class LexicalWriter:
    """Changes the lexical index in `folder`, or begins one there. Nothing is written for good before `close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._index = tantivy.Index(_schema(), str(folder))
        _register_tokenizers(self._index)
        self._writer = self._index.writer(_WRITER_MEMORY, 1)  # one thread: the same books make the same index
        self._folder = folder

    def add(self, passages: Iterable[Passage], context: str) -> None:
        """Adds passages that stand under `context`: the title and authors of their book."""
        for passage in passages:
            under = " ".join((context, *passage.chapter))
            document = tantivy.Document()
            document.add_text("id", passage.id)
            document.add_text("book", passage.book_id)
            document.add_text("text", folded := fold(passage.text))
            document.add_text("words", folded)
            document.add_text("context", fold(under))
            document.add_bytes("stored", _packed(passage, context))
            self._writer.add_document(document)

    def remove(self, book_id: str) -> None:
        """Removes all passages of a book."""
        self._writer.delete_documents_by_term("book", book_id)

    def close(self) -> None:
        """Writes everything and lets go of the folder."""
        self._writer.commit()
        self._writer.wait_merging_threads()
        for lock in self._folder.glob("*.lock"):
            lock.unlink()


class LexicalIndex:
    """Reads the lexical index in `folder`; any number of these may be open."""

    def __init__(self, folder: Path) -> None:
        self._index = tantivy.Index.open(str(folder))
        self._index.config_reader(reload_policy="manual")
        self._schema = self._index.schema
        _register_tokenizers(self._index)
        self._searcher = self._index.searcher()
        self._analyzer = _stems().build()
        self.stem = lru_cache(_REMEMBERED_STEMS)(self._stem)

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self._searcher.num_docs

    def stems(self, text: str) -> list[str]:
        """The stems of the words of a text, in order, as they are indexed."""
        return self._analyzer.analyze(fold(text))

    def _stem(self, word: str) -> str:
        """The stem of one folded word; the word itself if it has none."""
        found = self._analyzer.analyze(word)
        return found[0] if found else word

    def frequency(self, stems: Iterable[str]) -> int:
        """In how many passages, or under how many chapters and titles, the stems stand; counted for each of them."""
        return sum(
            max(self._searcher.doc_freq("text", stem), self._searcher.doc_freq("context", stem)) for stem in stems
        )

    def candidates(self, terms: Sequence[Term], limit: int, book_ids: Sequence[str] | None = None) -> list[Candidate]:
        """The passages that BM25 puts first for the terms, best first; only of the books `book_ids` if given."""
        query, should, must = tantivy.Query, tantivy.Occur.Should, tantivy.Occur.Must
        wanted = [
            (should, query.boost_query(self._any_form(field, term.stems), boost * term.weight))
            for term in terms
            for field, boost in (("text", 1.0), ("context", _CONTEXT_BOOST))
        ]
        if not wanted:
            return []
        matching = query.boolean_query(wanted)
        if book_ids is not None:
            books = query.const_score_query(query.term_set_query(self._schema, "book", list(book_ids)), 0.0)
            matching = query.boolean_query([(must, matching), (must, books)])
        return [self._stored(address) for _, address in self._searcher.search(matching, limit, count=False).hits]

    def passage(self, passage_id: str) -> Passage | None:
        """The passage of that id."""
        query = tantivy.Query.term_query(self._schema, "id", passage_id, index_option="basic")
        found = self._searcher.search(query, 1, count=False).hits
        return self._stored(found[0][1]).passage if found else None

    def similar_words(self, word: str, distance: int) -> set[str]:
        """Folded words of some passages that hold a word at most `distance` edits from the given one."""
        query = tantivy.Query.fuzzy_term_query(self._schema, "words", word, distance=distance)
        found = self._searcher.search(query, _SIMILAR_SAMPLE, count=False).hits
        return {other.folded for _, address in found for other in words(self._stored(address).passage.text)}

    def _any_form(self, field: str, stems: Iterable[str]) -> tantivy.Query:
        forms = [tantivy.Query.term_query(self._schema, field, stem, index_option="freq") for stem in sorted(stems)]
        return tantivy.Query.disjunction_max_query(forms, _OTHER_FORMS)

    def _stored(self, address: tantivy.DocAddress) -> Candidate:
        return _unpacked(self._searcher.doc(address)["stored"][0])


def _packed(passage: Passage, context: str) -> bytes:
    fields = (
        passage.id,
        passage.book_id,
        passage.section,
        passage.chapter,
        passage.start,
        passage.end,
        passage.text,
        passage.position,
        passage.pages,
        context,
    )
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _unpacked(stored: bytes) -> Candidate:
    id_, book_id, section, chapter, start, end, text, position, pages, context = json.loads(bytes(stored))
    chapter, pages = tuple(chapter), tuple((offset, page) for offset, page in pages)
    passage = Passage(id_, book_id, section, chapter, start, end, text, position, pages)
    return Candidate(passage, " ".join((context, *chapter)))

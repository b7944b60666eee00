"""The words this project thinks in. Every type is frozen: a value never changes after it is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, overload

Mode = Literal["lexical", "hybrid"]

OWN_WORDS = "[*]"
"""The mark behind a sentence of an answer that rests on no citation."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know besides the result: a message key under `notice.` and its details.

    `because` is the error behind it, by its key and details; its sentence fills the placeholder {reason}.
    """

    key: str
    details: dict[str, str | int | float] = field(default_factory=dict)
    because: tuple[str, dict[str, str | int | float]] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What models were paid for: tokens, and money in US dollars, which is None where the price of any is unknown."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None

    def __add__(self, other: Usage) -> Usage:
        spent = [usage.cost for usage in (self, other) if usage != Usage()]
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if None in spent else sum(filter(None, spent)) if spent else None,
        )


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a book under one heading; passages never cross its borders.

    `text` holds blocks (paragraphs, stanzas, lists, tables, notes) set apart by one blank line; a line break
    inside a block is part of the book (verse, list items, table rows). `pages` holds `(offset, page)` pairs in
    rising order: from that character of `text` on, the text stands on that page. It is empty for books without pages.
    """

    heading: tuple[str, ...]
    text: str
    pages: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BookText:
    """What a reader took out of one file. Empty title or authors mean that the file does not name them."""

    format: str
    sections: tuple[Section, ...]
    title: str = ""
    authors: tuple[str, ...] = ()
    language: str = ""
    year: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """One line of the catalogue. `id` is made from the file's content, so a moved or renamed book keeps it."""

    id: str
    path: Path
    title: str
    authors: tuple[str, ...]
    language: str
    year: int | None
    format: str
    size: int
    modified_ns: int
    passages: int
    characters: int
    warnings: tuple[str, ...] = ()


def passage_id(book_id: str, number: int) -> str:
    """The id of a book's passage number `number`, counted from 0."""
    return f"{book_id}:{number:04d}"


@dataclass(frozen=True, slots=True)
class Passage:
    """About a thousand characters of a book, cut at sentence ends.

    `text` is `section.text[start:end]` of the book's section number `section`. `position` is where it begins,
    0…1 of the book's characters. `pages` is as in `Section`, with offsets into this `text`; the first offset is 0.
    """

    id: str
    book_id: str
    section: int
    chapter: tuple[str, ...]
    start: int
    end: int
    text: str
    position: float
    pages: tuple[tuple[int, int], ...] = ()

    def beside(self, step: int) -> str:
        """The id of the passage `step` passages further on in the book."""
        return passage_id(self.book_id, int(self.id.rpartition(":")[2]) + step)

    @property
    def page(self) -> int | None:
        """The page on which the passage begins."""
        return self.page_at(0)

    @property
    def last_page(self) -> int | None:
        """The page on which the passage ends."""
        return self.page_at(len(self.text))

    def page_at(self, offset: int) -> int | None:
        """The page on which the character at `offset` of `text` stands; None for books without pages."""
        page = None
        for start, number in self.pages:
            if start > offset:
                break
            page = number
        return page


@dataclass(frozen=True, slots=True)
class Term:
    """A word of a query with the stems of all its forms; `weight` is how much a match tells (see `index.query`)."""

    word: str
    stems: frozenset[str]
    weight: float


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a query. `score` orders the hits of one search; `relevance` (0…1) compares across searches.

    `matches` are the spans of `passage.text` that match words of the query.
    """

    rank: int
    score: float
    relevance: float
    passage: Passage
    book: Book
    matches: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResult(Sequence[Hit]):
    """The hits of one search, best first, all from one generation.

    `terms` are what was looked for; `corrections` are words of the query that stand in no book, each with the word
    that was searched instead. `notices` say what could not be done as wanted, such as a search by meaning.
    """

    query: str
    generation: int
    mode: Mode
    hits: tuple[Hit, ...]
    corrections: tuple[tuple[str, str], ...] = ()
    terms: tuple[Term, ...] = ()
    notices: tuple[Notice, ...] = ()
    usage: Usage = field(default_factory=Usage)

    def at_least(self, relevance: float) -> SearchResult:
        """The same result with only the hits of at least that relevance."""
        return replace(self, hits=tuple(hit for hit in self.hits if hit.relevance >= relevance))

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Hit, ...]: ...
    def __getitem__(self, index: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class Claim:
    """A quotation that a writer says stands in a passage. Nobody has checked it yet."""

    passage_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that a writer proposes, and the quotations it rests on; without any it is the writer's own."""

    text: str
    claims: tuple[Claim, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer proposes. Without a statement it means "not found".

    `next_questions` are what it would ask next of the same passages; nobody has looked at them yet.
    """

    statements: tuple[Statement, ...]
    usage: Usage = field(default_factory=Usage)
    next_questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A claim that is not true, or a statement that may not be shown, with the reason (see `answers.quotes`)."""

    text: str
    reason: Literal["not_in_book", "too_short", "unknown_passage", "unchecked_quote", "foreign_text"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A quotation that stands in its passage: it is a span of it, so it cannot say anything else.

    Only `answers.quotes.verify` makes one.
    """

    number: int
    passage: Passage
    book: Book
    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= len(self.passage.text):
            raise ValueError(f"no quotation at {self.start}:{self.end} of passage {self.passage.id}")

    @property
    def quote(self) -> str:
        return self.passage.text[self.start : self.end]

    @property
    def page(self) -> int | None:
        return self.passage.page_at(self.start)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose every quotation is checked, or `found=False` with the closest passages.

    `text` has a mark [n] behind each sentence for the citations it rests on. `own_words` are sentences of `text` that
    rest on none: there are some only where the person asked for them. `next_questions` are suggested by the writer, and
    passages of the books match each of them.
    """

    question: str
    found: bool
    text: str
    writer: str
    citations: tuple[Citation, ...]
    closest: tuple[Hit, ...]
    generation: int
    seconds: float
    own_words: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    usage: Usage = field(default_factory=Usage)
    next_questions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a conversation and the text it was answered with. It helps to understand the next question."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Generation:
    """A published index: whole, checked, never changed again. `created` is in seconds since the epoch."""

    number: int
    parent: int | None
    created: float
    books: int
    passages: int
    size: int
    active: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read, with the reason as a message key and its details (see `errors.py`)."""

    path: Path
    reason: str
    details: dict[str, str | int | float]
    retry: bool


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that was left out on purpose: a duplicate, or of a kind that is no book."""

    path: Path
    reason: str
    details: dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did. `generation` equals `parent` when nothing changed.

    `warnings` are books that were read, but not whole, each with a message key under `warning.`. `embedded` of the
    `passages` can be found by meaning; it is None where no embedder is set up. `removed_books` are those that were
    at the `removed` paths.
    """

    generation: int | None
    parent: int | None
    added: tuple[Path, ...]
    updated: tuple[Path, ...]
    unchanged: int
    removed: tuple[Path, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Skip, ...]
    books: int
    passages: int
    languages: dict[str, int]
    seconds: float
    warnings: tuple[tuple[Path, str], ...] = ()
    embedded: int | None = None
    notices: tuple[Notice, ...] = ()
    usage: Usage = field(default_factory=Usage)
    removed_books: tuple[Book, ...] = ()


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What an ingest would do and cost. `tokens` are an estimate of those to be paid for, `cost` in US dollars.

    `passages` are those of the new and changed books; `to_embed` are all whose vectors are not yet paid for.
    """

    added: tuple[Path, ...]
    updated: tuple[Path, ...]
    unchanged: int
    removed: tuple[Path, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Skip, ...]
    passages: int
    embedder: str | None
    to_embed: int
    tokens: int
    cost: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a long run: `done` of `total` units of `phase`, at the moment at work on `item`."""

    phase: Literal["scan", "read", "fetch", "embed", "index", "check"]
    done: int
    total: int
    item: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage with the passages of the same chapter around it, in reading order."""

    book: Book
    before: tuple[Passage, ...]
    passage: Passage
    after: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Damage:
    """A file of a generation that is not what its manifest says; `reason` is a message key under `damage.`."""

    file: str
    reason: Literal["missing", "size", "content", "unlisted", "manifest"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What a byte-for-byte check of one generation found."""

    generation: int
    files: int
    size: int
    damages: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `library doctor`: `key` names the message under `doctor.`; `ok` is None for what is not set up.

    `because` is the error behind it, as in `Notice`.
    """

    key: str
    ok: bool | None
    details: dict[str, str | int | float] = field(default_factory=dict)
    because: tuple[str, dict[str, str | int | float]] | None = None

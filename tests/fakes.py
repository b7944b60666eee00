"""Small honest stand-ins for what lies behind the doors of the package."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ai_library_bot.errors import BadRequest, MissingInput
from ai_library_bot.settings import Settings
from ai_library_bot.text import fold, sentences, words
from ai_library_bot.types import (
    Answer,
    Book,
    Check,
    Citation,
    Excerpt,
    Generation,
    Hit,
    IngestPlan,
    IngestReport,
    Notice,
    Passage,
    Progress,
    SearchResult,
    Turn,
    Verification,
)

LEDGER = Book(
    id="b3f2a9",
    path=Path("books/ledger.pdf"),
    title="The Keeper's Ledger",
    authors=("Anna Holm",),
    language="en",
    year=1911,
    format="pdf",
    size=81_234,
    modified_ns=0,
    passages=2,
    characters=700,
)
BRIDGE = Book(
    id="77c0de",
    path=Path("books/мост.fb2"),
    title="Записки о мосте",
    authors=("Пётр Северов", "Лидия Тихонова"),
    language="ru",
    year=None,
    format="fb2",
    size=41_234,
    modified_ns=0,
    passages=1,
    characters=350,
)
PASSAGES = (
    Passage(
        id="b3f2a9:0000",
        book_id=LEDGER.id,
        section=0,
        chapter=("Part One", "III"),
        start=0,
        end=0,
        text=(
            "The lamp was lit at six, as on every evening since the spring, and the wind had gone round to the north. "
            "Nobody came along the causeway; the gulls sat on the railing with their heads drawn in, and the tide bell "
            "rang twice before the fog took the sound away. The keeper stopped writing letters when the mail boat "
            "sank, for there was nobody left who could carry them. He kept the paper dry in a biscuit tin all the same."
        ),
        position=0.071,
        pages=((0, 12), (260, 13)),
    ),
    Passage(
        id="b3f2a9:0001",
        book_id=LEDGER.id,
        section=0,
        chapter=("Part One", "III"),
        start=0,
        end=0,
        text="In the morning the sea was flat.\nHe counted the ships: none.",
        position=0.083,
        pages=((0, 13),),
    ),
    Passage(
        id="77c0de:0000",
        book_id=BRIDGE.id,
        section=0,
        chapter=("Глава первая",),
        start=0,
        end=0,
        text=(
            "Мост строили девять лет, и все девять лет река была против. Каждую весну лёд уносил сваи, и каждое лето "
            "инженер Белов ставил их заново, чуть глубже и чуть ближе к правому берегу. О письмах домой он забыл: "
            "писать было не о чем, кроме воды."
        ),
        position=0.004,
    ),
)
BOOKS = {book.id: book for book in (LEDGER, BRIDGE)}


class FakeConversation:
    """Remembers the turns in memory."""

    def __init__(self) -> None:
        self.kept: tuple[Turn, ...] = (Turn("Who kept the lighthouse?", "The keeper did."),)

    def turns(self) -> tuple[Turn, ...]:
        return self.kept

    def write(self, turns: Sequence[Turn]) -> tuple[Notice, ...]:
        self.kept = tuple(turns)
        return ()


class FakeLibrary:
    """A library of two books in memory, with the promises of the real one: words are found as they stand."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.notices: tuple[Notice, ...] = ()
        self.conversation = FakeConversation()
        self.numbers = [8, 7, 1]

    async def __aenter__(self) -> FakeLibrary:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
    ) -> SearchResult:
        wanted = {word.folded for word in words(query)}
        if not wanted:
            raise BadRequest("empty_query")
        corrections = (("keper", "keeper"),) if "keper" in wanted else ()
        wanted |= {searched for _, searched in corrections}
        found = []
        for passage in PASSAGES:
            book = BOOKS[passage.book_id]
            matches = tuple((word.start, word.end) for word in words(passage.text) if word.folded in wanted)
            if matches and _fits(book, books, authors, languages):
                found.append(Hit(0, float(len(matches)), min(1.0, len(matches) / 5), passage, book, matches))
        found.sort(key=lambda hit: -hit.score)
        hits = tuple(replace(hit, rank=rank) for rank, hit in enumerate(found[:limit], start=1))
        return SearchResult(query, self.numbers[0], "lexical", hits, corrections=corrections)

    async def ask(
        self,
        question: str,
        *,
        books: Sequence[str] = (),
        authors: Sequence[str] = (),
        languages: Sequence[str] = (),
        strict: bool = True,
        history: Sequence[Turn] = (),
        on_growth: Callable[[str], None] = lambda _: None,
    ) -> Answer:
        hits = (await self.search(question, books=books, authors=authors, languages=languages)).hits
        best = next((hit for hit in hits if len(hit.matches) > 1), None)
        if best is None:
            return Answer(question, False, "", "extractive", (), hits, self.numbers[0], 0.04)
        start, end = next(span for span in sentences(best.passage.text) if span[0] <= best.matches[-1][0] < span[1])
        citation = Citation(1, best.passage, best.book, start, end)
        on_growth(citation.quote)
        return Answer(question, True, f"{citation.quote} [1]", "extractive", (citation,), (), self.numbers[0], 0.04)

    async def ingest(
        self, paths: Sequence[Path] = (), *, on_progress: Callable[[Progress], None] | None = None
    ) -> IngestReport:
        for path in paths:
            if not path.exists():
                raise MissingInput("no_such_path", path=str(path))
        for phase in ("scan", "read", "index", "check"):
            for done in range(3):
                await asyncio.sleep(0)
                if on_progress:
                    on_progress(Progress(phase, done, 2, f"books/{'долгий-' * 30}мост.fb2"))
        return report(added=(LEDGER.path, BRIDGE.path), generation=9, parent=8)

    async def plan(
        self, paths: Sequence[Path] = (), *, on_progress: Callable[[Progress], None] | None = None
    ) -> IngestPlan:
        return IngestPlan(
            added=(LEDGER.path, BRIDGE.path),
            updated=(),
            unchanged=0,
            removed=(),
            failed=(),
            skipped=(),
            passages=3,
            embedder="openai:api.openai.com:text-embedding-3-small:512",
            to_embed=3,
            tokens=640,
            cost=0.0000128,
            seconds=0.2,
        )

    async def remove(self, books: Sequence[str]) -> IngestReport:
        gone = tuple(book for book in BOOKS.values() if book.title in books)
        if not gone:
            raise MissingInput("unknown_book", name=", ".join(books))
        return report(removed=gone, generation=9, parent=8)

    def books(self) -> tuple[Book, ...]:
        return tuple(BOOKS.values())

    def show(self, passage: str, *, around: int = 1) -> Excerpt:
        found = next((one for one in PASSAGES if one.id.startswith(passage)), None)
        if found is None:
            raise MissingInput("unknown_passage", passage=passage)
        chapter = [one for one in PASSAGES if one.book_id == found.book_id]
        at = chapter.index(found)
        before, after = chapter[max(0, at - around) : at], chapter[at + 1 : at + 1 + around]
        return Excerpt(BOOKS[found.book_id], tuple(before), found, tuple(after))

    def generations(self) -> tuple[Generation, ...]:
        return tuple(
            Generation(number, number - 1, 1_700_000_000.0 + number, 120, 61_234, 34_567_890, number == self.numbers[0])
            for number in self.numbers
        )

    def roll_back(self, to: int | None = None) -> tuple[int, int]:
        to = to or 7
        if to not in self.numbers:
            raise BadRequest("unknown_generation", number=to, kept="8, 7, 1")
        return 8, to

    def verify(self) -> tuple[Verification, ...]:
        return tuple(Verification(number, 12, 34_567_890, ()) for number in self.numbers)

    async def check(self) -> tuple[Check, ...]:
        return ()


def report(
    *,
    generation: int | None,
    parent: int | None,
    added: tuple[Path, ...] = (),
    removed: tuple[Book, ...] = (),
    unchanged: int = 0,
) -> IngestReport:
    return IngestReport(
        generation=generation,
        parent=parent,
        added=added,
        updated=(),
        unchanged=unchanged,
        removed=tuple(book.path for book in removed),
        removed_books=removed,
        failed=(),
        skipped=(),
        books=2,
        passages=3,
        languages={"en": 1, "ru": 1},
        seconds=1.26,
    )


def _fits(book: Book, books: Sequence[str], authors: Sequence[str], languages: Sequence[str]) -> bool:
    return (
        (not books or any(fold(name) in fold(book.title) for name in books))
        and (not authors or any(fold(name) in fold(author) for name in authors for author in book.authors))
        and (not languages or book.language in languages)
    )

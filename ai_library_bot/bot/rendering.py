"""What people read in Telegram: results as pages, and the buttons under them. Nothing here sends anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from ai_library_bot.bot.callbacks import AskNext, Cancel, GoTo, OpenSource, ShowPage, TurnBooks, Vote
from ai_library_bot.bot.layout import Block, Page, Piece, bold, italic, paragraph, quotation, told
from ai_library_bot.bot.talks import Kept
from ai_library_bot.locales import Messages
from ai_library_bot.locators import place, source, sources
from ai_library_bot.snippet import snippet
from ai_library_bot.text import printable, shortened
from ai_library_bot.types import (
    OWN_WORDS,
    Answer,
    Book,
    Citation,
    Excerpt,
    Failure,
    Hit,
    IngestReport,
    Notice,
    SearchResult,
    Skip,
)

BOOKS_ON_A_PAGE = 10

_IN_A_ROW = 4  # buttons of sources
_LONGEST_BUTTON = 60  # characters
_FILES_NAMED = 10
_SPOKEN = {"writer_unavailable": "bot.only_quotes", "search_by_words": "bot.by_words"}
"""Notices that tell a reader something, in words that name none of the owner's settings."""

Rows = list[list[InlineKeyboardButton]]


# Pages


def answer(say: Messages, result: Answer) -> Page:
    """The answer with its sources, or the closest passages where the books hold none."""
    if not result.found:
        return not_found(say, result)
    blocks = [paragraph(*_with_marks(line, result.citations)) for line in result.text.splitlines()]
    if result.own_words:
        blocks.append(paragraph(italic(f"{OWN_WORDS} {say('ask.own_words')}")))
    for number, (mark, citation, quoted) in enumerate(sources(result)):
        if not quoted:
            blocks.append(quotation(citation.quote))
        blocks.append(paragraph(bold(mark), _reference(say, citation), close=not quoted or number > 0))
    return (*blocks, *_notices(say, result.notices))


def not_found(say: Messages, result: Answer) -> Page:
    """That the books hold no answer, and what comes closest."""
    blocks = [paragraph(bold(say("ask.not_found")))]
    if result.closest:
        blocks += [paragraph(say("ask.closest")), *_hits(say, result.closest)]
    return (*blocks, *_notices(say, result.notices))


def search(say: Messages, result: SearchResult) -> Page:
    """The passages found, each with the words around the best match."""
    corrected = [
        paragraph(italic(say("search.corrected", typed=typed, searched=searched)))
        for typed, searched in result.corrections
    ]
    if not result.hits:
        return (*corrected, told(say("bot.nothing_found")))
    return (*corrected, *_hits(say, result.hits), *_notices(say, result.notices))


def passage(say: Messages, found: Excerpt, marked: tuple[int, int]) -> Page:
    """A passage with its place; the characters `marked` stand out."""
    one = found.passage
    start, end = marked
    return (
        paragraph(bold(source(say, found.book))),
        paragraph(italic(" · ".join(place(say, one, start))), close=True),
        quotation(one.text[:start], bold(one.text[start:end]), one.text[end:]),
    )


def inline_result(say: Messages, citation: Citation) -> Page:
    """A quotation as it is sent from inline mode."""
    located = " · ".join([source(say, citation.book), *place(say, citation.passage, citation.start)])
    return quotation(citation.quote), paragraph(italic(located), close=True)


def books(say: Messages, catalogue: Sequence[Book], page: int) -> Page:
    """One page of the list of books."""
    if not catalogue:
        return (told(say("bot.no_books")),)
    shown = _in_order(catalogue)[page * BOOKS_ON_A_PAGE :][:BOOKS_ON_A_PAGE]
    heading = paragraph(bold(say("count.books", count=len(catalogue), number=say.number(len(catalogue)))))
    return (heading, *(paragraph("• ", _named(book), close=number > 0) for number, book in enumerate(shown)))


def ingested(say: Messages, report: IngestReport, added: Sequence[Book]) -> Page:
    """What became of a book that was sent in; `added` is what the catalogue says of it."""
    lines = [say("bot.book_added", count=book.passages, number=say.number(book.passages)) for book in added]
    left_out: list[Failure | Skip] = [*report.failed, *report.skipped]
    lines += [say(f"error.{one.reason}", **_without_folders(one.details)) for one in left_out[:_FILES_NAMED]]
    lines += [say(f"warning.{key}") for _, key in report.warnings]
    facts = say("bot.version", generation=report.generation or 0, books=say.number(report.books))
    return (*(paragraph(line) for line in lines or [say("ingest.nothing_changed")]), paragraph(italic(facts)))


# Buttons


def answer_buttons(kept: Kept, owner: int, key: str, *, vote: bool) -> InlineKeyboardMarkup | None:
    """Under an answer: its sources, whether it was good, and what might be asked next."""
    opening = [
        button(f"[{number + 1}]", OpenSource(owner=owner, key=key, number=number))
        for number in range(len(kept.sources))
    ]
    rows = [list(opening[start : start + _IN_A_ROW]) for start in range(0, len(opening), _IN_A_ROW)]
    for number, question in enumerate(kept.next_questions):
        rows.append([button(question, AskNext(owner=owner, key=key, number=number))])
    if vote:
        votes = {"👍": Vote(owner=owner, key=key, good=True), "👎": Vote(owner=owner, key=key, good=False)}
        rows.append([button(sign, data) for sign, data in votes.items()])
    return _keyboard(rows)


def passage_buttons(say: Messages, found: Excerpt, at: GoTo) -> InlineKeyboardMarkup | None:
    """Under a passage: back and on in its book, and the page of the source as a picture where it has one."""
    number = int(found.passage.id.rpartition(":")[2])
    steps = [("◀", -1, number > 0), ("▶", 1, number + 1 < found.book.passages)]
    rows = [[button(sign, at.model_copy(update={"step": at.step + step})) for sign, step, there in steps if there]]
    if found.passage.page is not None and at.step == 0:
        shown = ShowPage(owner=at.owner, key=at.key, number=at.number)
        rows.append([button(say("bot.button.page"), shown)])
    return _keyboard(rows)


def books_buttons(catalogue: Sequence[Book], page: int) -> InlineKeyboardMarkup | None:
    """Back and on in the list of books."""
    last = (len(catalogue) - 1) // BOOKS_ON_A_PAGE
    turns = [("◀", page - 1), (f"{page + 1} / {last + 1}", page), ("▶", page + 1)]
    row = [button(sign, TurnBooks(page=to)) for sign, to in turns if 0 <= to <= last]
    return _keyboard([row]) if last > 0 else None


def confirmation(say: Messages, label: str, data: CallbackData) -> InlineKeyboardMarkup:
    """A button that does it, and one that leaves everything as it is."""
    return InlineKeyboardMarkup(inline_keyboard=[[button(say(label), data), cancel(say)]])


def cancel(say: Messages) -> InlineKeyboardButton:
    """Leaves everything as it is."""
    return button(say("bot.button.cancel"), Cancel())


def button(text: str, data: CallbackData) -> InlineKeyboardButton:
    """A button that tells the bot `data`; of a long or an odd text it shows what can be seen of its beginning."""
    shown = " ".join(printable(text).split())
    return InlineKeyboardButton(text=shortened(shown, _LONGEST_BUTTON), callback_data=data.pack())


def _keyboard(rows: Rows) -> InlineKeyboardMarkup | None:
    filled = [row for row in rows if row]
    return InlineKeyboardMarkup(inline_keyboard=filled) if filled else None


# Pieces of pages


def _hits(say: Messages, hits: Sequence[Hit]) -> Iterator[Block]:
    for hit in hits:
        start, end = snippet(hit.passage.text, hit.matches)
        yield paragraph(bold(f"{hit.rank}. {source(say, hit.book)}"))
        yield paragraph(italic(" · ".join(place(say, hit.passage, start))), close=True)
        yield Block(quotation(*_highlighted(hit, start, end)).pieces, "quote", close=True)


def _highlighted(hit: Hit, start: int, end: int) -> Iterator[str | Piece]:
    """The characters `start` to `end` of a passage with the matches bold, and dots where the text goes on."""
    text, reached = hit.passage.text, start
    if start > 0:
        yield "…"
    for match_start, match_end in hit.matches:
        if reached <= match_start and match_end <= end:
            yield text[reached:match_start]
            yield bold(text[match_start:match_end])
            reached = match_end
    yield text[reached:end]
    if end < len(text):
        yield "…"


def _reference(say: Messages, citation: Citation) -> str:
    return " " + " · ".join([source(say, citation.book), *place(say, citation.passage, citation.start)])


def _with_marks(text: str, citations: Sequence[Citation]) -> Iterator[str | Piece]:
    """The text with the marks [n] of its sources made to stand out."""
    marks = {f"[{citation.number}]" for citation in citations} | {OWN_WORDS}
    for piece in re.split(rf"(\[\d+\]|{re.escape(OWN_WORDS)})", text):
        yield bold(piece) if piece in marks else piece


def _notices(say: Messages, notices: Iterable[Notice]) -> Iterator[Block]:
    for notice in notices:
        if notice.because and notice.because[0] == "budget_spent":
            yield paragraph(italic(say("bot.budget_spent")))
        elif key := _SPOKEN.get(notice.key):
            yield paragraph(italic(say(key)))


def _named(book: Book) -> str:
    return " — ".join([book.title, ", ".join(book.authors)] if book.authors else [book.title])


def _in_order(catalogue: Sequence[Book]) -> list[Book]:
    return sorted(catalogue, key=lambda book: (not book.authors, book.authors, book.title))


def _without_folders(details: dict[str, str | int | float]) -> dict[str, str | int | float]:
    """The details of an error with names of files in place of whole paths."""
    return {
        name: re.split(r"[/\\]", str(value))[-1] if name in ("path", "of") else value for name, value in details.items()
    }

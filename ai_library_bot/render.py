"""Results as a person reads them in the terminal. Each function writes one result onto a page."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from ai_library_bot.locales import Messages
from ai_library_bot.locators import place, source, sources
from ai_library_bot.snippet import snippet
from ai_library_bot.terminal import Page, Part
from ai_library_bot.text import Span, shortened
from ai_library_bot.types import (
    OWN_WORDS,
    Answer,
    Book,
    Check,
    Excerpt,
    Failure,
    Generation,
    Hit,
    IngestPlan,
    IngestReport,
    SearchResult,
    Skip,
    Verification,
)

_STRONG = "bold"
_MATCH = "bold yellow"
_MARK = "bold cyan"
_QUIET = "dim"
_OK: Mapping[bool | None, Part] = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("–", _QUIET)}

_INDENT = 4
_MARK_WIDTH = 2
_BAR_CELLS = 12
_SKIPS_SHOWN = 5
_LONGEST_ECHO = 80  # characters of a query that are repeated to whoever typed it


def search(page: Page, say: Messages, result: SearchResult) -> None:
    for typed, searched in result.corrections:
        page.write((say("search.corrected", typed=typed, searched=searched), "italic"))
        page.write()
    if not result.hits:
        page.write(say("search.nothing", query=shortened(result.query, _LONGEST_ECHO)))
        return
    _hits(page, say, result.hits)
    if page.is_terminal:
        page.write()
        page.write((say("search.hint", passage=result.hits[0].passage.id), _QUIET))


def answer(page: Page, say: Messages, result: Answer) -> None:
    if not result.found:
        page.write((say("ask.not_found"), _STRONG))
        if result.closest:
            page.write(say("ask.closest"))
            page.write()
            _hits(page, say, result.closest)
        return
    for paragraph in result.text.splitlines():
        page.write(*_with_marks(paragraph, {citation.number for citation in result.citations}))
    if result.own_words:
        page.write((f"{OWN_WORDS} {say('ask.own_words')}", _QUIET))
    page.write()
    for mark, citation, told in sources(result):
        located = [*place(say, citation.passage, citation.start), citation.passage.id]
        where = (f" · {' · '.join(located)}", _QUIET)
        indent = max(_INDENT, len(mark) + 1)
        if told:
            page.write(source(say, citation.book), where, indent=indent, label=(mark, _MARK))
        else:
            page.write(say("locator.quote", text=_one_line(citation.quote)), indent=indent, label=(mark, _MARK))
            page.write(source(say, citation.book), where, indent=indent)


def ingest(page: Page, say: Messages, report: IngestReport) -> None:
    for failure in report.failed:
        again = f" {say('ingest.retry')}" if failure.retry else ""
        page.write(_reason(say, failure), again, indent=_MARK_WIDTH, label=_OK[False])
    for path, key in report.warnings:
        page.write(f"{path}: {say(f'warning.{key}')}", indent=_MARK_WIDTH, label=("!", "yellow"))
    for skip in report.skipped[:_SKIPS_SHOWN]:
        page.write((_reason(say, skip), _QUIET), indent=_MARK_WIDTH, label=_OK[None])
    if (more := len(report.skipped) - _SKIPS_SHOWN) > 0:
        page.write(
            (say("ingest.more_skipped", count=more, number=say.number(more)), _QUIET),
            indent=_MARK_WIDTH,
            label=_OK[None],
        )
    if report.failed or report.warnings or report.skipped:
        page.write()
    if report.generation == report.parent:
        page.write(say("ingest.nothing_changed"))
    else:
        _counts(page, say, report)
    facts = [_counted(say, "books", report.books), _counted(say, "passages", report.passages)]
    facts += [f"{_language(say, code)} {say.number(books)}" for code, books in _most_first(report.languages)]
    page.write((" · ".join(facts), _STRONG))
    if report.usage.prompt_tokens:
        spent = [say("ingest.tokens", number=say.number(report.usage.prompt_tokens))]
        spent += [say.money(report.usage.cost)] if report.usage.cost is not None else []
        page.write((" · ".join(spent), _QUIET))
    if report.generation is not None:
        seconds = say("number.seconds", number=say.number(report.seconds, 1))
        page.write((f"{say('ingest.version', generation=report.generation)} · {seconds}", _QUIET))


def removed(page: Page, say: Messages, report: IngestReport) -> None:
    for book in report.removed_books:
        page.write(say("ingest.removed_book", book=source(say, book)), indent=_MARK_WIDTH, label=_OK[None])
    page.write()
    ingest(page, say, report)


def plan(page: Page, say: Messages, found: IngestPlan) -> None:
    for failure in found.failed:
        page.write(_reason(say, failure), indent=_MARK_WIDTH, label=_OK[False])
    counts = {
        say("plan.would_add"): len(found.added),
        say("plan.would_update"): len(found.updated),
        say("plan.would_remove"): len(found.removed),
        say("ingest.unchanged"): found.unchanged,
        say("ingest.failed"): len(found.failed),
    }
    _column(page, say, counts)
    page.write(say("plan.passages", count=found.passages, number=say.number(found.passages)))
    if found.embedder is None:
        page.write(say("plan.free"))
    else:
        cost = say("plan.cost_unknown") if found.cost is None else say.money(found.cost)
        facts = {"model": found.embedder, "tokens": say.number(found.tokens), "cost": cost}
        page.write(say("plan.to_embed", count=found.to_embed, number=say.number(found.to_embed), **facts))
    page.write((say("plan.nothing_done"), _QUIET))


def _counts(page: Page, say: Messages, report: IngestReport) -> None:
    counts = {
        say("ingest.added"): len(report.added),
        say("ingest.updated"): len(report.updated),
        say("ingest.removed"): len(report.removed),
        say("ingest.unchanged"): report.unchanged,
        say("ingest.failed"): len(report.failed),
    }
    _column(page, say, counts)


def _column(page: Page, say: Messages, counts: Mapping[str, int]) -> None:
    """What there is none of is left out."""
    width = max(map(len, counts))
    for label, count in counts.items():
        if count:
            page.write(f"{label:{width}}", f"{say.number(count):>8}")
    page.write()


def books(page: Page, say: Messages, catalogue: Sequence[Book]) -> None:
    if not catalogue:
        page.write(say("books.none"))
        return
    most = max(book.passages for book in catalogue)
    columns = [say(f"books.{name}") for name in ("author", "title", "language", "format", "passages")]
    rows = [
        (
            ", ".join(book.authors) or "–",
            (book.title, _STRONG),
            book.language,
            book.format,
            say.number(book.passages),
            (_bar(book.passages / max(1, most)), "cyan"),
        )
        for book in sorted(catalogue, key=lambda book: (not book.authors, book.authors, book.title))
    ]
    page.table([*columns, ""], rows, numbers=[4])
    if page.is_terminal:
        passages = sum(book.passages for book in catalogue)
        page.write()
        page.write((f"{_counted(say, 'books', len(catalogue))} · {_counted(say, 'passages', passages)}", _QUIET))


def excerpt(page: Page, say: Messages, found: Excerpt) -> None:
    page.write(*_heading(found.book))
    page.write((" · ".join(place(say, found.passage)), _QUIET))
    for passage in (*found.before, found.passage, *found.after):
        page.write()
        chosen = passage is found.passage
        for line in passage.text.splitlines():
            page.write((line, "" if chosen else _QUIET), gutter=("▌ ", _MARK) if chosen else "  ")


def generations(page: Page, say: Messages, kept: Sequence[Generation]) -> None:
    columns = [say(f"generations.{name}") for name in ("version", "created", "books", "passages", "size", "active")]
    rows = [
        (
            (str(one.number), _STRONG if one.active else ""),
            f"{datetime.fromtimestamp(one.created).astimezone():%Y-%m-%d %H:%M}",
            say.number(one.books),
            say.number(one.passages),
            _size(say, one.size),
            _OK[True] if one.active else "",
        )
        for one in kept
    ]
    page.table(columns, rows, numbers=[0, 2, 3, 4])


def rolled_back(page: Page, say: Messages, moved: tuple[int, int]) -> None:
    origin, to = moved
    page.write(say("generations.rolled_back", origin=origin, to=to))


def verification(page: Page, say: Messages, found: Sequence[Verification]) -> None:
    for one in found:
        if one.damages:
            page.write(say("verify.damaged", generation=one.generation), indent=_MARK_WIDTH, label=_OK[False])
            for damage in one.damages:
                page.write(f"{damage.file}: {say(f'damage.{damage.reason}')}", indent=_MARK_WIDTH)
        else:
            facts = {"files": _counted(say, "files", one.files), "size": _size(say, one.size)}
            page.write(say("verify.sound", generation=one.generation, **facts), indent=_MARK_WIDTH, label=_OK[True])
    if any(one.damages for one in found):
        page.write()
        page.write(say("verify.mend"))


def checks(page: Page, say: Messages, found: Sequence[Check]) -> None:
    for check in found:
        page.write(say.check(check), indent=_MARK_WIDTH, label=_OK[check.ok])


def dialogue(page: Page, say: Messages, lines: Sequence[tuple[bool, str, list[list[str]]]]) -> None:
    for by_bot, text, buttons in lines:
        gutter: Part = ("▌ ", _MARK) if by_bot else ("▌ ", _QUIET)
        page.write((say("serve.bot" if by_bot else "serve.you"), _STRONG), gutter=gutter)
        for line in text.splitlines():
            page.write(line, gutter=gutter)
        for row in buttons:
            page.write((" ".join(f"[ {label.strip('[]')} ]" for label in row), _QUIET), gutter=gutter)
        page.write()


def _hits(page: Page, say: Messages, hits: Sequence[Hit]) -> None:
    for hit in hits:
        start, end = snippet(hit.passage.text, hit.matches)
        located = " · ".join([*place(say, hit.passage, start), hit.passage.id])
        page.write(*_heading(hit.book), indent=_INDENT, label=(f"{hit.rank:>2}.", _MARK))
        page.write((located, _QUIET), indent=_INDENT)
        page.write(*_highlighted(hit.passage.text, hit.matches, start, end), indent=_INDENT)
        if hit is not hits[-1]:
            page.write()


def _heading(book: Book) -> Iterator[Part]:
    yield book.title, _STRONG
    if book.authors:
        yield f" — {', '.join(book.authors)}"


def _highlighted(text: str, matches: Sequence[Span], start: int, end: int) -> Iterator[Part]:
    """The characters `start` to `end` on one line, with the matches marked and dots where the text goes on."""
    if start > 0:
        yield "…"
    reached = start
    for match_start, match_end in matches:
        if reached <= match_start and match_end <= end:
            yield _one_line(text[reached:match_start])
            yield _one_line(text[match_start:match_end]), _MATCH
            reached = match_end
    yield _one_line(text[reached:end])
    if end < len(text):
        yield "…"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def _with_marks(text: str, numbers: Collection[int]) -> Iterator[Part]:
    """The text with the marks [n] of its sources made to stand out."""
    for piece in re.split(rf"(\[\d+\]|{re.escape(OWN_WORDS)})", text):
        is_mark = piece == OWN_WORDS or (piece[1:-1].isdecimal() and int(piece[1:-1]) in numbers)
        yield (piece, _MARK) if is_mark else piece


def _reason(say: Messages, file: Failure | Skip) -> str:
    return say(f"error.{file.reason}", **file.details)


def _counted(say: Messages, what: str, count: int) -> str:
    return say(f"count.{what}", count=count, number=say.number(count))


def _size(say: Messages, size: int) -> str:
    return say("number.megabytes", number=say.number(size / 1_000_000, 1))


def _language(say: Messages, code: str) -> str:
    key = f"language.{code or 'unknown'}"
    return say(key) if key in say else code


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _bar(share: float) -> str:
    """A bar that fills `share` (0…1) of its cells, to half a cell; any share above 0 can be seen."""
    halves = math.ceil(share * _BAR_CELLS * 2)
    return "━" * (halves // 2) + "╸" * (halves % 2)

"""Cutting a book into passages: structure first, then sentences, all of about the same length."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections.abc import Iterator

from ai_library_bot.text import Span, blocks, sentences
from ai_library_bot.types import BookText, Passage, Section, passage_id

TARGET = 1_000
"""Characters a passage should have. About 170 words: long enough to hold an answer with its context."""

_LONGEST_WHOLE = TARGET * 3 // 2  # verse, lists and tables up to this length are never cut
_LONGEST = TARGET * 2  # no passage is longer, even where no sentence ends
_SHORTEST = TARGET // 3  # no cut leaves less than this behind or before it
_SENTENCE_COST = TARGET // 5  # a cut inside a paragraph must be this much nearer to the ideal place than one between


def passages(book_id: str, book: BookText, min_chars: int) -> list[Passage]:
    """The passages of a book in reading order; none crosses a section.

    Sections shorter than `min_chars` are left out, unless the book has nothing longer.
    """
    sections = list(enumerate(book.sections))
    longer = [(number, section) for number, section in sections if len(section.text) >= min_chars]
    spans = [(number, span) for number, section in longer or sections for span in cut(section.text)]
    *offsets, total = itertools.accumulate((len(section.text) for section in book.sections), initial=0)
    return [
        _passage(passage_id(book_id, index), book_id, number, book.sections[number], span, offsets[number], total)
        for index, (number, span) in enumerate(spans)
    ]


def _passage(id_: str, book_id: str, number: int, section: Section, span: Span, offset: int, total: int) -> Passage:
    start, end = span
    return Passage(
        id=id_,
        book_id=book_id,
        section=number,
        chapter=section.heading,
        start=start,
        end=end,
        text=section.text[start:end],
        position=round((offset + start) / total, 4),
        pages=_pages_within(section.pages, start, end),
    )


def _pages_within(pages: tuple[tuple[int, int], ...], start: int, end: int) -> tuple[tuple[int, int], ...]:
    """The page marks of `[start, end)`, counted from `start`; the first is at 0."""
    first = max(0, bisect.bisect_right(pages, start, key=lambda mark: mark[0]) - 1)
    return tuple((max(0, offset - start), page) for offset, page in pages[first:] if offset < end)


def cut(text: str) -> Iterator[Span]:
    """The spans that `text` is cut into: near `TARGET` characters each, ending where a block or a sentence ends.

    The text is divided into equal shares, and each border moves to the nearest good place: the end of a paragraph
    rather than of a sentence; verse, lists and tables (blocks with line breaks) stay whole where they fit.
    """
    shares = max(1, round(len(text) / TARGET))
    borders = _Borders(text)
    start = 0
    for share in range(shares, 1, -1):
        ideal = start + (len(text) - start) / share
        end = borders.nearest(ideal, start)
        yield from _trimmed(text, start, end)
        start = end
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    """The span without white space at its ends; in equal pieces if it is longer than any passage may be."""
    while start < end:
        share = (end - start) // math.ceil((end - start) / _LONGEST)
        whole = share == end - start
        middle = end if whole else text.rfind(" ", start + share // 2, start + share) + 1 or start + share
        piece = text[start:middle]
        if piece.strip():
            yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
        start = middle


class _Borders:
    """The places where a text may be cut. Sentences are looked for only where no block ends near the cut."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._blocks = list(blocks(text))
        self._starts = [start for start, _ in self._blocks]
        self._borders_inside: dict[int, list[int]] = {}

    def nearest(self, ideal: float, after: int) -> int:
        """The best border near `ideal`, beyond `after`; the end of the text if there is none."""
        index = max(0, bisect.bisect_right(self._starts, ideal) - 1)
        start, end = self._blocks[index]
        room = range(after + _SHORTEST, len(self._text) - _SHORTEST + 1)
        around = (start, self._next_start(index))
        candidates = [(abs(border - ideal), border) for border in around if border in room]
        if not candidates or min(candidates)[0] > _SENTENCE_COST:  # else no sentence can do better
            inside = _around(ideal, self._inside(start, end), room)
            candidates += [(abs(border - ideal) + _SENTENCE_COST, border) for border in inside]
        return min(candidates, default=(0.0, len(self._text)))[1]

    def _next_start(self, index: int) -> int:
        return self._starts[index + 1] if index + 1 < len(self._starts) else len(self._text)

    def _inside(self, start: int, end: int) -> list[int]:
        """The borders within a block, in rising order. A long one is cut many times and looked through once."""
        if start not in self._borders_inside:
            self._borders_inside = {start: self._find_inside(start, end)}
        return self._borders_inside[start]

    def _find_inside(self, start: int, end: int) -> list[int]:
        block = self._text[start:end]
        if "\n" not in block:
            return [start + begin for begin, _ in sentences(block)][1:]
        if end - start <= _LONGEST_WHOLE:
            return []
        return [start + line.end() for line in re.finditer("\n", block)]


def _around(ideal: float, borders: list[int], room: range) -> list[int]:
    """Of `borders` in rising order those of `room` that are next to `ideal`: one before it, one behind it."""
    low, high = bisect.bisect_left(borders, room.start), bisect.bisect_left(borders, room.stop)
    place = bisect.bisect_left(borders, ideal, low, max(low, high))
    return borders[max(low, place - 1) : min(high, place + 1)]

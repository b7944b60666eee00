"""Running headers, running footers and page numbers: the lines of a PDF that belong to its pages, not to its text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Literal, NamedTuple

from ai_library_bot.readers.pdf.lines import Row
from ai_library_bot.text import fold

_EDGE_ROWS = 3  # running lines are looked for in so many rows at the top and at the bottom of a page
_ENOUGH_PAGES = 3  # a line that stands on fewer pages is no running line, unless the file has fewer
_MANY_PAGES = 0.2  # the share of pages
_PLACE = 2.0  # lines at heights that differ by less, in points, stand in the same place
_HEADING_SIZE = 1.2  # a line this much larger than the text is a heading, even if its number counts like pages
_ROOM = 1.5  # a lone line is at least this many times its size away from the next one
_LINE_CHARACTERS = 200

_NUMBER = re.compile(r"\b(?:\d+|[ivxlc]+)\b")
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

Edge = Literal["top", "bottom"]
_EDGES: tuple[Edge, ...] = ("top", "bottom")


class Page(NamedTuple):
    """The rows of a page from top to bottom. `number` counts from 1."""

    number: int
    rows: Sequence[Row]


class _Form(NamedTuple):
    """What a line says, perhaps with one of its numbers given as the distance from the page's number."""

    edge: Edge
    text: str


class _Line(NamedTuple):
    """A line at an edge of a page: what it may repeat, where it stands, and whether it is the outermost and alone."""

    forms: frozenset[_Form]
    place: tuple[Edge, int, float]
    lone: bool


def body_size(pages: Iterable[Page]) -> float:
    """The size most of the text is set in; 0 for pages without text."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for row in page.rows:
            sizes[row.size] += sum(len(word.text) for word in row.words)
    return max(sizes, key=lambda size: (sizes[size], size), default=0.0)


def without_running_lines(pages: Sequence[Page]) -> list[Page]:
    """The pages without the lines that repeat at their edges.

    A line repeats when it is the same on several pages, but perhaps for one number that rises as the pages do; left
    and right pages may differ. It is dropped if it stands on many pages, or where such lines usually stand; there a
    lone line goes too that stands only once, as a short chapter's title. What repeats elsewhere, as the title over the
    pages of a long table, is text.
    """
    body = body_size(pages)
    edges = [_lines(page, edge, body) for page in pages for edge in _EDGES]
    seen = Counter(form for lines in edges for form in set().union(*(line.forms for line in lines)))
    enough, many = max(2, min(_ENOUGH_PAGES, len(pages))), _MANY_PAGES * len(pages)
    repeated = {form for form, on in seen.items() if on >= enough}
    dropped = {form for form in repeated if seen[form] >= many}
    places = Counter(line.place for lines in edges for line in lines if not line.forms.isdisjoint(repeated))
    usual = {place for place, count in places.items() if count >= max(enough, many)}

    def runs(line: _Line) -> bool:
        if not line.forms.isdisjoint(dropped):
            return True
        return line.place in usual and (line.lone or not line.forms.isdisjoint(repeated))

    def kept(page: Page) -> Sequence[Row]:
        above, below = (len(list(takewhile(runs, _lines(page, edge, body)))) for edge in _EDGES)
        return page.rows[above : max(above, len(page.rows) - below)]

    return [page._replace(rows=kept(page)) for page in pages]


def _lines(page: Page, edge: Edge, body: float) -> list[_Line]:
    """The lines at an edge of a page, the outermost first."""
    rows = page.rows[: _EDGE_ROWS + 1] if edge == "top" else page.rows[: -_EDGE_ROWS - 2 : -1]
    lines = [
        _Line(frozenset(_forms(row, edge, page.number, body)), (edge, round(row.y / _PLACE), row.size), lone=False)
        for row in rows[:_EDGE_ROWS]
    ]
    if len(rows) > 1 and abs(rows[1].y - rows[0].y) > _ROOM * rows[0].size:
        lines[0] = lines[0]._replace(lone=True)
    return lines


def _forms(row: Row, edge: Edge, page: int, body: float) -> Iterator[_Form]:
    """The line as it is, and with each of its numbers in turn counted from the page it stands on."""
    text = fold(row.text)
    if len(text) > _LINE_CHARACTERS:
        return
    if not text.isdecimal():
        yield _Form(edge, text)
    if row.size <= _HEADING_SIZE * body:
        for match in _NUMBER.finditer(text):
            shift = _value(match.group()) - page
            yield _Form(edge, f"{text[: match.start()]}<{shift}>{text[match.end() :]}")


def _value(number: str) -> int:
    """What an Arabic or Roman number stands for."""
    if number.isdecimal():
        return int(number)
    values = [_ROMAN[letter] for letter in number]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))

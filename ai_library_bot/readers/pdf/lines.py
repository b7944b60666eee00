"""One page of a PDF: from words and where they stand to lines, and to columns of lines in reading order.

Pure functions, no PDF needed. Lengths are in points; `y` is a baseline's distance from the top of the page, so it grows
downwards. Limits named `..._EM` are in units of the type's size. They were chosen on reports, manuals, articles and
books.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

RAISED = 0.8
"""Note marks and exponents are at most this share of the size of their line."""
_RAISED_ROOM_EM = 0.35  # they stand so near to a word of it
_INITIAL = 1.8  # an initial is at least this many times the size of the text beside it
_SAME_BASELINE_EM = 0.3  # baselines that differ by less are one
_GUTTER_EM = 0.8  # the least white space between two columns of text
_COLUMN_ROWS = 4  # fewer rows side by side are no columns
_PROSE_CHARACTERS = 20  # of a line; the lines of a column of text are longer, at the median
_PROSE_LETTERS = 0.6  # the least share of the characters
_GUTTERS_TRIED = 8  # places where lines often begin anew
_EDGE = 0.15  # the outer part of a column's width, on either side


class Word(NamedTuple):
    text: str
    left: float
    right: float
    y: float
    size: float
    bold: bool = False


class Row(NamedTuple):
    """Words on one baseline, from left to right."""

    words: tuple[Word, ...]
    y: float
    size: float
    bold: bool

    @property
    def left(self) -> float:
        return self.words[0].left

    @property
    def right(self) -> float:
        return self.words[-1].right

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def rows(words: Iterable[Word]) -> list[Row]:
    """The words of a page as rows from top to bottom. Raised note marks and exponents stay in their line."""
    groups: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word.y, word.left)):
        if groups and word.y - groups[-1][0].y <= _SAME_BASELINE_EM * max(word.size, groups[-1][0].size):
            groups[-1].append(word)
        else:
            groups.append([word])
    found: list[Row] = []
    raised: list[Word] = []
    for index, group in enumerate(groups):
        if index + 1 < len(groups) and _is_raised(group, groups[index + 1]):
            raised += group
        else:
            found.append(_row([*group, *raised]))
            raised = []
    return _with_initials(found)


def _with_initials(page: list[Row]) -> list[Row]:
    """The rows with each initial that is several lines high before the first of these lines."""
    for index, row in enumerate(page):
        initial = row.words[0]
        if len(initial.text) > 2 or not initial.text[-1].isalpha():
            continue
        beside = next((i for i in range(max(0, index - 6), index + 1) if _is_beside(page[i], initial)), None)
        if beside is None:
            continue
        page[index] = _row(row.words[1:]) if len(row.words) > 1 else row._replace(words=())
        first, *rest = (word for word in page[beside].words if word is not initial)
        joined = first.left - initial.right < _SAME_BASELINE_EM * first.size
        word = first._replace(text=f"{initial.text}{'' if joined else ' '}{first.text}")
        page[beside] = _row([word, *rest])
    return [row for row in page if row.words]


def _is_beside(row: Row, initial: Word) -> bool:
    """Whether the row is a line of text to the right of the initial."""
    words = [word for word in row.words if word is not initial]
    return bool(words) and (
        initial.size >= _INITIAL * words[0].size
        and initial.y - initial.size < row.y
        and 0 <= words[0].left - initial.right + 0.2 * initial.size < 0.4 * initial.size
    )


def _row(words: Iterable[Word]) -> Row:
    ordered = tuple(sorted(words, key=lambda word: (word.left, word.right, word.text)))
    sizes: Counter[float] = Counter()
    bold = letters = 0
    for word in ordered:
        sizes[word.size] += len(word.text)
        letters += len(word.text)
        bold += len(word.text) * word.bold
    size = max(sizes, key=lambda size: (sizes[size], size))
    y = median(word.y for word in ordered if word.size == size)
    return Row(ordered, y, size, bold * 10 > letters * 9)


def _is_raised(group: Sequence[Word], line: Sequence[Word]) -> bool:
    """Whether the words are small ones that hang on the words of the line just below their baseline."""
    size = max(word.size for word in line)
    if line[0].y - group[0].y > size or any(word.size > RAISED * size for word in group):
        return False
    room = _RAISED_ROOM_EM * size
    return all(
        any(
            -room < word.left - other.right < room or -room < other.left - word.right < room
            for other in line
            if other.size == size
        )
        for word in group
    )


def columns(page: Sequence[Row]) -> Iterator[list[Row]]:
    """The rows in reading order, parted where text stands in columns side by side; what crosses them stays between."""
    gutter = _gutter(page) if len(page) >= _COLUMN_ROWS else None
    if gutter is None:
        if page:
            yield list(page)
        return
    start, end, x = gutter
    yield from columns(page[:start])
    for side in _sides(page[start:end], x):
        yield from columns(side)
    yield from columns(page[end:])


def _gutter(page: Sequence[Row]) -> tuple[int, int, float] | None:
    """The longest run of rows (start, end) that a gutter at x parts into two sides of prose."""
    left, right = min(row.left for row in page), max(row.right for row in page)
    inner_left, inner_right = left + _EDGE * (right - left), right - _EDGE * (right - left)
    starts: Counter[int] = Counter()
    for row in page:
        free = left
        for word in row.words:
            if word.left - free >= _GUTTER_EM * row.size and inner_left < word.left < inner_right:
                starts[round(word.left)] += 1
            free = word.right
    best: tuple[int, int, float] | None = None
    for start, _ in starts.most_common(_GUTTERS_TRIED):
        if starts[start - 1] + starts[start] + starts[start + 1] < _COLUMN_ROWS:
            break
        x = start - 1.5
        for first, last in _runs([not _crosses(row, x) for row in page]):
            if best and last - first <= best[1] - best[0]:
                continue
            if all(_is_prose(side) for side in _sides(page[first:last], x)):
                best = first, last, x
    return best


def _crosses(row: Row, x: float) -> bool:
    """Whether a word of the row stands in the gutter that ends at x."""
    gutter = x + 1 - _GUTTER_EM * row.size
    return any(word.right > gutter and word.left < x for word in row.words)


def _runs(flags: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """The `(start, end)` of each run of true flags."""
    start = None
    for index, flag in enumerate([*flags, False]):
        if flag and start is None:
            start = index
        elif not flag and start is not None:
            yield start, index
            start = None


def _sides(page: Sequence[Row], x: float) -> tuple[list[Row], list[Row]]:
    """The rows' halves left and right of x."""
    lefts = [_row(words) for row in page if (words := [word for word in row.words if word.left < x])]
    rights = [_row(words) for row in page if (words := [word for word in row.words if word.left >= x])]
    return lefts, rights


def _is_prose(side: Sequence[Row]) -> bool:
    """Whether the rows are lines of a column of text and not cells of a table."""
    if len(side) < _COLUMN_ROWS:
        return False
    texts = [row.text for row in side]
    if median(map(len, texts)) < _PROSE_CHARACTERS:
        return False
    text = "".join(texts).replace(" ", "")
    if sum(map(str.isalpha, text)) < _PROSE_LETTERS * len(text):
        return False
    extent = max(row.right for row in side) - min(row.left for row in side)
    return median(row.right - row.left for row in side) >= extent / 2

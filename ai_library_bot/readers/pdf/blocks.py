"""A column of a PDF's page: from its lines to paragraphs, verse, tables and notes.

Pure functions; units as in `lines`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

from ai_library_bot.readers.pdf.lines import RAISED, Row, Word

_CELL_GAP_EM = 1.2  # the least white space between two cells of a table
_SIGN_GAP_EM = 0.5  # the same before a currency sign that follows a number
_INDENT_EM = 0.7  # a line set in less is not set in
_WIDE_LEADING = 1.35  # a step to the next line this many times the usual one sets paragraphs apart
_SMALLER = 0.93  # notes are set in type at most this share of the size of the text
_FILL_SLACK_EM = 1.5  # how much room a full line may leave at its end
_TABLE_LOOSE_ROWS = 3  # rows of one cell that may stand between two rows of a table
_HEADER_INDENT = 0.15  # of the column's width; a line set in further above a table is its header
_FULL_SHARE = 0.8  # a line this wide may be the full line of a paragraph
_TABLE_STEP = 3.0  # rows further apart than this many lines are not of one table
_JUSTIFIED_SHARE = 0.3  # so many of a column's lines end at its right edge, if it is justified
_JUSTIFIED_LINES = 4  # and at least so many
_LABEL_SHIFT = 20.0  # points that the second line of a label may be set in
_VERSE_SHARE = 0.6  # of the lines of a block; if so many end on purpose, all line breaks stay

_LIST_MARK = re.compile(
    r"(?:[•◦‣▪■□●○–—*·\uf0b7-]|\(?(?:\d{1,3}|[a-zA-Zа-яА-Я]|[ivxIVX]{1,5})[.)]|\(\d{1,3}\)|\d+(?:\.\d+)+\.?"
    r"|(?:item|note|part|chapter|section|article|глава|часть|статья)\s+[\divxlc]+[a-z]?[.:]?)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[•◦‣▪■□●○\uf0b7]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,5})\)|\d{1,3}\.)(?=\s)")
_RULE = re.compile(r"[_=–—-]{3,}")
_LEADERS = re.compile(r"\s*(?:[.·…_]\s?){4,}\s*")
_LEFT_OF_NUMBER = re.compile(r"[$€£¥₽(]{1,3}|US\$")
_NUMBER_END = re.compile(r"[\d)%—]$")
_RIGHT_OF_NUMBER = re.compile(r"[)%]{1,3}")
_SENTENCE_END = re.compile(r"""[.!?…:;]["'”’»)\]]*\d{0,3}$""")


def ends_sentence(line: str) -> bool:
    return _SENTENCE_END.search(line) is not None


def starts_item(line: str) -> bool:
    """Whether the line begins an item of a list."""
    return _BULLET.match(line) is not None


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, whose lines flow on, or a table or verse ("lines"), whose lines stay.

    `first` blocks stand at the head of a column, `open` ones fill its last line, so that a paragraph may run from
    an open one to the next first one. `indented` says that the first line is set in.
    """

    kind: Literal["paragraph", "lines", "table"]
    lines: tuple[str, ...]
    y: float
    size: float
    bold: bool = False
    centered: bool = False
    indented: bool = False
    first: bool = False
    open: bool = False
    note: bool = False


def blocks(column: Sequence[Row], body: float) -> Iterator[Block]:
    """The blocks of one column. `body` is the size of the book's text; what is smaller below the text is a note."""
    column = [row for row in column if not _RULE.fullmatch(row.text)]
    notes = len(column)
    while notes and column[notes - 1].size <= _SMALLER * body:
        notes -= 1
    if notes == 0:
        notes = len(column)
    text = list(_blocks(column[:notes], note=False))
    for index, block in enumerate(text):
        yield replace(block, first=index == 0, open=block.open and index == len(text) - 1)
    yield from _blocks(column[notes:], note=True)


def _blocks(column: Sequence[Row], *, note: bool) -> Iterator[Block]:
    if not column:
        return
    leading = _leading(column)
    left, right = min(row.left for row in column), _right_edge(column)
    cells = [_cells(row) for row in column]
    text_start = 0
    for start, end in _tables(column, cells, leading):
        yield from _paragraphs(column[text_start:start], left, right, leading, note=note)
        first = column[start]
        yield Block("table", tuple(_table_lines(cells[start:end])), first.y, first.size, note=note)
        text_start = end
    yield from _paragraphs(column[text_start:], left, right, leading, note=note)


def _leading(column: Sequence[Row]) -> float:
    """The usual step from line to line."""
    steps = [below.y - above.y for above, below in pairwise(column) if below.y - above.y < 2.5 * below.size]
    return median(steps) if steps else 1.2 * column[0].size


def _right_edge(column: Sequence[Row]) -> float:
    """Where full lines end: where many lines do, else where the longest one does."""
    ends = Counter(round(row.right) for row in column)
    common, _ = ends.most_common(1)[0]
    if sum(ends[common + shift] for shift in (-1, 0, 1)) >= max(_JUSTIFIED_LINES, _JUSTIFIED_SHARE * len(column)):
        return float(common)
    return max(row.right for row in column)


class _Cell(NamedTuple):
    text: str
    left: float


def _cells(row: Row) -> list[_Cell]:
    """The row's text, parted at wide gaps and at leaders ("Contents . . . . 7")."""
    parts: list[list[Word]] = [[row.words[0]]]
    for previous, word in pairwise(row.words):
        if _parts_cells(previous, word, row.size):
            parts.append([word])
        else:
            parts[-1].append(word)
    cells: list[_Cell] = []
    for part in parts:
        text = " ".join(word.text for word in part)
        cells += [_Cell(piece, part[0].left) for piece in _LEADERS.split(text) if piece]
    return cells or [_Cell(row.text, row.left)]


def _parts_cells(word: Word, following: Word, size: float) -> bool:
    """Whether a cell ends between the words. Currency and percent signs and brackets stay with their number."""
    gap = following.left - word.right
    if gap <= _SIGN_GAP_EM * size:
        return False
    if _LEFT_OF_NUMBER.fullmatch(word.text) or _RIGHT_OF_NUMBER.fullmatch(following.text):
        return False
    if _LEFT_OF_NUMBER.fullmatch(following.text) and _NUMBER_END.search(word.text):
        return True
    return gap > _CELL_GAP_EM * size


def _is_table_row(cells: Sequence[_Cell]) -> bool:
    return len(cells) > 2 or (len(cells) == 2 and not _LIST_MARK.fullmatch(cells[0].text))


def _tables(column: Sequence[Row], cells: Sequence[Sequence[_Cell]], leading: float) -> Iterator[tuple[int, int]]:
    """The `(start, end)` of each table: rows of several cells, with the few rows of one cell between them."""
    left, right = min(row.left for row in column), max(row.right for row in column)
    full = left + _FULL_SHARE * (right - left)
    tabular = [index for index, row in enumerate(cells) if _is_table_row(row)]
    index = free_from = 0
    while index < len(tabular):
        first = last = index
        while last + 1 < len(tabular):
            between = column[tabular[last] + 1 : tabular[last + 1]]
            steps = pairwise(column[tabular[last] : tabular[last + 1] + 1])
            if (
                len(between) > _TABLE_LOOSE_ROWS
                or sum(row.right > full for row in between) > 1
                or any(below.y - above.y > _TABLE_STEP * leading for above, below in steps)
            ):
                break
            last += 1
        if last > first:
            start, end = tabular[first], tabular[last] + 1
            while (
                start > free_from
                and column[start].y - column[start - 1].y <= _WIDE_LEADING * leading
                and column[start - 1].left > left + _HEADER_INDENT * (right - left)
            ):
                start -= 1
            yield start, end
            free_from = end
        index = last + 1


def _table_lines(table: Sequence[Sequence[_Cell]]) -> Iterator[str]:
    """One line a row. A label that runs on ("Accounts receivable, net" / "and other  8,339") becomes one."""
    label: _Cell | None = None
    for cells in table:
        if label and cells[0].text[0].islower() and abs(cells[0].left - label.left) < _LABEL_SHIFT:
            cells = [_Cell(f"{label.text} {cells[0].text}", label.left), *cells[1:]]
            label = None
        if label:
            yield label.text
            label = None
        if len(cells) == 1:
            label = cells[0]
        else:
            yield " | ".join(cell.text for cell in cells)
    if label:
        yield label.text


def _paragraphs(lines: Sequence[Row], left: float, right: float, leading: float, *, note: bool) -> Iterator[Block]:
    """The blocks of lines that hold no table. `left` and `right` are the column's borders."""
    start = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or _starts_block(lines, start, index, right, leading, note=note):
            yield from _split(lines[start:index], left, right, note=note)
            start = index


def _starts_block(lines: Sequence[Row], start: int, index: int, right: float, leading: float, *, note: bool) -> bool:
    """Whether line `index` begins a block, where line `start` began the one before it."""
    line, above = lines[index], lines[index - 1]
    if abs(line.size - above.size) > (1 - _SMALLER) * above.size or line.bold != above.bold:
        return True
    if line.y - above.y > max(_WIDE_LEADING * leading, _WIDE_LEADING * line.size):
        return True
    if starts_item(line.text) or (note and line.words[0].size <= RAISED * line.size):
        return True
    shift = line.left - above.left
    if shift > _INDENT_EM * line.size:  # a first line set in, unless the lines hang under the first one
        after = lines[index + 1].left if index + 1 < len(lines) else line.left
        under_text = any(abs(word.left - line.left) < _INDENT_EM / 2 * line.size for word in lines[start].words[1:3])
        hangs = under_text or starts_item(lines[start].text) or abs(after - line.left) < _INDENT_EM * line.size
        return index - 1 != start or not hangs
    if shift < -_INDENT_EM * line.size and index - 1 != start:  # the next item, or the second line of a paragraph
        return _has_room(above, line, right) or (ends_sentence(above.text) and not line.text[0].islower())
    return False


def _split(lines: Sequence[Row], left: float, right: float, *, note: bool) -> Iterator[Block]:
    """Verse and addresses as they stand; other lines as paragraphs, which end where the next word still had room."""
    broken = [_has_room(above, below, right) for above, below in pairwise(lines)]
    ended = [ends_sentence(line.text) for line in lines]
    if len(lines) > 2 and sum(broken) >= _VERSE_SHARE * len(broken) and not all(ended):
        yield _block("lines", lines, left, right, note=note)
        return
    full = left + _FULL_SHARE * (right - left)
    start = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or (
            broken[index - 1]
            and not lines[index].text[0].islower()
            and (ended[index - 1] or lines[index - 1].right < full)
        ):
            yield _block("paragraph", lines[start:index], left, right, note=note)
            start = index


def _has_room(line: Row, following: Row, right: float) -> bool:
    """Whether the line was ended on purpose: the first word of the next one would have fitted."""
    word = following.words[0]
    return line.right + (word.right - word.left) + _FILL_SLACK_EM * line.size < right


def _block(
    kind: Literal["paragraph", "lines"], lines: Sequence[Row], left: float, right: float, *, note: bool
) -> Block:
    first, last = lines[0], lines[-1]
    return Block(
        kind,
        tuple(line.text for line in lines),
        first.y,
        first.size,
        bold=all(line.bold for line in lines),
        centered=all(
            line.left - left > 2 * line.size and abs((line.left - left) - (right - line.right)) < 2 * line.size
            for line in lines
        ),
        indented=first.left - min(left, lines[1].left if len(lines) > 1 else left) > _INDENT_EM * first.size,
        open=last.right > left + _FULL_SHARE * (right - left),
        note=note,
    )

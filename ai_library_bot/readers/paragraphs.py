"""The lines of a plain text → its blocks, by measuring how the file was written.

Three habits are common, and each is told by line lengths: lines broken by an editor at 60 to 80 columns, with blank
lines or indents between paragraphs; one line for each paragraph; and one line for each paragraph with blank lines
between. A line break is an editor's if the next word would not have fitted; any other break was meant, as in verse.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_WRAPS = range(50, 121)  # columns at which editors break lines
_MOSTLY = 0.5
_SHORT = 80  # characters; a longer line is a paragraph, whatever it ends with
_SENTENCE_END = re.compile(r"(?:[.!?…:]|\*|_{3,})[\"'»”’)\]}\s]*(?:[\[{(]\d+[\]})])?$")
_HYPHENS = ("-", "\u00ad", "\u2010")
_LAST_PART = re.compile(r"[^\W\d_]*$")
_LONGEST_WORD = 40
_FIRST_PART = re.compile(r"[^\W\d_]+")
_PAGE_NUMBER = re.compile(r"(?:[-–—]\s?)?(\d{1,4})(?:\s?[-–—])?")
_FEW_PAGES = 10


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file breaks its lines: `width` and `margin` are columns, both 0 where each line is a paragraph."""

    wrapped: bool
    width: int
    margin: int


def measure(lines: Sequence[str]) -> Layout:
    """The layout of a whole file."""
    written = [line for line in lines if line.strip()]
    if not written:
        return Layout(wrapped=False, width=0, margin=0)
    width = sorted(len(line.rstrip()) for line in written)[len(written) * 9 // 10]
    margin = Counter(map(_indent, written)).most_common(1)[0][0]
    within = [
        (line, after) for line, after in pairwise(lines) if line.strip() and after.strip() and _indent(after) <= margin
    ]
    full = sum(not _fits(line, after, width) for line, after in within)
    if width not in _WRAPS or not within or full < _MOSTLY * len(within):
        return Layout(wrapped=False, width=0, margin=0)
    return Layout(wrapped=True, width=width, margin=margin)


def lay_out(lines: Sequence[str], layout: Layout, is_word: Callable[[str], bool]) -> Iterator[str]:
    """The blocks of some lines of a file; verse and lists keep their line breaks.

    `is_word` says whether the book has a word; it mends words that were hyphenated at the end of a line.
    """
    for block in _split_at_blanks(lines):
        if not layout.wrapped:
            yield from _lines_as_paragraphs([line.strip() for line in block])
            continue
        indented = all(_indent(line) > layout.margin for line in block)
        paragraphs = [block] if indented and len(block) > 1 else _split_at_indents(block, layout.margin)
        single: list[str] = []
        for paragraph in paragraphs:
            if len(paragraph) == 1:
                single.append(paragraph[0].strip())
                continue
            yield from _lines_as_paragraphs(single)
            single = []
            yield _verse_or_prose(paragraph, layout.width, is_word)
        yield from _lines_as_paragraphs(single)


def page_numbers(lines: Sequence[str]) -> set[int]:
    """The indexes of lines that hold nothing but the number of a page: many of them, always rising."""
    found = {
        index: int(match[1]) for index, line in enumerate(lines) if (match := _PAGE_NUMBER.fullmatch(line.strip()))
    }
    rising = all(before < after for before, after in pairwise(found.values()))
    return set(found) if rising and len(found) >= _FEW_PAGES else set()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _fits(line: str, after: str, width: int) -> bool:
    """Whether the first word of the next line would have fitted behind this one."""
    return len(line.rstrip()) + 1 + len(after.split(maxsplit=1)[0]) <= width


def _split_at_blanks(lines: Sequence[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in lines:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _split_at_indents(block: list[str], margin: int) -> list[list[str]]:
    paragraphs: list[list[str]] = []
    for line in block:
        if not paragraphs or _indent(line) > margin:
            paragraphs.append([])
        paragraphs[-1].append(line)
    return paragraphs


def _lines_as_paragraphs(lines: list[str]) -> Iterator[str]:
    """One block for each line, but one for lines that run on: a short line that ends no sentence is verse or a list."""
    if not lines:
        return
    ended = sum(bool(_SENTENCE_END.search(line)) for line in lines)
    if max(map(len, lines)) <= _SHORT and ended <= _MOSTLY * len(lines):
        yield "\n".join(lines)
        return
    block = lines[:1]
    for line, after in pairwise(lines):
        if len(line) > _SHORT or len(after) > _SHORT or _SENTENCE_END.search(line):
            yield "\n".join(block)
            block = []
        block.append(after)
    yield "\n".join(block)


def _verse_or_prose(lines: list[str], width: int, is_word: Callable[[str], bool]) -> str:
    meant = sum(_fits(line, after, width) for line, after in pairwise(lines))
    if meant > _MOSTLY * (len(lines) - 1):
        return "\n".join(line.strip() for line in lines)
    prose = lines[0].strip()
    for line in lines[1:]:
        prose = _join(prose, line.strip(), is_word)
    return prose


def _join(before: str, after: str, is_word: Callable[[str], bool]) -> str:
    if not before.endswith(_HYPHENS) or not after[:1].islower():
        return f"{before} {after}"
    parts = _LAST_PART.search(before[-_LONGEST_WORD:-1]), _FIRST_PART.match(after)
    first, second = (part[0] if part else "" for part in parts)
    if is_word(first + second) or not (is_word(f"{first}-{second}") or (is_word(first) and is_word(second))):
        return before[:-1] + after
    return before + after

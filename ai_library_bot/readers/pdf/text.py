"""The blocks of a PDF's pages as one text: paragraphs joined over columns and pages, hyphens taken out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from ai_library_bot.readers.pdf.blocks import Block, ends_sentence, starts_item
from ai_library_bot.text import one_line
from ai_library_bot.types import Section

_HEADING_CHARACTERS = 150
_SAME_SIZE = 0.05
_WORD_CHARACTERS = 60  # of a word before a hyphen are looked at
_BETWEEN_BLOCKS = "\n\n"

_SOFT_HYPHEN = "\u00ad"
_HYPHEN_END = re.compile(r"(\w[\w-]*)[-\u2010]$")
_DASH_END = re.compile(r"\S[–—]$")
_FIRST_WORD = re.compile(r"\w+")
_WORD = re.compile(r"\w+(?:-\w+)*")


@dataclass(frozen=True)
class Piece:
    """A block of the book, with the page of each of its lines."""

    block: Block
    pages: tuple[int, ...]

    @cached_property
    def heading(self) -> str:
        """The text in one line if it is short enough for a heading, else ""."""
        if self.block.note or sum(map(len, self.block.lines)) > _HEADING_CHARACTERS:
            return ""
        return one_line(" ".join(self.block.lines).replace(" | ", " "))


class Start(NamedTuple):
    """Where a chapter begins: its heading is `pieces[at:text]`, its text goes on from there."""

    at: int
    text: int
    level: int
    title: str


def joined(pages: Iterable[tuple[int, Sequence[Block]]]) -> Iterator[Piece]:
    """The blocks in reading order. Notes stand behind the paragraph that runs over the end of their page."""
    last: Piece | None = None
    notes: list[Piece] = []
    for number, blocks in pages:
        for block in blocks:
            piece = Piece(block, (number,) * len(block.lines))
            if block.note:
                notes.append(piece)
            elif last and _runs_on(last.block, block):
                lines = last.block.lines + block.lines
                last = Piece(replace(last.block, lines=lines, open=block.open), last.pages + piece.pages)
            else:
                if last:
                    yield last
                yield from notes
                notes = []
                last = piece
    if last:
        yield last
    yield from notes


def _runs_on(block: Block, following: Block) -> bool:
    """Whether the paragraph goes on in the block at the head of the next column or page."""
    if not block.open or block.kind != "paragraph" or following.kind != "paragraph" or not following.first:
        return False
    if abs(block.size - following.size) > _SAME_SIZE * block.size or block.bold != following.bold:
        return False
    end, start = block.lines[-1], following.lines[0]
    if starts_item(start):
        return False
    return bool(_HYPHEN_END.search(end)) or start[0].islower() or not (ends_sentence(end) or following.indented)


def sections(pieces: Sequence[Piece], starts: Iterable[Start]) -> Iterator[Section]:
    """The pieces as sections, each from one start to the next. Those without text but their heading are left out."""
    words = {word for piece in pieces for line in piece.block.lines for word in _WORD.findall(line.lower())}
    path: list[Start] = []
    text = 0
    for start in (*starts, None):
        heading = tuple(one_line(step.title) for step in path)
        section = _section(heading, pieces[text : start.at if start else None], words)
        if section.text:
            yield section
        if start:
            path = [step for step in path if step.level < start.level] + [start]
            text = start.text


def _section(heading: tuple[str, ...], pieces: Iterable[Piece], words: set[str]) -> Section:
    texts: list[str] = []
    pages: list[tuple[int, int]] = []
    length = 0
    for piece in pieces:
        text, starts = _text(piece.block, words)
        if not text:
            continue
        for start, page in zip(starts, piece.pages, strict=True):
            if not pages or pages[-1][1] != page:
                pages.append((length + start, page))
        texts.append(text)
        length += len(text) + len(_BETWEEN_BLOCKS)
    return Section(heading, _BETWEEN_BLOCKS.join(texts), tuple(pages))


def _text(block: Block, words: set[str]) -> tuple[str, list[int]]:
    """The block's text, and where in it each of its lines starts."""
    text = ""
    starts: list[int] = []
    for line in block.lines:
        line = one_line(f"{line[:-1]}-" if line.endswith(_SOFT_HYPHEN) else line)
        if text and line:
            text = _before(line, text, words) if block.kind == "paragraph" else f"{text}\n"
        starts.append(len(text))
        text += line
    return text, starts


def _before(line: str, text: str, words: set[str]) -> str:
    """The text, ready for the next line of its paragraph: without the hyphen that parts a word, else with a space.

    A hyphen stays where the book writes the word with one elsewhere, and before a capital or a digit.
    """
    end, start = _HYPHEN_END.search(text, max(0, len(text) - _WORD_CHARACTERS)), _FIRST_WORD.match(line)
    if end is None or start is None:
        return text if _DASH_END.search(text, max(0, len(text) - 2)) else f"{text} "
    first, second = end[1].lower(), start[0].lower()
    hyphenated = f"{first}-{second}" in words and first + second not in words
    if hyphenated or not start[0].islower() or first[-1].isdigit() or text.endswith("\u2010"):
        return text
    return text[:-1]

"""Plain text: title and author from its first lines, chapters from its headings, notes from its last pages."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from ai_library_bot.readers import front_matter, gutenberg, headings, paragraphs
from ai_library_bot.readers.decode import decode
from ai_library_bot.text import clean, one_line
from ai_library_bot.types import BookText, Section

_NUMERIC_REFERENCE = re.compile(r"&#(?:\d{2,5}|x[0-9a-fA-F]{2,4});")  # left over by converters
_LINE_END = re.compile(r"\r\n?|[\n\x0b\x0c\x85\u2028\u2029]")
_HYPHENATED_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LICENCE_FIELDS = 60  # lines of a Gutenberg header in which it names the book

_MARKS = (re.compile(r"\[(\d{1,3})\]"), re.compile(r"\{(\d{1,3})\}"))
_ENTRY = re.compile(r"[\[{(]?(\d{1,3})[\]}).]*(?:\s+(\S.*))?", re.DOTALL)
_MOST = 0.8


class Chapter(NamedTuple):
    path: tuple[str, ...]
    blocks: list[str]


def read(data: bytes, _path: Path) -> BookText:
    """The book in a plain text file of any common encoding."""
    return book_of(decode(data), "txt")


def book_of(text: str, book_format: str) -> BookText:
    """The book in a plain text, as a reader of `book_format`."""
    text = _NUMERIC_REFERENCE.sub(lambda reference: html.unescape(reference[0]), text)
    licence, text = _without_licence(text)
    lines = _LINE_END.split(text.replace("\t", "    "))
    said = front_matter.fields(_LINE_END.split(licence)[:_LICENCE_FIELDS])
    front = said._replace(lines=0) if said else front_matter.read(lines)
    if not any(line.strip() for line in lines[front.lines :]):
        front = front_matter.Front()  # a title alone is the text
    lines = lines[front.lines :]
    layout = paragraphs.measure(lines)
    found = headings.find(lines, wrapped=layout.wrapped)
    starts = {heading.start for heading in found}
    for index in paragraphs.page_numbers(lines) - starts:
        lines[index] = ""
    is_word = _words_of(text)
    chapters = [
        Chapter(tuple(map(one_line, path)), list(paragraphs.lay_out(chapter_lines, layout, is_word)))
        for path, chapter_lines in headings.divide(found, lines)
    ]
    sections = (Section(path, clean("\n\n".join(blocks))) for path, blocks in _with_notes_in_place(chapters))
    return BookText(
        format=book_format,
        sections=tuple(section for section in sections if section.text),
        title=front.title,
        authors=front.authors,
        language=front.language,
        year=front.year,
    )


def _without_licence(text: str) -> tuple[str, str]:
    """What Project Gutenberg puts before the book, and the book."""
    start = gutenberg.START.search(text)
    if start is None:
        return "", text
    end = gutenberg.END.search(text, start.end())
    return text[: start.start()], text[start.end() : end.start() if end else None]


def _words_of(text: str) -> Callable[[str], bool]:
    """Whether a word, also one with a hyphen, stands in the text; the text is read when the first word is asked for."""

    @cache
    def known() -> frozenset[str]:
        return frozenset(_HYPHENATED_WORD.findall(text.lower()))

    return lambda word: word.lower() in known()


def _with_notes_in_place(chapters: list[Chapter]) -> list[Chapter]:
    """The chapters with each note of "Notes" at the end behind the block that refers to it as [3] or {3}."""
    for index, (path, blocks) in enumerate(chapters):
        notes = _entries(blocks) if path and headings.is_notes(path[-1]) else {}
        for mark in _MARKS if notes else ():
            others = [*chapters[:index], *chapters[index + 1 :]]
            found = {number for chapter in others for block in chapter.blocks for number in mark.findall(block)}
            if len(found & notes.keys()) >= _MOST * len(notes):
                waiting = dict(notes)
                chapters = [
                    Chapter(path, [f"[{number}] {note}" for number, note in notes.items() if number not in found])
                    if chapter is chapters[index]
                    else Chapter(chapter.path, list(_annotated(chapter.blocks, mark, waiting)))
                    for chapter in chapters
                ]
                break
    return chapters


def _entries(blocks: list[str]) -> dict[str, str]:
    """The notes of a section by their numbers, which count from 1: "1", blank line, text, or "1. Text"."""
    entries: dict[str, str] = {}
    for block in blocks:
        found = _ENTRY.fullmatch(block)
        if found and int(found[1]) == len(entries) + 1:
            entries[found[1]] = found[2] or ""
        elif entries:
            number = str(len(entries))
            entries[number] = f"{entries[number]} {block}".strip()
        else:
            return {}  # it begins with something else
    return entries


def _annotated(blocks: list[str], mark: re.Pattern[str], waiting: dict[str, str]) -> Iterator[str]:
    """The blocks, each note that is `waiting` behind the first that refers to it; then it waits no more."""
    for block in blocks:
        notes = {number: waiting.pop(number) for number in mark.findall(block) if number in waiting}
        if notes:
            block = re.sub(rf"\s?{mark.pattern}", partial(_without_mark, notes), block)
        yield block
        yield from (f"[{number}] {note}" for number, note in notes.items())


def _without_mark(notes: dict[str, str], found: re.Match[str]) -> str:
    return "" if found[1] in notes else found[0]

"""The chapters of a plain text, found by their headings.

Three kinds of lines are headings: those that say so ("Часть вторая", "Chapter 3. The Storm", "Пролог"); numbers alone
or before a title ("II", "IV. THE LETTER"), where they count on from one another; and, in a book that has no chapters by
name, short lines in capitals between blank lines. A heading has text under it, so a table of contents has none.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from ai_library_bot.text import fold, one_line


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in lines `start` to `end` (not included); deeper ones have the higher `level`."""

    start: int
    end: int
    level: int
    text: str


_ALONE = 0  # a prologue, a preface, notes: under no part, and nothing is under them
_LEVELS = {
    1: "том volume",
    2: "книга book",
    3: "часть раздел отдел part act действие акт",
    4: "глава письмо песнь картина chapter letter canto stave",
    5: "явление сцена scene section",
}
_CHAPTER = 4
_ROMAN_LEVEL = 6
_ARABIC_LEVEL = 7
_LEVEL_OF = {word: level for level, words in _LEVELS.items() for word in words.split()}

_STANDING_ALONE = frozenset(
    fold(text)
    for text in (
        "пролог|эпилог|предисловие|введение|вступление|послесловие|заключение|примечания|комментарии|приложение|"
        "приложения|сноски|от автора|от издателя|от переводчика|вместо предисловия|вместо эпилога|"
        "prologue|epilogue|preface|foreword|introduction|introductory|afterword|postscript|conclusion|appendix|"
        "notes|footnotes|endnotes|author's note|finale"
    ).split("|")
)
_NOTES = frozenset("примечания комментарии сноски notes footnotes endnotes".split())

_ROMAN = r"(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ORDINALS = (
    r"(?i:(?:(?:двадцать|тридцать|сорок|пятьдесят)\s)?"
    r"(?:перв|втор|трет|четв[её]рт|пят|шест|седьм|восьм|девят|десят|\w{2,7}надцат|двадцат|тридцат|сороков|пятидесят)"
    r"(?:ая|ый|ой|ое|ья|ий|ье)"
    r"|(?:the\s)?(?:(?:twenty|thirty|forty|fifty)-?)?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w{3,6}teen|twenty|thirty|forty|fifty"
    r"|first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last))"
)
_NUMBER = rf"(?:\d{{1,3}}|{_ROMAN}|{_ORDINALS})"
_WORDS = "|".join(_LEVEL_OF)
_NAMED = re.compile(rf"(?P<word>(?i:{_WORDS}))\.?\s+(?:№\s*)?{_NUMBER}(?!\w)(?P<title>.*)")
_NAMED_BEHIND = re.compile(rf"(?:{_ORDINALS}|\d{{1,3}}-?(?:я|й|ая|ый))\s+(?P<word>(?i:{_WORDS}))(?P<title>)[.:]?")
_COUNTED = re.compile(rf"(?:(?P<roman>{_ROMAN})|(?P<arabic>\d{{1,3}}))(?:\.?|[.)](?P<title>\s+\S.*))")
_PAGE_BEHIND = re.compile(r"(?:\.\s?){3,}\s*\d+$|\s{3,}\d+$")  # a line of a table of contents
_NOTE_MARK = re.compile(r"\s*[\[{(]\d+[\]})]$")
_CYRILLIC_ROMAN = str.maketrans("ІХСЛМ", "IXCLM")  # typed on a Russian keyboard
_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}

_LONGEST_LINE = 120  # characters
_LONGEST_TITLE = 80  # behind the number
_LONGEST_CAPITALS = 60
_FEW_CAPITALS = 3
_FEW_CONTENTS = 2
_MANY_NUMBERS = 100  # more numbers than this in a row count pages


def find(lines: Sequence[str], *, wrapped: bool) -> list[Heading]:
    """The headings among the lines of a text, in order. `wrapped` says that one line is less than a paragraph."""
    named = [heading for index, _ in enumerate(lines) if (heading := _named(lines, index, wrapped=wrapped))]
    found = named + _counting_on(_counted(lines, wrapped=wrapped), named)
    starts = {heading.start for heading in found}
    found = [_with_subtitle(heading, lines, starts) for heading in found]
    if not any(heading.level == _CHAPTER for heading in named):
        taken = {index for heading in found for index in range(heading.start, heading.end)}
        capitals = {heading for heading in _capitals(lines) if heading.start not in taken}
        with_capitals = _with_text_under_them([*found, *capitals], lines)
        if len(capitals & set(with_capitals)) >= _FEW_CAPITALS:
            return with_capitals
    return _with_text_under_them(found, lines)


def announces(line: str) -> bool:
    """Whether a line taken by itself reads as the heading of a chapter."""
    return bool(_named([line], 0, wrapped=False)) or bool(_COUNTED.fullmatch(one_line(line)))


def divide(headings: Iterable[Heading], lines: Sequence[str]) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    """The chapters: the path of headings that lead to each, and its lines. What stands before the first comes first."""
    path: list[Heading] = []
    start = 0
    for heading in headings:
        text = lines[start : heading.start]
        yield tuple(part.text for part in path), text
        follows_text = any(line.strip() for line in text)
        if heading.level == _ALONE:
            path = [*([] if follows_text else path), heading]  # "Part One", "Prologue"
        else:
            if follows_text and path and path[-1].level == _ALONE:
                path.pop()
            path = [*(part for part in path if part.level < heading.level), heading]
        start = heading.end
    yield tuple(part.text for part in path), lines[start:]


def chapters(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """The chapters of a text that is laid out in blocks: the path of headings that lead to each, and its text."""
    lines = text.split("\n")
    for path, chapter in divide(find(lines, wrapped=False), lines):
        yield path, "\n".join(chapter).strip()


class Part(NamedTuple):
    """One heading of a title: its level (0 if it stands alone, None if its words don't tell) and its number."""

    level: int | None
    number: str
    text: str


def parts(title: str) -> list[Part]:
    """The headings that one title holds: "Часть вторая. Глава I" holds two."""
    title = one_line(title)
    if fold(title.strip(" .:[]")) in _STANDING_ALONE:
        return [Part(_ALONE, "", title)]
    if found := _NAMED.fullmatch(title) or _NAMED_BEHIND.fullmatch(title):
        level = _LEVEL_OF[found["word"].lower()]
        label = title[: found.start("title")].strip(" .:")
        behind = parts(found["title"].strip(" .:—–-"))
        if behind[0].level is not None and behind[0].level > level:
            return [Part(level, fold(label), label), *behind]
        return [Part(level, fold(label), title.strip(" .:"))]
    if found := _COUNTED.fullmatch(title):
        return [
            Part(
                _ROMAN_LEVEL if found["roman"] else _ARABIC_LEVEL,
                found["roman"] or found["arabic"],
                title.strip(" ."),
            )
        ]
    return [Part(None, "", title)]


def _named(lines: Sequence[str], index: int, *, wrapped: bool) -> Heading | None:
    line = lines[index].strip()
    if not 0 < len(line) <= _LONGEST_LINE:
        return None
    line = one_line(_NOTE_MARK.sub("", line))
    if fold(line.strip(" .:[]")) in _STANDING_ALONE:
        return Heading(index, index + 1, _ALONE, line) if not wrapped or _stands_apart(lines, index) else None
    found = _NAMED.fullmatch(line) or _NAMED_BEHIND.fullmatch(line)
    if found is None or _PAGE_BEHIND.search(lines[index].strip()):
        return None
    title = found["title"]
    if title.strip(" .:") and not (_is_title(title) and (not wrapped or _is_blank(lines, index - 1))):
        return None
    return Heading(index, index + 1, _LEVEL_OF[found["word"].lower()], line)


def _is_title(behind_number: str) -> bool:
    title = behind_number.strip(" .:)—–-")
    set_apart = behind_number.lstrip()[:1] in tuple(".:)—–-") or title[:1].isupper()
    return bool(title) and set_apart and len(title) <= _LONGEST_TITLE and not title.endswith((",", ";"))


def _counted(lines: Sequence[str], *, wrapped: bool) -> Iterator[tuple[int, Heading]]:
    """Lines that could be numbers of chapters, each with its number."""
    for index, line in enumerate(lines):
        if len(line.strip()) > _LONGEST_LINE:
            continue
        text = one_line(line)
        found = _COUNTED.fullmatch(text.translate(_CYRILLIC_ROMAN) if len(text) < len("XXXVIII.") else text)
        if found is None or ((wrapped or found["title"]) and not _stands_apart(lines, index)):
            continue
        title = found["title"] or ""
        if title and not title.isupper() and (not _is_title(title) or title.endswith((".", ":", "?", "!"))):
            continue
        number = _value(found["roman"]) if found["roman"] else int(found["arabic"])
        yield number, Heading(index, index + 1, _ROMAN_LEVEL if found["roman"] else _ARABIC_LEVEL, text)


def _counting_on(candidates: Iterable[tuple[int, Heading]], named: Sequence[Heading]) -> list[Heading]:
    """Those that follow one another: I, II, III. One that starts anew at I does so under a new part."""
    names = [None, *named]
    starts = [heading.start for heading in named]
    candidates = [
        (number, heading)
        for number, heading in candidates
        if not (under := names[bisect(starts, heading.start)]) or not is_notes(under.text)
    ]
    kept: list[Heading] = []
    for level in (_ROMAN_LEVEL, _ARABIC_LEVEL):
        same = [(number, heading) for number, heading in candidates if heading.level == level]
        above = sorted(heading.start for heading in (*named, *kept))
        chosen: list[Heading] = []
        last, last_line = 0, -1
        for position, (number, heading) in enumerate(same):
            following = same[position + 1][0] if position + 1 < len(same) else 0
            new_part = bisect(above, last_line) < bisect(above, heading.start)
            anew = number == 1 and (new_part or (last > 1 and following != last + 1))
            if anew or last < number <= last + 2:  # one may have been lost
                chosen.append(heading)
                last, last_line = number, heading.start
        if 1 < len(chosen) <= (_MANY_NUMBERS if level == _ARABIC_LEVEL else len(same)):
            kept += chosen
    return kept


def is_notes(heading: str) -> bool:
    """Whether a heading announces the notes of the whole book."""
    return fold(heading.strip(" .:[]")) in _NOTES


def _capitals(lines: Sequence[str]) -> Iterator[Heading]:
    for index, line in enumerate(lines):
        text = one_line(line)
        title = text.isupper() and len(text) <= _LONGEST_CAPITALS and sum(map(str.isalpha, text)) >= _FEW_CAPITALS
        if title and not text.endswith((",", ";", ":", "-", "—", "]", ")")) and _stands_apart(lines, index):
            yield Heading(index, index + 1, _CHAPTER, text)


def _with_subtitle(heading: Heading, lines: Sequence[str], starts: set[int]) -> Heading:
    """The heading with the title that stands under its number: "PART I", blank line, "ACQUAINTANCE"."""
    if heading.level == _ALONE or not re.fullmatch(rf"(?:\w+\.?\s+)?{_NUMBER}\.?|\S+\s+\w+\.?", heading.text):
        return heading
    index = heading.end
    while _is_blank(lines, index) and index < len(lines):
        index += 1
    if index >= len(lines) or index in starts or not _is_blank(lines, index + 1):
        return heading
    title = one_line(_NOTE_MARK.sub("", lines[index].strip()))
    if len(title) > _LONGEST_TITLE or not title[0].isalpha() or title[0].islower():
        return heading
    if not title.isupper() and title.endswith((".", ",", ";", ":", "!", "?", "…", '"', "»", "”", ")", "*")):
        return heading
    return replace(heading, end=index + 1, text=f"{heading.text.rstrip('.')}. {title}")


def _with_text_under_them(headings: Iterable[Heading], lines: Sequence[str]) -> list[Heading]:
    """The headings that have text under them or under one below them; a table of contents has none."""
    headings = sorted(headings, key=lambda heading: heading.start)
    last_line = {fold(heading.text): heading.start for heading in headings}
    kept: list[Heading] = []
    run: list[Heading] = []
    for heading, after in zip_longest(headings, headings[1:]):
        run.append(heading)
        under = sum(len(line.strip()) for line in lines[heading.end : after.start if after else None])
        if not under:
            continue
        leading = _leading_to(heading, run[:-1])
        comes_again = last_line[fold(heading.text)] > heading.start
        comes_next = after is not None and fold(after.text) == fold(heading.text)
        if not (comes_next or (comes_again and len(run) - len(leading) >= _FEW_CONTENTS)):
            kept += leading
        run = []
    return kept


def _leading_to(heading: Heading, before: Sequence[Heading]) -> list[Heading]:
    """The heading with those directly before it that it stands under."""
    leading = [heading]
    for index in reversed(range(len(before))):
        above, below = before[index].level, leading[0].level
        if above == _ALONE:
            is_parent = index == 0 and below < _CHAPTER  # "Epilogue", "Part One"
        elif below == _ALONE:
            is_parent = above < _CHAPTER  # "Part One", "Prologue"
        else:
            is_parent = above < below
        if not is_parent:
            break
        leading.insert(0, before[index])
    return leading


def _stands_apart(lines: Sequence[str], index: int) -> bool:
    return _is_blank(lines, index - 1) and _is_blank(lines, index + 1)


def _is_blank(lines: Sequence[str], index: int) -> bool:
    return not 0 <= index < len(lines) or not lines[index].strip()


def _value(roman: str) -> int:
    digits = [_DIGITS[digit] for digit in roman]
    return sum(-digit if digit < after else digit for digit, after in zip(digits, [*digits[1:], 0], strict=True))

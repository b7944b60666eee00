"""Title, author, language and year from the first lines of a plain text, where they clearly say them.

Лев Толстой                 The Marriage of William Ashe        Title: Walden
КАВКАЗСКИЙ ПЛЕННИК          BY                                  Author: Henry David Thoreau
(Быль)                      MRS. HUMPHRY WARD                   Year: 1854
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ai_library_bot.readers import headings
from ai_library_bot.readers.filename import is_name
from ai_library_bot.text import fold, one_line


class Front(NamedTuple):
    """What the first `lines` lines of a text say; empty where they don't."""

    title: str = ""
    authors: tuple[str, ...] = ()
    language: str = ""
    year: int | None = None
    lines: int = 0

    def __bool__(self) -> bool:
        return bool(self.title)


_FIELD = re.compile(
    r"(?i)(?:(?P<title>title|название|заглавие)|(?P<author>authors?|авторы?)|(?P<language>lang|language|язык)"
    r"|(?P<year>year|date|год))\s*:\s*(?P<value>\S.*)"
)
_YEAR = re.compile(r"1[4-9]\d\d|20[0-2]\d")
_LANGUAGES = {
    "english": "en",
    "russian": "ru",
    "русский": "ru",
    "ukrainian": "uk",
    "german": "de",
    "french": "fr",
    "spanish": "es",
}
_BY = re.compile(r"(?i)by\b\s*(.*)")
_EDITION = re.compile(
    r"(?i)(?:полное )?собрание (?:сочинений|повестей)|избранн|библиотека|collected works|(?:том|volume) \d"
)
_GENRE = re.compile(
    r"(?i)\b(?:рассказы?|повест[ьи]|роман|поэма|быль|сказк[аи]|комедия|драма|пьеса|a (?:novel|romance|tale|play))\b"
)
_INITIALS = re.compile(r"\b[^\W\d_]\.")
_PATRONYMIC = re.compile(r"\w+(?:ович|евич|ьич|овна|евна|ична)\b")

_MARKDOWN = " \t#*_"
_FEW_LINES = 12
_LONGEST = 80
_TITLE_LINES = 4
_SMALL_WORDS = frozenset("a an and as at but by for from in into nor of on or the to with".split())


def is_field(line: str) -> bool:
    """Whether a line is one such as "Title: …", as plain text or as a heading of Markdown."""
    return bool(_FIELD.fullmatch(line.strip(_MARKDOWN)))


def fields(lines: Sequence[str]) -> Front:
    """What lines such as "Title: …" and "Author: …" say; the first of a kind counts."""
    said: dict[str, str] = {}
    last = 0
    for index, line in enumerate(lines):
        if found := _FIELD.fullmatch(line.strip(_MARKDOWN)):
            name = next(name for name in ("title", "author", "language", "year") if found[name])
            said.setdefault(name, one_line(found["value"]).strip("\"'"))
            last = index + 1
    language = said.get("language", "").lower()
    year = _YEAR.search(said.get("year", ""))
    return Front(
        title=said.get("title", ""),
        authors=tuple(filter(None, [said.get("author")])),
        language=_LANGUAGES.get(language, language),
        year=int(year[0]) if year else None,
        lines=last,
    )


def read(lines: Sequence[str]) -> Front:
    """What the first lines of a text say, if they are a title page."""
    first = list(_first_lines(lines))
    if front := fields([line for _, line in first]):
        return front._replace(lines=first[front.lines - 1][0] + 1)
    first = [(index, line) for index, line in first if not (_EDITION.match(line) or _GENRE.search(line))]
    return _title_by_author(first) or _author_and_title(first) or _title(first, lines)


def author_beside(title: str, lines: Sequence[str]) -> tuple[str, ...]:
    """The person whom the first lines name directly above or below a title that is known; () if there is none."""
    first = [line for _, line in _first_lines(lines)]
    for above, below in pairwise(first):
        for one, other in ((above, below), (below, above)):
            if fold(other) == fold(title) and _is_author(one):
                return (_spelled(one),)
    return ()


def _first_lines(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The short lines with which the text begins, with their indexes: until the first heading or paragraph."""
    count = 0
    for index, line in enumerate(lines):
        line = one_line(line)
        if not line:
            continue
        if len(line) > _LONGEST or count == _FEW_LINES or (headings.announces(line) and not _EDITION.match(line)):
            return
        yield index, line
        count += 1


def _title_by_author(first: Sequence[tuple[int, str]]) -> Front:
    for position, (index, line) in enumerate(first[: _TITLE_LINES + 1]):
        by = _BY.fullmatch(line)
        if by is None or not position:
            continue
        after = [(index, by[1])] if by[1] else first[position + 1 : position + 2]
        if after and is_name(_spelled(after[0][1])):
            title = " ".join(line for _, line in first[:position])
            return Front(_lowered(title), (_spelled(after[0][1]),), lines=after[0][0] + 1)
    return Front()


def _author_and_title(first: Sequence[tuple[int, str]]) -> Front:
    if len(first) < 2 or not _is_title(first[0][1]) or not _is_title(first[1][1]):
        return Front()
    (index, one), (next_index, other) = first[:2]
    certain = _PATRONYMIC.search(one.lower()) or _INITIALS.search(one) or not (_is_author(other) or one.isupper())
    if _is_author(one) and (certain or (other.isupper() and not one.isupper())):
        return Front(_lowered(other), (_spelled(one),), lines=next_index + 1)
    if _is_author(other) and not _is_author(one) and (next_index == index + 1 or not other.isascii()):
        return Front(_lowered(one), (_spelled(other),), lines=next_index + 1)
    return Front()


def _title(first: Sequence[tuple[int, str]], lines: Sequence[str]) -> Front:
    if not first:
        return Front()
    index, line = first[0]
    stands_apart = index + 1 >= len(lines) or not lines[index + 1].strip() or headings.announces(lines[index + 1])
    uncertain = len(first) > 1 and _is_author(line)
    return Front(_lowered(line), lines=index + 1) if stands_apart and not uncertain and _is_title(line) else Front()


def _is_author(line: str) -> bool:
    return " " in line and is_name(_spelled(line))


def _is_title(line: str) -> bool:
    ended = line.endswith((",", ";", ":", "…")) or (line.endswith(".") and not line.isupper() and not _is_author(line))
    return line[0] not in "-–—*([" and not ended


def _spelled(name: str) -> str:
    """A name without the capitals of a title page."""
    return name.title() if name.isupper() else name


def _lowered(title: str) -> str:
    """A title without the capitals of a title page, as its language writes titles."""
    if not title.isupper():
        return title
    if not title.isascii():
        return title.capitalize()
    small = [word.lower() if word.lower() in _SMALL_WORDS else word.capitalize() for word in title.rstrip(".").split()]
    return " ".join([small[0].capitalize(), *small[1:]])

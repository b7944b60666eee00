"""Flat tables of contents, as converters write them, into chapters under their parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from ai_library_bot.readers.headings import (
    _ALONE,
    _ARABIC_LEVEL,
    _COUNTED,
    _LEVEL_OF,
    _NAMED,
    _NAMED_BEHIND,
    _ROMAN_LEVEL,
    _STANDING_ALONE,
)
from ai_library_bot.text import fold, one_line

_TITLED = 3.5  # the level of a title without word or number: under a part, and chapters may stand under it


def nest(titles: Sequence[str], book_title: str) -> list[tuple[str, ...]]:
    """The heading path of each title, in the order of the book.

    Numbers that begin anew under each title belong to that title. A title that only repeats the book's heads no path.
    """
    lines = [_parts(title) for title in titles]
    numbers = Counter((level, _number(level, text)) for line in lines for level, text in line if level)
    begin_anew = {level for (level, _), count in numbers.items() if count > 1}
    path: list[tuple[float, str]] = []
    paths = []
    for line in lines:
        for level, text in line:
            if level == _ALONE:
                path = path if path and path[-1][0] < _TITLED else []
                depth: float = _ARABIC_LEVEL + 1
            else:
                depth = _TITLED if level is None else level
                path = [step for step in path if step[0] < depth and (step[0] != _TITLED or level in begin_anew)]
            if fold(text) != fold(book_title):
                path = [*path, (depth, text)]
        paths.append(tuple(text for _, text in path))
    return paths


def _parts(title: str) -> list[tuple[int | None, str]]:
    """The headings that a title holds, with their levels: "Часть вторая. Глава I" holds two."""
    title = one_line(title)
    if fold(title.strip(" .:[]")) in _STANDING_ALONE:
        return [(_ALONE, title)]
    if found := _NAMED.fullmatch(title) or _NAMED_BEHIND.fullmatch(title):
        level = _LEVEL_OF[found["word"].lower()]
        behind = _parts(found["title"].strip(" .:—–-"))
        if behind[0][0] is not None and behind[0][0] > level:
            return [(level, title[: found.start("title")]), *behind]
        return [(level, title)]
    if found := _COUNTED.fullmatch(title):
        return [(_ROMAN_LEVEL if found["roman"] else _ARABIC_LEVEL, title)]
    return [(None, title)]


def _number(level: int, heading: str) -> str:
    """The heading without the title behind its number: "chapter 3", "iv"."""
    return " ".join(re.split(r"[\s.:)]+", fold(heading))[: 2 if level < _ROMAN_LEVEL else 1])

"""Flat tables of contents, as converters write them, into chapters under their parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ai_library_bot.readers.headings import parts
from ai_library_bot.text import fold

_TITLED = 3.5  # the level of a title without word or number: under a part, and chapters may stand under it


def nest(titles: Sequence[str], book_title: str) -> list[tuple[str, ...]]:
    """The heading path of each title, in the order of the book.

    Numbers that begin anew under each title belong to that title. A title that only repeats the book's heads no path.
    """
    lines = [parts(title) for title in titles]
    numbers = Counter((part.level, part.number) for line in lines for part in line if part.number)
    begin_anew = {level for (level, _), count in numbers.items() if count > 1}
    path: list[tuple[float, str]] = []
    paths = []
    for line in lines:
        for level, _, text in line:
            if level == 0:  # under the part that it opens, else under none; nothing is under it
                path = path if path and path[-1][0] < _TITLED else []
                depth = math.inf
            else:
                depth = _TITLED if level is None else level
                path = [step for step in path if step[0] < depth and (step[0] != _TITLED or level in begin_anew)]
            if fold(text) != fold(book_title):
                path = [*path, (depth, text)]
        paths.append(tuple(text for _, text in path))
    return paths

"""Where on a page the words of a quotation stand, although the reader has put them together anew.

It has joined hyphenated words and lines, brought columns in order and left lines out. So letters and digits alone are
compared, and the text is followed in stretches as long as the page has them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import takewhile

from ai_library_bot.text import Span, fold

_SHORTEST = 12  # letters; shorter stretches stand in many places
_CRUMB = 3  # letters; fewer are not worth a mark
_NEAR = 4  # letters, such as those of a note mark, that may stand between two stretches that go on with one another


def places(text: str, start: int, end: int, page: str) -> list[Span]:
    """The spans of `page` in which the words of `text[start:end]` stand, in the order of the text.

    The text around them tells which words are meant where the page says the same more than once.
    """
    letters, offsets = _letters(text)
    page_letters, page_offsets = _letters(page)
    found: list[Span] = []
    for at, page_at, length in _stretches(letters, page_letters, page_offsets):
        inside = [step for step in range(length) if start <= offsets[at + step] < end]
        if inside:
            before = text[start : offsets[at + inside[0]]]
            behind = text[offsets[at + inside[-1]] + 1 : end]
            first, last = page_offsets[page_at + inside[0]], page_offsets[page_at + inside[-1]] + 1
            first -= _marks(reversed(before), reversed(page[:first]))
            last += _marks(behind, page[last:])
            found.append((first, last))
    return found


def _marks(text: Iterable[str], page: Iterable[str]) -> int:
    """How many characters that are no letters the text and the page have in common where a stretch ends."""
    together = takewhile(lambda pair: fold(pair[0]) == fold(pair[1]), zip(text, page, strict=False))
    return sum(1 for _ in takewhile(lambda pair: not _compared(pair[0]), together))


def _stretches(text: str, page: str, offsets: list[int]) -> Iterator[tuple[int, int, int]]:
    """Where in the text a stretch begins that the page has too, where it begins there, and how long it is.

    They come in the order of the text, each as long as can be. A short one counts only where it follows the one before.
    """
    at = behind = 0
    while at < len(text):
        length = _longest(text, at, page)
        if length >= min(_SHORTEST, len(text)):
            place = page.find(text[at : at + length], behind)
            place = page.find(text[at : at + length]) if place < 0 else place
            tail = _tail(offsets[place : place + length])
            if tail and _longest(text, at + length - tail, page) >= _SHORTEST:
                length -= tail  # by chance the next words, elsewhere, begin as what stands here
        else:
            near = page[behind : behind + _NEAR + _SHORTEST]
            length = _longest(text, at, near)
            place = behind + near.find(text[at : at + length])
            length = length if behind and length >= _CRUMB and place <= behind + _NEAR else 0
        if length:
            yield at, place, length
            behind = place + length
        at += max(1, length)


def _tail(offsets: list[int]) -> int:
    """How many letters behind the last gap between letters end a stretch, if only a few do; else 0."""
    ends = range(1, min(_CRUMB + 1, len(offsets)))
    return next((count for count in ends if offsets[-count] - offsets[-count - 1] > 1), 0)


def _longest(text: str, at: int, page: str) -> int:
    """How many letters of the text from `at` on stand on the page side by side."""
    least, most = 0, min(len(text) - at, len(page))
    while least < most:
        middle = (least + most + 1) // 2
        if text[at : at + middle] in page:
            least = middle
        else:
            most = middle - 1
    return least


def _letters(text: str) -> tuple[str, list[int]]:
    """The letters and digits of the text as they are compared, and for each its offset in the text."""
    letters: list[str] = []
    offsets: list[int] = []
    for offset, character in enumerate(text):
        for letter in _compared(character):
            letters.append(letter)
            offsets.append(offset)
    return "".join(letters), offsets


@lru_cache(maxsize=4096)
def _compared(character: str) -> str:
    """Without its accent, which may be a character of its own on the page."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", fold(character))))

"""The stretch of a passage that shows best why it was found."""

from __future__ import annotations

from collections.abc import Sequence

from ai_library_bot.text import Span

SNIPPET_CHARACTERS = 280


def snippet(text: str, matches: Sequence[Span], length: int = SNIPPET_CHARACTERS) -> Span:
    """The span of about `length` characters of `text` that holds the most matches, cut between words.

    Without matches it is the beginning; a text hardly longer than `length` is taken whole.
    """
    if len(text) <= length * 1.2:
        return 0, len(text)
    start, end = _richest_window(matches, length)
    spare = max(0, length - (end - start))
    start = max(0, min(start - spare // 2, len(text) - length))
    end = min(len(text), max(end, start + length))
    return _word_start(text, start), _word_end(text, end)


def _richest_window(matches: Sequence[Span], length: int) -> Span:
    """From the first to the last of the most matches that stand within `length` of each other."""
    best: Sequence[Span] = ()
    for first in range(len(matches)):
        limit = matches[first][0] + length
        within = [match for match in matches[first:] if match[1] <= limit]
        if len(within) > len(best):
            best = within
    return (best[0][0], best[-1][1]) if best else (0, 0)


def _word_start(text: str, start: int) -> int:
    """`start`, or if it splits a word, where that word begins."""
    while start > 0 and not text[start - 1].isspace():
        start -= 1
    return start


def _word_end(text: str, end: int) -> int:
    """`end`, or if it splits a word, where that word ends."""
    while end < len(text) and not text[end].isspace():
        end += 1
    return end

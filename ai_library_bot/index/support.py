"""Whether a passage holds enough of what a question asks about for an answer to rest on it.

BM25 lets a word that comes again and again stand in for one that is missing, so a passage may rank well by half of a
question. A long question has many words, and half of them hardly meet by chance; of "Who is Bill Gates?" two are left,
and there are gates in every novel. So the fewer words tell what a question is about, the more of them must be met, and
a name only by a name: "Gates" not by "gates".

A passage that calls somebody by a name of the question is about them, and may put the rest in other words. Such a name
is known by its capitals in the passage, so a question may be typed without any.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ai_library_bot.index.query import telling
from ai_library_bot.text import Word, sentences, words
from ai_library_bot.types import Hit, Term

_NEEDED = {1: 1.0, 2: 0.7, 3: 0.5}
"""The share of a question's weight that must be met, by the number of words that tell what it is about."""

_LEAST = 0.25
"""The share where there are more of them, or the passage has the name of what is asked about.

Of questions of up to three such words asked of a shelf about something else, 29 in 100 get a sentence quoted with these
shares, and 54 without; of questions that a shelf answers, at most 4 in 1,000 lose their answer. 0.5 and 0.4 for two and
three words let seven more pass; 0.6 for three, or a least share of 0.35, costs a shelf of articles 10 answers in 1,000.
"""

_ASKING = frozenset("такой такая такое такие".split())
"""Words of "Who is …?" in Russian: rare in a small shelf, and yet no part of what is asked about."""

_IN_ONE_NAME = re.compile(r"[\s.'’-]{0,2}")  # what stands between the words of "Mr. Rochester", "Иван-царевич"


class Support:
    """What a question asks for: called with a hit, it says whether an answer may rest on the passage.

    `terms` are those of the query, and `stem` gives a folded word's stem, as in `Term.stems`.
    """

    def __init__(self, query: str, terms: tuple[Term, ...], stem: Callable[[str], str]) -> None:
        self._terms = tuple(term for term in telling(terms) if term.word not in _ASKING) or terms
        self._last_names = _last_names(query, self._terms)
        self._stem = stem

    def __call__(self, hit: Hit) -> bool:
        under = frozenset(self._stem(word.folded) for word in words(_context(hit)))
        passage = self._written(hit.passage.text)
        met = [term for term in self._terms if self._is_met(term, passage, under)]
        needed = _LEAST
        if len(self._terms) in _NEEDED:
            if any(last not in met for last in self._last_names.values()):
                return False
            by_name = self._last_names or any(not term.stems.isdisjoint(passage.names) for term in self._terms)
            needed = _LEAST if by_name else _NEEDED[len(self._terms)]
        return sum(term.weight for term in met) >= needed * sum(term.weight for term in self._terms)

    def _is_met(self, term: Term, passage: _Written, under: frozenset[str]) -> bool:
        """Whether the passage, or what it stands under, has the term; a name in capitals, or by its last word alone."""
        last = self._last_names.get(term.word)
        if last is None:
            return not term.stems.isdisjoint(passage.stems | under)
        return not (
            (term.stems | last.stems).isdisjoint(passage.capitals | under)
            and passage.first_words.isdisjoint((term.word, last.word))
        )

    def _written(self, text: str) -> _Written:
        capitals, first_words, small = set(), set(), set()
        for place, word in _in_lines(text):
            stem = self._stem(word.folded)
            if not text[word.start].isupper():
                small.add(stem)
            elif place:
                capitals.add(stem)
            else:
                first_words.add(word.folded)
        stems = capitals.union(small, map(self._stem, first_words))
        return _Written(frozenset(stems), frozenset(capitals), frozenset(first_words), frozenset(capitals - small))


class _Written(NamedTuple):
    """The stems of a text, and of its words with a capital in the midst of a sentence; `names` are never without one.

    A first word is a name only if it is just the word that is asked for: "Masks were worn" says nothing of a Mr. Mask.
    """

    stems: frozenset[str]
    capitals: frozenset[str]
    first_words: frozenset[str]
    names: frozenset[str]


def _context(hit: Hit) -> str:
    return " ".join((hit.book.title, *hit.book.authors, *hit.passage.chapter))


def _in_lines(text: str) -> Iterator[tuple[int, Word]]:
    """The words of a text, each with its place in its sentence, or in its line: those of verse begin with capitals."""
    for start, end in sentences(text):
        place = 0
        previous = start
        for word in words(text[start:end]):
            word = Word(start + word.start, start + word.end, word.folded)
            if "\n" in text[previous : word.start]:
                place = 0
            yield place, word
            place, previous = place + 1, word.end


def _last_names(query: str, terms: tuple[Term, ...]) -> dict[str, Term]:
    """The words that capitals in the midst of the query show to be names, each with the last one of that name.

    Where no word is without a capital, they show nothing.
    """
    by_word = {term.word: term for term in terms}
    found: dict[str, Term] = {}
    run: list[Word] = []
    small = False
    for place, word in _in_lines(query):
        capital = query[word.start].isupper()
        small = small or (place > 0 and not capital)
        if not (place and capital and word.folded in by_word):
            run = []
            continue
        if run and not _IN_ONE_NAME.fullmatch(query, run[-1].end, word.start):
            run = []
        run.append(word)
        found.update((one.folded, by_word[word.folded]) for one in run)
    return found if small else {}

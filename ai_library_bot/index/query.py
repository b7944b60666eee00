"""What a query asks for: its words, all their forms, and how much a match of each tells."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ai_library_bot.index.morphology import forms
from ai_library_bot.text import Wanted, words
from ai_library_bot.types import Term

if TYPE_CHECKING:
    from ai_library_bot.index.lexical import LexicalIndex

LONGEST_QUERY = 60
"""Words of a query that are looked for; the first ones count."""

_COMMON_WEIGHT = 0.5  # of a word that belongs to the question rather than to what it asks about
_SHORTEST_MISSPELT = 4  # characters; shorter words are like too many others
_TWO_ERRORS = 8  # characters from which on two typing errors are believed

_COMMON = frozenset(
    "a an the of in on at to for from by with and or is are was were be been being do does did has have had that this "
    "these those it its as into than then there their they he she his her him them i you we me my your our us not no "
    "what which who whom whose when where why how many much would could should can may might will name "
    "в во на с со к ко у о об от до по за из под над при без для про через между и а но или либо не ни ли же бы что "
    "чтобы как так то это этот эта эти этого этой этих тот та те того той тех его ее их он она они оно мы вы я ты меня "
    "мне тебя нас вас свой свою своего своей себя себе был была были было быть есть будет стал стала "
    "какой какая какое какие каком какого какую какому какими каких кто кого кому кем чем чему чего где куда откуда "
    "когда почему зачем сколько который которая которое которые которого которой которую которых "
    "чей чья чье чьи каков какова каковы разве".split()
)


class Query(NamedTuple):
    """A query understood. `order` numbers the terms as they stand in it; words may recur."""

    terms: tuple[Term, ...]
    order: tuple[int, ...]
    corrections: tuple[tuple[str, str], ...]


def understand(query: str, index: LexicalIndex) -> Query:
    """The terms of a query, weighted for this index: the rarer a word is in it, the more it tells (Robertson's IDF).

    A word that stands neither in the index nor in the dictionary is taken for a typing error of the most similar word
    that does.
    """
    written = [word.folded for word in words(query)]
    looked_for = list(dict.fromkeys(written))[:LONGEST_QUERY]
    only_common = all(word in _COMMON for word in looked_for)
    terms: dict[frozenset[str], Term] = {}
    by_word: dict[str, frozenset[str]] = {}
    corrections = []
    for word in looked_for:
        common = word in _COMMON and not only_common
        stems = _stems(word, index, every_form=word not in _COMMON)
        if not common and not index.frequency(stems) and (better := _most_similar(word, index)):
            corrections.append((word, better))
            stems = _stems(better, index, every_form=True)
        weight = _rarity(index.frequency(stems), index.passages) * (_COMMON_WEIGHT if common else 1.0)
        terms.setdefault(stems, Term(word, stems, weight))
        by_word[word] = stems
    numbers = {stems: number for number, stems in enumerate(terms)}
    order = tuple(numbers[by_word[word]] for word in written if word in by_word)
    return Query(tuple(terms.values()), order, tuple(corrections))


def _stems(word: str, index: LexicalIndex, *, every_form: bool) -> frozenset[str]:
    return frozenset(map(index.stem, forms(word) if every_form else {word}))


def _rarity(frequency: int, passages: int) -> float:
    frequency = min(frequency, passages)
    return math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5))


def _most_similar(word: str, index: LexicalIndex) -> str | None:
    if len(word) < _SHORTEST_MISSPELT or not word.isalpha() or len(forms(word)) > 1:  # in the dictionary: no error
        return None
    similar = index.similar_words(word, 2 if len(word) >= _TWO_ERRORS else 1)
    return next(iter(difflib.get_close_matches(word, sorted(similar), 1)), None)


def telling(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """The terms that tell what a query asks about, its common words left out; all of them if there are no others."""
    return tuple(term for term in terms if term.word not in _COMMON) or terms


def asked_for(terms: tuple[Term, ...], stem: Callable[[str], str]) -> Wanted:
    """The words that the query asks for, its common words left out."""
    wanted = {stem for term in telling(terms) for stem in term.stems}
    return Wanted(lambda word: stem(word) in wanted)

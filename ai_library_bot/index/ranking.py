"""The order of the passages that share words with a query: BM25, and how close together the words stand.

BM25 counts words wherever they stand in a passage. A passage that answers has them in one sentence, in the order of
the question, under a chapter that is about the same, among other passages that match. Each of these adds to BM25 a
share of the weights of the terms concerned, so all parts are of one scale. The shares were chosen on question sets
about encyclopedia articles, fairy tales and novels in English and Russian, where they put the evidence among the first
five passages for half a question to six questions more in a hundred.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ai_library_bot.types import Passage, Term

# BM25 (Robertson & Zaragoza, "The Probabilistic Relevance Framework", 2009), with its usual parameters.
_SATURATION = 1.2
_LENGTH_PENALTY = 0.75
_AVERAGE_LENGTH = 165  # words in a passage

_CONTEXT_SHARE = 0.7  # a term in title, authors or chapter
_NEIGHBOUR_SHARE = 0.7  # two words of the query side by side in the passage too
_WINDOW_SHARE = 1.0  # all terms that stand within one window
_WINDOW = 20  # words: a sentence
_NUMBER_SHARE = 0.3  # the window holds a number and the question asks for one
_PASSAGE_BESIDE_SHARE = 0.15  # of the score of the passage before or behind

_RELEVANCE_SCALE = 0.71
"""The score, per unit of the weight of all terms, at which relevance is 1 - 1/e.

Chosen so that 0.7 parts the questions that a shelf answers from those it does not: of the questions about articles and
tales at most 5 in 100 stay below it, of questions asked of a shelf about something else at least 77 in 100.
"""

_ASKS_NUMBER = re.compile(
    r"\b(?:when|how (?:many|much|long|old|far|tall|often)|(?:what|which) (?:year|date|percent\w*|number|age)|"
    r"сколько|когда|как(?:ом|ого|ой) (?:год|век|числ|возраст|процент)\w*|как(?:ой|ое) (?:процент|количество|число))\b"
)


class Scored(NamedTuple):
    """A passage of the candidates, by its number among them. `relevance` (0…1) compares across queries."""

    number: int
    score: float
    relevance: float


def total_weight(terms: Sequence[Term]) -> float:
    """The weight of a whole question; 1 for one without terms."""
    return sum(term.weight for term in terms) or 1.0


def relevance(score: float) -> float:
    """The relevance (0…1) of a score that is given per unit of the question's whole weight."""
    return round(1 - math.exp(-max(0.0, score) / _RELEVANCE_SCALE), 4)


def asks_number(folded_query: str) -> bool:
    """Whether the answer to a question is likely to hold a number."""
    return _ASKS_NUMBER.search(folded_query) is not None


def rank(
    passages: Sequence[tuple[Passage, Sequence[str], frozenset[str]]],
    terms: Sequence[Term],
    order: Sequence[int],
    *,
    number_wanted: bool,
) -> list[Scored]:
    """The passages with their scores, best first. Each comes with the stems of its text and of what it stands under.

    `order` are the numbers of the terms as they follow each other in the query.
    """
    by_stem: dict[str, list[int]] = defaultdict(list)
    for number, term in enumerate(terms):
        for stem in term.stems:
            by_stem[stem].append(number)
    pairs = {(first, second) for first, second in itertools.pairwise(order) if first != second}
    scores = {}
    for passage, stems, context in passages:
        matching = map(by_stem.get, stems)
        matched = itertools.compress(itertools.count(), matching)
        places = [(place, number) for place in matched for number in by_stem[stems[place]]]
        scores[passage.id] = (
            _bm25(Counter(number for _, number in places), terms, len(stems))
            + _CONTEXT_SHARE * sum(term.weight for term in terms if term.stems & context)
            + _NEIGHBOUR_SHARE * _closeness(places, pairs, terms)
            + _WINDOW_SHARE * _best_window(places, terms, stems, number_wanted=number_wanted)
        )
    scores = _beside_added([passage for passage, _, _ in passages], scores)
    all_weight = total_weight(terms)
    ranked = [
        Scored(number, score := scores[passage.id], relevance(score / all_weight))
        for number, (passage, _, _) in enumerate(passages)
    ]
    return sorted(ranked, key=lambda scored: (-scored.score, passages[scored.number][0].id))


def _bm25(counts: Counter[int], terms: Sequence[Term], length: int) -> float:
    norm = _SATURATION * (1 - _LENGTH_PENALTY + _LENGTH_PENALTY * length / _AVERAGE_LENGTH)
    return sum(terms[number].weight * n * (_SATURATION + 1) / (n + norm) for number, n in counts.items())


def _closeness(places: list[tuple[int, int]], pairs: set[tuple[int, int]], terms: Sequence[Term]) -> float:
    """For each two neighbours in the query: the smaller of their weights, over their distance in the passage."""
    at: dict[int, list[int]] = defaultdict(list)
    for place, number in places:
        at[number].append(place)
    return sum(
        min(terms[first].weight, terms[second].weight)
        / min(there - here if there > here else here - there + 1 for here in at[first] for there in at[second])
        for first, second in pairs
        if first in at and second in at
    )


def _best_window(
    places: list[tuple[int, int]], terms: Sequence[Term], stems: Sequence[str], *, number_wanted: bool
) -> float:
    """The largest weight of different terms within a window; more if it holds the number that is asked for."""
    inside: Counter[int] = Counter()
    weight = best = 0.0
    best_start = first = 0
    for place, number in places:
        inside[number] += 1
        if inside[number] == 1:
            weight += terms[number].weight
        while place - places[first][0] >= _WINDOW:
            leaving = places[first][1]
            inside[leaving] -= 1
            if not inside[leaving]:
                weight -= terms[leaving].weight
            first += 1
        if weight > best:
            best, best_start = weight, max(0, (places[first][0] + place - _WINDOW) // 2)
    if number_wanted and any(stem[0].isdigit() for stem in stems[best_start : best_start + _WINDOW]):
        best *= 1 + _NUMBER_SHARE
    return best


def _beside_added(passages: Sequence[Passage], scores: dict[str, float]) -> dict[str, float]:
    """The scores, each raised by a share of the better one of the passages beside it."""
    return {
        passage.id: scores[passage.id]
        + _PASSAGE_BESIDE_SHARE * max(scores.get(passage.beside(step), 0.0) for step in (-1, 1))
        for passage in passages
    }

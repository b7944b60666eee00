"""The writer that needs no model: it answers with the few sentences that hold most of what the question asks about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from ai_library_bot.text import sentences, words
from ai_library_bot.types import Claim, Draft, Fault, Hit, SearchResult, Statement

_HITS_READ = 5
_MOST_QUOTES = 3
_SHORTEST = 4  # words; a shorter sentence answers nothing by itself
_CARRIED_SHARE = 0.5  # of what the sentence before named: "He was born in 1856." after one about Tesla
_PASSAGE_SHARE = 0.5  # how well the passage matches, against the best one
_NEARLY_AS_GOOD = 0.75  # of the best sentence's score: what each further quote must reach


class ExtractiveWriter:
    """Quotes verbatim. `stem` gives a folded word's stem, as in `Term.stems`."""

    name = "extractive"

    def __init__(self, stem: Callable[[str], str]) -> None:
        self._stem = stem

    async def write(
        self,
        found: SearchResult,
        check: Callable[[Draft], Sequence[Fault]],  # noqa: ARG002 - what is copied needs no checking
        on_draft: Callable[[Draft], None],  # noqa: ARG002 - it is there at once
    ) -> Draft:
        """At most three sentences of the best hits, the one that tells most first; none if there is none to quote."""
        sentences = _best_first(sentence for hit in found[:_HITS_READ] for sentence in self._scored(hit, found))
        enough = _NEARLY_AS_GOOD * sentences[0].score if sentences else 0
        return _draft([sentence for sentence in sentences if sentence.score >= enough][:_MOST_QUOTES])

    def one_of_each(self, found: SearchResult, most: int) -> Draft:
        """The best sentence of each hit that matches more than common words, `most` of them, the best first."""
        scored = [list(self._scored(hit, found)) for hit in found if hit.matches]
        return _draft(_best_first(max(sentences, key=_score) for sentences in scored if sentences)[:most])

    def _scored(self, hit: Hit, found: SearchResult) -> Iterator[_Sentence]:
        """The sentences of a hit, each with the share of the question's weight that it holds, and a little more."""
        all_weight = sum(term.weight for term in found.terms)
        carried: set[str] = set()
        for start, end in sentences(hit.passage.text):
            quote = hit.passage.text[start:end]
            stems = [self._stem(word.folded) for word in words(quote)]
            named = {term.word for term in found.terms if not term.stems.isdisjoint(stems)}
            weight = sum(
                term.weight * (1 if term.word in named else _CARRIED_SHARE)
                for term in found.terms
                if term.word in named | carried
            )
            if len(stems) >= _SHORTEST and named:
                yield _Sentence(hit, quote, weight / all_weight + _PASSAGE_SHARE * hit.score / found[0].score)
            carried = named


class _Sentence(NamedTuple):
    hit: Hit
    quote: str
    score: float


def _score(sentence: _Sentence) -> float:
    return sentence.score


def _best_first(sentences: Iterable[_Sentence]) -> list[_Sentence]:
    """The sentences by their score; what stands in several passages comes once."""
    by_quote: dict[str, _Sentence] = {}
    for sentence in sorted(sentences, key=_score, reverse=True):
        by_quote.setdefault(" ".join(sentence.quote.split()), sentence)
    return list(by_quote.values())


def _draft(sentences: Iterable[_Sentence]) -> Draft:
    return Draft(
        tuple(Statement(sentence.quote, (Claim(sentence.hit.passage.id, sentence.quote),)) for sentence in sentences)
    )

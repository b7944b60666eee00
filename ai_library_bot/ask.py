"""Question → Answer: find passages, let a writer quote them, check every quote; without a true one, say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ai_library_bot.answers import quotes
from ai_library_bot.answers.extractive import ExtractiveWriter
from ai_library_bot.answers.next_questions import fitting
from ai_library_bot.answers.plain import plain
from ai_library_bot.answers.quotes import Checked
from ai_library_bot.errors import Unavailable
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.types import Answer, Citation, Draft, Hit, Notice, Passage, SearchResult, Usage

if TYPE_CHECKING:
    from ai_library_bot.protocols import AnswerWriter, Reranker, Vector

_Because = tuple[str, dict[str, str | int | float]]

_HITS = 10  # passages a writer is given, with their neighbours
_RERANKED = 30  # passages that are ordered anew, where somebody can
_SPARE = 3  # passages more than quotations are wanted: some say what another says, or have no sentence to quote
_CLOSEST = 3  # passages shown when there is no answer
_LOOKED_IN = 10  # passages of a book in which a quotation is looked for that stands elsewhere in it
_DIALOGUE = ("—", "–", "-", "«", "“", '"')  # what a paragraph begins with that goes on with a conversation


async def answer(
    index: SearchIndex,
    question: str,
    *,
    query: str = "",
    vector: Vector | None = None,
    writer: AnswerWriter | None = None,
    reranker: Reranker | None = None,
    strict: bool = True,
    min_relevance: float,
    seconds: float = 60,
    on_growth: Callable[[str], None] = lambda _: None,
    books: Sequence[str] = (),
    authors: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> Answer:
    """The answer that the passages of one generation give, every quotation of it verified.

    Only passages of at least `min_relevance` (0…1) support an answer, and that of the extractive writer only those
    that hold enough of the question as well, unless nothing is demanded at all; without one, or without a true
    quotation, it is `found=False` with the closest passages. `query` is the question as it can be understood without
    what was said before, and `vector` is that of it. `on_growth` is called with all that is written and verified so
    far. What the `writer` has not done after `seconds`, the extractive writer does instead, and a notice says why.
    Unless `strict`, sentences without a citation stay, marked as the model's own words.
    Raises as `SearchIndex.search`.
    """
    began = time.monotonic()
    search = partial(index.search, books=books, authors=authors, languages=languages, marked=False)
    most = _RERANKED if writer and reranker else _HITS
    found = await asyncio.to_thread(search, query or question, most, vector=vector)
    extractive = ExtractiveWriter(index.stem)
    desk = _Desk(index, strict=strict, on_growth=on_growth)
    notices, usage = found.notices, found.usage
    shown, name, checked = found, extractive.name, None
    if writer and found.at_least(min_relevance):
        try:
            async with asyncio.timeout(max(0.0, seconds - (time.monotonic() - began))):
                if reranker:
                    shown, notice, paid = await _ordered_anew(found, reranker)
                    notices, usage = (*notices, *notice), usage + paid
                checked, draft = await desk.written(writer, shown.at_least(min_relevance))
                usage, name = usage + draft.usage, writer.name
        except Unavailable as error:
            usage += getattr(error, "usage", Usage())
            notices = (*notices, Notice("writer_unavailable", because=(error.key, error.details)))
        except TimeoutError:
            because: _Because = ("service_slow", {"service": writer.name, "seconds": round(seconds, 1)})
            notices = (*notices, Notice("writer_unavailable", because=because))
    if checked is None:
        supporting = replace(found, hits=found[:_HITS]).at_least(min_relevance)
        if min_relevance > 0:  # a model judges for itself; what copies sentences needs to be told
            supporting = index.supporting(supporting)
        draft = await extractive.write(supporting, lambda _: (), lambda _: None)
        checked = quotes.verify(draft, _by_id(supporting), lambda *_: ())
    suggested = fitting(draft.next_questions, question, query)
    answered = [await asyncio.to_thread(search, one, 1) for one in suggested]
    return Answer(
        question=question,
        found=bool(checked.citations),
        text=checked.text if checked.citations else "",
        writer=name,
        citations=checked.citations,
        closest=() if checked.citations else index.marked(shown[:_CLOSEST], found.terms),
        generation=found.generation,
        seconds=round(time.monotonic() - began, 3),
        own_words=checked.own_words if checked.citations else (),
        notices=notices,
        usage=usage,
        next_questions=tuple(one.query for one in answered if one.at_least(min_relevance)),
    )


def quotations(index: SearchIndex, words: str, *, limit: int, min_relevance: float) -> tuple[Citation, ...]:
    """The best sentence of each of the passages that match the words best, best first; at most `limit`, each once.

    Only passages of at least `min_relevance` (0…1) are quoted. Raises as `SearchIndex.search`.
    """
    found = index.search(words, limit + _SPARE).at_least(min_relevance)
    draft = ExtractiveWriter(index.stem).one_of_each(found, limit)
    return quotes.verify(draft, _by_id(found), lambda *_: ()).citations


class _Desk:
    """Where a model writes: it gets passages with their neighbours, and all it says is checked against the books."""

    def __init__(self, index: SearchIndex, *, strict: bool, on_growth: Callable[[str], None]) -> None:
        self._index = index
        self._strict = strict
        self._on_growth = on_growth
        self._elsewhere: dict[tuple[str, str], list[Passage]] = {}

    async def written(self, writer: AnswerWriter, found: SearchResult) -> tuple[Checked, Draft]:
        given = await asyncio.to_thread(self._with_neighbours, replace(found, hits=found[:_HITS]))
        hits = _by_id(given)
        longest = 0

        def examine(draft: Draft, strict: bool = True) -> Checked:
            clean, foreign = plain(draft)
            checked = quotes.verify(clean, hits, self._other_passages, strict=strict)
            return checked._replace(faults=(*foreign, *checked.faults))

        def show(draft: Draft) -> None:
            nonlocal longest
            text = examine(draft).text
            if len(text) > longest:  # a second try begins anew: it is shown once it has more to say
                longest = len(text)
                self._on_growth(text)

        draft = await writer.write(given, lambda draft: examine(draft).faults, show)
        return examine(draft, self._strict), draft

    def _with_neighbours(self, found: SearchResult) -> SearchResult:
        """Each hit between the passages that its thought comes from and goes on in; every passage once."""
        around: dict[str, Hit] = {}
        for hit in found:
            before, after = (self._index.passage(hit.passage.beside(step)) for step in (-1, 1))
            run = [hit.passage]
            if before and _goes_on(before.passage, hit.passage):
                run.insert(0, before.passage)
            if after and _goes_on(hit.passage, after.passage):
                run.append(after.passage)
            for passage in run:
                around.setdefault(
                    passage.id, hit if passage is hit.passage else replace(hit, passage=passage, matches=())
                )
        return replace(found, hits=tuple(around.values()))

    def _other_passages(self, passage: Passage, quote: str) -> Iterator[Passage]:
        """Where else in its book a quotation may stand: beside the passage first."""
        for step in (-1, 1):
            if beside := self._index.passage(passage.beside(step)):
                yield beside.passage
        key = passage.book_id, quote
        if key not in self._elsewhere:
            self._elsewhere[key] = self._index.find_in_book(passage.book_id, quote, _LOOKED_IN)
        yield from self._elsewhere[key]


def _goes_on(first: Passage, second: Passage) -> bool:
    """Whether two neighbouring passages are one thought: a paragraph cut in two, or a conversation."""
    if first.section != second.section:
        return False
    return second.start - first.end < len("\n\n") or second.text.startswith(_DIALOGUE)


async def _ordered_anew(found: SearchResult, reranker: Reranker) -> tuple[SearchResult, tuple[Notice, ...], Usage]:
    try:
        order, usage = await reranker.rerank(found.query, [hit.passage.text for hit in found])
    except Unavailable as error:
        return found, (Notice("rerank_unavailable", because=(error.key, error.details)),), Usage()
    hits = tuple(replace(found[number], rank=rank) for rank, number in enumerate(order, 1))
    return replace(found, hits=hits), (), usage


def _by_id(found: SearchResult) -> dict[str, Hit]:
    return {hit.passage.id: hit for hit in found}

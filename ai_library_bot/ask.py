"""Question → Answer: find passages, let a writer quote them, check every quote; without a true one, say so."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ai_library_bot.answers import quotes
from ai_library_bot.answers.extractive import ExtractiveWriter
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.types import Answer

_HITS = 10  # passages a writer is given
_CLOSEST = 3  # passages shown when there is no answer


def answer(
    index: SearchIndex,
    question: str,
    *,
    min_relevance: float,
    books: Sequence[str] = (),
    authors: Sequence[str] = (),
    languages: Sequence[str] = (),
) -> Answer:
    """The answer that the passages of one generation give, every quotation of it verified.

    Only passages of at least `min_relevance` (0…1) support an answer; without one, or without a true quotation, it is
    `found=False` with the closest passages. Raises as `SearchIndex.search`.
    """
    began = time.monotonic()
    found = index.search(question, _HITS, books=books, authors=authors, languages=languages)
    writer = ExtractiveWriter(index.stem)
    draft = writer.write(found.at_least(min_relevance))
    citations = quotes.verify(draft.claims, {hit.passage.id: hit for hit in found})
    if len(citations) < len(draft.claims):
        citations = []  # the text leans on a quotation that does not stand
    return Answer(
        question=question,
        found=bool(citations),
        text=draft.text if citations else "",
        writer=writer.name,
        citations=tuple(citations),
        closest=() if citations else found[:_CLOSEST],
        generation=found.generation,
        seconds=round(time.monotonic() - began, 3),
    )

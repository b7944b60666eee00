"""Checking quotations: what does not stand word for word in its passage never becomes a citation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ai_library_bot.text import fold, fold_with_offsets
from ai_library_bot.types import Citation, Claim, Hit


def verify(claims: Iterable[Claim], hits: Mapping[str, Hit]) -> list[Citation]:
    """The claims that are true, as citations: each quote stands in the passage it is said to stand in.

    Compatibility forms, letter case, ё, soft hyphens, quote marks, dashes and white space make no difference; every
    letter, digit and other mark does, and so does their order. The citation quotes the passage, not the claim.
    `hits` are the passages the writer was given, by passage id.
    """
    return [
        Citation(claim.number, hit.passage, hit.book, *span)
        for claim in claims
        if (hit := hits.get(claim.passage_id)) and (span := find(claim.quote, hit.passage.text))
    ]


def find(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quotation stands in a text, on word borders; None if it does not."""
    wanted = " ".join(fold(quote).split())
    if not any(character.isalnum() for character in wanted):
        return None
    folded, offsets = fold_with_offsets(text)
    start = folded.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not _splits_word(folded, start) and not _splits_word(folded, end):
            return offsets[start], offsets[end - 1] + 1
        start = folded.find(wanted, start + 1)
    return None


def _splits_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()

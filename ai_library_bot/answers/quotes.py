"""Checking quotations: what does not stand word for word in a book never becomes a citation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from ai_library_bot.text import fold, fold_with_offsets, sentences, words
from ai_library_bot.types import OWN_WORDS, Book, Citation, Claim, Draft, Fault, Hit, Passage, Statement

LEAST_WORDS = 4
"""A shorter quotation supports nothing: "in the end he" stands in every book. Its writer can always quote more."""

_LEAST_LETTERS = 8
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff]")  # a script without spaces: each is about a word
_GAP = re.compile(r"[\[(<]?\s*(?:…|\.\s?\.\s?\.)[.\s]*[\])>]?")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")

# What a quotation mark is closed by: “so”, „so“, ”so”, «so», »so«, 'so' and "so".
_CLOSED_BY = {pair[0]: pair[1:] for pair in "“” „“” ‟” ”” «» »« ‹› ›‹ 「」 『』 ‘’ '' \"\"".split()}
_ALWAYS_OPENS = "“„‟«‹「『"
_SINGLE = "‘’'"
_QUOTE_MARK = re.compile(f"[{''.join({*_CLOSED_BY, *''.join(_CLOSED_BY.values())})}]")
_APOSTROPHE = re.compile(r"[sn].\s+[a-z]")  # "the keepers’ lamp", "nothin’ more": a quotation may end here, or not


Elsewhere = Callable[[Passage, str], Iterable[Passage]]
"""Names other passages of a passage's book in which a quotation may stand, the likeliest first."""


class Checked(NamedTuple):
    """What holds of a draft: sentences with their marks, the citations behind the marks, and what does not hold."""

    text: str
    citations: tuple[Citation, ...]
    own_words: tuple[str, ...]
    faults: tuple[Fault, ...]


class _Place(NamedTuple):
    passage: Passage
    book: Book
    start: int
    end: int


def verify(
    draft: Draft,
    hits: Mapping[str, Hit],
    elsewhere: Elsewhere,
    *,
    strict: bool = True,
) -> Checked:
    """The statements of a draft that rest on true quotations, each with the marks of its citations.

    A quotation is true if it stands in the passage it is said to stand in, or else in another passage of that book:
    then it is cited from there. Compatibility forms, letter case, ё, soft hyphens, quote marks, dashes and white space
    make no difference; every letter, digit and other mark does, and so does their order. The citation quotes the
    passage, not the claim. A quotation with gaps, or glued from sentences, counts as its parts: all of them must be
    true and long enough, and each is cited by itself.

    A statement without a true quotation is left out, or, if not `strict`, kept as the writer's own words. A statement
    that itself quotes what stands in no passage is left out in any case.
    `hits` are the passages the writer was given, by passage id.
    """
    citations: dict[tuple[str, int, int], Citation] = {}
    said, own_words, faults = [], [], []
    for statement in draft.statements:
        found = [_places(claim, hits, elsewhere) for claim in statement.claims]
        faults += [one for one in found if isinstance(one, Fault)]
        places = [place for one in found if not isinstance(one, Fault) for place in one]
        invented = _invented(statement, places, hits.values())
        if invented:
            faults.append(Fault(invented, "unchecked_quote"))
        elif places:
            numbers = {_cite(place, citations).number for place in places}
            said.append(f"{statement.text} {''.join(f'[{number}]' for number in sorted(numbers))}")
        elif not strict:
            own_words.append(statement.text)
            said.append(f"{statement.text} {OWN_WORDS}")
    return Checked(" ".join(said), tuple(citations.values()), tuple(own_words), tuple(faults))


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


def too_short(quote: str) -> bool:
    """Whether a quotation is too short to support anything, wherever it stands."""
    found = [word.folded for word in words(quote)]
    length = sum(max(1, len(_IDEOGRAPH.findall(word))) for word in found)
    return length < LEAST_WORDS or (sum(map(len, found)) < _LEAST_LETTERS and not _IDEOGRAPH.search(quote))


def in_quote_marks(text: str) -> Iterator[str]:
    """What stands between quotation marks; where one is missing, all up to it, or all behind it.

    Where a mark may as well be an apostrophe, what ends there and what goes on to the next one.
    """
    open_marks: list[tuple[str, int]] = []
    for match in _QUOTE_MARK.finditer(text):
        mark, at, behind = match.group(), match.start(), match.end()
        before = text[at - 1 : at]
        ends_words = before.isalnum() or (before != "" and before in ",.;:!?…)")
        if mark in _SINGLE and before.isalnum() and text[behind : behind + 1].isalnum():
            continue  # an apostrophe
        closed = [place for place, (opening, _) in enumerate(open_marks) if mark in _CLOSED_BY[opening]]
        if closed and (ends_words or mark not in _SINGLE):
            yield text[open_marks[closed[-1]][1] : at]
            if not (mark in _SINGLE and _APOSTROPHE.match(text, at - 1)):
                del open_marks[closed[-1] :]
        elif mark in _ALWAYS_OPENS or (mark in _CLOSED_BY and not ends_words):
            open_marks.append((mark, behind))
        elif mark not in _SINGLE:
            yield text[:at]
    for opening, begins in open_marks:
        if opening not in _SINGLE:
            yield text[begins:]


def _splits_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def _cite(place: _Place, citations: dict[tuple[str, int, int], Citation]) -> Citation:
    """The citation of a place: places are numbered in the order in which they are first cited."""
    key = place.passage.id, place.start, place.end
    if key not in citations:
        citations[key] = Citation(len(citations) + 1, *place)
    return citations[key]


def _places(claim: Claim, hits: Mapping[str, Hit], elsewhere: Elsewhere) -> list[_Place] | Fault:
    """Where a claimed quotation stands: at one place, or at one for each of its parts."""
    hit = hits.get(claim.passage_id)
    if hit is None:
        return Fault(claim.quote, "unknown_passage")
    if too_short(claim.quote):
        return Fault(claim.quote, "too_short")
    whole = _place(claim.quote, hit, elsewhere)
    if whole:
        return [whole]
    parts = list(_parts(claim.quote))
    places = [
        place for part in parts if not too_short(part) and (place := _place(part, hit, elsewhere))
    ]  # fmt: skip
    return places if len(parts) > 1 and len(places) == len(parts) else Fault(claim.quote, "not_in_book")


def _place(quote: str, hit: Hit, elsewhere: Elsewhere) -> _Place | None:
    span = _find_bare(quote, hit.passage.text)
    if span:
        return _Place(hit.passage, hit.book, *span)
    for passage in elsewhere(hit.passage, quote):
        span = _find_bare(quote, passage.text) if passage.book_id == hit.book.id else None
        if span:
            return _Place(passage, hit.book, *span)
    return None


def _find_bare(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quotation stands, if need be without the marks around it: writers end one with a full stop of theirs."""
    return find(quote, text) or find(_EDGES.sub("", quote), text)


def _parts(quote: str) -> Iterator[str]:
    """What a quotation with gaps is made of: the sentences between the gaps."""
    for piece in _GAP.split(quote):
        for start, end in sentences(piece):
            if any(character.isalnum() for character in piece[start:end]):
                yield piece[start:end]


def _invented(statement: Statement, places: Iterable[_Place], hits: Iterable[Hit]) -> str | None:
    """What a statement has in quotation marks, if it is long enough for a quotation and stands nowhere."""
    quoted = [quote for quote in in_quote_marks(statement.text) if not too_short(quote)]
    if not quoted:
        return None
    texts = [place.passage.text for place in places]
    for hit in hits:
        texts += [hit.passage.text, hit.book.title, *hit.passage.chapter]  # titles stand in quotation marks too
    return next((quote for quote in quoted if not _all_stand(quote, texts)), None)


def _all_stand(quote: str, texts: Iterable[str]) -> bool:
    return any(_find_bare(quote, text) for text in texts) or (
        len(parts := list(_parts(quote))) > 1 and all(any(_find_bare(part, text) for text in texts) for part in parts)
    )

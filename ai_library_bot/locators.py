"""Where a passage stands, in words: for the terminal and for Telegram alike."""

from __future__ import annotations

from typing import NamedTuple

from ai_library_bot.locales import Messages
from ai_library_bot.text import fold_with_offsets
from ai_library_bot.types import Answer, Book, Citation, Passage


class Source(NamedTuple):
    """What stands below an answer for the citations from one place.

    `mark` names them all, such as "[1]" or "[1, 2]"; `citation` is the first; `told` says that the answer holds what is
    quoted word for word, so that it need not be repeated.
    """

    mark: str
    citation: Citation
    told: bool


def place(say: Messages, passage: Passage, offset: int = 0) -> list[str]:
    """The chapter of the character at `offset` of the passage, if it has one, then the page or the position."""
    page = passage.page_at(offset)
    if page is None:
        where = say("number.percent", number=say.number(100 * passage.position))
    else:
        where = say("locator.page", page=page)
    return [" › ".join(passage.chapter), where] if passage.chapter else [where]


def source(say: Messages, book: Book) -> str:
    """Authors and title."""
    return " · ".join([*book.authors, say("locator.title", title=book.title)])


def sources(answer: Answer) -> list[Source]:
    """The sources of an answer in their order; citations of one place whose words it holds are one source."""
    said = _folded(answer.text)
    places: dict[tuple[str, int | None, str], list[Citation]] = {}
    for citation in answer.citations:
        untold = "" if _folded(citation.quote) in said else citation.quote
        places.setdefault((citation.passage.id, citation.page, untold), []).append(citation)
    return [
        Source(f"[{', '.join(str(citation.number) for citation in cited)}]", cited[0], not untold)
        for (_, _, untold), cited in places.items()
    ]


def _folded(text: str) -> str:
    return fold_with_offsets(text)[0].strip()

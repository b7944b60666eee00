"""Questions that a model suggests to ask next: a stranger's text, of which only plain questions reach a reader."""

from __future__ import annotations

from collections.abc import Iterable

from ai_library_bot.answers.plain import plain_text
from ai_library_bot.answers.quotes import in_quote_marks
from ai_library_bot.text import fold, sentences, words

MOST = 3
LONGEST = 120  # characters


def fitting(suggested: Iterable[str], *asked: str) -> tuple[str, ...]:
    """Those of the first suggestions that are one short plain question and none that was `asked`, each once.

    What stands in quotation marks nobody has verified, and a second sentence asks nothing: such ones are left out.
    Whether the books answer them is not looked at.
    """
    known = {_evened(question) for question in asked}
    kept = []
    for text in list(suggested)[:MOST]:
        question = plain_text(text)
        if question and _is_question(question) and _evened(question) not in known:
            known.add(_evened(question))
            kept.append(question)
    return tuple(kept)


def _is_question(text: str) -> bool:
    return (
        len(text) <= LONGEST
        and text.endswith("?")
        and any(map(str.isalpha, text))
        and len(list(sentences(text))) == 1
        and not any(in_quote_marks(fold(text)))
    )


def _evened(text: str) -> tuple[str, ...]:
    return tuple(word.folded for word in words(text))

"""Questions that lean on a conversation: "And who wound it then?"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel

from ai_library_bot.answers.plain import plain_text
from ai_library_bot.answers.prompts import FOLLOW_UP, prompt
from ai_library_bot.errors import Unavailable
from ai_library_bot.text import one_line, words
from ai_library_bot.types import Turn, Usage

if TYPE_CHECKING:
    from ai_library_bot.openai_api.chat import Chat

_TURNS = 4  # the last ones; what was said before hardly matters to the next question
_LONGEST_ANSWER = 600  # characters of an answer that are enough to know what it was about
_LONGEST_QUESTION = 400

# How a question tells, to who has no model, that it leans on the one before: it begins so, …
_GOES_ON = frozenset("and but or so then also а и но или ну же тоже".split())
# … or it is short and points at something …
_POINTS = frozenset(
    "he him his she her hers it its they them their theirs this that these those there one ones "
    "он его ему им него нему ним нем она ее ей нее ней оно они их них "
    "это этот эта эти этого этой этому этим этих этом тот та те того той тому тем тех том там тогда".split()
)
_SHORT = 7  # words
_VERY_SHORT = 2  # … or it is hardly more than "Why?"


class Rewritten(BaseModel):
    """The form of the model's answer."""

    question: str


async def stand_alone(
    question: str, history: Sequence[Turn], chat: Chat | None, *, seconds: float
) -> tuple[str, Usage]:
    """The question as it can be understood without the history, and what that cost.

    The model rewrites it. Without one, or if it does not do so within `seconds`, the words of the questions before
    join one that seems to lean on them. The history serves for nothing else: no answer is ever made of it.
    """
    if not history:
        return question, Usage()
    joined = " ".join([*_leant_on(question, history), question])
    if chat is None:
        return joined, Usage()
    from ai_library_bot.openai_api.chat import InvalidOutput, Message
    from ai_library_bot.openai_api.tries import in_tries

    messages = [Message("system", prompt(FOLLOW_UP)), Message("user", _talk(question, history))]
    paid = Usage()

    async def rewrite(seconds_left: float) -> str:
        nonlocal paid
        try:
            completion = await chat.complete(messages, Rewritten, seconds=seconds_left)
        except InvalidOutput as invalid:
            paid += invalid.usage
            raise
        paid += completion.usage
        return completion.parsed.question

    try:
        rewritten = plain_text((await in_tries(rewrite, tries=2, seconds=seconds))[:_LONGEST_QUESTION])
    except (InvalidOutput, Unavailable):
        return joined, paid
    return (rewritten if rewritten and any(map(str.isalnum, rewritten)) else joined), paid


def _leant_on(question: str, history: Sequence[Turn]) -> list[str]:
    """The questions before that one leans on: back to the last that stands by itself."""
    found: list[str] = []
    for turn in reversed(history[-_TURNS:]):
        if not _leans(found[0] if found else question):
            break
        found.insert(0, turn.question)
    return found


def _leans(question: str) -> bool:
    said = [word.folded for word in words(question)]
    if not said or said[0] in _GOES_ON or len(said) <= _VERY_SHORT:
        return True
    return len(said) <= _SHORT and not _POINTS.isdisjoint(said)


def _talk(question: str, history: Sequence[Turn]) -> str:
    said = [
        line
        for turn in history[-_TURNS:]
        for line in (f"Reader: {one_line(turn.question)}", f"Librarian: {one_line(turn.answer)[:_LONGEST_ANSWER]}")
    ]
    return "\n".join([*said, "", f"The reader's next question: {one_line(question)}"])

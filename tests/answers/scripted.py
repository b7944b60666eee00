"""A chat model that says what it is told to say, with the promises of the real one, and streams it in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel

from ai_library_bot.openai_api.chat import Completion, InvalidOutput, Message
from ai_library_bot.openai_api.structure import DoesNotFit, read
from ai_library_bot.types import Usage

Schema = TypeVar("Schema", bound=BaseModel)

COST = Usage(100, 10, 0.001)
"""What each request costs."""


class Shown:
    """What a request shows of the books: the marker around passages, and their numbers and texts."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.system = messages[0].content
        self.user = messages[1].content
        self.marker = self.user.split(maxsplit=1)[0]
        found = re.findall(
            rf"^{self.marker} passage (\d+)\n.*\n\n([\s\S]*?)\n{self.marker} end of", self.user, re.MULTILINE
        )
        self.passages = {int(number): text for number, text in found}

    def number(self, quote: str) -> int:
        """The number of the passage that holds a text."""
        return next(number for number, text in self.passages.items() if quote in text)


class ScriptedChat:
    """Says the replies one after the other, then the last one again; an exception is raised instead.

    A reply may be a function of what was shown. `asked` notes the messages of each request.
    """

    name = "scripted"

    def __init__(self, *replies: str | Exception | Callable[[Shown], str], piece: int = 7) -> None:
        self.asked: list[list[Message]] = []
        self._replies = replies
        self._piece = piece

    async def complete(
        self,
        messages: Sequence[Message],
        schema: type[Schema],
        *,
        seconds: float,
        on_text: Callable[[str], None] | None = None,
    ) -> Completion[Schema]:
        assert seconds > 0
        self.asked.append(list(messages))
        reply: Any = self._replies[min(len(self.asked), len(self._replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        text = reply(Shown(messages)) if callable(reply) else reply
        if on_text:
            for end in range(1, len(text), self._piece):
                on_text(text[:end])
            on_text(text)
        try:
            return Completion(read(text, schema), COST)
        except DoesNotFit as problem:
            raise InvalidOutput(text, str(problem), COST) from None

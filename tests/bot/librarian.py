"""A model behind the bot: what an honest one says about the sample books, and the settings that ask it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.bot.running import QUOTE
from tests.openai_server import OpenAIServer

BLIND = "He was going blind."

Payload = dict[str, Any]


def asking(server: OpenAIServer, **changes: Any) -> dict[str, Any]:
    """The settings of a bot that asks this server's model, and no other service."""
    chosen = {"openai_base_url": server.base_url, "openai_model": "chat", "embedder": "none", "answer_seconds": 30}
    return chosen | changes


def librarian(
    sentences: Sequence[tuple[str, str]] = ((BLIND, QUOTE),),
    *,
    next_questions: Sequence[str] = (),
    rewritten: str = "",
) -> Callable[[Payload], str]:
    """Says sentences, each with the quotation it rests on; asked what a question means, it says `rewritten`."""

    def reply(payload: Payload) -> str:
        if is_rewriting(payload):
            return json.dumps({"question": rewritten})
        shown = dict(re.findall(r"passage (\d+)\n(.*?)end of passage \1", payload["messages"][1]["content"], re.DOTALL))
        written = [
            {"text": text, "quotes": [{"passage": int(number), "quote": quote}]}
            for text, quote in sentences
            for number, passage in shown.items()
            if quote in passage
        ]
        return json.dumps({"found": bool(written), "sentences": written, "next_questions": list(next_questions)})

    return reply


def is_rewriting(payload: Payload) -> bool:
    """Whether the model is asked what a question means, and not yet for an answer."""
    return "The reader's next question: " in payload["messages"][1]["content"]

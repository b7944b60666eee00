"""Whole conversations with a running bot."""

from __future__ import annotations

from pathlib import Path

from tests.bot.running import KEEPER, QUOTE, READER, running, settings_for
from tests.bot.telegram_server import TelegramServer


async def test_a_question_is_answered_with_its_source(telegram: TelegramServer, shelf: Path) -> None:
    reader = telegram.user(READER)
    async with running(settings_for(telegram, shelf)):
        reader.say(KEEPER)
        answer = await telegram.wait_for(lambda: telegram.last(reader))
        assert QUOTE in answer.text
        assert answer.labels == ["[1]", "👍", "👎"]
        assert answer.links == ()
        reader.press(answer, "[1]")
        passage = await telegram.wait_for(lambda: telegram.messages(reader)[1:])
        assert QUOTE in passage[0].marked("bold")[-1]

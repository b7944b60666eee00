"""Fifty people at once: all are answered, each keeps to their limits and their own conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ai_library_bot.bot.budget import Budget, Limits
from ai_library_bot.bot.serve import DATABASE
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.talks import Talks
from tests.bot.librarian import asking
from tests.bot.running import KEEPER, READER, running, settings_for
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer, stall

PEOPLE = 50
FIRST = 1000
TOKENS = 9_000  # a day: one or two requests to the model


async def test_all_are_answered_and_none_exceeds_a_limit(telegram: TelegramServer, shelf: Path) -> None:
    people = [telegram.user(FIRST + number) for number in range(PEOPLE)]
    with OpenAIServer() as model:
        model.reply = {"found": False, "sentences": []}
        limits = {"tg_public": True, "tg_questions_per_day": 1, "tg_tokens_per_day": TOKENS}
        async with running(settings_for(telegram, shelf, **asking(model), **limits)):
            for _ in range(2):
                for person in people:
                    person.say(f"{KEEPER} I am {person.id}.")
            await telegram.wait_for(lambda: all(len(telegram.messages(person)) == 2 for person in people))
        asked = len(model.requests)
    for person in people:
        answers = [message for message in telegram.messages(person) if message.buttons]
        refused = [message for message in telegram.messages(person) if "used up today" in message.text]
        assert (len(answers), len(refused)) == (1, 1)
    store = SqliteStore(shelf / "index" / DATABASE)
    try:
        spent = dict(await Budget(store, Limits()).everybody())
        conversations = [await Talks(store).turns(person.id, person.id) for person in people]
    finally:
        await store.close()
    assert spent.keys() == {person.id for person in people}
    assert all(one.questions == 1 and 0 < one.tokens <= TOKENS and not one.tokens_aside for one in spent.values())
    assert asked, "the model was asked while the tokens lasted"
    for person, turns in zip(people, conversations, strict=True):
        assert [turn.question for turn in turns] == [f"{KEEPER} I am {person.id}."]


async def test_a_question_that_takes_a_minute_delays_nobody_else(
    telegram: TelegramServer, shelf: Path, hasty: None
) -> None:
    slow, reader = telegram.user(FIRST), telegram.user(READER)
    with OpenAIServer() as model:
        model.faults.append(stall())
        model.reply = {"found": False, "sentences": []}
        async with running(settings_for(telegram, shelf, tg_public=True, **asking(model))):
            slow.say(KEEPER)
            await telegram.wait_for(lambda: model.requests)
            async with asyncio.timeout(10):
                reader.say(KEEPER)
                await telegram.wait_for(lambda: telegram.messages(reader))
            assert telegram.messages(slow) == []
    assert "do not seem to answer" in telegram.messages(reader)[0].text, "it was the model that was asked"

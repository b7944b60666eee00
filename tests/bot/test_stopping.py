"""A bot that is stopped finishes or excuses what it has begun; one that is killed excuses it when it starts again."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ai_library_bot.bot import serve
from tests.bot.process import environment, started
from tests.bot.running import KEEPER, running, settings_for
from tests.bot.telegram_people import Person
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer, spread, stall

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="on Windows SIGTERM ends a process at once")

PEOPLE = 20


def asking(model: OpenAIServer) -> dict[str, Any]:
    """Settings for a bot whose answers this model writes."""
    return {"openai_base_url": model.base_url, "embedder": "none"}


def crowd(telegram: TelegramServer) -> list[Person]:
    return [telegram.user(1000 + number) for number in range(PEOPLE)]


def outcomes(telegram: TelegramServer, people: list[Person]) -> Counter[str]:
    """What became of the one question of each person: "answered", "excused", "nothing", or several of them."""
    found: Counter[str] = Counter()
    for person in people:
        kinds = ["answered" if message.buttons else "excused" for message in telegram.messages(person)]
        found[" and ".join(kinds) or "nothing"] += 1
    return found


async def all_at_work(telegram: TelegramServer, people: list[Person]) -> None:
    """Everybody asks, and the bot has begun with each."""
    for person in people:
        person.say(KEEPER)
    await telegram.wait_for(lambda: len(telegram.calls("sendChatAction")) >= len(people))


async def test_sigterm_lets_running_answers_finish(telegram: TelegramServer, shelf: Path) -> None:
    people = crowd(telegram)
    with OpenAIServer() as model:
        model.fault = spread(1)
        model.reply = {"found": False, "sentences": []}
        async with running(settings_for(telegram, shelf, tg_public=True, **asking(model))) as bot:
            await all_at_work(telegram, people)
            signal.raise_signal(signal.SIGTERM)
            await bot
    assert outcomes(telegram, people) == {"answered": PEOPLE}


async def test_what_does_not_finish_in_time_is_excused(
    telegram: TelegramServer, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "STOP_SECONDS", 0.1)
    people = crowd(telegram)
    with OpenAIServer() as model:
        model.fault = stall()
        async with running(settings_for(telegram, shelf, tg_public=True, **asking(model))) as bot:
            await all_at_work(telegram, people)
            signal.raise_signal(signal.SIGTERM)
            await bot
    assert outcomes(telegram, people) == {"excused": PEOPLE}
    assert all("I have to stop now" in message.text for person in people for message in telegram.messages(person))


def test_after_a_kill_every_question_is_answered_once_or_excused(telegram: TelegramServer, shelf: Path) -> None:
    people = crowd(telegram)
    with OpenAIServer() as model:
        model.faults.extend([spread(1)] * (PEOPLE // 2))
        model.fault = stall()  # the others wait for an answer when the bot is killed
        model.reply = {"found": False, "sentences": []}
        told = environment(telegram, shelf, TG_PUBLIC="true", OPENAI_BASE_URL=model.base_url, EMBEDDER="none")
        with started(shelf, told) as bot:
            for person in people:
                person.say(KEEPER)
            telegram.wait(lambda: outcomes(telegram, people)["answered"], 30)
            bot.kill()
        assert outcomes(telegram, people)["nothing"] >= PEOPLE // 2
        with started(shelf, told) as bot:
            telegram.wait(lambda: not outcomes(telegram, people)["nothing"], 30)
            assert bot.stop() == 0
    for person in people:
        texts = [message.text for message in telegram.messages(person)]
        answers = [message for message in telegram.messages(person) if message.buttons]
        assert len(answers) <= 1, texts
        # Whom the answer was just being sent to is told that it may have arrived; everybody else hears one thing.
        assert len(texts) == 1 or "If my answer has not arrived" in texts[-1], texts

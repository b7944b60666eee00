"""A bot that is stopped finishes or excuses what it has begun; one that is killed excuses it when it starts again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.bot.process import environment, started
from tests.bot.running import KEEPER
from tests.bot.telegram_people import Person
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer, spread, stall

PEOPLE = 20


@pytest.fixture
def model() -> OpenAIServer:
    return OpenAIServer()


def crowd(telegram: TelegramServer) -> list[Person]:
    return [telegram.user(1000 + number) for number in range(PEOPLE)]


def outcomes(telegram: TelegramServer, people: list[Person]) -> Counter[str]:
    """For each person what became of their one question: "answered", "excused", "nothing" or "twice"."""
    found: Counter[str] = Counter()
    for person in people:
        messages = telegram.messages(person)
        kinds = ["answered" if message.buttons else "excused" for message in messages]
        found[kinds[0] if len(kinds) == 1 else "twice" if kinds else "nothing"] += 1
    return found


def test_sigterm_lets_running_answers_finish(telegram: TelegramServer, shelf: Path) -> None:
    people = crowd(telegram)
    with OpenAIServer() as model:
        model.fault = spread(2)
        model.reply = {"found": False, "sentences": []}
        told = environment(telegram, shelf, TG_PUBLIC="true", OPENAI_BASE_URL=model.base_url, EMBEDDER="none")
        with started(shelf, told) as bot:
            for person in people:
                person.say(KEEPER)
            telegram.wait(lambda: len(telegram.calls("sendChatAction")) >= PEOPLE, 30)
            assert bot.stop() == 0
    assert outcomes(telegram, people) == {"answered": PEOPLE}
    assert bot.said[-1] == "The bot has stopped."


def test_what_does_not_finish_in_time_is_excused(telegram: TelegramServer, shelf: Path) -> None:
    people = crowd(telegram)
    with OpenAIServer() as model:
        model.fault = stall()
        told = environment(
            telegram, shelf, TG_PUBLIC="true", OPENAI_BASE_URL=model.base_url, EMBEDDER="none", ANSWER_SECONDS="300"
        )
        with started(shelf, told) as bot:
            for person in people:
                person.say(KEEPER)
            telegram.wait(lambda: len(telegram.calls("sendChatAction")) >= PEOPLE, 30)
            assert bot.stop() == 0
    assert outcomes(telegram, people) == {"excused": PEOPLE}
    assert all("stop" in message.text for person in people for message in telegram.messages(person))


@pytest.mark.parametrize("seconds", [1.5])
def test_after_a_kill_every_question_is_answered_once_or_excused(
    telegram: TelegramServer, shelf: Path, seconds: float
) -> None:
    people = crowd(telegram)
    with OpenAIServer() as model:
        model.fault = spread(seconds)
        model.reply = {"found": False, "sentences": []}
        told = environment(telegram, shelf, TG_PUBLIC="true", OPENAI_BASE_URL=model.base_url, EMBEDDER="none")
        with started(shelf, told) as bot:
            for person in people:
                person.say(KEEPER)
            telegram.wait(
                lambda: any(message.buttons for person in people for message in telegram.messages(person)), 30
            )
            bot.kill()
        before = outcomes(telegram, people)
        assert before["nothing"] > 0, "the kill came too late to show anything"
        with started(shelf, told) as bot:
            telegram.wait(lambda: outcomes(telegram, people)["nothing"] == 0, 30)
            people[0].say("/help")  # once that is answered, nothing of before is still on its way
            telegram.wait(lambda: len(telegram.messages(people[0])) > 1, 30)
            assert bot.stop() == 0
    found = outcomes(telegram, people[1:])
    assert found["answered"] + found["excused"] == PEOPLE - 1, found

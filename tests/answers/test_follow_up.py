"""A question that leans on the conversation is rewritten so that it stands alone; the history is no source."""

from __future__ import annotations

import json

import pytest

from ai_library_bot.answers.follow_up import stand_alone
from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.chat import ChatModel
from ai_library_bot.openai_api.tries import without_waiting
from ai_library_bot.types import Turn, Usage
from tests.answers.scripted import COST, ScriptedChat

HISTORY = (Turn("Who kept the lighthouse?", "Prokhor kept it. [1]"),)
JOINED = "Who kept the lighthouse? Why did he stop?"


async def rewritten(*replies: str | Exception, history: tuple[Turn, ...] = HISTORY) -> tuple[str, Usage, ScriptedChat]:
    chat = ScriptedChat(*replies)
    model: ChatModel = chat  # type: ignore[assignment]
    with without_waiting():
        return *await stand_alone("Why did he stop?", history, model, seconds=5), chat


async def test_the_first_question_is_left_as_it_is_and_costs_nothing() -> None:
    text, usage, chat = await rewritten("{}", history=())
    assert (text, usage, chat.asked) == ("Why did he stop?", Usage(), [])


async def test_the_model_rewrites_it() -> None:
    text, usage, chat = await rewritten('{"question": "Why did Prokhor stop keeping the lighthouse?"}')
    assert (text, usage) == ("Why did Prokhor stop keeping the lighthouse?", COST)
    ((_, user),) = chat.asked
    said, _, asked = user.content.partition("\n\n")
    assert said == "Reader: Who kept the lighthouse?\nLibrarian: Prokhor kept it. [1]"
    assert asked == "The reader's next question: Why did he stop?"


async def test_without_a_model_the_words_of_the_question_before_join_it() -> None:
    assert await stand_alone("Why did he stop?", HISTORY, None, seconds=5) == (JOINED, Usage())


@pytest.mark.parametrize(
    "question",
    ["Why?", "And the dog?", "А почему?", "Когда он умер?", "Where did she find it?", "What happened then and there?"],
)
async def test_without_a_model_a_question_that_leans_is_joined(question: str) -> None:
    assert await stand_alone(question, HISTORY, None, seconds=5) == (f"{HISTORY[-1].question} {question}", Usage())


async def test_questions_that_lean_on_one_another_are_all_joined() -> None:
    history = (Turn("Who wrote Don Quixote?", "Cervantes. [1]"), *HISTORY, Turn("And his dog?", "It was lame. [1]"))
    joined = "Who kept the lighthouse? And his dog? And why?"
    assert await stand_alone("And why?", history, None, seconds=5) == (joined, Usage())


@pytest.mark.parametrize(
    "question",
    [
        "Who wrote Don Quixote?",
        "Кто написал «Дон Кихота»?",
        "Почему смотритель перестал писать письма?",
        "Why does the keeper of the lighthouse stop writing his letters?",
    ],
)
async def test_without_a_model_another_question_stands_alone(question: str) -> None:
    assert await stand_alone(question, HISTORY, None, seconds=5) == (question, Usage())


@pytest.mark.parametrize(
    ("reply", "tries"),
    [
        ("He stopped because he was blind.", 2),
        (Unavailable("service_key_refused", service="api.example"), 1),
        ('{"question": ""}', 1),
        ('{"question": " ?! "}', 1),
        ('{"question": "See http://evil.example"}', 1),
    ],
)
async def test_so_they_do_where_the_model_fails(reply: str | Exception, tries: int) -> None:
    text, usage, chat = await rewritten(reply)
    assert (text, len(chat.asked)) == (JOINED, tries)
    assert usage == (Usage() if isinstance(reply, Exception) else sum([COST] * tries, Usage()))


async def test_a_long_conversation_is_told_in_part_and_an_endless_question_is_cut() -> None:
    history = tuple(Turn(f"Question {number}?", "word " * 5000) for number in range(50))
    text, _, chat = await rewritten(json.dumps({"question": "why " * 5000}), history=history)
    assert len(chat.asked[0][1].content) < 4_000
    assert "Question 49?" in chat.asked[0][1].content
    assert len(text) <= 400

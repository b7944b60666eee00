"""The same questions through the bot and through `library ask`: the same text and the same citations."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ai_library_bot import cli
from ai_library_bot.bot.layout import JOINER
from tests.bot.running import running, settings_for
from tests.bot.talking import answer_to, sent_by
from tests.bot.telegram_chats import Message
from tests.bot.telegram_server import TelegramServer

pytestmark = pytest.mark.usefixtures("hasty")

SAMPLES = Path(__file__).parent.parent / "samples" / "questions.jsonl"
QUESTIONS: list[str] = [json.loads(line)["question"] for line in SAMPLES.read_text("utf-8").splitlines()]


@pytest.fixture
def printed(shelf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What `library ask --json` prints for each question."""
    monkeypatch.setenv("FAISS_PATH", str(shelf / "index"))
    answers = []
    for question in QUESTIONS:
        assert cli.main(["ask", "--json", question]) in (0, 1)
        answers.append(json.loads(capsys.readouterr().out))
    return answers


async def test_bot_and_command_line_give_the_same_text_and_citations(
    telegram: TelegramServer, shelf: Path, printed: list[dict[str, Any]]
) -> None:
    people = [telegram.user(1000 + number) for number in range(len(QUESTIONS))]  # nobody's conversation goes on
    sources = {}
    async with running(settings_for(telegram, shelf, tg_allowed_users={person.id for person in people})):
        answers = [await answer_to(person, question) for person, question in zip(people, QUESTIONS, strict=True)]
        for number in range(0, len(QUESTIONS), 6):
            sources[number] = await sent_by(people[number], answers[number], "[1]")
    for told, answer in zip(printed, answers, strict=True):
        if told["found"]:
            same_answer(told, plain(answer), answer)
        else:
            same_closest(told, plain(answer), answer)
    for number, source in sources.items():
        told = printed[number]
        if told["found"]:
            assert source.marked("bold")[-1].replace(JOINER, "") == told["citations"][0]["quote"]
    assert {told["found"] for told in printed} == {True, False}


def same_answer(told: dict[str, Any], said: str, answer: Message) -> None:
    text = "\n\n".join(told["text"].splitlines())
    assert said.startswith(f"{text}\n"), told["question"]
    rest = said.removeprefix(text)
    assert sources(answer) == len(told["citations"])
    for number, citation in enumerate(told["citations"], 1):
        assert citation["number"] == number
        assert citation["quote"] in said
        (line,) = re.findall(rf"^\[(?:\d+, )*{number}(?:, \d+)*\] .*$", rest, re.MULTILINE)
        assert citation["book"]["title"] in line
        assert all(author in line for author in citation["book"]["authors"])
        assert all(heading in line for heading in citation["chapter"])
        where = f"{citation['page']}" if citation["page"] else f"{100 * citation['position']:.0f}%"
        assert line.endswith(where)


def same_closest(told: dict[str, Any], said: str, answer: Message) -> None:
    assert sources(answer) == len(told["closest"])
    for hit in told["closest"]:
        assert f"{hit['rank']}. " in said
        assert hit["book"]["title"] in said
    quoted = [quote.replace(JOINER, "").strip("…") for quote in answer.marked("blockquote")]
    assert len(quoted) == len(told["closest"])
    for quote, hit in zip(quoted, told["closest"], strict=True):
        assert quote in hit["text"]


def sources(answer: Message) -> int:
    return sum(label.startswith("[") for label in answer.labels)


def plain(answer: Message) -> str:
    return answer.text.replace(JOINER, "")

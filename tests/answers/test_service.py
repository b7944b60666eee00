"""The whole way to a service and back, over HTTP: whatever it does, the reader gets an answer in time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from ai_library_bot import json_output
from ai_library_bot.answers.model import ModelWriter
from ai_library_bot.ask import answer
from ai_library_bot.index.search import SearchIndex
from ai_library_bot.locales import LANGUAGES, messages
from ai_library_bot.openai_api.chat import ChatModel, Message
from ai_library_bot.openai_api.tries import without_waiting
from ai_library_bot.types import Answer
from tests.answers.liar import BOOKS, ENGLISH, EVIL, KEY, RUSSIAN, Tongue, answers
from tests.answers.scripted import Shown
from tests.openai_server import Fault, OpenAIServer, body, cut, drip, no_credit, stall, status
from tests.shelves import Shelf


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    for name, chapters in BOOKS.items():
        shelf.put(name, *chapters)
    shelf.ingest()
    return shelf.open()


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(key=KEY) as server, without_waiting():
        yield server


async def ask(
    index: SearchIndex, server: OpenAIServer, tongue: Tongue = ENGLISH, *, key: str = KEY, seconds: float = 10
) -> tuple[Answer, list[str]]:
    grown: list[str] = []
    chat = ChatModel(server.base_url, SecretStr(key), "chat")
    writer = ModelWriter(chat, seconds=seconds)
    result = await answer(
        index, tongue.question, writer=writer, min_relevance=0, seconds=seconds, on_growth=grown.append
    )
    return result, grown


def shown(payload: dict[str, Any]) -> Shown:
    return Shown([Message(message["role"], message["content"]) for message in payload["messages"]])


@pytest.mark.parametrize("tongue", [ENGLISH, RUSSIAN], ids=["English", "Russian"])
async def test_a_liar_behind_a_service_reaches_nobody_either(
    index: SearchIndex, server: OpenAIServer, tongue: Tongue
) -> None:
    (first, _), (second, _) = tongue.honest
    for name, lying in list(answers(tongue))[::19]:
        server.reply = lambda payload, lying=lying: lying(shown(payload))
        result, grown = await ask(index, server, tongue)
        assert result.text == f"{first} [1] {second} [2]", name
        assert set(grown) <= {f"{first} [1]", result.text}, name
        seen = json.dumps([json_output.answer(result, messages("ru")), grown])
        assert EVIL not in seen
        assert KEY not in seen


@pytest.mark.parametrize(
    ("fault", "reason", "most_requests"),
    [
        (status(500), "service_failed", 5),
        (status(429), "service_busy", 5),
        (no_credit(), "service_no_credit", 1),
        (body(b"<html>http://evil.example</html>"), "service_nonsense", 5),
        (cut(), "service_down", 5),
    ],
    ids=["500", "429", "no credit", "garbage", "cut"],
)
async def test_a_service_that_fails_leaves_an_answer_that_quotes_and_says_why(
    index: SearchIndex, server: OpenAIServer, fault: Fault, reason: str, most_requests: int
) -> None:
    server.fault = fault
    result, grown = await ask(index, server)
    assert (result.writer, result.found, grown) == ("extractive", True, [])
    (notice,) = result.notices
    assert notice.key == "writer_unavailable"
    assert notice.because
    assert notice.because[0] == reason
    assert 1 <= len(server.paths) <= most_requests
    for language in LANGUAGES:
        told = messages(language).notice(notice)
        assert KEY not in told
        assert EVIL not in told


async def test_a_wrong_key_is_told_once_and_never_shown(index: SearchIndex, server: OpenAIServer) -> None:
    result, _ = await ask(index, server, key="sk-proj-a-wrong-key-of-mine")
    assert [notice.because and notice.because[0] for notice in result.notices] == ["service_key_refused"]
    assert len(server.paths) == 1
    assert "wrong-key" not in messages("en").notice(result.notices[0])


@pytest.mark.parametrize("fault", [stall(), drip()], ids=["stalled", "slow drip"])
async def test_a_service_that_dawdles_is_left_when_the_time_is_up(
    index: SearchIndex, server: OpenAIServer, fault: Fault
) -> None:
    server.fault = fault
    began = time.monotonic()
    result, _ = await ask(index, server, seconds=0.5)
    assert time.monotonic() - began < 5
    assert result.writer == "extractive"
    assert [notice.because and notice.because[0] for notice in result.notices] == ["service_slow"]

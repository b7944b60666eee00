"""Our clients against a server nobody here wrote: aimock, from npm. Skipped where Node is missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy
import pytest
from pydantic import BaseModel

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.chat import ChatModel, InvalidOutput, Message
from ai_library_bot.openai_api.embedding import OpenAIEmbedder
from ai_library_bot.openai_api.service import PassingFault, Service
from ai_library_bot.openai_api.tries import in_tries, without_waiting
from tests.npm_server import installed, serving

LOCKED = Path(__file__).parent / "aimock"
PROGRAM = Path("node_modules", "@copilotkit", "aimock", "dist", "cli.js")

FIXTURES = {
    "fixtures": [
        {"match": {"userMessage": "lighthouse"}, "response": {"content": '{"words": ["lamp", "маяк"]}'}},
        {"match": {"userMessage": "in prose"}, "response": {"content": 'Gladly!\n```json\n{"words": ["lamp"]}\n```'}},
        {"match": {"userMessage": "nothing"}, "response": {"content": "I found nothing."}},
        {
            "match": {"userMessage": "too often"},
            "response": {"status": 429, "error": {"message": "Slow down", "type": "rate_limit_error"}},
        },
        {"match": {"inputText": "keeper"}, "response": {"embedding": [1, 2, 2]}},
    ]
}

Start = Callable[..., str]


class Words(BaseModel):
    words: list[str]


@pytest.fixture(scope="module")
def program() -> Path:
    """The program of the server, installed beside our own dependencies."""
    return installed(LOCKED, oldest_node=(20, 15)) / PROGRAM


@pytest.fixture(scope="module")
def start(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts the server with options and gives its base URL."""
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps(FIXTURES), "utf-8")
    with ExitStack() as servers:

        def started(*options: str) -> str:
            line = ["node", str(program), "-p", "0", "-f", str(fixtures), *options]
            return f"{servers.enter_context(serving(line))}/v1"

        yield started


@pytest.fixture(scope="module")
def base_url(start: Start) -> str:
    return start()


def chat(base_url: str) -> ChatModel:
    return ChatModel(base_url, None, "gpt-4.1-mini")


def asked(about: str) -> list[Message]:
    return [Message("system", "You are a librarian."), Message("user", f"Words of the {about}?")]


async def test_embeddings(base_url: str) -> None:
    embedder = OpenAIEmbedder(Service(base_url, None), "text-embedding-3-small", 8)
    texts = [f"passage {number}" for number in range(100)]
    rows = [(batch.start, batch.vectors) async for batch in embedder.embed_passages(texts)]
    matrix = numpy.concatenate([vectors for _, vectors in sorted(rows, key=lambda row: row[0])])
    assert matrix.shape == (100, 8)
    numpy.testing.assert_allclose(numpy.linalg.norm(matrix, axis=1), 1, rtol=1e-6)
    again, _ = await embedder.embed_question("passage 7")
    numpy.testing.assert_allclose(matrix[7], again, rtol=1e-6)


async def test_a_known_vector(base_url: str) -> None:
    vector, _ = await OpenAIEmbedder(Service(base_url, None), "words", None).embed_question("the keeper")
    numpy.testing.assert_allclose(vector, [1 / 3, 2 / 3, 2 / 3], rtol=1e-6)


async def test_vectors_of_another_length_are_found_out(base_url: str) -> None:
    embedder = OpenAIEmbedder(Service(base_url, None), "text-embedding-3-small", 8)
    with pytest.raises(Unavailable, match="EMBEDDING_DIMENSIONS=3"):
        await embedder.embed_question("the keeper")


@pytest.mark.parametrize("about", ["lighthouse", "in prose"])
async def test_a_structured_answer(base_url: str, about: str) -> None:
    parsed, usage = await chat(base_url).complete(asked(about), Words, seconds=10)
    assert parsed.words[0] == "lamp"
    assert usage.prompt_tokens > 0


async def test_a_streamed_answer(base_url: str) -> None:
    seen: list[str] = []
    parsed, usage = await chat(base_url).complete(asked("lighthouse"), Words, seconds=10, on_text=seen.append)
    assert parsed == Words(words=["lamp", "маяк"])
    assert len(seen) > 1
    assert usage.completion_tokens > 0


async def test_an_answer_that_does_not_fit(base_url: str) -> None:
    with pytest.raises(InvalidOutput, match="no JSON object"):
        await chat(base_url).complete(asked("nothing"), Words, seconds=10)


async def test_an_error_that_was_asked_for(base_url: str) -> None:
    with pytest.raises(PassingFault) as caught:
        await chat(base_url).complete(asked("too often"), Words, seconds=10)
    assert caught.value.key == "service_busy"


CHAOS = {
    "drop": "service_failed",
    "malformed": "service_nonsense",
    "disconnect": "service_down",
    "ratelimit": "service_busy",
}


@pytest.mark.parametrize("kind", CHAOS)
async def test_chaos_has_its_outcome(start: Start, kind: str) -> None:
    base_url = start(f"--chaos-{kind}", "1")
    outcomes = set()
    with without_waiting():
        for on_text in (None, lambda _: None):
            with pytest.raises(Unavailable) as of_chat:
                await chat(base_url).complete(asked("lighthouse"), Words, seconds=10, on_text=on_text)
            outcomes.add(of_chat.value.key)
        with pytest.raises(Unavailable) as of_embedding:
            await OpenAIEmbedder(Service(base_url, None), "words", None).embed_question("hello")
        outcomes.add(of_embedding.value.key)
    assert outcomes == {CHAOS[kind]}


async def test_trying_again_gets_through_chaos(start: Start) -> None:
    model = chat(start("--chaos-drop", "0.3", "--chaos-disconnect", "0.2"))

    async def attempt(seconds: float) -> list[str]:
        return (await model.complete(asked("lighthouse"), Words, seconds=seconds)).parsed.words

    with without_waiting():
        for _ in range(5):
            assert await in_tries(attempt, tries=100, seconds=60) == ["lamp", "маяк"]

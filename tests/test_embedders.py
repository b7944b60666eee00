"""What every embedder promises, over all there are: on this computer, behind a service, and the one of the tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import pytest

from ai_library_bot.local_model import LocalEmbedder
from ai_library_bot.openai_api.embedding import OpenAIEmbedder
from ai_library_bot.openai_api.service import Service
from ai_library_bot.protocols import Embedder
from tests.fakes_embedder import FakeEmbedder
from tests.local_model import tiny_model
from tests.openai_server import OpenAIServer

if TYPE_CHECKING:
    from ai_library_bot.protocols import Matrix

TEXTS = (
    "The keeper of the lighthouse wound the clock at noon.",
    "Мост открыли в 1955 году, и с тех пор его не красили.",
    "Storm.",
    "A long letter, " + "and a longer answer, " * 40,
    "буря",
    "The keeper of the lighthouse wound the clock at noon.",
    *(f"Page {number} of the ledger is empty." for number in range(70)),
)


@pytest.fixture(params=["fake", "local", "openai"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Embedder]]:
    """Makes an embedder of each kind, the same one each time."""
    if request.param == "fake":
        yield FakeEmbedder
    elif request.param == "local":
        folder = tiny_model.write(tmp_path / "model")
        yield lambda: LocalEmbedder(str(folder))
    else:
        with OpenAIServer() as server:
            yield lambda: OpenAIEmbedder(Service(server.base_url, None), "some-model", None, {})


async def all_vectors(embedder: Embedder, texts: Sequence[str]) -> Matrix:
    """One row a text; each text's row is filled exactly once."""
    rows: dict[int, Matrix] = {}
    async for embedded in embedder.embed_passages(texts):
        for number, vector in enumerate(embedded.vectors, embedded.start):
            assert number not in rows
            rows[number] = vector
    assert sorted(rows) == list(range(len(texts)))
    return numpy.stack([rows[number] for number in range(len(texts))])


async def test_every_text_has_one_vector_of_unit_length(make: Callable[[], Embedder]) -> None:
    vectors = await all_vectors(make(), TEXTS)
    assert vectors.dtype == numpy.float32
    assert numpy.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


async def test_a_text_has_the_same_vector_wherever_it_stands(make: Callable[[], Embedder]) -> None:
    embedder = make()
    together = await all_vectors(embedder, TEXTS)
    backwards = await all_vectors(embedder, TEXTS[::-1])
    alone = await all_vectors(embedder, TEXTS[3:4])
    assert numpy.allclose(together, backwards[::-1], atol=1e-5)
    assert numpy.allclose(together[3], alone[0], atol=1e-5)
    assert numpy.allclose(together[0], together[5], atol=1e-5)
    assert not numpy.allclose(together[0], together[1], atol=1e-2)


async def test_no_texts_have_no_vectors(make: Callable[[], Embedder]) -> None:
    assert [embedded async for embedded in make().embed_passages([])] == []


async def test_a_question_is_nearest_to_the_passage_that_says_the_same(make: Callable[[], Embedder]) -> None:
    embedder = make()
    vectors = await all_vectors(embedder, TEXTS[:3])
    for number in range(3):
        question, _ = await embedder.embed_question(TEXTS[number])
        assert question.dtype == numpy.float32
        assert numpy.linalg.norm(question) == pytest.approx(1, abs=1e-5)
        assert numpy.argmax(vectors @ question) == number


async def test_questions_may_be_asked_at_the_same_time(make: Callable[[], Embedder]) -> None:
    embedder = make()
    answers = await asyncio.gather(*(embedder.embed_question(text) for text in TEXTS[:6]))
    for text, (vector, _) in zip(TEXTS, answers, strict=False):
        assert numpy.allclose(vector, (await embedder.embed_question(text))[0], atol=1e-5)


async def test_the_fingerprint_stays(make: Callable[[], Embedder]) -> None:
    embedder = make()
    before = embedder.fingerprint
    await all_vectors(embedder, TEXTS[:2])
    assert embedder.fingerprint == before == make().fingerprint
    assert before


async def test_who_stops_early_can_begin_anew(make: Callable[[], Embedder]) -> None:
    embedder = make()
    async with aclosing(embedder.embed_passages(TEXTS)) as batches:  # type: ignore[type-var]
        first = await anext(batches)
    again = await all_vectors(embedder, TEXTS)
    assert numpy.allclose(first.vectors, again[first.start : first.start + len(first.vectors)], atol=1e-5)


async def test_who_wants_no_more_gets_what_is_under_way_and_nothing_else(make: Callable[[], Embedder]) -> None:
    arrived: set[int] = set()
    async for embedded in make().embed_passages(TEXTS * 80, lambda: not arrived):
        arrived.update(range(embedded.start, embedded.start + len(embedded.vectors)))
    assert 0 < len(arrived) < 80 * len(TEXTS)


async def test_cancelling_stops_in_the_midst(make: Callable[[], Embedder]) -> None:
    embedder = make()
    begun = asyncio.Event()

    async def embed() -> None:
        async for _ in embedder.embed_passages(TEXTS * 20):
            begun.set()

    work = asyncio.create_task(embed())
    await begun.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert len(await all_vectors(embedder, TEXTS)) == len(TEXTS)


def test_an_estimate_asks_nobody_and_grows_with_the_texts(make: Callable[[], Embedder]) -> None:
    embedder = make()
    small, large = embedder.estimate(TEXTS[:1]), embedder.estimate(TEXTS)
    assert 0 <= small.prompt_tokens <= large.prompt_tokens
    assert embedder.estimate([]).prompt_tokens == 0

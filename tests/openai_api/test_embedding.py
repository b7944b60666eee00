"""`openai_api.embedding`: vectors from a service, whatever the service is like."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api import embedding
from ai_library_bot.openai_api.embedding import OpenAIEmbedder, Pace
from ai_library_bot.openai_api.service import PassingFault, Service
from ai_library_bot.prices import Price
from ai_library_bot.protocols import Embedded, Embedder
from ai_library_bot.types import Usage
from tests.openai_api.conftest import KEY
from tests.openai_server import (
    MOST_INPUTS,
    OpenAIServer,
    Response,
    Send,
    altered,
    body,
    no_credit,
    stall,
    status,
    word_vectors,
)

SMALL = "text-embedding-3-small"


def embedder(server: OpenAIServer, model: str = "words", dimensions: int | None = None) -> OpenAIEmbedder:
    return OpenAIEmbedder(Service(server.base_url, SecretStr(KEY)), model, dimensions)


def texts(count: int) -> list[str]:
    return [f"passage number {number}" for number in range(count)]


async def matrix(asked: Embedder, wanted: list[str]) -> Any:
    """The vectors of all texts in their order; each text has to come exactly once."""
    rows: dict[int, Any] = {}
    async for start, vectors, _ in asked.embed_passages(wanted):
        for place, vector in enumerate(vectors, start):
            assert place not in rows
            rows[place] = vector
    assert sorted(rows) == list(range(len(wanted)))
    return numpy.array([rows[place] for place in range(len(wanted))])


async def fault_of(asked: OpenAIEmbedder, wanted: list[str]) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await matrix(asked, wanted)
    return caught.value


@pytest.mark.parametrize("count", [1, 2, 33, 700])
async def test_every_text_gets_its_vector_of_unit_length(server: OpenAIServer, count: int) -> None:
    got = await matrix(embedder(server), texts(count))
    wanted = word_vectors(texts(count), server.dimensions)
    assert got.dtype == numpy.float32
    numpy.testing.assert_allclose(got, wanted, atol=1e-6)
    assert server.texts.total() == count


async def test_nothing_is_asked_for_nothing(server: OpenAIServer) -> None:
    assert [batch async for batch in embedder(server).embed_passages([])] == []
    assert server.requests == []


async def test_a_question_is_one_request(server: OpenAIServer) -> None:
    vector, usage = await embedder(server, SMALL).embed_question("Where is the keeper?")
    assert vector.shape == (512,)
    assert numpy.linalg.norm(vector) == pytest.approx(1)
    assert usage.prompt_tokens > 0
    assert usage.cost == pytest.approx(usage.prompt_tokens * 0.02 / 1_000_000)
    assert len(server.requests) == 1


@pytest.mark.parametrize("length", [1, 3])
async def test_vectors_of_any_length_are_made_unit(server: OpenAIServer, length: int) -> None:
    server.embed = lambda texts, dimensions: numpy.full((len(texts), length), 7, dtype=numpy.float32)
    numpy.testing.assert_allclose(await matrix(embedder(server), texts(3)), numpy.full((3, length), length**-0.5))


class TestDimensions:
    async def test_current_openai_models_are_asked_for_512(self, server: OpenAIServer) -> None:
        asked = embedder(server, SMALL)
        await matrix(asked, texts(2))
        assert server.requests[0].payload["dimensions"] == 512
        assert asked.fingerprint == f"openai:127.0.0.1:{SMALL}:512"

    async def test_other_models_give_what_is_theirs(self, server: OpenAIServer) -> None:
        asked = embedder(server)
        assert (await matrix(asked, texts(2))).shape == (2, 64)
        assert "dimensions" not in server.requests[0].payload
        assert asked.fingerprint == "openai:127.0.0.1:words"

    async def test_a_number_that_was_chosen_is_asked_for(self, server: OpenAIServer) -> None:
        asked = embedder(server, dimensions=16)
        assert (await matrix(asked, texts(2))).shape == (2, 16)
        assert asked.fingerprint == "openai:127.0.0.1:words:16"

    async def test_a_server_that_ignores_the_number_is_found_out(self, server: OpenAIServer) -> None:
        server.ignores = {"dimensions"}
        fault = await fault_of(embedder(server, SMALL), texts(2))
        assert (fault.key, fault.details) == ("vectors_other_length", {"model": SMALL, "got": 64, "wanted": 512})

    async def test_vectors_that_change_their_length_are_refused(self, server: OpenAIServer) -> None:
        asked = embedder(server)
        await asked.embed_question("first")
        server.dimensions = 65
        assert (await fault_of(asked, texts(2))).key == "vectors_other_length"


class TestHalfAProtocol:
    async def test_a_server_without_base64_is_understood(self, server: OpenAIServer) -> None:
        server.ignores = {"encoding_format"}
        numpy.testing.assert_allclose(await matrix(embedder(server), texts(3)), word_vectors(texts(3), 64), atol=1e-6)

    async def test_a_server_that_refuses_base64_is_asked_without_from_then_on(self, server: OpenAIServer) -> None:
        server.refuses = {"encoding_format"}
        asked = embedder(server)
        numpy.testing.assert_allclose(await matrix(asked, texts(3)), word_vectors(texts(3), 64), atol=1e-6)
        await asked.embed_question("again")
        assert ["encoding_format" in request.payload for request in server.requests] == [True, False, False]

    async def test_vectors_are_put_in_order(self, server: OpenAIServer) -> None:
        server.fault = altered(lambda answer: answer["data"].reverse())
        numpy.testing.assert_allclose(await matrix(embedder(server), texts(3)), word_vectors(texts(3), 64), atol=1e-6)

    async def test_vectors_without_numbers_are_taken_in_order(self, server: OpenAIServer) -> None:
        server.fault = altered(lambda answer: [row.pop("index") for row in answer["data"]])
        numpy.testing.assert_allclose(await matrix(embedder(server), texts(3)), word_vectors(texts(3), 64), atol=1e-6)

    @pytest.mark.parametrize("usage", [None, 5, {}, {"prompt_tokens": None}, {"prompt_tokens": "many"}])
    async def test_a_server_need_not_count(self, server: OpenAIServer, usage: object) -> None:
        server.fault = altered(lambda answer: answer.update(usage=usage))
        _, counted = await embedder(server).embed_question("hello")
        assert counted == Usage()


def base64_of(*numbers: float) -> str:
    return base64.b64encode(numpy.array(numbers, dtype="<f4").tobytes()).decode()


def first_vector(value: object) -> Callable[[Any], object]:
    return lambda answer: answer["data"][0].update(embedding=value)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda answer: answer.pop("data"), id="no data"),
        pytest.param(lambda answer: answer.update(data=None), id="null"),
        pytest.param(lambda answer: answer.update(data={"0": []}), id="no list"),
        pytest.param(lambda answer: answer["data"].pop(), id="too few"),
        pytest.param(lambda answer: answer["data"].append(answer["data"][0]), id="too many"),
        pytest.param(lambda answer: answer["data"][0].update(index=1), id="one text twice"),
        pytest.param(lambda answer: answer["data"][0].update(index=7), id="a text nobody sent"),
        pytest.param(lambda answer: answer["data"][0].update(index="first"), id="words for numbers"),
        pytest.param(first_vector(None), id="null vector"),
        pytest.param(first_vector([]), id="empty vector"),
        pytest.param(first_vector(""), id="empty text"),
        pytest.param(first_vector("not base64!"), id="no base64"),
        pytest.param(first_vector(base64.b64encode(b"12345").decode()), id="half a number"),
        pytest.param(first_vector(["a"] * 64), id="words"),
        pytest.param(first_vector([[1.0]] * 64), id="nested"),
        pytest.param(first_vector([True] * 63 + [None]), id="null among numbers"),
        pytest.param(first_vector([10**400] * 64), id="numbers too large"),
        pytest.param(first_vector([1e308] * 64), id="numbers too large for float32"),
        pytest.param(first_vector([0.0] * 64), id="zero"),
        pytest.param(first_vector([float("nan")] * 64), id="nan"),
        pytest.param(first_vector([float("inf")] * 64), id="inf"),
        pytest.param(first_vector(base64_of(*[float("nan")] * 64)), id="nan in base64"),
        pytest.param(first_vector(base64_of(*[0.0] * 64)), id="zero in base64"),
    ],
)
async def test_nonsense_is_refused(server: OpenAIServer, change: Callable[[Any], object]) -> None:
    server.fault = altered(change)
    fault = await fault_of(embedder(server), texts(2))
    assert fault.key == "service_nonsense"
    assert not isinstance(fault, PassingFault)
    assert len(server.requests) == 1


class TestLimits:
    async def test_requests_stay_within_what_openai_takes(self, server: OpenAIServer) -> None:
        long = ["слово " * 2000, "x" * 100_000, "", "\N{ELECTRIC LIGHT BULB}" * 9000, " "]
        await matrix(embedder(server), (long * 40) + texts(600))
        for request in server.requests:
            sent = request.payload["input"]
            assert 0 < len(sent) <= MOST_INPUTS
            assert all(sent)
            sizes = [len(text.encode()) / 2 for text in sent]
            assert max(sizes) <= 8192
            assert sum(sizes) <= 300_000

    async def test_a_long_text_is_cut_between_characters(self, server: OpenAIServer) -> None:
        await embedder(server).embed_question("я" * 20_000)
        (sent,) = server.requests[0].payload["input"]
        assert sent == "я" * 8192

    async def test_halves_of_characters_are_no_trouble(self, server: OpenAIServer) -> None:
        await embedder(server).embed_question("caf\udce9")
        assert server.requests[0].payload["input"] == ["caf?"]

    async def test_several_requests_are_under_way_but_not_too_many_texts(self) -> None:
        with OpenAIServer(latency=0.01, embed=None) as server:
            await matrix(embedder(server), texts(6000))
        assert 4 <= server.most_in_flight <= 8
        assert server.most_in_flight * max(len(request.payload["input"]) for request in server.requests) <= MOST_INPUTS

    @given(st.lists(st.one_of(st.none(), st.floats(0, 120))))
    def test_no_pace_is_faster_than_one_full_request_or_stands_still(self, answers: list[float | None]) -> None:
        pace = Pace()
        for seconds in answers:
            if seconds is None:
                pace.refused()
            else:
                pace.answered(seconds)
            assert 1 <= pace.size * pace.in_flight <= MOST_INPUTS
            assert pace.size >= 1
            assert pace.in_flight >= 1

    def test_a_slow_server_gets_smaller_requests(self) -> None:
        pace = Pace()
        before = pace.size
        pace.answered(seconds=90)
        assert pace.size < before

    def test_a_quick_server_gets_full_requests(self) -> None:
        pace = Pace()
        for _ in range(10):
            pace.answered(seconds=0.1)
        assert pace.size * pace.in_flight == MOST_INPUTS


class TestTrying:
    async def test_what_passes_is_waited_for(self, server: OpenAIServer) -> None:
        server.faults += [status(429, retry_after="1"), status(500), status(503)]
        await matrix(embedder(server), texts(3))
        assert len(server.requests) == 4

    async def test_one_layer_tries_and_five_times_only(self, server: OpenAIServer) -> None:
        server.fault = status(500)
        fault = await fault_of(embedder(server), texts(3))
        assert fault.key == "service_failed"
        assert len(server.requests) == 5

    async def test_a_question_is_tried_twice_only(self, server: OpenAIServer) -> None:
        server.fault = status(500)
        with pytest.raises(Unavailable):
            await embedder(server).embed_question("hello")
        assert len(server.requests) == 2

    @pytest.mark.parametrize("fault", [status(401), no_credit(), status(400), body("[]")])
    async def test_what_will_not_pass_is_asked_once(self, server: OpenAIServer, fault: Any) -> None:
        server.fault = fault
        await fault_of(embedder(server), texts(3))
        assert len(server.requests) == 1

    async def test_a_question_never_waits_long(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedding, "_QUESTION_SECONDS", 0.2)
        server.fault = stall()
        began = time.monotonic()
        with pytest.raises(Unavailable, match="did not answer"):
            await embedder(server).embed_question("hello")
        assert time.monotonic() - began < 2

    async def test_passages_never_wait_for_ever(self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(embedding, "_REQUEST_SECONDS", 0.05)
        monkeypatch.setattr(embedding, "_BATCH_SECONDS", 60)
        server.fault = stall()
        assert (await fault_of(embedder(server), texts(1))).key == "service_slow"
        assert len(server.requests) == 5

    async def test_what_arrived_before_an_outage_stays(self, server: OpenAIServer) -> None:
        async def well(response: Response, send: Send) -> None:
            await send(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"".join(response.pieces))

        server.faults += [well] * 3
        server.fault = status(401)
        got: list[Embedded] = []

        async def take() -> None:
            async for batch in embedder(server).embed_passages(texts(5000)):
                got.append(batch)  # noqa: PERF401 (a comprehension would lose them)

        with pytest.raises(Unavailable, match="refuses the key"):
            await take()
        assert [len(batch.vectors) for batch in got] == [32, 32, 32]
        assert server.texts.total() <= 3 * 32 + MOST_INPUTS

    async def test_stopping_half_way_leaves_nothing_behind(self, server: OpenAIServer) -> None:
        before = asyncio.all_tasks()
        batches = embedder(server).embed_passages(texts(5000))
        async for _ in batches:
            break
        await batches.aclose()  # type: ignore[attr-defined]
        assert asyncio.all_tasks() == before
        assert server.texts.total() <= MOST_INPUTS

    async def test_a_second_run_goes_on_in_another_event_loop(self, server: OpenAIServer) -> None:
        asked = embedder(server)
        await asked.embed_question("here")
        vector, _ = await asyncio.to_thread(lambda: asyncio.run(asked.embed_question("there")))
        assert vector.shape == (64,)


class TestCost:
    def test_an_estimate_asks_nobody(self) -> None:
        asked = OpenAIEmbedder(Service("http://127.0.0.1:1", None), SMALL, None)
        english, russian = (
            asked.estimate([text]) for text in ("The keeper of the light" * 20, "Смотритель маяка" * 20)
        )
        assert 90 < english.prompt_tokens < 120
        assert 150 < russian.prompt_tokens < 220
        assert english.cost == english.prompt_tokens * 0.02 / 1_000_000

    async def test_prices_may_be_set(self, server: OpenAIServer) -> None:
        asked = OpenAIEmbedder(Service(server.base_url, SecretStr(KEY)), "words", None, {"words": Price(input=1)})
        _, usage = await asked.embed_question("four")
        assert usage.cost == pytest.approx(usage.prompt_tokens / 1_000_000)


def test_a_question_does_not_load_the_client_of_openai() -> None:
    program = "import ai_library_bot.openai_api.embedding, sys; print('openai' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "False\n"

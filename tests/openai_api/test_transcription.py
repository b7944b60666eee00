"""`openai_api.transcription`: a recording becomes a line of text, or a clear reason why it does not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.service import Service
from ai_library_bot.openai_api.transcription import Transcriber
from ai_library_bot.prices import Price
from ai_library_bot.types import Usage
from tests.openai_api.conftest import KEY
from tests.openai_server import UNKNOWN_MODEL, Fault, OpenAIServer, altered, body, cut, drip, no_credit, stall, status

VOICE = bytes(range(256)) * 100 + b"\r\n--not-a-boundary\r\n"


def transcriber(server: OpenAIServer, model: str = "hears") -> Transcriber:
    return Transcriber(Service(server.base_url, SecretStr(KEY)), model, {"hears": Price(input=1, output=2)})


async def heard(server: OpenAIServer, name: str = "voice.ogg", model: str = "hears") -> tuple[str, Usage]:
    return await transcriber(server, model).transcribe(VOICE, name, seconds=5)


async def test_the_recording_is_sent_as_it_is_and_its_text_and_cost_come_back(server: OpenAIServer) -> None:
    text, usage = await heard(server)
    assert text == "Who kept the lighthouse?"
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.cost == pytest.approx((usage.prompt_tokens + 2 * usage.completion_tokens) / 1_000_000)
    assert server.paths == ["/v1/audio/transcriptions"]
    assert server.requests[0].payload == {
        "model": "hears",
        "response_format": "json",
        "file": VOICE,
        "file_name": "voice.ogg",
    }


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("voice.oga", "voice.oga"),
        ("My secret meeting.M4A", "voice.m4a"),
        ("voice", "voice.ogg"),
        ('x.o"g\r\nContent-Type: text/html', "voice.ogg"),
        ("\ud800.ogg", "voice.ogg"),
        ("x.\ud800", "voice.ogg"),
    ],
)
async def test_of_its_name_only_the_kind_is_told(server: OpenAIServer, name: str, sent: str) -> None:
    await heard(server, name)
    assert server.requests[0].payload["file_name"] == sent


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (" Кто\n\nзажёг \x1b[31mлампу?\u202e ", "Кто зажёг [31mлампу?"),
        ("", ""),
        (" \n\u200b", ""),
        ("word " * 10_000, ("word " * 800).strip()),
    ],
)
async def test_what_is_heard_is_one_clean_line_and_no_endless_one(server: OpenAIServer, said: str, text: str) -> None:
    server.transcript = said
    assert (await heard(server))[0] == text


@pytest.mark.parametrize(
    "usage", [None, {"type": "duration", "seconds": 3}, {"input_tokens": "5"}, 7, {"input_tokens": -1}]
)
async def test_a_model_that_is_paid_by_the_minute_tells_no_tokens(server: OpenAIServer, usage: object) -> None:
    server.fault = altered(lambda answer: answer.update(usage=usage))
    _, used = await heard(server)
    assert (used.prompt_tokens, used.completion_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        pytest.param(status(401), "service_key_refused", id="401"),
        pytest.param(status(404), "service_refused", id="a server that only writes"),
        pytest.param(status(429), "service_busy", id="429"),
        pytest.param(no_credit(), "service_no_credit", id="no credit"),
        pytest.param(status(500), "service_failed", id="500"),
        pytest.param(status(400), "service_refused", id="400"),
        pytest.param(body("Who kept it?"), "service_nonsense", id="no JSON"),
        pytest.param(body("[" * 100_000), "service_nonsense", id="too deep"),
        pytest.param(body('["text"]'), "service_nonsense", id="a list"),
        pytest.param(body('{"text": 5}'), "service_nonsense", id="no text"),
        pytest.param(stall(), "service_slow", id="stall"),
        pytest.param(drip(), "service_slow", id="slow drip"),
        pytest.param(cut(), "service_down", id="cut connection"),
    ],
)
async def test_a_bad_answer_is_named_in_time(server: OpenAIServer, fault: Fault, key: str) -> None:
    server.fault = fault
    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        await transcriber(server).transcribe(VOICE, "voice.ogg", seconds=0.3)
    assert raised.value.key == key
    assert KEY not in str(raised.value)
    assert time.monotonic() - began < 2


async def test_a_model_that_is_not_there_is_named_with_its_setting(server: OpenAIServer) -> None:
    with pytest.raises(Unavailable, match="TRANSCRIPTION_MODEL") as raised:
        await heard(server, model=UNKNOWN_MODEL)
    assert raised.value.key == "service_unknown_model"


@given(st.binary(max_size=5_000), st.binary(max_size=5_000))
def test_a_longer_recording_never_has_less_set_aside(audio: bytes, more: bytes) -> None:
    asked = Transcriber(Service("http://localhost:1/v1", None), "hears", {"hears": Price(input=1, output=2)})
    short, long = asked.most(audio), asked.most(audio + more)
    assert short.prompt_tokens <= long.prompt_tokens
    assert (short.cost or 0) <= (long.cost or 0)
    assert not audio or short.prompt_tokens > 0

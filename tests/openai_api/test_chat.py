"""`openai_api.chat`: one structured answer, or a clear reason why there is none."""

from __future__ import annotations

import logging
import time
import traceback
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.chat import ChatModel, InvalidOutput, Message
from ai_library_bot.openai_api.service import PassingFault
from ai_library_bot.prices import Price
from ai_library_bot.types import Usage
from tests.openai_api.conftest import KEY
from tests.openai_server import (
    UNKNOWN_MODEL,
    Fault,
    OpenAIServer,
    Response,
    Send,
    altered,
    badly_packed,
    body,
    cut,
    drip,
    error,
    instead,
    no_credit,
    stall,
    status,
)


class Found(BaseModel):
    found: bool
    words: list[str] = []


QUESTION = [Message("system", "You are a librarian."), Message("user", "Which words? Какие слова?")]
REPLY = {"found": True, "words": ["lamp", "маяк"]}
PARSED = Found(found=True, words=["lamp", "маяк"])

WAYS = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def chat(server: OpenAIServer, model: str = "writer", key: str = KEY) -> ChatModel:
    return ChatModel(server.base_url, SecretStr(key), model, {"writer": Price(input=1, output=2)})


async def asked(model: ChatModel, streamed: bool, *, seconds: float = 10) -> tuple[Found, Usage]:
    seen: list[str] = []
    completion = await model.complete(QUESTION, Found, seconds=seconds, on_text=seen.append if streamed else None)
    assert bool(seen) == streamed
    return completion


async def fault_of(model: ChatModel, streamed: bool, *, seconds: float = 10) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await asked(model, streamed, seconds=seconds)
    return caught.value


@WAYS
async def test_an_answer_comes_in_its_shape_with_its_cost(server: OpenAIServer, streamed: bool) -> None:
    server.reply = REPLY
    parsed, usage = await asked(chat(server), streamed)
    assert parsed == PARSED
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.cost == pytest.approx((usage.prompt_tokens + 2 * usage.completion_tokens) / 1_000_000)
    assert len(server.requests) == 1


async def test_streamed_text_grows_to_the_whole(server: OpenAIServer) -> None:
    server.reply = REPLY
    seen: list[str] = []
    await chat(server).complete(QUESTION, Found, seconds=10, on_text=seen.append)
    assert len(seen) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))
    assert Found.model_validate_json(seen[-1]) == PARSED


async def test_the_request_holds_nothing_that_some_models_refuse(server: OpenAIServer) -> None:
    server.reply = REPLY
    await asked(chat(server), False)
    assert server.requests[0].payload.keys() == {"model", "messages", "response_format"}
    assert server.requests[0].payload["messages"] == [message._asdict() for message in QUESTION]
    assert server.requests[0].payload["response_format"]["json_schema"]["strict"] is True


async def test_a_server_at_home_is_sent_no_key() -> None:
    with OpenAIServer() as server:
        server.reply = REPLY
        await asked(ChatModel(server.base_url, None, "writer"), False)
    assert "authorization" not in server.requests[0].headers


class TestLadder:
    @WAYS
    @pytest.mark.parametrize(
        ("formats", "steps"),
        [
            ({"json_object", "text"}, ["json_schema", "json_object"]),
            ({"text"}, ["json_schema", "json_object", None]),
            ({"json_schema"}, ["json_schema"]),
        ],
    )
    async def test_a_service_is_asked_for_what_it_understands(
        self, server: OpenAIServer, streamed: bool, formats: set[str], steps: list[str | None]
    ) -> None:
        server.reply = REPLY
        server.formats = formats
        model = chat(server)
        assert (await asked(model, streamed))[0] == PARSED
        assert [request.payload.get("response_format", {}).get("type") for request in server.requests] == steps
        await asked(model, streamed)
        assert len(server.requests) == len(steps) + 1, "what it understands is remembered"

    async def test_a_service_without_schemas_is_told_in_words(self, server: OpenAIServer) -> None:
        server.reply = REPLY
        server.formats = {"text"}
        await asked(chat(server), False)
        first, second = server.requests[-1].payload["messages"]
        assert first["role"] == "system"
        assert first["content"].startswith("You are a librarian.")
        assert '"words"' in first["content"]
        assert second == QUESTION[1]._asdict()

    @pytest.mark.parametrize("code", [401, 403, 404, 429, 500])
    async def test_other_refusals_take_no_step(self, server: OpenAIServer, code: int) -> None:
        server.fault = status(code)
        await fault_of(chat(server), False)
        assert len(server.requests) == 1

    async def test_a_prompt_that_is_too_long_takes_no_step(self, server: OpenAIServer) -> None:
        server.fault = instead(error(400, "Maximum context length is 8192 tokens", code="context_length_exceeded"))
        assert (await fault_of(chat(server), False)).key == "service_refused"
        assert len(server.requests) == 1

    async def test_a_refusal_of_everything_is_not_remembered_as_a_step(self, server: OpenAIServer) -> None:
        server.faults += [status(400)] * 3
        server.reply = REPLY
        model = chat(server)
        await fault_of(model, False)
        await asked(model, False)
        assert [request.payload.get("response_format", {}).get("type") for request in server.requests] == [
            *("json_schema", "json_object", None),
            "json_schema",
        ]


class TestHalfAProtocol:
    async def test_streams_that_are_not_counted(self, server: OpenAIServer) -> None:
        server.reply = REPLY
        server.ignores = {"stream_options"}
        assert await asked(chat(server), True) == (PARSED, Usage())

    async def test_a_server_that_refuses_to_count(self, server: OpenAIServer) -> None:
        server.reply = REPLY
        server.refuses = {"stream_options"}
        model = chat(server)
        await asked(model, True)
        await asked(model, True)
        assert ["stream_options" in request.payload for request in server.requests] == [True, False, False]
        assert {request.payload["response_format"]["type"] for request in server.requests} == {"json_schema"}

    async def test_a_server_without_streams(self, server: OpenAIServer) -> None:
        server.reply = REPLY
        server.ignores = {"stream"}
        parsed, usage = await asked(chat(server), True)
        assert parsed == PARSED
        assert usage.completion_tokens > 0

    async def test_a_server_that_ignores_formats(self, server: OpenAIServer) -> None:
        server.ignores = {"response_format"}
        server.reply = f"Of course!\n```json\n{PARSED.model_dump_json()}\n```"
        assert (await asked(chat(server), False))[0] == PARSED

    async def test_a_server_without_streams_that_breaks_off(self, server: OpenAIServer) -> None:
        server.ignores = {"stream"}
        server.fault = cut()
        assert (await fault_of(chat(server), True)).key == "service_down"

    @pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": 3}])
    async def test_a_server_need_not_count(self, server: OpenAIServer, usage: object) -> None:
        server.reply = REPLY
        server.fault = altered(lambda answer: answer.update(usage=usage))
        assert (await asked(chat(server), False))[0] == PARSED


@WAYS
@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ("", "no JSON object"),
        ("I am sorry, but I found nothing.", "no JSON object"),
        ('{"found": true, "words": ["la', "in the middle"),
        ('{"found": "maybe"}', "found: "),
        ('{"words": ["lamp"]}', "found: Field required"),
    ],
)
async def test_output_that_does_not_fit_says_what_is_wrong_and_what_it_cost(
    server: OpenAIServer, streamed: bool, reply: str, problem: str
) -> None:
    server.reply = reply
    with pytest.raises(InvalidOutput, match=problem) as caught:
        await chat(server).complete(QUESTION, Found, seconds=10, on_text=(lambda _: None) if streamed else None)
    assert caught.value.text == reply
    assert caught.value.usage.prompt_tokens > 0
    assert len(server.requests) == 1


async def test_output_that_was_cut_off_says_so(server: OpenAIServer) -> None:
    server.reply = '{"found": tr'
    server.fault = altered(lambda answer: answer["choices"][0].update(finish_reason="length"))
    with pytest.raises(InvalidOutput, match="too long"):
        await asked(chat(server), False)


async def test_a_model_that_refuses_is_heard(server: OpenAIServer) -> None:
    server.fault = altered(lambda answer: answer["choices"][0]["message"].update(content=None, refusal="I won't."))
    with pytest.raises(InvalidOutput) as caught:
        await asked(chat(server), False)
    assert caught.value.text == "I won't."


async def test_endless_output_is_cut_off(server: OpenAIServer) -> None:
    async def endless(response: Response, send: Send) -> None:
        await send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            await send(b'data: {"choices": [{"index": 0, "delta": {"content": "%b"}}]}\n\n' % (b"word " * 2000))

    server.fault = endless
    with pytest.raises(InvalidOutput, match="too long"):
        await asked(chat(server), True)


async def test_halves_of_characters_reach_nobody(server: OpenAIServer) -> None:
    server.reply = lambda payload: payload["messages"][-1]["content"]
    seen: list[str] = []
    with pytest.raises(InvalidOutput):
        await chat(server).complete([Message("user", "caf\udce9")], Found, seconds=10, on_text=seen.append)
    assert seen[-1] == "caf?"


FAULTS = [
    pytest.param(status(401), "service_key_refused", False, id="401"),
    pytest.param(no_credit(), "service_no_credit", False, id="no credit"),
    pytest.param(status(429, retry_after="3"), "service_busy", True, id="429"),
    pytest.param(status(500), "service_failed", True, id="500"),
    pytest.param(status(529), "service_failed", True, id="529"),
    pytest.param(cut(), "service_down", True, id="cut off"),
    pytest.param(cut(0), "service_down", True, id="cut off at once"),
    pytest.param(stall(), "service_slow", True, id="stall"),
    pytest.param(stall(1), "service_slow", True, id="stall half way"),
    pytest.param(drip(), "service_slow", True, id="drip"),
    pytest.param(body("<html>Welcome</html>", "text/html"), "service_nonsense", False, id="web page"),
    pytest.param(body("{}"), "service_nonsense", False, id="no choices"),
    pytest.param(badly_packed(), "service_nonsense", False, id="no gzip"),
    pytest.param(body('{"choices": []}'), "service_nonsense", False, id="empty choices"),
    pytest.param(body('{"choices": [null]}'), "service_nonsense", False, id="null choice"),
    pytest.param(body('{"choices": [{"message": {"content": 5}}]}'), "service_nonsense", False, id="a number"),
    pytest.param(body('"hello"'), "service_nonsense", False, id="a string"),
    pytest.param(body("not json"), "service_nonsense", False, id="no JSON"),
    pytest.param(body("[" * 100_000), "service_nonsense", False, id="deep"),
    pytest.param(body(b"\xff\xfe\x00"), "service_nonsense", False, id="bytes"),
]
STREAM_FAULTS = [
    pytest.param(body("data: not json\n\n", "text/event-stream"), "service_nonsense", False, id="no JSON"),
    pytest.param(body("data: [1]\n\n", "text/event-stream"), "service_nonsense", False, id="no object"),
    pytest.param(body("data: \xff\n\n".encode("latin-1"), "text/event-stream"), "service_nonsense", False, id="bytes"),
    pytest.param(
        body('data: {"error": {"message": "out of memory"}}\n\n', "text/event-stream"),
        *("service_failed", True),
        id="an error half way",
    ),
]


async def check_fault(server: OpenAIServer, fault: Fault, key: str, passes: bool, streamed: bool) -> None:
    server.reply = REPLY
    server.fault = fault
    began = time.monotonic()
    caught = await fault_of(chat(server), streamed, seconds=0.3 if key == "service_slow" else 10)
    assert time.monotonic() - began < 3
    assert (caught.key, isinstance(caught, PassingFault)) == (key, passes)
    assert len(server.requests) == 1, "trying again is for `in_tries`"


@WAYS
@pytest.mark.parametrize(("fault", "key", "passes"), FAULTS)
async def test_every_fault_has_its_outcome(
    server: OpenAIServer, fault: Fault, key: str, passes: bool, streamed: bool
) -> None:
    await check_fault(server, fault, key, passes, streamed)


@pytest.mark.parametrize(("fault", "key", "passes"), STREAM_FAULTS)
async def test_every_fault_of_a_stream_has_its_outcome(
    server: OpenAIServer, fault: Fault, key: str, passes: bool
) -> None:
    await check_fault(server, fault, key, passes, streamed=True)


@WAYS
async def test_an_unknown_model_names_the_setting(server: OpenAIServer, streamed: bool) -> None:
    caught = await fault_of(chat(server, UNKNOWN_MODEL), streamed)
    assert caught.details == {"service": "127.0.0.1", "model": UNKNOWN_MODEL, "setting": "OPENAI_MODEL"}


@WAYS
async def test_nobody_listens(streamed: bool) -> None:
    with OpenAIServer() as server:
        model = chat(server)
    assert (await fault_of(model, streamed)).key == "service_down"


@WAYS
@pytest.mark.parametrize("sent", ["sk-wrong-but-secret", "sk-wrong\nsecret", "ключ-secret"])
async def test_a_key_is_never_told(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture, sent: str, streamed: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    caught = await fault_of(chat(server, key=sent), streamed)
    everything: tuple[Any, ...] = (*traceback.format_exception(caught), repr(caught), vars(caught), caplog.text)
    assert not [told for told in everything if "secret" in str(told)]


async def test_a_bug_of_the_listener_is_not_taken_for_one_of_the_service(server: OpenAIServer) -> None:
    def listen(text: str) -> None:
        raise KeyError(text)

    server.reply = REPLY
    with pytest.raises(KeyError):
        await chat(server).complete(QUESTION, Found, seconds=10, on_text=listen)

"""`openai_api.service`: what goes over the wire, and what comes of every bad answer."""

from __future__ import annotations

import logging
import time
import traceback
from email.utils import formatdate

import pytest
from pydantic import SecretStr

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.service import PassingFault, Refusal, Service
from tests.openai_api.conftest import KEY
from tests.openai_server import (
    UNKNOWN_MODEL,
    Fault,
    OpenAIServer,
    Response,
    Send,
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

PAYLOAD = {"model": "m", "input": ["text"]}


def service(server: OpenAIServer, key: str | None = KEY) -> Service:
    return Service(server.base_url, SecretStr(key) if key else None)


async def refused(asked: Service, payload: dict[str, object] | None = None, seconds: float = 5) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await asked.post("/embeddings", payload or PAYLOAD, seconds=seconds, setting="EMBEDDING_MODEL")
    return caught.value


async def test_the_answer_is_a_json_object(server: OpenAIServer) -> None:
    answer = await service(server).post("/embeddings", PAYLOAD, seconds=5)
    assert len(answer["data"]) == 1


async def test_a_slash_behind_the_address_does_not_matter(server: OpenAIServer) -> None:
    await Service(f"{server.base_url}/", SecretStr(KEY)).post("/embeddings", PAYLOAD, seconds=5)
    assert server.paths == ["/v1/embeddings"]


PASSING = [
    pytest.param(status(429), "service_busy", None, id="429"),
    pytest.param(status(429, retry_after="7"), "service_busy", 7, id="429 with Retry-After"),
    pytest.param(status(503, retry_after="0.5"), "service_failed", 0.5, id="503 with Retry-After"),
    pytest.param(status(500), "service_failed", None, id="500"),
    pytest.param(status(408), "service_failed", None, id="408"),
    pytest.param(cut(), "service_down", None, id="cut off"),
    pytest.param(cut(0), "service_down", None, id="cut off before the body"),
]
LASTING = [
    pytest.param(status(401), "service_key_refused", id="401"),
    pytest.param(status(403), "service_key_refused", id="403"),
    pytest.param(status(402), "service_no_credit", id="402"),
    pytest.param(no_credit(), "service_no_credit", id="429 without credit"),
    pytest.param(status(404, "The model `m` does not exist."), "service_unknown_model", id="404 model"),
    pytest.param(status(404), "service_refused", id="404"),
    pytest.param(status(400), "service_refused", id="400"),
    pytest.param(instead(Response(418, {}, (b"<html>", b"\xff"))), "service_refused", id="418 with a web page"),
    pytest.param(instead(Response(302, {"location": "/v1/chat/completions"})), "service_nonsense", id="redirect"),
    pytest.param(body("<html>Welcome</html>", "text/html"), "service_nonsense", id="web page"),
    pytest.param(body(""), "service_nonsense", id="empty"),
    pytest.param(badly_packed(), "service_nonsense", id="no gzip"),
    pytest.param(body("[1, 2]"), "service_nonsense", id="no object"),
    pytest.param(body(b'{"data": "\xff\xfe'), "service_nonsense", id="bytes"),
    pytest.param(body("[" * 100_000), "service_nonsense", id="deep"),
    pytest.param(body('{"data": ' + "9" * 5000 + "}"), "service_nonsense", id="a number too long"),
]


@pytest.mark.parametrize(("fault", "key", "wait_seconds"), PASSING)
async def test_what_may_pass_says_so(server: OpenAIServer, fault: Fault, key: str, wait_seconds: float | None) -> None:
    server.fault = fault
    caught = await refused(service(server))
    assert isinstance(caught, PassingFault)
    assert (caught.key, caught.wait_seconds) == (key, wait_seconds)
    assert len(server.requests) == 1, "the service itself never tries again"


@pytest.mark.parametrize(("fault", "key"), LASTING)
async def test_what_will_not_pass_says_so(server: OpenAIServer, fault: Fault, key: str) -> None:
    server.fault = fault
    caught = await refused(service(server))
    assert not isinstance(caught, PassingFault)
    assert caught.key == key
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", [400, 401, 402, 404, 418, 429, 500])
@pytest.mark.parametrize("language", ["en", "ru"])
async def test_every_fault_has_its_sentence(server: OpenAIServer, code: int, language: str) -> None:
    server.fault = status(code, "No such model")
    assert "127.0.0.1" in (await refused(service(server))).say(language)


async def test_retry_after_may_be_a_date(server: OpenAIServer) -> None:
    server.fault = status(429, retry_after=formatdate(time.time() + 100, usegmt=True))
    caught = await refused(service(server))
    assert isinstance(caught, PassingFault)
    assert caught.wait_seconds == pytest.approx(100, abs=30)


@pytest.mark.parametrize("value", ["soon", "nan", "inf", "-5", "Thu, 99 Xyz 9999 99:99:99 GMT", "1e999"])
async def test_a_retry_after_that_makes_no_sense_asks_for_no_long_wait(server: OpenAIServer, value: str) -> None:
    server.fault = status(429, retry_after=value)
    caught = await refused(service(server))
    assert isinstance(caught, PassingFault)
    assert caught.wait_seconds in (None, 0)


@pytest.mark.parametrize("fault", [stall(), stall(1), drip()])
async def test_no_answer_takes_longer_than_the_time_given(server: OpenAIServer, fault: Fault) -> None:
    server.fault = fault
    began = time.monotonic()
    caught = await refused(service(server), seconds=0.2)
    assert time.monotonic() - began < 2
    assert isinstance(caught, PassingFault)
    assert caught.key == "service_slow"


async def test_an_endless_answer_is_not_kept() -> None:
    async def endless(response: Response, send: Send) -> None:
        await send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await send(b" " * 2**22)

    with OpenAIServer() as server:
        server.fault = endless
        assert (await refused(service(server), seconds=30)).key == "service_nonsense"


async def test_nobody_listens() -> None:
    with OpenAIServer() as server:
        base_url = server.base_url
    caught = await refused(Service(base_url, None))
    assert isinstance(caught, PassingFault)
    assert caught.key == "service_down"


@pytest.mark.parametrize(
    "base_url", ["http://", "http://no.such.host.invalid/v1", "http://a b/", "http://[::1", "ftp:x"]
)
async def test_an_address_of_nothing(base_url: str) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        await Service(base_url, None).post("/embeddings", PAYLOAD, seconds=20)


async def test_an_unknown_model_names_the_setting(server: OpenAIServer) -> None:
    caught = await refused(service(server), {"model": UNKNOWN_MODEL, "input": ["text"]})
    assert caught.details == {"service": "127.0.0.1", "model": UNKNOWN_MODEL, "setting": "EMBEDDING_MODEL"}


async def test_what_a_server_says_is_made_short_and_harmless(server: OpenAIServer) -> None:
    server.fault = status(400, "\x1b[31mred\nand\u202e long" + "!" * 9999)
    caught = await refused(service(server))
    reason = str(caught.details["reason"])
    assert len(reason) < 300
    assert reason.isprintable()


@pytest.mark.parametrize("sent", ["sk-wrong-but-secret", "sk-wrong\nsecret", "ключ-secret", "sk-\x7fsecret"])
@pytest.mark.parametrize("code", [400, 401, 429, 500])
async def test_a_key_is_never_told(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture, sent: str, code: int
) -> None:
    async def echo(response: Response, send: Send) -> None:
        key = server.requests[-1].headers["authorization"].removeprefix("Bearer ")
        await instead(error(code, f"Your key is {key}. {key}!"))(response, send)

    caplog.set_level(logging.DEBUG)
    server.fault = echo
    asked = Service(server.base_url, SecretStr(sent))
    caught = await refused(asked)
    everything = (
        *traceback.format_exception(caught),
        repr(caught),
        repr(asked),
        repr(caught.details),
        repr(vars(caught)),
        caught.say("ru"),
        caplog.text,
    )
    assert not [told for told in everything if "secret" in told]


async def test_credentials_in_the_address_are_sent_and_never_told(
    server: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = Service(server.base_url.replace("//", "//reader:very%20secret@"), None)
    caught = await refused(asked)
    assert server.requests[0].headers["authorization"] == "Basic cmVhZGVyOnZlcnkgc2VjcmV0"
    assert asked.name == "127.0.0.1"
    for told in (str(caught), repr(asked), repr(vars(caught)), caplog.text):
        assert "secret" not in told
        assert "cmVhZGVy" not in told


async def test_the_key_goes_to_no_other_server(server: OpenAIServer) -> None:
    with pytest.raises(ValueError, match="not an address of"):
        await service(server).post("http://127.0.0.1:1/rerank", PAYLOAD, seconds=5)


async def test_a_whole_address_on_the_same_server_may_be_named(server: OpenAIServer) -> None:
    await service(server).post(f"{server.base_url}/embeddings", PAYLOAD, seconds=5)
    assert server.paths == ["/v1/embeddings"]


async def test_a_server_at_home_is_sent_no_key() -> None:
    with OpenAIServer() as server:
        await service(server, None).post("/embeddings", PAYLOAD, seconds=5)
    assert "authorization" not in server.requests[0].headers


async def test_requests_of_a_job_share_their_connections(server: OpenAIServer) -> None:
    async with service(server).connected() as connection:
        for _ in range(3):
            await connection.post("/embeddings", PAYLOAD, seconds=5, setting="EMBEDDING_MODEL")
    assert server.connections == 1


async def test_a_refusal_keeps_what_the_service_said(server: OpenAIServer) -> None:
    server.fault = instead(error(400, "dimensions are not supported", code="unsupported"))
    caught = await refused(service(server))
    assert isinstance(caught, Refusal)
    assert (caught.status, caught.code, caught.reason) == (400, "unsupported", "dimensions are not supported")

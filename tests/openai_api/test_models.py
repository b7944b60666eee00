"""`openai_api.models`: the list of models, and what comes of a server that has none or answers badly."""

from __future__ import annotations

import time

import pytest
from pydantic import SecretStr

from ai_library_bot.errors import Unavailable
from ai_library_bot.openai_api.models import models
from ai_library_bot.openai_api.service import Service
from tests.openai_api.conftest import KEY
from tests.openai_server import Fault, OpenAIServer, body, cut, drip, stall, status


def service(server: OpenAIServer, key: str = KEY) -> Service:
    return Service(server.base_url, SecretStr(key))


async def test_the_names_come_in_the_order_of_the_service(server: OpenAIServer) -> None:
    server.models = ["b", "a"]
    assert await models(service(server), seconds=5) == ["b", "a"]
    assert server.paths == ["/v1/models"]


async def test_a_server_without_a_list_is_no_error(server: OpenAIServer) -> None:
    server.models = None
    assert await models(service(server), seconds=5) is None


async def test_entries_that_are_no_models_are_left_out(server: OpenAIServer) -> None:
    server.fault = body('{"data": [{"id": "a"}, {"id": 5}, {}, null, "b"]}')
    assert await models(service(server), seconds=5) == ["a"]


@pytest.mark.parametrize(
    ("fault", "key"),
    [
        pytest.param(status(401), "service_key_refused", id="401"),
        pytest.param(status(429), "service_busy", id="429"),
        pytest.param(status(500), "service_failed", id="500"),
        pytest.param(status(400), "service_refused", id="400"),
        pytest.param(body("<html>Welcome to your router</html>"), "service_nonsense", id="no JSON"),
        pytest.param(body("[" * 100_000), "service_nonsense", id="too deep"),
        pytest.param(body("[1]"), "service_nonsense", id="a list"),
        pytest.param(body('{"data": 5}'), "service_nonsense", id="no list"),
        pytest.param(stall(), "service_slow", id="stall"),
        pytest.param(stall(1), "service_slow", id="stall half-way"),
        pytest.param(drip(), "service_slow", id="slow drip"),
        pytest.param(cut(), "service_down", id="cut connection"),
    ],
)
async def test_a_bad_answer_is_named_in_time(server: OpenAIServer, fault: Fault, key: str) -> None:
    server.fault = fault
    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        await models(service(server), seconds=0.3)
    assert raised.value.key == key
    assert time.monotonic() - began < 2
    assert KEY not in str(raised.value)


async def test_a_wrong_key_is_refused_and_not_repeated(server: OpenAIServer) -> None:
    with pytest.raises(Unavailable, match="OPENAI_API_KEY") as raised:
        await models(service(server, "sk-wrong"), seconds=5)
    assert "sk-wrong" not in str(raised.value)


async def test_a_server_that_is_not_there_is_named() -> None:
    with OpenAIServer() as gone:
        nowhere = Service(gone.base_url, None)
    with pytest.raises(Unavailable, match="OPENAI_BASE_URL"):
        await models(nowhere, seconds=5)

"""Updates that Telegram brings: only its own, each once, also to several bots that share a Redis."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from ai_library_bot.bot import inbox
from ai_library_bot.bot.serve import serve
from ai_library_bot.bot.web import HEALTH
from ai_library_bot.library import Library
from tests.bot.other_server import OtherServer, other_server
from tests.bot.running import KEEPER, QUOTE, READER, running, settings_for
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer, held
from tests.redis_server import free_port, needs_redis
from tests.redis_server import running as redis_running

SECRET = "a-secret-for-tests"
UPDATE = {
    "update_id": 5,
    "message": {
        "message_id": 1,
        "date": 1,
        "chat": {"id": READER, "type": "private", "first_name": "Anna"},
        "from": {"id": READER, "is_bot": False, "first_name": "Anna"},
        "text": KEEPER,
    },
}


def webhook(port: int) -> dict[str, Any]:
    """Settings of a bot that listens on the port."""
    return {
        "tg_webhook_url": f"http://127.0.0.1:{port}/telegram",
        "tg_webhook_secret": SECRET,
        "tg_listen": f"127.0.0.1:{port}",
    }


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_a_conversation_over_a_webhook(
    telegram: TelegramServer, shelf: Path, http: aiohttp.ClientSession
) -> None:
    reader, port = telegram.user(READER), free_port()
    async with running(settings_for(telegram, shelf, **webhook(port))):
        reader.say(KEEPER)
        answer = await telegram.wait_for(lambda: telegram.last(reader))
        assert QUOTE in answer.text
        reader.press(answer, "[1]")
        passage = await telegram.wait_for(lambda: telegram.messages(reader)[1:])
        assert QUOTE in passage[0].marked("bold")[-1]
        async with http.get(f"http://127.0.0.1:{port}{HEALTH}") as health:
            assert (health.status, (await health.json())["ok"]) == (200, True)
    assert not telegram.calls("getUpdates")


@pytest.mark.parametrize("headers", [{}, {"X-Telegram-Bot-Api-Secret-Token": "another"}])
async def test_whoever_does_not_know_the_secret_is_no_telegram(
    telegram: TelegramServer, shelf: Path, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    reader, port = telegram.user(READER), free_port()
    async with (
        running(settings_for(telegram, shelf, **webhook(port))),
        http.post(f"http://127.0.0.1:{port}/telegram", json=UPDATE, headers=headers) as response,
    ):
        assert response.status == 401
    assert telegram.messages(reader) == []


async def test_an_update_that_comes_again_is_answered_once_and_nonsense_not_at_all(
    telegram: TelegramServer, shelf: Path, http: aiohttp.ClientSession
) -> None:
    reader, port = telegram.user(READER), free_port()
    headers, url = {"X-Telegram-Bot-Api-Secret-Token": SECRET}, f"http://127.0.0.1:{port}/telegram"
    async with running(settings_for(telegram, shelf, **webhook(port))):
        payloads: list[Any] = [UPDATE, UPDATE, {"update_id": "x"}, [], UPDATE]
        for payload in payloads:
            async with http.post(url, json=payload, headers=headers) as response:
                assert response.status == 200
        await telegram.wait_for(lambda: telegram.last(reader))
    assert len(telegram.messages(reader)) == 1


@needs_redis
async def test_two_bots_that_share_a_redis_answer_each_update_once_and_remember_together(
    telegram: TelegramServer, shelf: Path, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    reader = telegram.user(READER)
    with redis_running(tmp_path) as redis_port:
        shared = {"state_backend": "redis", "redis_url": f"redis://127.0.0.1:{redis_port}/0"}
        ports = [free_port(), free_port()]
        async with AsyncExitStack() as stack:
            for port in ports:
                await stack.enter_async_context(running(settings_for(telegram, shelf, **webhook(port), **shared)))
            for port in ports:
                url, headers = f"http://127.0.0.1:{port}/telegram", {"X-Telegram-Bot-Api-Secret-Token": SECRET}
                async with http.post(url, json=UPDATE, headers=headers) as response:
                    assert response.status == 200
            answer = await telegram.wait_for(lambda: telegram.last(reader))
            reader.press(answer, "[1]")  # Telegram brings it to the bot that was started last
            await telegram.wait_for(lambda: telegram.messages(reader)[1:])
    assert [QUOTE in message.text for message in telegram.messages(reader)] == [True, True]


async def signs_of_life(redis: Any) -> list[bytes]:
    return cast("list[bytes]", await redis.keys("*replica/*"))


@needs_redis
@pytest.mark.usefixtures("eager")
async def test_a_bot_gives_a_sign_of_life_before_it_takes_anything_and_until_its_last_answer_is_out(
    telegram: TelegramServer, shelf: Path, http: aiohttp.ClientSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one that shares the Redis would excuse it for dead, and the answer come as well."""
    from redis.asyncio import Redis

    reader, port = telegram.user(READER), free_port()
    preparing, prepared, answering = asyncio.Event(), asyncio.Event(), threading.Event()

    async def slowly(_: Library) -> None:
        preparing.set()
        await prepared.wait()

    monkeypatch.setattr(Library, "prepare", slowly)
    monkeypatch.setattr(inbox, "BEAT", 0.01)
    with redis_running(tmp_path) as redis_port, OpenAIServer() as model:
        model.fault = held(answering)
        redis_url = f"redis://127.0.0.1:{redis_port}/0"
        shared = {"state_backend": "redis", "redis_url": redis_url, "openai_base_url": model.base_url}
        settings = settings_for(telegram, shelf, embedder="none", **webhook(port), **shared)
        async with Redis.from_url(redis_url) as redis, Library.open(settings) as library:
            serving = asyncio.create_task(serve(library, settings, on_ready=lambda _: None))
            await preparing.wait()
            assert await signs_of_life(redis)
            url, headers = f"http://127.0.0.1:{port}/telegram", {"X-Telegram-Bot-Api-Secret-Token": SECRET}
            async with http.post(url, json=UPDATE, headers=headers) as response:
                assert response.status == 200
            prepared.set()
            await telegram.wait_for(lambda: telegram.drafts)  # it is at work
            signal.raise_signal(signal.SIGTERM)
            with suppress(aiohttp.ClientConnectionError):  # it takes nothing any more
                while True:
                    (await http.get(f"http://127.0.0.1:{port}{HEALTH}")).close()
            await redis.delete(*await signs_of_life(redis))
            while not await signs_of_life(redis):
                assert not serving.done()
            answering.set()
            await serving
    assert len(telegram.messages(reader)) == 1


@pytest.fixture(scope="module")
def other() -> Any:
    with other_server() as server:
        yield server


@pytest.mark.parametrize("way", ["polling", "webhook"])
async def test_a_conversation_at_a_server_of_other_peoples_making(
    other: OtherServer, telegram: TelegramServer, shelf: Path, way: str
) -> None:
    settings = settings_for(
        telegram,
        shelf,
        tg_token=other.token,
        tg_api_url=other.base_url,
        tg_allowed_users={other.user_id},
        **(webhook(free_port()) if way == "webhook" else {}),
    )
    before = len(other.messages())
    async with running(settings):
        other.say("/start")
        hello = await other.wait_for(lambda: other.messages()[before:])
        assert hello[0].text.startswith("Hello!")
        other.say(KEEPER)
        answer = (await other.wait_for(lambda: other.messages()[before + 1 :]))[0]
        assert QUOTE in answer.text
        other.press(answer, "[1]")
        passage = (await other.wait_for(lambda: other.messages()[before + 2 :]))[0]
        assert QUOTE in passage.text

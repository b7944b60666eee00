"""Neither the token nor a key nor what people write stands in a log, a reply, a trace or a worker's environment."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from ai_library_bot import logs
from ai_library_bot.bot.serve import DATABASE
from ai_library_bot.cli import main
from ai_library_bot.library import Library
from ai_library_bot.readers import pool
from ai_library_bot.settings import Settings
from tests.bot.running import KEEPER, READER, running, settings_for
from tests.bot.telegram_chats import Message
from tests.bot.telegram_faults import cut, garbage, status
from tests.bot.telegram_people import Person
from tests.bot.telegram_server import TelegramServer
from tests.openai_server import OpenAIServer
from tests.openai_server import status as refused

TOKEN = "1000001:planted-token-that-nobody-may-see"
KEY = "sk-planted-key-that-nobody-may-see"
WORDS = "xylophone zeppelin quagmire"


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with TelegramServer(token=TOKEN) as server:
        yield server


def said(telegram: TelegramServer) -> str:
    """All that the bot has sent anybody."""
    return "".join(str(request.parameters) for request in telegram.requests)


async def test_no_secret_gets_out_whatever_fails(
    telegram: TelegramServer, shelf: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = telegram.user(READER)
    with OpenAIServer(key="another") as model:
        model.fault = refused(401, f"Incorrect API key provided: {KEY}.")
        settings = settings_for(
            telegram, shelf, openai_base_url=model.base_url, openai_api_key=KEY, embedder="none", log_level="DEBUG"
        )
        logs.start(settings)
        try:
            async with running(settings):
                telegram.fail(garbage(f"<h1>{TOKEN}</h1>".encode()), method="getUpdates")
                telegram.fail(status(500, f"oh {TOKEN}"), method="sendChatAction")
                telegram.fail(cut(), method="sendChatAction")
                telegram.fail(status(400, f"Bad Request: {TOKEN} {KEY}"), method="sendMessage")
                reader.say(KEEPER)  # its answer is refused by Telegram: a mistake of the program, with a trace
                await telegram.wait_for(lambda: telegram.messages(reader))
                reader.say(f"{KEEPER} {KEY}?")
                await telegram.wait_for(lambda: telegram.messages(reader)[1:])
        finally:
            logging.getLogger().handlers.clear()
    printed = capfd.readouterr()
    for secret in (TOKEN, KEY):
        assert secret not in printed.err + printed.out
        assert secret not in said(telegram)
    assert "Traceback" in printed.err, "the trace was written, without the secret"


def test_a_trace_on_the_terminal_hides_the_token(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(settings: Settings) -> Library:
        raise RuntimeError(f"{TOKEN} {quote(TOKEN)} {KEY}")

    monkeypatch.setenv("TG_TOKEN", TOKEN)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    try:
        assert main(["books"], broken) == 70
    finally:
        logging.getLogger().handlers.clear()
    printed = capfd.readouterr().err
    assert f"RuntimeError: {logs.HIDDEN}" in printed
    assert "planted" not in printed


def test_a_worker_learns_no_secret() -> None:
    assert not {name.upper() for name in Settings.model_fields} & pool.ENVIRONMENT


async def test_after_forget_no_byte_of_what_was_written_is_left(
    telegram: TelegramServer, shelf: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = telegram.user(READER, first_name="Zaphodbeeble")
    settings = settings_for(telegram, shelf, log_level="INFO")
    logs.start(settings)
    try:
        async with running(settings):
            for number, text in enumerate((f"{KEEPER} {WORDS}", f"/search {WORDS} lighthouse", f"And {WORDS}?")):
                reader.say(text)
                *_, answer = await telegram.wait_for(partial(messages_beyond, telegram, reader, number))
                if "👎" in answer.labels:
                    reader.press(answer, "👎")
            await telegram.wait_for(lambda: len(telegram.answers) > 0)
            assert any(WORDS.encode() in content for content in bytes_of(shelf / "index").values())
            reader.say("/forget")
            asked = await telegram.wait_for(lambda: [m for m in telegram.messages(reader) if len(m.labels) == 2][-1:])
            reader.press(asked[0], "Erase everything")
            await telegram.wait_for(lambda: telegram.now(asked[0]).text.startswith("Erased"))
            left = [name for name, content in bytes_of(shelf / "index").items() if b"xylophone" in content]
            assert left == []
            assert b"Zaphodbeeble" not in b"".join(bytes_of(shelf / "index").values())
    finally:
        logging.getLogger().handlers.clear()
    printed = capfd.readouterr()
    assert "answered by extractive" in printed.err, "the log was kept"
    assert "xylophone" not in printed.err + printed.out
    with sqlite3.connect(shelf / "index" / DATABASE) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def messages_beyond(telegram: TelegramServer, person: Person, number: int) -> list[Message]:
    """The bot's messages, if there are more than so many."""
    messages = telegram.messages(person)
    return messages if len(messages) > number else []


def bytes_of(folder: Path) -> dict[str, bytes]:
    """What stands in each file of a folder, except the books themselves."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

"""How a test talks with a running bot: it says or presses something, and waits for what comes of it."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from tests.bot.telegram_chats import Message
from tests.bot.telegram_people import Group, Person
from tests.bot.telegram_server import TelegramServer

Json = dict[str, Any]


async def answer_to(
    person: Person, text: str, *, chat: Group | None = None, reply_to: Message | None = None
) -> Message:
    """The first message that the bot sends behind what the person says."""
    server, where = person.server, chat or person
    before = len(server.messages(where))
    person.say(text, chat=chat, reply_to=reply_to)
    return (await server.wait_for(lambda: server.messages(where)[before:]))[0]


async def sent_by(person: Person, message: Message, button: str) -> Message:
    """The message that the bot sends when the person presses the button."""
    server = person.server
    before = len(server.messages(message.chat_id))
    person.press(message, button)
    return (await server.wait_for(lambda: server.messages(message.chat_id)[before:]))[0]


async def edited_by(person: Person, message: Message, button: str) -> Message:
    """The message as it stands when the bot has edited it, because the person pressed the button."""
    server = person.server
    before = server.now(message).edits
    person.press(message, button)
    await server.wait_for(lambda: server.now(message).edits > before)
    return server.now(message)


async def told_by(person: Person, message: Message, button: str) -> str:
    """What the person reads for a moment when they press the button; empty where the press was only taken note of."""
    return await told(person.server, person.press(message, button))


async def told(server: TelegramServer, query: str) -> str:
    """The same for a query that is on its way."""
    return str((await answered(server, query)).get("text", ""))


async def answered(server: TelegramServer, query: str) -> Json:
    """How the bot answered the callback or inline query."""
    return await server.wait_for(lambda: server.answers.get(query))


def everything_sent(server: TelegramServer) -> str:
    """All that the bot ever said to Telegram."""
    return json.dumps([request.parameters for request in server.requests], ensure_ascii=False, default=str)


class Done(logging.Handler):
    """Hears from its log how far the bot is."""

    def __init__(self, server: TelegramServer) -> None:
        super().__init__(logging.INFO)
        self._server = server
        self._done = 0
        self._more = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("update %s done"):
            self._done += 1
            self._more.set()

    async def all(self) -> None:
        """Waits until the bot is done with every update there ever was: what it has not sent now it never will."""
        async with asyncio.timeout(60):
            while self._done < self._server.updates.made:
                self._more.clear()
                await self._more.wait()

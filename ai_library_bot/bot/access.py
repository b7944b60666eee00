"""Who is speaking, in which language, and whether they may ask."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiogram import BaseMiddleware
from aiogram.dispatcher.flags import get_flag
from aiogram.types import CallbackQuery, Chat, InlineQuery, Message, TelegramObject, User

from ai_library_bot import metrics
from ai_library_bot.bot.layout import told
from ai_library_bot.bot.outgoing import Spacing
from ai_library_bot.bot.people import People
from ai_library_bot.bot.sending import place_of, send
from ai_library_bot.errors import LibraryError
from ai_library_bot.locales import LANGUAGES, Messages, messages
from ai_library_bot.logs import question_id

_LOG = logging.getLogger(__name__)

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

OPEN = "open"
"""The flag of a handler that works for everybody, also for those who may not ask."""

ADMINS = "admins"
"""The flag of a handler that works for admins only."""

_FLOOD = (30, 10.0)  # updates of one person in seconds; more are passed over in silence
_TOLD_AGAIN = 60.0  # seconds until a stranger is told once more
_MOST_TOLD = (20, 60.0)  # strangers told in seconds
_MOST_KNOWN = 10_000  # persons of whom it is known how fast they write


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever sent an update."""

    id: int
    name: str
    admin: bool


class Speaker(BaseMiddleware):
    """Gives each handler the `person`, and `say` in their language; floods end here."""

    def __init__(self, people: People, language: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._people, self._language, self._clock = people, language, clock
        self._floods: dict[int, Spacing] = {}

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        user: User | None = data.get("event_from_user")
        if user is not None:
            if user.is_bot or self._floods_in(user.id):
                return None
            data["person"] = Person(user.id, user.full_name, self._people.is_admin(user.id))
            data["say"] = messages(await self._people.language(user.id) or spoken(user.language_code, self._language))
        else:
            data["say"] = messages(self._language)
        return await handler(event, data)

    def _floods_in(self, user: int) -> bool:
        spacing = self._floods.pop(user, None) or Spacing(*_FLOOD, self._clock)
        if len(self._floods) >= _MOST_KNOWN:
            self._floods.pop(next(iter(self._floods)))
        self._floods[user] = spacing
        if spacing.wait():
            return True
        spacing.take()
        return False


class Door(BaseMiddleware):
    """Lets those in who may ask. A stranger is told so in private, now and then; in a group there is silence."""

    def __init__(self, people: People, clock: Callable[[], float] = time.monotonic) -> None:
        self._people, self._clock = people, clock
        self._told = Spacing(*_MOST_TOLD, clock)
        self._refused: dict[int, float] = {}

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        person: Person | None = data.get("person")
        chat: Chat | None = data.get("event_chat")
        if person is None:
            return await handler(event, data)
        in_group = isinstance(event, Message) and event.chat.type != "private"
        if get_flag(data, OPEN) and not in_group:
            return await handler(event, data)
        if get_flag(data, ADMINS):
            if person.admin:
                return await handler(event, data)
            if not in_group:
                await _say(event, data["say"]("bot.admins_only"))
            return None
        if await self._people.may_ask(person.id, chat.id if chat else person.id):
            return await handler(event, data)
        await self._refuse(event, person, data["say"])
        return None

    async def _refuse(self, event: TelegramObject, person: Person, say: Messages) -> None:
        now = self._clock()
        if isinstance(event, Message):
            if event.chat.type != "private" or now < self._refused.get(person.id, 0.0) or self._told.wait():
                return
            self._told.take()
            self._refused = {user: until for user, until in self._refused.items() if until > now}
            self._refused[person.id] = now + _TOLD_AGAIN
        await _say(event, say("bot.not_invited", id=person.id))


class Trouble(BaseMiddleware):
    """What is wrong with the index or the store the owner reads in the log; the person hears that something is."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        try:
            return await handler(event, data)
        except LibraryError as error:
            metrics.failed(error.key)
            _LOG.error("%s", error)
            await _say(event, data["say"]("bot.trouble", id=question_id()))


async def _say(event: TelegramObject, sentence: str) -> None:
    if isinstance(event, CallbackQuery):
        await event.answer(sentence, show_alert=True)
    elif isinstance(event, InlineQuery):
        await event.answer([], cache_time=0, is_personal=True)
    elif isinstance(event, Message) and event.bot:
        await send(event.bot, place_of(event), (told(sentence),))


def spoken(code: str | None, otherwise: str) -> str:
    """The language for a person whose Telegram speaks `code`, such as "ru" or "en-GB"."""
    language = (code or "").split("-")[0].lower()
    if not language:
        return otherwise
    return language if language in LANGUAGES else "en"

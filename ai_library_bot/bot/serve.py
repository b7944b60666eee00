"""`library serve-bot`: from the token to the last answer."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import PRODUCTION, TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from aiogram.types import BotCommand, BotCommandScopeChat, User

from ai_library_bot.bot.assembly import Assembled, assemble
from ai_library_bot.bot.outgoing import Outgoing
from ai_library_bot.bot.polling import poll
from ai_library_bot.bot.redis_store import RedisStore
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.bot.store import Store
from ai_library_bot.bot.web import Webhook, serving
from ai_library_bot.errors import BadSetting, LibraryError
from ai_library_bot.library import Library
from ai_library_bot.locales import LANGUAGES, messages
from ai_library_bot.settings import Settings

_LOG = logging.getLogger(__name__)

Result = TypeVar("Result")

DATABASE = "bot.sqlite"
"""The file in the index folder that holds what the bot remembers."""

STOP_SECONDS = 20.0
"""How long answers that are being made may still take when the bot is stopped."""

_LISTEN = "127.0.0.1:8080"  # for a webhook, if the settings name nothing else
_SILENCE = 120.0  # seconds without a word of Telegram, after which something is wrong
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 20.0  # seconds between tries to reach Telegram at the start

_COMMANDS = ("ask", "search", "books", "new", "lang", "help", "privacy", "forget")
_ADMIN_COMMANDS = ("status", "stats", "invite", "members", "rollback", "remove")


async def serve(library: Library, settings: Settings, *, on_ready: Callable[[str], None]) -> None:
    """Answers in Telegram until SIGTERM, SIGINT or a cancel; then answers in work are finished, or excused.

    `on_ready` hears the name of the bot once it answers. Raises BadSetting for settings with which it can't or must not
    run, Busy if another bot uses the same index, CannotWrite, Unavailable where Redis does not answer.
    """
    _refuse_if_not_set_up(settings)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(_signals(stop))
        store = _store(settings)
        stack.push_async_callback(store.close)
        bot = _bot(settings)
        stack.push_async_callback(bot.session.close)
        me = await _until(stop, _who_am_i(bot))
        if me is None:
            return
        shared = settings.state_backend == "redis"
        assembled = assemble(bot, me, library, store, settings, shared=shared)
        await assembled.inbox.recover(alone=not shared)
        # Begun before anything is accepted and ended after the last answer: other bots would excuse us for dead.
        alive = await stack.enter_async_context(_beside(assembled.inbox.live()))
        stack.push_async_callback(assembled.inbox.drain, STOP_SECONDS)
        ready = partial(on_ready, f"@{me.username}")
        await _until(stop, asyncio.shield(alive), _receive(bot, assembled, library, settings, ready))


async def _receive(
    bot: Bot, assembled: Assembled, library: Library, settings: Settings, ready: Callable[[], None]
) -> None:
    """Brings what Telegram tells to the inbox, until it is cancelled."""
    inbox, heard = assembled.inbox, time.monotonic()

    def hear() -> None:
        nonlocal heard
        heard = time.monotonic()

    def health() -> dict[str, Any]:
        silent = settings.tg_webhook_url is None and time.monotonic() - heard > _SILENCE
        return {"ok": not silent, "running": inbox.running}

    async with AsyncExitStack() as stack:
        webhook = None
        if settings.tg_webhook_url and settings.tg_webhook_secret:
            path = urlsplit(settings.tg_webhook_url).path or "/"
            webhook = Webhook(bot, inbox, path, settings.tg_webhook_secret)
        if listen := settings.tg_listen or (_LISTEN if webhook else None):
            await stack.enter_async_context(serving(listen, health, webhook))
        if webhook:
            await _bring_updates(bot, assembled.kinds, settings)
        await library.prepare()
        ready()
        # In a thread that nobody waits for: reading a large library takes longer than a stop may.
        threading.Thread(target=_check, args=(library,), name="check", daemon=True).start()
        async with _beside(_tell_commands(bot, settings)):
            await (asyncio.Event().wait() if webhook else poll(bot, inbox, assembled.kinds, heard=hear))


async def _until(stop: asyncio.Event, *work: Awaitable[Result]) -> Result | None:
    """The result of the work that ends first, or None once it is time to stop. The rest is ended; errors are raised."""
    stopping = asyncio.create_task(stop.wait())
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        return next((task.result() for task in tasks if task.done()), None)
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Does work while the block runs, and no longer."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _check(library: Library) -> None:
    """Reads every byte of the index once, and says what is damaged."""
    try:
        found = library.verify()
    except LibraryError as error:
        _LOG.error("%s", error)
        return
    for one in found:
        for damage in one.damages:
            _LOG.error("version %d of the index is damaged: %s (%s)", one.generation, damage.file, damage.reason)


def _refuse_if_not_set_up(settings: Settings) -> None:
    if settings.tg_token is None:
        raise BadSetting("no_token")
    if not (settings.tg_public or settings.tg_allowed_users or settings.tg_admins):
        raise BadSetting("nobody_may_ask")
    if settings.tg_webhook_url and settings.tg_webhook_secret is None:
        raise BadSetting("no_webhook_secret")
    if settings.tg_webhook_url and settings.tg_api_url is None and not settings.tg_webhook_url.startswith("https:"):
        raise BadSetting("setting.tg_webhook_url", value=settings.tg_webhook_url)


def _store(settings: Settings) -> Store:
    if settings.state_backend == "redis":
        return RedisStore(settings.redis_url)
    folder = settings.faiss_path.absolute()
    with suppress(OSError):  # what is wrong with it the store will say
        folder.mkdir(parents=True, exist_ok=True)
    return SqliteStore(folder / DATABASE)


def _bot(settings: Settings) -> Bot:
    assert settings.tg_token
    server = TelegramAPIServer.from_base(settings.tg_api_url) if settings.tg_api_url else PRODUCTION
    session = AiohttpSession(api=server)
    session.middleware(Outgoing())
    return Bot(settings.tg_token.get_secret_value(), session, DefaultBotProperties(link_preview_is_disabled=True))


async def _who_am_i(bot: Bot) -> User:
    """The bot as Telegram knows it; waits for a Telegram that does not answer. Raises BadSetting for a wrong token."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return await bot.me()
        except (TelegramUnauthorizedError, TelegramNotFound):
            raise BadSetting("token_refused") from None
        except (TelegramAPIError, ClientDecodeError) as error:
            _LOG.error("Telegram can't be reached yet: %s", type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _bring_updates(bot: Bot, kinds: list[str], settings: Settings) -> None:
    """Tells Telegram where to bring updates."""
    assert settings.tg_webhook_url
    assert settings.tg_webhook_secret
    secret = settings.tg_webhook_secret.get_secret_value()
    try:
        await bot.set_webhook(settings.tg_webhook_url, secret_token=secret, allowed_updates=kinds)
    except TelegramBadRequest as refusal:
        raise BadSetting("webhook_refused", url=settings.tg_webhook_url, reason=refusal.message) from None


async def _tell_commands(bot: Bot, settings: Settings) -> None:
    """Fills Telegram's menu of commands. A bot without a menu works as well."""
    try:
        for language in LANGUAGES:
            told = [_command(name, language) for name in _COMMANDS]
            code = None if language == settings.library_lang else language
            await bot.set_my_commands(told, language_code=code)
        for admin in settings.tg_admins:
            names = (*_COMMANDS, *_ADMIN_COMMANDS)
            for language in LANGUAGES:
                code = None if language == settings.library_lang else language
                await bot.set_my_commands(
                    [_command(name, language) for name in names], BotCommandScopeChat(chat_id=admin), code
                )
    except (TelegramAPIError, ClientDecodeError) as error:
        _LOG.info("the menu of commands was not set: %s", error)


def _command(name: str, language: str) -> BotCommand:
    return BotCommand(command=name, description=messages(language)(f"bot.command.{name}"))


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and Ctrl-C set `stop`. Windows knows no such handlers: there Ctrl-C cancels what runs."""
    loop, wanted = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    with suppress(NotImplementedError):
        for one in wanted:
            loop.add_signal_handler(one, stop.set)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            for one in wanted:
                loop.remove_signal_handler(one)

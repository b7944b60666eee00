"""A file that an admin sends becomes a book; questions are answered all the while."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from aiogram import Bot, F, Router
from aiogram.types import Message

from ai_library_bot.bot import rendering
from ai_library_bot.bot.access import Person
from ai_library_bot.bot.files import LARGEST, fetch
from ai_library_bot.bot.layout import paragraph, told
from ai_library_bot.bot.sending import place_of, replace, send
from ai_library_bot.errors import Busy, LibraryError
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages
from ai_library_bot.settings import Settings

_MEGABYTE = 1_000_000  # bytes


def router() -> Router:
    made = Router(name="newbooks")
    made.message.register(_document, F.document, F.chat.type == "private")
    return made


async def _document(
    message: Message,
    bot: Bot,
    library: Library,
    settings: Settings,
    adding: asyncio.Lock,
    person: Person,
    say: Messages,
) -> None:
    where, document = place_of(message), message.document
    if document is None or not person.admin:
        await send(bot, where, (told(say("bot.admins_only")),))
        return
    size = document.file_size or 0
    if size > settings.max_book_mb * _MEGABYTE:
        await send(bot, where, (told(_too_large(say, "bot.file_too_large", size, settings.max_book_mb)),))
        return
    if settings.tg_api_url is None and size > LARGEST:
        refusal = _too_large(say, "bot.file_too_large_for_telegram", size, LARGEST / _MEGABYTE)
        await send(bot, where, (told(refusal),))
        return
    reading = await send(bot, where, (paragraph(say("bot.reading", name=document.file_name or "")),))
    try:
        async with adding:  # one after another: the index has one writer
            with TemporaryDirectory() as folder:
                file = Path(folder, "book")
                await fetch(bot, document, file)
                report = await library.add(file, document.file_name or "book")
        added = [book for book in await asyncio.to_thread(library.books) if book.path in report.added]
        page = rendering.ingested(say, report, added)
    except Busy:
        page = (told(say("bot.busy")),)
    except LibraryError as error:  # the owner hears what is wrong, in full
        page = (paragraph(error.say(say.language)),)
    await replace(bot, where, reading.message_id, page)


def _too_large(say: Messages, key: str, size: int, limit: float) -> str:
    """That a file of `size` bytes is more than `limit` megabytes."""
    whole = float(limit).is_integer()
    return say(key, megabytes=say.number(size / _MEGABYTE, 1), limit=say.number(limit, 0 if whole else 1))

"""/books: what stands on the shelf."""

from __future__ import annotations

import asyncio

from aiogram import Bot, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from ai_library_bot.bot import rendering
from ai_library_bot.bot.callbacks import TurnBooks
from ai_library_bot.bot.sending import place_of, replace, send
from ai_library_bot.errors import MissingInput
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages
from ai_library_bot.types import Book


def router() -> Router:
    made = Router(name="shelf")
    made.message.register(_books, Command("books"))
    made.callback_query.register(_turn, TurnBooks.filter())
    return made


async def _books(message: Message, bot: Bot, library: Library, say: Messages) -> None:
    catalogue = await _catalogue(library)
    await send(bot, place_of(message), rendering.books(say, catalogue, 0), rendering.books_buttons(catalogue, 0))


async def _turn(callback: CallbackQuery, callback_data: TurnBooks, bot: Bot, library: Library, say: Messages) -> None:
    catalogue = await _catalogue(library)
    page = min(max(0, callback_data.page), (len(catalogue) - 1) // rendering.BOOKS_ON_A_PAGE)
    await callback.answer()
    if isinstance(callback.message, Message):
        shown, buttons = rendering.books(say, catalogue, page), rendering.books_buttons(catalogue, page)
        await replace(bot, place_of(callback.message), callback.message.message_id, shown, buttons)


async def _catalogue(library: Library) -> tuple[Book, ...]:
    try:
        return await asyncio.to_thread(library.books)
    except MissingInput:  # nobody has read any in yet
        return ()

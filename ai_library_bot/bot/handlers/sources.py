"""The buttons under an answer: a source in its context, its page as a picture, and whether the answer was good."""

from __future__ import annotations

import asyncio
import logging

from aiogram import Bot, Router
from aiogram.types import BufferedInputFile, CallbackQuery, Message

from ai_library_bot.bot import rendering
from ai_library_bot.bot.access import Person
from ai_library_bot.bot.callbacks import GoTo, OpenSource, ShowPage, Vote
from ai_library_bot.bot.layout import caption
from ai_library_bot.bot.sending import place_of, replace, send
from ai_library_bot.bot.talks import Kept, Source, Talks
from ai_library_bot.errors import BadRequest, LibraryError, MissingInput
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages
from ai_library_bot.locators import place, source
from ai_library_bot.types import Excerpt

_LOG = logging.getLogger(__name__)


def router() -> Router:
    """Every button is checked against the answer that was kept, and that against the book as it is now."""
    made = Router(name="sources")
    made.callback_query.register(_open, OpenSource.filter())
    made.callback_query.register(_go, GoTo.filter())
    made.callback_query.register(_page, ShowPage.filter())
    made.callback_query.register(_vote, Vote.filter())
    return made


class _Stale(Exception):
    """The button is not what it was, or never was. `key` is the message that says so."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


async def _open(
    callback: CallbackQuery, callback_data: OpenSource, bot: Bot, library: Library, talks: Talks, say: Messages
) -> None:
    try:
        message, chosen, found = await _cited(callback, callback_data, library, talks)
    except _Stale as stale:
        await callback.answer(say(stale.key), show_alert=True)
        return
    await callback.answer()
    at = GoTo(**callback_data.model_dump(), step=0)
    page = rendering.passage(say, found, (chosen.start, chosen.end))
    await send(bot, place_of(message), page, rendering.passage_buttons(say, found, at))


async def _go(
    callback: CallbackQuery, callback_data: GoTo, bot: Bot, library: Library, talks: Talks, say: Messages
) -> None:
    try:
        message, chosen, found = await _cited(callback, callback_data, library, talks)
        marked = chosen.start, chosen.end
        if callback_data.step:
            found, marked = await _show(library, found.passage.beside(callback_data.step)), (0, 0)
    except _Stale as stale:
        await callback.answer(say(stale.key), show_alert=True)
        return
    await callback.answer()
    page = rendering.passage(say, found, marked)
    await replace(
        bot, place_of(message), message.message_id, page, rendering.passage_buttons(say, found, callback_data)
    )


async def _page(
    callback: CallbackQuery, callback_data: ShowPage, bot: Bot, library: Library, talks: Talks, say: Messages
) -> None:
    try:
        message, chosen, found = await _cited(callback, callback_data, library, talks)
        picture = await library.page_picture(chosen.passage, chosen.start, chosen.end)
    except _Stale as stale:
        await callback.answer(say(stale.key), show_alert=True)
        return
    except LibraryError as error:
        _LOG.info("no picture: %s", error)
        await callback.answer(say("bot.no_picture"), show_alert=True)
        return
    await callback.answer()
    where = place_of(message)
    located = [source(say, found.book), *place(say, found.passage, chosen.start)]
    await bot.send_photo(
        chat_id=where.chat,
        photo=BufferedInputFile(picture, "page.png"),
        caption=caption(" · ".join(located)),
        message_thread_id=where.thread,
        reply_parameters=where.reply,
    )


async def _vote(callback: CallbackQuery, callback_data: Vote, person: Person, talks: Talks, say: Messages) -> None:
    try:
        _, kept = await _kept(callback, callback_data, talks)
    except _Stale as stale:
        await callback.answer(say(stale.key), show_alert=True)
        return
    await talks.vote(person.id, callback_data.owner, callback_data.key, kept, good=callback_data.good)
    await callback.answer(say("bot.thanks"))


async def _kept(
    callback: CallbackQuery, pressed: OpenSource | GoTo | ShowPage | Vote, talks: Talks
) -> tuple[Message, Kept]:
    """The message with the button, and the answer it belongs to, which must have been given in the same chat."""
    message = callback.message
    if isinstance(message, Message) and (kept := await talks.kept(pressed.owner, pressed.key, message.chat.id)):
        return message, kept
    raise _Stale("bot.stale")


async def _cited(
    callback: CallbackQuery, pressed: OpenSource | GoTo | ShowPage, library: Library, talks: Talks
) -> tuple[Message, Source, Excerpt]:
    """The message, the source that was chosen, and its passage, which must still say what it said then."""
    message, kept = await _kept(callback, pressed, talks)
    if not 0 <= pressed.number < len(kept.sources):
        raise _Stale("bot.stale")
    chosen = kept.sources[pressed.number]
    found = await _show(library, chosen.passage)
    if not chosen.stands_in(found.passage):
        raise _Stale("bot.book_has_changed")
    return message, chosen, found


async def _show(library: Library, passage: str) -> Excerpt:
    try:
        return await asyncio.to_thread(library.show, passage, around=0)
    except (BadRequest, MissingInput):
        raise _Stale("bot.book_has_changed") from None

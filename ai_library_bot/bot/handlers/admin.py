"""For admins: how things are (/status, /stats), and what changes the index (/rollback, /remove)."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import version

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from ai_library_bot.bot.access import ADMINS
from ai_library_bot.bot.budget import Budget
from ai_library_bot.bot.callbacks import Remove, RollBack
from ai_library_bot.bot.layout import bold, paragraph, told
from ai_library_bot.bot.rendering import button, cancel, confirmation
from ai_library_bot.bot.sending import place_of, send, settle
from ai_library_bot.bot.talks import Talks
from ai_library_bot.bot.turns import Turns
from ai_library_bot.errors import LibraryError
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages
from ai_library_bot.text import fold

_ADMINS = {ADMINS: True}
_MOST_OFFERED = 8  # books to choose one from
_MOST_LISTED = 20  # persons in /stats


def router() -> Router:
    made = Router(name="admin")
    made.message.register(_status, Command("status"), flags=_ADMINS)
    made.message.register(_stats, Command("stats"), flags=_ADMINS)
    made.message.register(_rollback, Command("rollback"), flags=_ADMINS)
    made.message.register(_remove, Command("remove"), flags=_ADMINS)
    made.callback_query.register(_really_roll_back, RollBack.filter(), flags=_ADMINS)
    made.callback_query.register(_really_remove, Remove.filter(), flags=_ADMINS)
    return made


async def _status(message: Message, bot: Bot, library: Library, turns: Turns, started: float, say: Messages) -> None:
    lines = [paragraph(bold(say("bot.status.program", version=version("ai-library-bot"))))]
    try:
        kept = await asyncio.to_thread(library.generations)
        active = next(one for one in kept if one.active)
        books, passages = say.number(active.books), say.number(active.passages)
        lines.append(told(say("bot.status.index", generation=active.number, books=books, passages=passages)))
    except LibraryError as error:
        lines.append(paragraph(error.say(say.language)))
    hours = int(time.time() - started) // 3600
    lines.append(told(say("bot.status.running", count=hours, questions=turns.waiting)))
    await send(bot, place_of(message), tuple(lines))


async def _stats(message: Message, bot: Bot, budget: Budget, talks: Talks, say: Messages) -> None:
    spent = sorted(await budget.everybody(), key=lambda one: -one[1].questions)
    questions = sum(one.questions for _, one in spent)
    tokens = sum(one.tokens for _, one in spent)
    money = sum(one.money for _, one in spent)
    good, bad = await talks.votes()
    lines = [
        paragraph(bold(say("bot.stats.today"))),
        paragraph(
            say(
                "bot.stats.sum",
                people=len(spent),
                questions=questions,
                tokens=say.number(tokens),
                money=say.money(money),
            )
        ),
        told(say("bot.stats.votes", good=good, bad=bad)),
    ]
    lines += [
        told(say("bot.stats.person", id=user, questions=one.questions, tokens=say.number(one.tokens)), close=True)
        for user, one in spent[:_MOST_LISTED]
    ]
    await send(bot, place_of(message), tuple(lines))


async def _rollback(message: Message, bot: Bot, library: Library, say: Messages) -> None:
    try:
        kept = await asyncio.to_thread(library.generations)
    except LibraryError as error:
        await send(bot, place_of(message), (paragraph(error.say(say.language)),))
        return
    active = next(one.number for one in kept if one.active)
    question = (told(say("bot.rollback_what", generation=active)),)
    await send(bot, place_of(message), question, confirmation(say, "bot.button.rollback", RollBack(active=active)))


async def _really_roll_back(
    callback: CallbackQuery, callback_data: RollBack, bot: Bot, library: Library, say: Messages
) -> None:
    try:
        kept = await asyncio.to_thread(library.generations)
        if callback_data.active != next(one.number for one in kept if one.active):
            await settle(callback, bot, told(say("bot.stale")))
            return
        origin, to = await asyncio.to_thread(library.roll_back)
    except LibraryError as error:
        await settle(callback, bot, paragraph(error.say(say.language)))
        return
    await settle(callback, bot, told(say("bot.rolled_back", origin=origin, to=to)))


async def _remove(message: Message, command: CommandObject, bot: Bot, library: Library, say: Messages) -> None:
    where, wanted = place_of(message), fold((command.args or "").strip())
    try:
        catalogue = await asyncio.to_thread(library.books) if wanted else ()
    except LibraryError as error:
        await send(bot, where, (paragraph(error.say(say.language)),))
        return
    fitting = [book for book in catalogue if wanted in fold(book.title) or wanted in fold(book.path.name)]
    if not wanted or not fitting:
        await send(bot, where, (told(say("bot.no_such_book" if wanted else "bot.remove_which")),))
        return
    rows = [[button(f"🗑 {book.title}", Remove(book=book.id))] for book in fitting[:_MOST_OFFERED]]
    rows.append([cancel(say)])
    await send(bot, where, (told(say("bot.remove_what")),), InlineKeyboardMarkup(inline_keyboard=rows))


async def _really_remove(
    callback: CallbackQuery, callback_data: Remove, bot: Bot, library: Library, adding: asyncio.Lock, say: Messages
) -> None:
    try:
        async with adding:
            report = await library.remove([callback_data.book])
    except LibraryError as error:
        await settle(callback, bot, paragraph(error.say(say.language)))
        return
    books = say("count.books", count=report.books, number=say.number(report.books))
    await settle(callback, bot, told(say("bot.removed", books=books)))

"""A page becomes a message: one where it fits, a rich one where it would take several, else several."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramNotFound
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, ReplyParameters

from ai_library_bot.bot.layout import Block, Page, Part, parts, rich

_LOG = logging.getLogger(__name__)


class Place(NamedTuple):
    """Where something is sent: the chat, its thread, and in groups the message that it answers."""

    chat: int
    thread: int | None = None
    reply_to: int | None = None

    @property
    def reply(self) -> ReplyParameters | None:
        if self.reply_to is None:
            return None
        return ReplyParameters(message_id=self.reply_to, allow_sending_without_reply=True)


def place_of(message: Message) -> Place:
    """Where an answer to the message belongs."""
    private = message.chat.type == "private"
    thread = message.message_thread_id if message.is_topic_message else None
    return Place(message.chat.id, thread, None if private else message.message_id)


async def send(bot: Bot, where: Place, page: Page, buttons: InlineKeyboardMarkup | None = None) -> Message:
    """Sends the page with its buttons; returns the message that has them."""
    made = parts(page)
    if len(made) > 1 and (sent := await _send_rich(bot, where, page, buttons)):
        return sent
    return await _send_parts(bot, where, made, buttons)


async def replace(
    bot: Bot, where: Place, message: int, page: Page, buttons: InlineKeyboardMarkup | None = None
) -> None:
    """Puts the page in the place of a message of ours, or sends it if that is gone; what does not fit follows."""
    first, *others = parts(page)
    try:
        await edit(bot, where.chat, message, first, None if others else buttons)
    except TelegramBadRequest as refusal:
        _LOG.info("the message is sent anew: %s", refusal.message)
        others = [first, *others]
    if others:
        await _send_parts(bot, where, others, buttons)


async def edit(bot: Bot, chat: int, message: int, part: Part, buttons: InlineKeyboardMarkup | None) -> None:
    """Makes a message of ours say something else; that it says so already is no fault."""
    try:
        await bot.edit_message_text(
            text=part.text, entities=part.entities, chat_id=chat, message_id=message, reply_markup=buttons
        )
    except TelegramBadRequest as refusal:
        if "not modified" not in refusal.message:
            raise


async def settle(callback: CallbackQuery, bot: Bot, outcome: Block) -> None:
    """A question with buttons is settled: it becomes its outcome, and its buttons go."""
    await callback.answer()
    if isinstance(callback.message, Message):
        await replace(bot, place_of(callback.message), callback.message.message_id, (outcome,))


async def _send_rich(bot: Bot, where: Place, page: Page, buttons: InlineKeyboardMarkup | None) -> Message | None:
    """The page as one rich message; None where the server does not take it."""
    whole = rich(page)
    if whole is None:
        return None
    try:
        return await bot.send_rich_message(
            chat_id=where.chat,
            rich_message=whole,
            message_thread_id=where.thread,
            reply_parameters=where.reply,
            reply_markup=buttons,
        )
    except (TelegramBadRequest, TelegramNotFound) as refusal:
        _LOG.info("no rich message: %s", refusal.message)
        return None


async def _send_parts(bot: Bot, where: Place, made: Sequence[Part], buttons: InlineKeyboardMarkup | None) -> Message:
    for number, part in enumerate(made, 1):
        sent = await bot.send_message(
            chat_id=where.chat,
            text=part.text,
            entities=part.entities,
            message_thread_id=where.thread,
            reply_parameters=where.reply if number == 1 else None,
            reply_markup=buttons if number == len(made) else None,
        )
    return sent

"""Whether a message is meant for the bot, and what it asks."""

from __future__ import annotations

from aiogram.types import Message, Update, User

from ai_library_bot.bot.inbox import Waiting

_ASK = "/ask"


def question(message: Message, me: User) -> str | None:
    """The question that the message asks the bot; None if it asks somebody else, or nothing.

    In private every text is one. In a group it is meant for the bot if it begins with /ask, mentions the bot or answers
    one of its messages.
    """
    text = message.text or message.caption or ""
    command, _, rest = text.partition(" ")
    name, at, bot = command.partition("@")
    if name.lower() == _ASK and (not at or bot.lower() == (me.username or "").lower()):
        return rest.strip()
    if not text or text.startswith("/"):
        return None
    without = _without_mention(message, text, me)
    if message.chat.type == "private" or without != text or answers(message, me):
        return without.strip()
    return None


def waiting(update: Update, me: User) -> Waiting | None:
    """Who waits for an answer to the update, if anybody does: whoever asked or said something that is for the bot."""
    message = update.message
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    private = message.chat.type == "private"
    if not private and question(message, me) is None:
        return None
    return Waiting(
        chat=message.chat.id,
        user=message.from_user.id,
        message=message.message_id,
        thread=message.message_thread_id if message.is_topic_message else None,
        language=message.from_user.language_code,
    )


def answers(message: Message, me: User) -> bool:
    """Whether the message is a reply to one of the bot's."""
    answered = message.reply_to_message
    return answered is not None and answered.from_user is not None and answered.from_user.id == me.id


def _without_mention(message: Message, text: str, me: User) -> str:
    """The text without the names of the bot that Telegram found in it."""
    for entity in message.entities or message.caption_entities or ():
        name = entity.extract_from(text)
        if entity.type == "mention" and name.lower() == f"@{(me.username or '').lower()}":
            return text.replace(name, " ", 1)
    return text

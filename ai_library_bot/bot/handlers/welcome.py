"""Getting to know one another: /start, /help, /privacy, /lang, /new, /forget."""

from __future__ import annotations

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject, CommandStart
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, User

from ai_library_bot.bot.access import OPEN, Person
from ai_library_bot.bot.callbacks import Cancel, Forget, Speak
from ai_library_bot.bot.layout import bold, paragraph, told
from ai_library_bot.bot.people import People
from ai_library_bot.bot.rendering import button, confirmation
from ai_library_bot.bot.sending import place_of, send, settle
from ai_library_bot.bot.talks import Talks
from ai_library_bot.bot.turns import Turns
from ai_library_bot.locales import LANGUAGES, Messages, messages

_OPEN = {OPEN: True}


def router() -> Router:
    """Everybody may do this, also those who may not ask."""
    made = Router(name="welcome")
    made.message.register(_start, CommandStart(), flags=_OPEN)
    made.message.register(_help, Command("help"), flags=_OPEN)
    made.message.register(_privacy, Command("privacy"), flags=_OPEN)
    made.message.register(_lang, Command("lang"), flags=_OPEN)
    made.message.register(_forget, Command("forget"), flags=_OPEN)
    made.message.register(_new, Command("new"))
    made.callback_query.register(_speak, Speak.filter(), flags=_OPEN)
    made.callback_query.register(_really_forget, Forget.filter(), flags=_OPEN)
    made.callback_query.register(_cancel, Cancel.filter(), flags=_OPEN)
    return made


async def _start(
    message: Message, command: CommandObject, bot: Bot, me: User, person: Person, people: People, say: Messages
) -> None:
    joined = bool(command.args) and await people.join(person.id, str(command.args))
    if not joined and not await people.may_ask(person.id, message.chat.id):
        refusal = "bot.invitation_over" if command.args else "bot.not_invited"
        await send(bot, place_of(message), (told(say(refusal, id=person.id)),))
        return
    welcome = (
        paragraph(bold(say("bot.welcome", name=me.full_name))),
        told(say("bot.what_i_do")),
        told(say("bot.try")),
        told(say("bot.more")),
    )
    await send(bot, place_of(message), welcome)


async def _help(message: Message, bot: Bot, me: User, person: Person, say: Messages) -> None:
    lines = [told(say("bot.help.question"))]
    lines += [told(say(f"bot.help.{part}", bot=f"@{me.username}")) for part in ("commands", "groups", "inline")]
    lines += [told(say("bot.help.admin"))] if person.admin else []
    await send(bot, place_of(message), tuple(lines))


async def _privacy(message: Message, bot: Bot, say: Messages) -> None:
    await send(bot, place_of(message), (paragraph(bold(say("bot.privacy.title"))), told(say("bot.privacy.text"))))


async def _lang(message: Message, bot: Bot, say: Messages) -> None:
    buttons = [button(messages(language)("bot.own_name"), Speak(language=language)) for language in LANGUAGES]
    await send(
        bot, place_of(message), (told(say("bot.which_language")),), InlineKeyboardMarkup(inline_keyboard=[buttons])
    )


async def _speak(callback: CallbackQuery, callback_data: Speak, person: Person, people: People, say: Messages) -> None:
    if callback_data.language not in LANGUAGES:
        await callback.answer(say("bot.stale"), show_alert=True)
        return
    await people.speak(person.id, callback_data.language)
    await callback.answer(messages(callback_data.language)("bot.language_chosen"), show_alert=True)


async def _new(message: Message, bot: Bot, person: Person, talks: Talks, say: Messages) -> None:
    await talks.begin_anew(message.chat.id, person.id)
    await send(bot, place_of(message), (told(say("bot.new_conversation")),))


async def _forget(message: Message, bot: Bot, say: Messages) -> None:
    await send(
        bot, place_of(message), (told(say("bot.forget_what")),), confirmation(say, "bot.button.forget", Forget())
    )


async def _really_forget(
    callback: CallbackQuery, bot: Bot, person: Person, people: People, turns: Turns, say: Messages
) -> None:
    async with turns.turn(person.id, urgent=True):  # a question in work would write down what has just been erased
        await people.forget(person.id)
    await settle(callback, bot, told(say("bot.forgotten")))


async def _cancel(callback: CallbackQuery, bot: Bot, say: Messages) -> None:
    await settle(callback, bot, told(say("bot.cancelled")))

"""Questions: plain messages, /ask, /search, voice messages, and the questions that an answer suggests."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from aiogram import Bot, F, Router
from aiogram.filters import Command, CommandObject, Filter
from aiogram.types import CallbackQuery, Message, MessageGenerationStopped, User

from ai_library_bot.bot import rendering
from ai_library_bot.bot.access import Person
from ai_library_bot.bot.addressed import answers, question
from ai_library_bot.bot.answering import Answering, Asked
from ai_library_bot.bot.budget import Budget
from ai_library_bot.bot.callbacks import AskNext
from ai_library_bot.bot.files import LARGEST, fetch
from ai_library_bot.bot.inbox import Accepted
from ai_library_bot.bot.layout import italic, paragraph, told
from ai_library_bot.bot.sending import place_of, send
from ai_library_bot.bot.talks import Kept, Talks
from ai_library_bot.errors import BadRequest
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages

_HITS = 5
_LONGEST_VOICE = 300  # seconds


def router() -> Router:
    """This one takes what no other has taken, so it has to be the last."""
    made = Router(name="questions")
    made.message.register(_search, Command("search"))
    made.message.register(_voice, F.voice)
    made.message.register(_question, _Asks())
    made.message.register(_anything_else, F.chat.type == "private")
    made.callback_query.register(_next, AskNext.filter())
    made.callback_query.register(_stale)
    made.stopped_message_generation.register(_stop)
    return made


class _Asks(Filter):
    """Lets through what asks the bot something; the handler gets it as `asked`."""

    async def __call__(self, message: Message, me: User) -> dict[str, str] | bool:
        text = question(message, me)
        return False if text is None else {"text": text}


async def _question(
    message: Message, text: str, bot: Bot, person: Person, answering: Answering, accepted: Accepted, say: Messages
) -> None:
    if text:
        private = message.chat.type == "private"
        await answering.answer(Asked(person.id, place_of(message), private, text), say, accepted)
    else:
        await send(bot, place_of(message), (told(say("bot.ask_what")),))


async def _search(
    message: Message, command: CommandObject, bot: Bot, person: Person, library: Library, talks: Talks, say: Messages
) -> None:
    try:
        found = await library.search(command.args or "", limit=_HITS)
    except BadRequest:
        await send(bot, place_of(message), (told(say("bot.search_what")),))
        return
    kept = Kept.of_search(message.chat.id, found)
    key = await talks.keep(person.id, kept)
    buttons = rendering.answer_buttons(kept, person.id, key, vote=False)
    await send(bot, place_of(message), rendering.search(say, found), buttons)


async def _voice(
    message: Message,
    bot: Bot,
    me: User,
    person: Person,
    library: Library,
    budget: Budget,
    answering: Answering,
    accepted: Accepted,
    say: Messages,
) -> None:
    where, voice = place_of(message), message.voice
    private = message.chat.type == "private"
    if voice is None or not (private or answers(message, me)):
        return
    if not library.understands_voice:
        await send(bot, where, (told(say("bot.no_voice")),))
    elif voice.duration > _LONGEST_VOICE or (voice.file_size or 0) > LARGEST:
        await send(bot, where, (told(say("bot.voice_too_long", count=_LONGEST_VOICE // 60)),))
    else:

        async def hear() -> str:
            with TemporaryDirectory() as folder:
                file = Path(folder, "voice")
                await fetch(bot, voice, file)
                return await library.transcribe(await asyncio.to_thread(file.read_bytes), purse=budget.purse(person.id))

        await answering.answer(Asked(person.id, where, private, hear=hear), say, accepted)


async def _next(
    callback: CallbackQuery,
    callback_data: AskNext,
    bot: Bot,
    person: Person,
    talks: Talks,
    answering: Answering,
    accepted: Accepted,
    say: Messages,
) -> None:
    message = callback.message
    kept = await talks.kept(callback_data.owner, callback_data.key, message.chat.id) if message else None
    if not isinstance(message, Message) or kept is None or not 0 <= callback_data.number < len(kept.next_questions):
        await callback.answer(say("bot.stale"), show_alert=True)
        return
    await callback.answer()
    text = kept.next_questions[callback_data.number]
    where = place_of(message)
    await send(bot, where, (paragraph(italic(text)),))
    await answering.answer(Asked(person.id, where, message.chat.type == "private", text), say, accepted)


async def _stop(stopped: MessageGenerationStopped, answering: Answering) -> None:
    answering.stop(stopped.chat.id, stopped.draft_id)


async def _anything_else(message: Message, bot: Bot, say: Messages) -> None:
    await send(bot, place_of(message), (told(say("bot.only_text")),))


async def _stale(callback: CallbackQuery, say: Messages) -> None:
    await callback.answer(say("bot.stale"), show_alert=True)

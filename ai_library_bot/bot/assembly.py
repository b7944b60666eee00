"""All parts of the bot put together: services, middlewares, routers, and the inbox in front of them."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass

from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import Update, User

from ai_library_bot.bot import addressed
from ai_library_bot.bot.access import Door, Speaker, Trouble, spoken
from ai_library_bot.bot.answering import Answering
from ai_library_bot.bot.budget import Budget, Limits
from ai_library_bot.bot.handlers import routers
from ai_library_bot.bot.inbox import Accepted, Excuse, Inbox, Waiting
from ai_library_bot.bot.layout import told
from ai_library_bot.bot.people import People
from ai_library_bot.bot.sending import Place, replace, send
from ai_library_bot.bot.store import Store
from ai_library_bot.bot.talks import Talks
from ai_library_bot.bot.turns import Turns
from ai_library_bot.library import Library
from ai_library_bot.locales import messages
from ai_library_bot.logs import question_id
from ai_library_bot.settings import Settings

_LOG = logging.getLogger(__name__)

_MAY_NOT_WRITE = ("not enough rights", "CHAT_WRITE_FORBIDDEN", "TOPIC_CLOSED", "chat not found")
"""What Telegram says of a chat in which a bot may not speak, or not any more."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A bot that is ready to take updates."""

    inbox: Inbox
    dispatcher: Dispatcher
    kinds: list[str]
    """The kinds of updates that it has a use for."""


def assemble(bot: Bot, me: User, library: Library, store: Store, settings: Settings, *, shared: bool) -> Assembled:
    """The bot `me` over a library and a store; `shared` is a store that other replicas use as well."""
    people = People(store, allowed=settings.tg_allowed_users, admins=settings.tg_admins, public=settings.tg_public)
    limits = Limits(settings.tg_questions_per_day, settings.tg_tokens_per_day, settings.tg_dollars_per_day)
    talks, budget = Talks(store), Budget(store, limits)

    async def handle(update: Update, accepted: Accepted) -> None:
        try:
            await dispatcher.feed_update(bot, update, accepted=accepted)
        except TelegramForbiddenError:
            _LOG.info("the bot was blocked, or put out of the chat")
        except TelegramBadRequest as refusal:
            if not any(reason in refusal.message for reason in _MAY_NOT_WRITE):
                raise
            _LOG.info("the bot may not write there: %s", refusal.message)
        except (TelegramNetworkError, TelegramServerError, TelegramRetryAfter, ClientDecodeError) as error:
            _LOG.warning("Telegram may not have got the answer: %s", type(error).__name__)
            if accepted.waiting:
                with suppress(TelegramAPIError, ClientDecodeError):  # it says so in vain
                    await excuse(accepted.waiting, "unconfirmed", question_id())

    async def excuse(waiting: Waiting, why: Excuse, question: str) -> None:
        if not await people.may_ask(waiting.user, waiting.chat):
            return
        say = messages(await people.language(waiting.user) or spoken(waiting.language, settings.library_lang))
        page = (told(say(f"bot.excuse.{why}", id=question)),)
        where = Place(waiting.chat, waiting.thread, waiting.message if waiting.chat != waiting.user else None)
        if waiting.preview is None:
            await send(bot, where, page)
        else:
            await replace(bot, where, waiting.preview, page)

    inbox = Inbox(store, handle=handle, excuse=excuse, waits=lambda update: addressed.waiting(update, me))
    turns = Turns(store if shared else None, replica=inbox.replica)
    dispatcher = Dispatcher(
        disable_fsm=True,
        me=me,
        library=library,
        settings=settings,
        people=people,
        talks=talks,
        budget=budget,
        turns=turns,
        answering=Answering(bot, library, talks, budget, turns),
        adding=asyncio.Lock(),
        started=time.time(),
    )
    dispatcher.include_routers(*routers())
    dispatcher.update.outer_middleware(Speaker(people, settings.library_lang))
    kinds = dispatcher.resolve_used_update_types()
    for kind in kinds:
        dispatcher.observers[kind].middleware(Trouble())
        dispatcher.observers[kind].middleware(Door(people))
    return Assembled(inbox, dispatcher, kinds)

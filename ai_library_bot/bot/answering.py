"""A question from the first "typing…" to the last button: the pipeline of `library ask`, with its strictness."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiogram import Bot

from ai_library_bot import metrics
from ai_library_bot.bot import rendering
from ai_library_bot.bot.budget import Budget
from ai_library_bot.bot.inbox import Accepted
from ai_library_bot.bot.layout import Page, paragraph, told
from ai_library_bot.bot.live import LiveAnswer
from ai_library_bot.bot.sending import Place, send
from ai_library_bot.bot.talks import Kept, Talks
from ai_library_bot.bot.turns import TooManyQuestions, Turns
from ai_library_bot.errors import BadRequest, LibraryError
from ai_library_bot.library import Library
from ai_library_bot.locales import Messages
from ai_library_bot.logs import question_id
from ai_library_bot.types import Answer, Turn

_LOG = logging.getLogger(__name__)


class Asked(NamedTuple):
    """A question: who asks, where, and what; `hear` gives the words of one that was spoken, in its turn."""

    user: int
    where: Place
    private: bool
    text: str = ""
    hear: Callable[[], Awaitable[str]] | None = None


class Answering:
    """Answers questions, one at a time for each person."""

    def __init__(self, bot: Bot, library: Library, talks: Talks, budget: Budget, turns: Turns) -> None:
        self._bot, self._library = bot, library
        self._talks, self._budget, self._turns = talks, budget, turns
        self._drafts: dict[tuple[int, int], asyncio.Task[Answer]] = {}
        self._unwanted: set[asyncio.Task[Answer]] = set()

    async def answer(self, asked: Asked, say: Messages, accepted: Accepted) -> None:
        """Answers, or says why not."""
        try:
            async with self._turns.turn(asked.user):
                if await self._budget.ask(asked.user):
                    await self._answer(asked, say, accepted)
                else:
                    await self._tell(asked, say("bot.no_questions_left"))
        except TooManyQuestions:
            await self._tell(asked, say("bot.one_at_a_time"))

    def stop(self, chat: int, draft: int) -> None:
        """The person wants no more of the answer that grows in that draft."""
        if task := self._drafts.get((chat, draft)):
            self._unwanted.add(task)
            task.cancel()

    async def _answer(self, asked: Asked, say: Messages, accepted: Accepted) -> None:
        began = time.monotonic()
        async with LiveAnswer(self._bot, asked.where, say, accepted, private=asked.private) as live:
            work = asyncio.create_task(self._ask(asked, say, live))
            draft = asked.where.chat, live.draft
            self._drafts[draft] = work
            result: Answer | Page | None = None
            try:
                result = await work
            except asyncio.CancelledError:
                if work not in self._unwanted:  # we are stopped ourselves, not the answer alone
                    raise
            except LibraryError as error:
                result = await self._in_words(error, asked, say)
            finally:
                del self._drafts[draft]
                self._unwanted.discard(work)
        await accepted.sending()
        if isinstance(result, Answer):
            await self._deliver(result, asked, say, live, accepted)
            _LOG.info(
                "answered by %s in %.3f s, generation %d", result.writer, time.monotonic() - began, result.generation
            )
        else:
            await live.finish(result or (told(say("bot.stopped")),))

    async def _ask(self, asked: Asked, say: Messages, live: LiveAnswer) -> Answer:
        text = asked.text
        if asked.hear:
            text = await asked.hear()
        if not any(map(str.isalnum, text)):
            raise BadRequest("empty_query")  # whatever was said before: nothing is asked now
        if asked.hear:
            await send(self._bot, asked.where, (paragraph(say("bot.heard", text=text)),))
        history = await self._talks.turns(asked.where.chat, asked.user)
        purse = self._budget.purse(asked.user)
        return await self._library.ask(text, history=history, on_growth=live.grow, purse=purse)

    async def _deliver(self, result: Answer, asked: Asked, say: Messages, live: LiveAnswer, accepted: Accepted) -> None:
        for notice in result.notices:
            _LOG.info("%s", say.notice(notice))
        kept = Kept.of_answer(asked.where.chat, result)
        key = await self._talks.keep(asked.user, kept)
        buttons = rendering.answer_buttons(kept, asked.user, key, vote=True)
        await live.finish(rendering.answer(say, result), buttons)
        await accepted.done()  # at once: after a crash nobody knows of an answer whether it has arrived
        await self._talks.remember(asked.where.chat, asked.user, Turn(result.question, result.text))

    async def _in_words(self, error: LibraryError, asked: Asked, say: Messages) -> Page:
        """What the person hears of an error: not what it says to the owner, which names folders and settings."""
        await self._budget.give_back(asked.user)
        if isinstance(error, BadRequest):
            return (told(say("bot.no_words")),)
        metrics.failed(error.key)
        _LOG.error("%s", error)
        return (told(say("bot.trouble", id=question_id())),)

    async def _tell(self, asked: Asked, sentence: str) -> None:
        await send(self._bot, asked.where, (told(sentence),))

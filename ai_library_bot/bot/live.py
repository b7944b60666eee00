"""What a person sees while an answer is being made: "typing…" at once, then the sentences as they are checked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType
from typing import Self

from aiogram import Bot
from aiogram.exceptions import TelegramRetryAfter
from aiogram.types import InlineKeyboardMarkup

from ai_library_bot.bot.inbox import Accepted
from ai_library_bot.bot.layout import Page, paragraph, parts
from ai_library_bot.bot.sending import Place, edit, replace, send
from ai_library_bot.locales import Messages

_LOG = logging.getLogger(__name__)

_AT_FIRST = 0.8  # seconds: most answers without a model are there sooner and need no preview
_DRAFT_EVERY, _EDIT_EVERY = 1.0, 3.0  # seconds: drafts in private chats, edits in groups
_TYPING_EVERY = 4.5  # seconds; Telegram shows it for five
_LAST_SHOW = 5.0  # seconds for previews that are on their way when the answer is there
_DRAFT_STANDS = 25.0  # seconds; Telegram takes a draft away after thirty


class LiveAnswer:
    """The view of one answer in the making. Within the block it is kept up; `finish` puts the answer in its place.

    What goes wrong with a preview is of no matter: the answer comes anyway.
    """

    def __init__(self, bot: Bot, where: Place, say: Messages, accepted: Accepted, *, private: bool) -> None:
        self.draft = accepted.number or 1
        """The id of the draft in a private chat, by which Telegram names it when it is stopped."""
        self._bot, self._where, self._say, self._accepted = bot, where, say, accepted
        self._private = private
        self._text = ""
        self._preview: int | None = None
        self._over = asyncio.Event()
        self._shows: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        show = self._keep_draft if self._private else self._keep_preview
        self._shows = {asyncio.create_task(self._keep_typing()), asyncio.create_task(show())}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # What is on its way is let through: a draft that comes after the answer would hide it.
        _, late = await asyncio.wait(self._shows, timeout=_LAST_SHOW)
        for task in late:
            task.cancel()
        for outcome in await asyncio.gather(*self._shows, return_exceptions=True):
            if isinstance(outcome, Exception):
                _LOG.info("the preview ended: %s", type(outcome).__name__)

    def grow(self, text: str) -> None:
        """All of the answer that is written and checked so far."""
        self._text = text

    async def finish(self, page: Page, buttons: InlineKeyboardMarkup | None = None) -> None:
        """The answer, in the place of the preview."""
        if self._preview is None:
            await send(self._bot, self._where, page, buttons)
        else:
            await replace(self._bot, self._where, self._preview, page, buttons)

    async def _keep_typing(self) -> None:
        while not self._over.is_set():
            wait = await self._shown(
                self._bot.send_chat_action(self._where.chat, "typing", message_thread_id=self._where.thread)
            )
            await self._pause(max(wait, _TYPING_EVERY))

    async def _keep_draft(self) -> None:
        await self._pause(_AT_FIRST)
        shown: str | None = None
        stands, clock = 0.0, asyncio.get_running_loop().time
        while not self._over.is_set():
            wait = 0.0
            if self._text != shown or clock() > stands:
                text = self._text
                wait = await self._shown(
                    self._bot.send_message_draft(
                        chat_id=self._where.chat,
                        draft_id=self.draft,
                        message_thread_id=self._where.thread,
                        text=_preview(text),
                        can_stop=True,
                    )
                )
                if not wait:
                    shown, stands = text, clock() + _DRAFT_STANDS
            await self._pause(max(wait, _DRAFT_EVERY))

    async def _keep_preview(self) -> None:
        await self._pause(_AT_FIRST)
        if self._over.is_set():
            return
        looking = await send(self._bot, self._where, (paragraph(self._say("ask.looking")),))
        self._preview = looking.message_id
        await self._accepted.will_become(looking.message_id)
        shown, wait = "", 0.0
        while True:
            await self._pause(max(wait, _EDIT_EVERY))
            text = self._text
            if self._over.is_set():
                return
            if text != shown:
                part, *_ = parts([paragraph(text)])
                wait = await self._shown(edit(self._bot, self._where.chat, looking.message_id, part, None))
                shown = shown if wait else text

    async def _shown(self, request: Awaitable[object]) -> float:
        """Sends a preview; the seconds to wait if Telegram wants no more of them just then."""
        try:
            await request
        except TelegramRetryAfter as told:
            return float(told.retry_after)
        return 0.0

    async def _pause(self, seconds: float) -> None:
        """Waits, but no longer than there is an answer in the making."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)


def _preview(text: str) -> str:
    """The text of a draft; an empty one shows that somebody thinks."""
    made = parts([paragraph(text)])
    return made[0].text if made else ""

"""What goes out to Telegram: no faster than it takes, again where that is safe, and not for ever.

Telegram takes about one message a second in a chat, twenty a minute in a group and thirty a second in all
(https://core.telegram.org/bots/faq, "My bot is hitting limits"). What a person waits for is sent when its turn has
come. What only shows that something is going on, such as "typing…" and a growing answer, is left out instead.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import (
    AnswerCallbackQuery,
    AnswerInlineQuery,
    EditMessageText,
    GetUpdates,
    Response,
    SendChatAction,
    SendDocument,
    SendMessage,
    SendMessageDraft,
    SendPhoto,
    SendRichMessage,
    TelegramMethod,
)
from aiogram.methods.base import TelegramType
from aiohttp import ClientConnectorError, ConnectionTimeoutError

_LOG = logging.getLogger(__name__)

PATIENCE = 180.0
"""Seconds until something that a person waits for is given up."""

_PER_CHAT = (3, 3.0)  # messages in seconds: Telegram forgives short bursts
_PER_GROUP = (18, 60.0)
_IN_ALL = (60, 2.0)  # about thirty a second, and as many at once when many ask at once
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 15.0  # seconds between tries, doubled each time

_SPEAKS = (SendMessage, SendRichMessage, SendPhoto, SendDocument)
_SHOWS = (SendChatAction, SendMessageDraft)
_ANSWERS = (AnswerCallbackQuery, AnswerInlineQuery)  # nobody waits for one that comes too late, and it is no fault

_NOT_SENT = (ClientConnectorError, ConnectionTimeoutError)  # nothing of the request has reached anybody


class Spacing:
    """No more than `most` of anything within `seconds`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most, self._seconds, self._clock = most, seconds, clock
        self._times: deque[float] = deque()

    def wait(self) -> float:
        """How many seconds are left until there is room for one more."""
        now = self._clock()
        while self._times and self._times[0] <= now - self._seconds:
            self._times.popleft()
        return self._times[-self._most] + self._seconds - now if len(self._times) >= self._most else 0.0

    def take(self, later: float = 0.0) -> None:
        """One more, `later` seconds from now."""
        self._times.append(self._clock() + later)

    @property
    def idle(self) -> bool:
        return not self._times or self._times[-1] <= self._clock() - self._seconds


class Outgoing(BaseRequestMiddleware):
    """Stands between the bot and Telegram, for all requests of one bot."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, patience: float = PATIENCE) -> None:
        self._clock, self._patience = clock, patience
        self._everywhere = Spacing(*_IN_ALL, clock)
        self._chats: dict[int | str, Spacing] = {}
        self._closed_until: dict[int | str, float] = {}

    async def __call__(
        self, make_request: NextRequestMiddlewareType[TelegramType], bot: Bot, method: TelegramMethod[TelegramType]
    ) -> Response[TelegramType]:
        if method.__api_method__ == GetUpdates.__api_method__:
            return await make_request(bot, method)
        deadline = self._clock() + self._patience
        pause = _FIRST_WAIT
        while True:
            await self._turn(method, deadline)
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as told:
                self._closed_until[_chat(method)] = self._clock() + told.retry_after
                if isinstance(method, _SHOWS) or self._clock() + told.retry_after > deadline:
                    raise
            except TelegramBadRequest as refusal:
                if not isinstance(method, _ANSWERS) or "query is too old" not in refusal.message:
                    raise
                return cast("Response[TelegramType]", True)  # as if it were in time
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError) as error:
                if isinstance(method, _SHOWS) or not _safe_to_repeat(method, error) or self._clock() + pause > deadline:
                    raise
                _LOG.warning("%s will be sent again: %s", type(method).__name__, type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_WAIT)

    async def _turn(self, method: TelegramMethod[Any], deadline: float) -> None:
        """Waits until Telegram takes a request of this kind. Raises TelegramRetryAfter if that is too long."""
        chat = _chat(method)
        while (closed := self._closed_until.get(chat, 0.0) - self._clock()) > 0:
            if isinstance(method, _SHOWS) or self._clock() + closed > deadline:
                raise TelegramRetryAfter(method, "the chat takes no more yet", retry_after=max(1, round(closed)))
            await asyncio.sleep(closed)
        self._closed_until.pop(chat, None)
        if isinstance(method, _SPEAKS):
            spacing = self._spacing(chat)
            wait = max(spacing.wait(), self._everywhere.wait())
            if self._clock() + wait > deadline:
                raise TelegramRetryAfter(method, "too many messages wait before this one", retry_after=round(wait))
            spacing.take(wait)  # whoever comes next queues up behind this one
            self._everywhere.take(wait)
            await asyncio.sleep(wait)

    def _spacing(self, chat: int | str) -> Spacing:
        spacing = self._chats.pop(chat, None) or Spacing(*(_PER_GROUP if _is_group(chat) else _PER_CHAT), self._clock)
        while self._chats and next(iter(self._chats.values())).idle:
            self._chats.pop(next(iter(self._chats)))
        self._chats[chat] = spacing
        return spacing


def _chat(method: TelegramMethod[Any]) -> int | str:
    chat: int | str = getattr(method, "chat_id", None) or 0
    return chat


def _is_group(chat: int | str) -> bool:
    return isinstance(chat, int) and chat < 0


def _safe_to_repeat(method: TelegramMethod[Any], error: Exception) -> bool:
    """Whether a second try can't show anybody the same thing twice."""
    if isinstance(method, EditMessageText) or not isinstance(method, _SPEAKS) or isinstance(error, TelegramServerError):
        return True
    return isinstance(error.__cause__, _NOT_SENT)

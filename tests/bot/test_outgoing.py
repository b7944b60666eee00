"""Messages leave no faster than Telegram takes them, are repeated where that is safe, and previews never wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.methods import EditMessageText, SendChatAction, SendMessage, TelegramMethod
from aiohttp import ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from ai_library_bot.bot.outgoing import PATIENCE, Outgoing

HELLO = SendMessage(chat_id=1, text="hello")
TYPING = SendChatAction(chat_id=1, action="typing")
EDIT = EditMessageText(chat_id=1, message_id=1, text="hello")
BOT: Any = object()


class Telegram:
    """Takes requests at once, each with what `answers` holds for it, and notes when; waiting only moves its clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, TelegramMethod[Any]]] = []
        self.answers: deque[Exception | None] = deque()
        self.outgoing = Outgoing(clock=lambda: self.now)

    async def take(self, bot: Bot, method: TelegramMethod[Any]) -> Any:
        answer = self.answers.popleft() if self.answers else None
        self.sent.append((self.now, method))
        if answer:
            raise answer
        return True

    async def send(self, method: TelegramMethod[Any]) -> Any:
        return await self.outgoing(self.take, BOT, method)

    async def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch) -> Iterator[Telegram]:
    telegram = Telegram()
    with monkeypatch.context() as patch:
        patch.setattr("asyncio.sleep", telegram.sleep)
        yield telegram


def no_connection() -> TelegramNetworkError:
    key = ConnectionKey("api.telegram.org", 443, True, True, None, None, None)
    error = TelegramNetworkError(HELLO, "no connection")
    error.__cause__ = ClientConnectorError(key, OSError("refused"))
    return error


def no_answer() -> TelegramNetworkError:
    return TelegramNetworkError(HELLO, "Request timeout error")


@pytest.mark.parametrize("fault", [no_connection, lambda: TelegramServerError(HELLO, "Bad Gateway")])
async def test_what_telegram_certainly_has_not_got_is_sent_again(
    telegram: Telegram, fault: Callable[[], Exception]
) -> None:
    telegram.answers.extend([fault(), fault(), None])
    assert await telegram.send(HELLO)
    assert len(telegram.sent) == 3
    assert telegram.now < PATIENCE


@pytest.mark.parametrize("fault", [no_answer(), ClientDecodeError("no JSON", ValueError(), "<html>")])
async def test_a_message_that_may_have_arrived_is_not_sent_again_but_an_edit_is(
    telegram: Telegram, fault: Exception
) -> None:
    telegram.answers.append(fault)
    with pytest.raises(type(fault)):
        await telegram.send(HELLO)
    telegram.answers.append(fault)
    assert await telegram.send(EDIT)
    assert [method for _, method in telegram.sent] == [HELLO, EDIT, EDIT]


async def test_a_refusal_is_final(telegram: Telegram) -> None:
    telegram.answers.append(TelegramBadRequest(HELLO, "Bad Request: chat not found"))
    with pytest.raises(TelegramBadRequest):
        await telegram.send(HELLO)
    assert len(telegram.sent) == 1


async def test_a_chat_that_asks_to_wait_is_left_alone_and_others_are_not(telegram: Telegram) -> None:
    telegram.answers.append(TelegramRetryAfter(HELLO, "Too Many Requests", retry_after=7))
    await telegram.send(HELLO)
    await telegram.send(SendMessage(chat_id=2, text="hello"))
    assert [at for at, _ in telegram.sent] == [0, 7, 7]


async def test_a_preview_never_waits(telegram: Telegram) -> None:
    telegram.answers.append(TelegramRetryAfter(TYPING, "Too Many Requests", retry_after=7))
    for _ in range(2):
        with pytest.raises(TelegramRetryAfter):
            await telegram.send(TYPING)
    assert len(telegram.sent) == 1
    assert telegram.now == 0


async def test_nothing_waits_for_ever(telegram: Telegram) -> None:
    telegram.answers.extend(no_connection() for _ in range(1000))
    with pytest.raises(TelegramNetworkError):
        await telegram.send(HELLO)
    assert telegram.now <= PATIENCE
    telegram.answers.clear()
    telegram.answers.append(TelegramRetryAfter(HELLO, "Too Many Requests", retry_after=1000))
    with pytest.raises(TelegramRetryAfter):
        await telegram.send(HELLO)


@given(chats=st.lists(st.integers(-3, 5).filter(bool), max_size=120))
def test_whatever_is_said_where_no_more_leaves_than_telegram_takes(chats: list[int]) -> None:
    telegram = Telegram()

    async def say_it_all() -> None:
        for chat in chats:
            await telegram.send(SendMessage(chat_id=chat, text="hello"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncio.sleep", telegram.sleep)
        asyncio.run(say_it_all())
    assert len(telegram.sent) == len(chats)
    for chat in {*chats}:
        times = [at for at, method in telegram.sent if getattr(method, "chat_id", None) == chat]
        most, seconds = (18, 60.0) if chat < 0 else (3, 3.0)
        assert all(later - first >= seconds for first, later in zip(times, times[most:], strict=False))
    times = [at for at, _ in telegram.sent]
    assert all(later - first >= 2 for first, later in zip(times, times[60:], strict=False))

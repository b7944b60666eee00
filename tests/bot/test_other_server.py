"""An aiogram bot converses through a Bot API server that nobody here wrote. Skipped where Node is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import TelegramNotFound
from aiogram.filters import CommandStart
from aiogram.types import (
    BotCommand,
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputRichMessage,
    LinkPreviewOptions,
    Message,
    MessageEntity,
)
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from tests.bot.client import connected
from tests.bot.other_server import OtherServer, other_server

NUMBERS = count(1000)


@pytest.fixture(scope="module")
def running() -> Iterator[OtherServer]:
    with other_server() as server:
        yield server


@pytest.fixture
def server(running: OtherServer) -> OtherServer:
    """The server with a bot and a person of this test's own."""
    number = next(NUMBERS)
    return OtherServer(running.base_url, f"{number}:a-token", number, "ru")


@pytest.fixture
async def bot(server: OtherServer) -> AsyncIterator[Bot]:
    async with connected(server.base_url, server.token) as bot:
        yield bot


def echo() -> Dispatcher:
    dispatcher = Dispatcher()
    markup = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Yes", callback_data="yes")]])

    @dispatcher.message(CommandStart())
    async def start(message: Message) -> None:
        assert message.from_user
        await message.answer(f"Hello, {message.from_user.language_code}")

    @dispatcher.message()
    async def again(message: Message) -> None:
        assert message.text
        bold = MessageEntity(type="bold", offset=0, length=len(message.text))
        await message.answer(
            f"{message.text}?",
            entities=[bold],
            reply_markup=markup,
            link_preview_options=LinkPreviewOptions(is_disabled=True),
        )

    @dispatcher.callback_query()
    async def pressed(query: CallbackQuery) -> None:
        assert isinstance(query.message, Message)
        await query.answer()
        await query.message.edit_text(f"{query.data}!")

    return dispatcher


async def converse(server: OtherServer) -> None:
    server.say("/start")
    (hello,) = await server.wait_for(server.messages)
    assert hello.text == "Hello, ru"
    server.say("Маяк")
    message = await server.wait_for(lambda: server.messages()[1:])
    assert message[0].text == "Маяк?"
    assert [(entity["type"], entity["length"]) for entity in message[0].entities] == [("bold", 4)]
    server.press(message[0], "Yes")
    await server.wait_for(lambda: server.messages()[1].text == "yes!")


async def test_a_bot_that_polls(server: OtherServer, bot: Bot) -> None:
    dispatcher = echo()
    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False))
    await converse(server)
    await dispatcher.stop_polling()
    await polling


async def test_a_bot_with_a_webhook(server: OtherServer, bot: Bot) -> None:
    application = web.Application()
    handler = SimpleRequestHandler(echo(), bot, secret_token="a-secret")
    application.router.add_post("/hook", handler.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await bot.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret_token="a-secret")
    await converse(server)
    await bot.delete_webhook()
    await runner.cleanup()


async def test_what_it_takes_and_what_it_does_not_know(server: OtherServer, bot: Bot) -> None:
    me = await bot.get_me()
    assert (me.is_bot, me.id) == (True, bot.id)
    await bot.send_chat_action(server.user_id, "typing")
    await bot.set_my_commands([BotCommand(command="help", description="Help")])
    sent = await bot.send_message(server.user_id, "text")
    await bot.delete_message(server.user_id, sent.message_id)
    assert server.messages() == []
    with pytest.raises(TelegramNotFound):
        await bot.send_rich_message(server.user_id, InputRichMessage(markdown="*text*"))

"""How updates come from the tests' own Bot API server, its groups and its faults, with a real aiogram client."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import (
    CallbackQuery,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputRichBlockParagraph,
    InputRichMessage,
)
from aiogram.types import Message as Received
from aiohttp import ClientResponseError, web

from tests.bot.client import connected
from tests.bot.telegram_faults import Fault, cut, cut_after, delay, garbage, status, too_many
from tests.bot.telegram_people import Person
from tests.bot.telegram_requests import Request
from tests.bot.telegram_server import TelegramServer
from tests.bot.telegram_updates import SECRET_HEADER


@pytest.fixture
def server() -> Iterator[TelegramServer]:
    with TelegramServer() as server:
        yield server


@pytest.fixture
def anna(server: TelegramServer) -> Person:
    return server.user(7, language_code="ru", first_name="Анна")


@pytest.fixture
async def bot(server: TelegramServer) -> AsyncIterator[Bot]:
    async with connected(server.base_url, server.token) as bot:
        yield bot


async def test_updates_come_until_they_are_confirmed(server: TelegramServer, bot: Bot, anna: Person) -> None:
    anna.say("one")
    anna.say("two")
    first, second = await bot.get_updates()
    assert [update.update_id for update in await bot.get_updates()] == [first.update_id, second.update_id]
    assert await bot.get_updates(offset=first.update_id + 1, limit=1) == [second]
    assert await bot.get_updates(offset=second.update_id + 1) == []
    assert server.updates.pending == []


async def test_only_the_kinds_that_were_asked_for_come(server: TelegramServer, bot: Bot, anna: Person) -> None:
    await bot.get_updates(allowed_updates=["edited_message"])
    message = anna.say("one")
    anna.edit(message, "two")
    (update,) = await bot.get_updates()
    assert update.edited_message
    assert update.edited_message.text == "two"


async def test_a_poll_waits_for_an_update(server: TelegramServer, bot: Bot, anna: Person) -> None:
    waiting = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_for(lambda: server.updates.polled)
    anna.say("/start@library_test_bot, please")
    (update,) = await waiting
    assert update.message
    assert [(e.type, e.offset, e.length) for e in update.message.entities or ()] == [("bot_command", 0, 23)]
    assert update.message.from_user
    assert update.message.from_user.language_code == "ru"


async def test_a_second_poll_ends_the_first(server: TelegramServer, bot: Bot, anna: Person) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_for(lambda: server.updates.polled)
    second = asyncio.create_task(bot.get_updates(timeout=30))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates request"):
        await first
    anna.say("hello")
    assert len(await second) == 1


async def test_what_a_cut_off_poller_got_comes_again(server: TelegramServer, anna: Person) -> None:
    async with connected(server.base_url, server.token) as dying:
        waiting = asyncio.create_task(dying.get_updates(timeout=30))
        await server.wait_for(lambda: server.updates.polled)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await server.wait_for(lambda: not server.updates.polled)
    anna.say("hello")
    async with connected(server.base_url, server.token) as bot:
        assert len(await bot.get_updates()) == 1


async def test_an_aiogram_bot_converses_by_polling(server: TelegramServer, bot: Bot, anna: Person) -> None:
    dispatcher = Dispatcher()
    markup = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Yes", callback_data="yes")]])

    @dispatcher.message()
    async def echo(message: Received) -> None:
        await message.answer(f"{message.text}?", reply_markup=markup)

    @dispatcher.callback_query()
    async def pressed(query: CallbackQuery) -> None:
        assert isinstance(query.message, Received)
        await query.message.edit_text(f"{query.data}!")
        await query.answer()

    polling = asyncio.create_task(dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False))
    anna.say("Owls")
    message = await server.wait_for(lambda: server.last(anna))
    assert message.text == "Owls?"
    query = anna.press(message, "yes")
    await server.wait_for(lambda: query in server.answers)
    assert server.now(message).text == "yes!"
    await dispatcher.stop_polling()
    await polling


class Hook:
    """A webhook of a bot: answers each update with the next status, in the end with 200."""

    def __init__(self, *statuses: int, reply: Any = None) -> None:
        self.statuses = list(statuses)
        self.reply = reply
        self.posts: list[tuple[str | None, Any]] = []

    async def post(self, request: web.Request) -> web.Response:
        self.posts.append((request.headers.get(SECRET_HEADER), json.loads(await request.text())))
        status = self.statuses.pop(0) if self.statuses else 200
        return web.json_response(self.reply or {}, status=status)

    @property
    def texts(self) -> list[str]:
        return [update["message"]["text"] for _, update in self.posts]


async def serve(hook: Hook) -> web.AppRunner:
    application = web.Application()
    application.router.add_post("/hook", hook.post)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner


def url(runner: web.AppRunner) -> str:
    return f"http://127.0.0.1:{runner.addresses[0][1]}/hook"


async def test_a_webhook_gets_updates_in_order_until_it_takes_them(
    server: TelegramServer, bot: Bot, anna: Person
) -> None:
    hook = Hook(500, 403)
    server.updates.redelivery_seconds = 0
    runner = await serve(hook)
    anna.say("before")
    await bot.set_webhook(url(runner), secret_token="a-secret", allowed_updates=["message"])
    anna.edit(anna.say("after"), "not wanted")
    await server.wait_for(lambda: not server.updates.pending)
    assert hook.texts == ["before", "before", "before", "after"]
    assert {secret for secret, _ in hook.posts} == {"a-secret"}
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count) == (url(runner), 0)
    assert info.last_error_message == "Wrong response from the webhook: 403 Forbidden"
    with pytest.raises(TelegramConflictError, match="webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == []
    await runner.cleanup()


async def test_a_webhook_may_answer_with_a_method(server: TelegramServer, bot: Bot, anna: Person) -> None:
    runner = await serve(Hook(reply={"method": "sendMessage", "chat_id": 7, "text": "hello"}))
    await bot.set_webhook(url(runner))
    anna.say("hi")
    message = await server.wait_for(lambda: server.last(anna))
    assert message.text == "hello"
    await bot.delete_webhook()
    await runner.cleanup()


async def test_setting_a_webhook_ends_a_poll(server: TelegramServer, bot: Bot) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_for(lambda: server.updates.polled)
    await bot.set_webhook("http://127.0.0.1:9/hook")
    with pytest.raises(TelegramConflictError, match="terminated by setWebhook"):
        await polling


# Groups


async def test_a_group_has_numbers_of_its_own_and_keeps_ordinary_talk_to_itself(
    server: TelegramServer, bot: Bot, anna: Person
) -> None:
    club = server.group(-1001, "Club")
    anna.say("private")
    anna.say("not for bots", chat=club)
    anna.say("@library_test_bot who is the keeper?", chat=club)
    anna.say("/help@another_bot", chat=club)
    anna.say("/help", chat=club)
    sent = await bot.send_message(-1001, "help")
    anna.say("thanks", chat=club, reply_to=server.messages(club)[0])
    texts = [update.message and update.message.text for update in await bot.get_updates()]
    assert texts == ["private", "@library_test_bot who is the keeper?", "/help", "thanks"]
    assert sent.message_id == 5
    assert [message.id for message in server.history(anna)] == [1]


async def test_the_bot_is_taken_into_groups_and_out_of_them(server: TelegramServer, bot: Bot, anna: Person) -> None:
    club = server.group(-1001, "Club", bot_status="left", admins=(anna,))
    anna.add_bot(club)
    joined, welcome = await bot.get_updates()
    assert joined.my_chat_member
    assert joined.my_chat_member.new_chat_member.status == "member"
    assert welcome.message
    assert welcome.message.new_chat_members
    assert (await bot.get_chat_member(-1001, 7)).status == "administrator"
    assert (await bot.get_chat(-1001)).title == "Club"
    await bot.leave_chat(-1001)
    with pytest.raises(TelegramForbiddenError, match="not a member"):
        await bot.send_message(-1001, "text")
    anna.remove_bot(club)
    with pytest.raises(TelegramForbiddenError, match="kicked"):
        await bot.send_message(-1001, "text")


# Faults


FAULTS: list[tuple[Fault, type[Exception]]] = [
    (status(500), TelegramServerError),
    (too_many(3), TelegramRetryAfter),
    (garbage(), ClientDecodeError),
    (cut(), TelegramNetworkError),
]


@pytest.mark.parametrize(("fault", "outcome"), FAULTS, ids=["status", "429", "garbage", "cut"])
async def test_a_fault_happens_as_often_as_it_was_told_and_to_that_method(
    server: TelegramServer, bot: Bot, anna: Person, fault: Fault, outcome: type[Exception]
) -> None:
    server.fail(fault, times=2, method="sendMessage")
    await bot.get_me()
    for _ in range(2):
        with pytest.raises(outcome):
            await bot.send_message(7, "text")
    assert server.messages(anna) == []
    await bot.send_message(7, "text")


async def test_an_answer_can_be_lost_though_it_was_done(server: TelegramServer, bot: Bot, anna: Person) -> None:
    server.fail(cut_after())
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(7, "text")
    assert [message.text for message in server.messages(anna)] == ["text"]
    assert server.requests[-1].answer is None


async def test_an_answer_can_be_late(server: TelegramServer, bot: Bot) -> None:
    server.fail(delay(0.2))
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot.get_me(request_timeout=0.05)  # type: ignore[arg-type]


async def test_everything_is_cut_while_the_server_is_down(server: TelegramServer, bot: Bot, anna: Person) -> None:
    polling = asyncio.create_task(bot.get_updates(timeout=30))
    await server.wait_for(lambda: server.updates.polled)
    with server.down():
        with pytest.raises(TelegramNetworkError):
            await polling
        anna.say("are you there?")
        with pytest.raises(TelegramNetworkError):
            await bot.get_updates()
    assert len(await bot.get_updates()) == 1


async def test_too_many_messages_in_a_chat_are_put_off(bot: Bot, server: TelegramServer, anna: Person) -> None:
    server.per_chat_seconds, server.burst = 60, 2
    server.user(8)
    await bot.send_message(7, "one")
    sent = await bot.send_message(7, "two")
    for method in (bot.send_message(7, "three"), bot.edit_message_text("2", chat_id=7, message_id=sent.message_id)):
        with pytest.raises(TelegramRetryAfter) as caught:
            await method
        assert 1 < caught.value.retry_after <= 60
    await bot.send_message(8, "to somebody else")
    server.per_chat_seconds = None
    await bot.send_message(7, "three")


async def test_a_test_can_act_before_the_bot_gets_its_answer(server: TelegramServer, bot: Bot, anna: Person) -> None:
    seen: list[tuple[str, int]] = []

    def look(request: Request) -> None:
        seen.append((request.method, len(server.messages(anna))))

    server.before_answer = look
    await bot.send_message(7, "text")
    assert seen == [("sendMessage", 1)]
    assert server.calls("sendMessage")[0].parameters["text"] == "text"


async def test_fetching_a_file_may_fail_too(server: TelegramServer, bot: Bot, anna: Person) -> None:
    message = anna.send_file("маяк.fb2", b"<FictionBook/>")
    assert message.file
    server.fail(status(502), method="download")
    with pytest.raises(ClientResponseError):
        await bot.download(message.file.id)
    fetched = await bot.download(message.file.id)
    assert fetched
    assert fetched.read() == b"<FictionBook/>"
    assert len(server.calls("download")) == 2


async def test_what_does_not_happen_is_told_with_what_happened_instead(server: TelegramServer, bot: Bot) -> None:
    await bot.get_me()
    with pytest.raises(AssertionError, match="getMe"):
        await server.wait_for(lambda: False, 0.01)
    with pytest.raises(AssertionError, match="getMe"):
        server.wait(lambda: False, 0.01)
    assert server.wait(lambda: len(server.requests)) == 1


def test_as_a_process_of_its_own_it_shows_what_the_bot_says() -> None:
    async def converse(base_url: str, token: str) -> None:
        async with connected(base_url, token) as bot:
            (update,) = await bot.get_updates(timeout=10)
            assert update.message
            assert update.message.text == "Привет"
            await bot.send_rich_message(1, InputRichMessage(blocks=[InputRichBlockParagraph(text="И вам")]))

    line = [sys.executable, "-m", "tests.bot.telegram_server", "--language", "ru"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        base_url, token = process.stdout.readline().strip(), process.stdout.readline().strip()
        process.stdin.write("Привет\n")
        process.stdin.flush()
        asyncio.run(converse(base_url, token))
        assert process.stdout.readline() == "И вам\n"
        process.stdin.close()
    assert process.returncode == 0

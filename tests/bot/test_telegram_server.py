"""The tests' own Bot API server, driven by a real aiogram client."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    CallbackQuery,
    Downloadable,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputMediaPhoto,
    InputRichBlockParagraph,
    InputRichMessage,
    InputTextMessageContent,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
)
from aiogram.types import Message as Received
from aiohttp import web
from PIL import Image

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


def keyboard(*rows: list[tuple[str, str]]) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text=text, callback_data=data) for text, data in row] for row in rows]
    )


def entity(kind: str, offset: int, length: int) -> MessageEntity:
    return MessageEntity(type=kind, offset=offset, length=length)


def picture(width: int = 20, height: int = 10) -> BufferedInputFile:
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, "PNG")
    return BufferedInputFile(content.getvalue(), "page.png")


async def downloaded(bot: Bot, file: Downloadable) -> bytes:
    stream = await bot.download(file)
    assert stream
    return stream.read()


async def refused(bot: Bot, method: TelegramMethod[Any] | Any, reason: str) -> None:
    with pytest.raises(TelegramBadRequest, match=reason):
        await method


# Messages


async def test_a_message_arrives_with_everything_that_was_sent(server: TelegramServer, bot: Bot, anna: Person) -> None:
    question = anna.say("Кто это?")
    sent = await bot.send_message(
        7,
        "  Смотритель 🦉 маяка\n",
        entities=[entity("bold", 2, 10), entity("italic", 13, 3)],
        reply_markup=keyboard([("Ещё", "more"), ("Книга", "book:1")]),
        reply_parameters=ReplyParameters(message_id=question.id),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )
    assert (sent.text, sent.message_id) == ("Смотритель 🦉 маяка", 2)
    assert sent.reply_to_message
    assert sent.reply_to_message.text == "Кто это?"
    (message,) = server.messages(anna)
    assert message.text == sent.text
    assert message.marked("bold") == ["Смотритель"]
    assert message.marked("italic") == ["🦉 "]
    assert message.labels == ["Ещё", "Книга"]
    assert (message.reply_to, message.preview, message.links) == (question.id, False, ())
    assert [other.text for other in server.history(anna)] == ["Кто это?", message.text]


@pytest.mark.parametrize("text", ["", " \n ", "\u2060\u200b"])
async def test_an_empty_text_is_refused(bot: Bot, anna: Person, text: str) -> None:
    await refused(bot, bot.send_message(7, text), "message text is empty")


async def test_a_text_has_at_most_4096_units_of_utf16(bot: Bot, anna: Person) -> None:
    await bot.send_message(7, " " + "🦉" * 2048 + " ")
    await refused(bot, bot.send_message(7, "🦉" * 2048 + "!"), "message is too long")


BAD_ENTITIES = {
    "out of the text": [entity("bold", 0, 13)],
    "empty": [entity("bold", 0, 0)],
    "before the text": [entity("bold", -1, 2)],
    "cuts a character at its end": [entity("bold", 0, 1)],
    "cuts a character at its beginning": [entity("bold", 1, 3)],
    "of no known kind": [entity("blink", 2, 3)],
    "overlapping": [entity("bold", 2, 4), entity("italic", 4, 4)],
    "in itself": [entity("bold", 2, 8), entity("bold", 3, 2)],
    "quotation in a quotation": [entity("blockquote", 2, 8), entity("expandable_blockquote", 3, 2)],
    "something in code": [entity("code", 2, 8), entity("bold", 3, 2)],
    "code in something": [entity("bold", 2, 8), entity("pre", 3, 2)],
    "a link without an address": [entity("text_link", 2, 3)],
}


@pytest.mark.parametrize("entities", BAD_ENTITIES.values(), ids=BAD_ENTITIES)
async def test_entities_that_are_wrong_are_refused(bot: Bot, anna: Person, entities: list[MessageEntity]) -> None:
    with pytest.raises(TelegramBadRequest):
        await bot.send_message(7, "🦉 as an owl", entities=entities)


async def test_entities_may_nest_and_touch(server: TelegramServer, bot: Bot, anna: Person) -> None:
    entities = [entity("blockquote", 0, 9), entity("bold", 0, 4), entity("italic", 4, 5), entity("code", 9, 2)]
    await bot.send_message(7, "quotation, and", entities=entities)
    assert server.messages(anna)[0].marked("italic") == ["ation"]


async def test_an_entity_ends_where_the_trimmed_text_ends(server: TelegramServer, bot: Bot, anna: Person) -> None:
    await bot.send_message(7, " a b \n", entities=[entity("bold", 0, 6), entity("italic", 4, 2)])
    (message,) = server.messages(anna)
    assert [(e["type"], e["offset"], e["length"]) for e in message.entities] == [("bold", 0, 3)]


BAD_KEYBOARDS = {
    "data of 65 bytes": keyboard([("Ещё", "ё" * 32 + "!")]),
    "no data": keyboard([("Ещё", "")]),
    "no text": keyboard([("", "more")]),
    "101 buttons": keyboard(*[[("x", "y")]] * 101),
    "nothing to do": InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="x")]]),
    "two things to do": InlineKeyboardMarkup(
        inline_keyboard=[[InlineKeyboardButton(text="x", callback_data="y", url="https://example.com")]]
    ),
}


@pytest.mark.parametrize("markup", BAD_KEYBOARDS.values(), ids=BAD_KEYBOARDS)
async def test_keyboards_that_are_wrong_are_refused(bot: Bot, anna: Person, markup: InlineKeyboardMarkup) -> None:
    with pytest.raises(TelegramBadRequest):
        await bot.send_message(7, "text", reply_markup=markup)
    await bot.send_message(7, "text", reply_markup=keyboard(*[[("x", "ё" * 32)]] * 100))


async def test_who_does_not_exist_or_has_blocked_the_bot_gets_nothing(server: TelegramServer, bot: Bot) -> None:
    await refused(bot, bot.send_message(404, "text"), "chat not found")
    boris = server.user(8)
    boris.block()
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await bot.send_message(8, "text")
    boris.unblock()
    await bot.send_message(8, "text")


async def test_another_token_opens_nothing(server: TelegramServer) -> None:
    async with connected(server.base_url, "1:another") as bot:
        with pytest.raises(TelegramUnauthorizedError):
            await bot.get_me()


async def test_a_method_that_is_not_there(server: TelegramServer, bot: Bot) -> None:
    with pytest.raises(TelegramNotFound):
        await bot.get_my_star_balance()


async def test_replies_need_their_message(bot: Bot, anna: Person) -> None:
    await refused(
        bot, bot.send_message(7, "text", reply_parameters=ReplyParameters(message_id=99)), "message to be replied not"
    )
    sent = await bot.send_message(
        7, "text", reply_parameters=ReplyParameters(message_id=99, allow_sending_without_reply=True)
    )
    assert sent.reply_to_message is None


# Edits


async def test_an_edit_changes_the_message_and_drops_the_keyboard(
    server: TelegramServer, bot: Bot, anna: Person
) -> None:
    sent = await bot.send_message(7, "one", reply_markup=keyboard([("x", "y")]))
    await bot.edit_message_text("two", chat_id=7, message_id=sent.message_id, entities=[entity("bold", 0, 3)])
    (message,) = server.messages(anna)
    assert (message.text, message.marked("bold"), message.buttons, message.edits) == ("two", ["two"], [], 1)
    await bot.edit_message_reply_markup(chat_id=7, message_id=sent.message_id, reply_markup=keyboard([("z", "y")]))
    assert server.now(message).labels == ["z"]
    assert server.now(message).text == "two"


async def test_an_edit_must_change_something_and_find_its_message(bot: Bot, anna: Person) -> None:
    sent = await bot.send_message(7, "one")
    number = sent.message_id
    await refused(bot, bot.edit_message_text("one", chat_id=7, message_id=number), "message is not modified")
    await refused(bot, bot.edit_message_text("two", chat_id=7, message_id=99), "message to edit not found")
    await refused(bot, bot.edit_message_text("x" * 4097, chat_id=7, message_id=number), "message is too long")
    question = anna.say("three")
    await refused(bot, bot.edit_message_text("x", chat_id=7, message_id=question.id), "message can't be edited")
    await bot.delete_message(7, number)
    await refused(bot, bot.edit_message_text("two", chat_id=7, message_id=number), "message to edit not found")
    await refused(bot, bot.delete_message(7, number), "message to delete not found")


# Files


async def test_a_photo_arrives_and_can_be_exchanged(server: TelegramServer, bot: Bot, anna: Person) -> None:
    page, other = picture(), picture(40, 30)
    sent = await bot.send_photo(7, page, caption="Page 12", caption_entities=[entity("bold", 0, 4)])
    assert sent.photo
    assert (sent.photo[0].width, sent.photo[0].height, sent.caption) == (20, 10, "Page 12")
    (message,) = server.messages(anna)
    assert (message.photo, message.text, message.marked("bold")) == (page.data, "Page 12", ["Page"])
    await bot.edit_message_media(InputMediaPhoto(media=other, caption="Page 13"), chat_id=7, message_id=sent.message_id)
    assert server.now(message).photo == other.data
    await bot.send_photo(7, sent.photo[0].file_id)
    assert server.messages(anna)[-1].photo == page.data
    await refused(bot, bot.edit_message_text("x", chat_id=7, message_id=sent.message_id), "there is no text")
    await bot.edit_message_caption(chat_id=7, message_id=sent.message_id, caption="Page 14")
    assert server.now(message).text == "Page 14"


async def test_what_is_no_photo_for_telegram(bot: Bot, anna: Person) -> None:
    await refused(bot, bot.send_photo(7, picture(), caption="x" * 1025), "caption is too long")
    await refused(bot, bot.send_photo(7, BufferedInputFile(b"text", "page.png")), "IMAGE_PROCESS_FAILED")
    await refused(bot, bot.send_photo(7, picture(210, 10)), "PHOTO_INVALID_DIMENSIONS")
    await refused(bot, bot.send_photo(7, "nothing"), "wrong remote file identifier")


async def test_a_document_arrives(server: TelegramServer, bot: Bot, anna: Person) -> None:
    sent = await bot.send_document(7, BufferedInputFile(b"what was said", "answers.md"), caption="Answers")
    assert sent.document
    assert sent.document.file_name == "answers.md"
    assert server.messages(anna)[0].document == b"what was said"


async def test_a_persons_file_can_be_downloaded_up_to_20_mb(server: TelegramServer, bot: Bot, anna: Person) -> None:
    anna.send_file("маяк.fb2", b"<FictionBook/>", caption="for you")
    anna.send_file("large.pdf", size=20 * 2**20 + 1)
    anna.voice(b"OggS...")
    book, large, voice = [update.message for update in await bot.get_updates()]
    assert book
    assert large
    assert voice
    assert book.document
    assert large.document
    assert voice.voice
    assert (book.document.file_name, book.caption) == ("маяк.fb2", "for you")
    assert large.document.file_size == 20 * 2**20 + 1
    assert await downloaded(bot, book.document) == b"<FictionBook/>"
    assert await downloaded(bot, voice.voice) == b"OggS..."
    await refused(bot, bot.get_file(large.document.file_id), "file is too big")


# Drafts


async def test_drafts_are_seen_in_private_chats_and_can_be_stopped(
    server: TelegramServer, bot: Bot, anna: Person
) -> None:
    await bot.send_message_draft(7, 5)
    await bot.send_message_draft(7, 5, text="The keeper", can_stop=True)
    await bot.send_rich_message_draft(7, 5, InputRichMessage(markdown="The keeper **stops**"))
    assert [(draft.id, draft.text) for draft in server.drafts][:2] == [(5, ""), (5, "The keeper")]
    assert server.messages(anna) == []
    with pytest.raises(AssertionError, match="no button"):
        anna.stop(server.drafts[0])
    anna.stop(server.drafts[1])
    (update,) = await bot.get_updates()
    assert update.stopped_message_generation
    assert (update.stopped_message_generation.draft_id, update.stopped_message_generation.chat.id) == (5, 7)


async def test_drafts_that_are_refused(server: TelegramServer, bot: Bot, anna: Person) -> None:
    server.group(-100, "Club")
    await refused(bot, bot.send_message_draft(7, 0, text="x"), "Bad Request")
    await refused(bot, bot.send_message_draft(-100, 1, text="x"), "Bad Request")
    await refused(bot, bot.send_message_draft(7, 1, text="x" * 4097), "too long")


# Buttons and inline queries


async def test_a_press_is_answered_once(server: TelegramServer, bot: Bot, anna: Person) -> None:
    await bot.send_message(7, "text", reply_markup=keyboard([("More", "more:1")]))
    (message,) = server.messages(anna)
    with pytest.raises(AssertionError, match="none of the buttons"):
        anna.press(message, "Less")
    query = anna.press(message, "More")
    (update,) = await bot.get_updates()
    assert update.callback_query
    assert (update.callback_query.data, update.callback_query.from_user.id) == ("more:1", 7)
    assert isinstance(update.callback_query.message, Received)
    await refused(bot, bot.answer_callback_query(query, text="x" * 201), "MESSAGE_TOO_LONG")
    await bot.answer_callback_query(query, text="123", show_alert=True)
    assert server.answers[query]["text"] == "123"
    assert server.answers[query]["show_alert"] is True
    await refused(bot, bot.answer_callback_query(query), "query is too old")
    await refused(bot, bot.answer_callback_query("1"), "query is too old")


async def test_a_callback_can_be_forged_and_its_message_be_gone(server: TelegramServer, bot: Bot, anna: Person) -> None:
    sent = await bot.send_message(7, "text")
    (message,) = server.messages(anna)
    anna.forge(message, "delete:everything")
    await bot.delete_message(7, sent.message_id)
    anna.forge(message, "again")
    first, second = [update.callback_query for update in await bot.get_updates()]
    assert first
    assert second
    assert first.data == "delete:everything"
    assert second.message
    assert not isinstance(second.message, Received)


def article(number: int | str, text: str = "text") -> InlineQueryResultArticle:
    return InlineQueryResultArticle(
        id=str(number), title="A title", input_message_content=InputTextMessageContent(message_text=text)
    )


async def test_an_inline_query_is_answered(server: TelegramServer, bot: Bot, anna: Person) -> None:
    query = anna.inline("keeper")
    (update,) = await bot.get_updates()
    assert update.inline_query
    assert update.inline_query.query == "keeper"
    for wrong in (
        [article(number) for number in range(51)],
        [article(1), article(1)],
        [article("ё" * 33)],
        [article("")],
        [article(1, "x" * 4097)],
    ):
        with pytest.raises(TelegramBadRequest):
            await bot.answer_inline_query(query, [*wrong])
    await bot.answer_inline_query(query, [article(number) for number in range(50)], cache_time=0)
    assert len(server.answers[query]["results"]) == 50
    await refused(bot, bot.answer_inline_query(query, []), "query is too old")


# Updates


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

    @dispatcher.message()
    async def echo(message: Received) -> None:
        await message.answer(f"{message.text}?", reply_markup=keyboard([("Yes", "yes")]))

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
    with pytest.raises(TelegramForbiddenError, match="kicked"):
        await bot.send_message(-1001, "text")
    anna.remove_bot(club)
    with pytest.raises(TelegramForbiddenError, match="kicked"):
        await bot.send_message(-1001, "text")


async def test_what_a_bot_sets_is_kept(server: TelegramServer, bot: Bot, anna: Person) -> None:
    await bot.set_my_commands([BotCommand(command="help", description="?")], language_code="ru")
    await bot.set_my_short_description("12")
    assert server.settings["commands", "default", "ru"]["commands"][0]["command"] == "help"
    assert server.settings["short_description", "default", ""]["short_description"] == "12"
    await bot.send_chat_action(7, "typing")
    await refused(bot, bot.send_chat_action(7, "sleeping"), "wrong parameter action")


# Faults


FAULTS: list[tuple[Fault, type[Exception]]] = [
    (status(500), TelegramServerError),
    (too_many(3), TelegramRetryAfter),
    (garbage(), ClientDecodeError),
    (cut(), TelegramNetworkError),
    (cut_after(), TelegramNetworkError),
]


@pytest.mark.parametrize(("fault", "outcome"), FAULTS, ids=["status", "429", "garbage", "cut", "cut after"])
async def test_a_fault_happens_as_often_as_it_was_told_and_to_that_method(
    server: TelegramServer, bot: Bot, anna: Person, fault: Fault, outcome: type[Exception]
) -> None:
    server.fail(fault, times=2, method="sendMessage")
    await bot.get_me()
    for _ in range(2):
        with pytest.raises(outcome):
            await bot.send_message(7, "text")
    assert len(server.messages(anna)) == (2 if server.requests[-1].answer is None and fault is FAULTS[4][0] else 0)
    await bot.send_message(7, "text")


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

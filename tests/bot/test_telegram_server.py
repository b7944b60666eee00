"""The tests' own Bot API server, driven by a real aiogram client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNotFound,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import (
    BotCommand,
    BufferedInputFile,
    Downloadable,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InlineQueryResultArticle,
    InputMediaPhoto,
    InputRichBlockBlockQuotation,
    InputRichBlockParagraph,
    InputRichMessage,
    InputTextMessageContent,
    LinkPreviewOptions,
    MessageEntity,
    ReplyParameters,
    RichTextBold,
)
from aiogram.types import Message as Received

from ai_library_bot.readers import png
from tests.bot.client import connected
from tests.bot.telegram_people import Person
from tests.bot.telegram_server import TelegramServer


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
    return BufferedInputFile(png.encode(width, height, [bytes(3 * width)] * height), "page.png")


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


# The rest


async def test_what_a_bot_sets_is_kept(server: TelegramServer, bot: Bot) -> None:
    await bot.set_my_commands([BotCommand(command="help", description="?")], language_code="ru")
    await bot.set_my_short_description("12")
    assert server.settings["commands", "default", "ru"]["commands"][0]["command"] == "help"
    assert server.settings["short_description", "default", ""]["short_description"] == "12"
    for wrong in ("Help", "помощь", "h" * 33):
        await refused(bot, bot.set_my_commands([BotCommand(command=wrong, description="?")]), "BOT_COMMAND_INVALID")
    await refused(bot, bot.set_my_short_description("x" * 121), "too long")


async def test_chat_actions(bot: Bot, anna: Person) -> None:
    await bot.send_chat_action(7, "typing")
    await refused(bot, bot.send_chat_action(7, "sleeping"), "wrong parameter action")


async def test_rich_messages_and_what_can_be_tapped_in_them(server: TelegramServer, bot: Bot, anna: Person) -> None:
    quotation = InputRichBlockBlockQuotation(
        blocks=[InputRichBlockParagraph(text=["Go to ", RichTextBold(text="a.com")])]
    )
    sent = await bot.send_rich_message(
        7, InputRichMessage(blocks=[quotation]), reply_markup=keyboard([("More", "more")])
    )
    assert sent.rich_message
    (message,) = server.messages(anna)
    assert (message.text, message.labels, [link.text for link in message.links]) == ("Go to a.com", ["More"], ["a.com"])
    number = sent.message_id
    plain = InputRichMessage(blocks=[quotation], skip_entity_detection=True)
    await bot.edit_message_text(chat_id=7, message_id=number, rich_message=plain)
    assert server.now(message).links == ()
    await refused(bot, bot.edit_message_text(chat_id=7, message_id=number, rich_message=plain), "not modified")
    await refused(bot, bot.send_rich_message(7, InputRichMessage(markdown="x", html="x")), "exactly one")
    await bot.edit_message_text("plain", chat_id=7, message_id=number)
    assert (server.now(message).rich, server.now(message).text) == (None, "plain")

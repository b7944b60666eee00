"""A dialogue that needs neither token nor network: the real bot, and a Telegram that only writes down."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.methods import AnswerCallbackQuery, EditMessageText, SendMessage, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import CallbackQuery, Chat, InlineKeyboardMarkup, Message, Update, User

from ai_library_bot.bot.assembly import assemble
from ai_library_bot.bot.layout import JOINER
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.errors import MissingInput
from ai_library_bot.library import Library
from ai_library_bot.locales import messages
from ai_library_bot.settings import OPENAI, Settings

_ME = User(id=1, is_bot=True, first_name="Library", username="your_library_bot")
_TOKEN = "1:dry-run"  # noqa: S105 - nobody's

_FIRST_SENTENCE = 300  # characters of a book that are asked for, where it does not answer our question


class Line(NamedTuple):
    """What somebody says in the dialogue; `buttons` are under a message of the bot, row by row."""

    by_bot: bool
    text: str
    buttons: list[list[str]]


class _Notebook(BaseSession):
    """Telegram, as far as a dialogue needs it: takes what is sent, and keeps the messages."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self.last_with_buttons: Message | None = None
        self._numbers = itertools.count(1)

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ARG002, ASYNC109 - aiogram calls it so
    ) -> TelegramType:
        result: Any = True
        if isinstance(method, (SendMessage, EditMessageText)):
            result = self.message(bot, str(method.text), method.reply_markup)
            self.lines.append(Line(True, result.text.replace(JOINER, ""), _labels(method.reply_markup)))
            if method.reply_markup:
                self.last_with_buttons = result
        elif isinstance(method, AnswerCallbackQuery) and method.text:
            self.lines.append(Line(True, method.text, []))
        return cast("TelegramType", result)

    def message(self, bot: Bot, text: str, buttons: object = None, by: User = _ME) -> Message:
        """A message in the one chat there is."""
        made = Message(
            message_id=next(self._numbers),
            date=datetime.fromtimestamp(time.time(), UTC),
            chat=Chat(id=_PERSON, type="private"),
            from_user=by,
            text=text,
            reply_markup=buttons if isinstance(buttons, InlineKeyboardMarkup) else None,
        )
        return made.as_(bot)

    async def close(self) -> None:
        """There is nothing to close."""

    async def stream_content(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        """There are no files."""
        yield b""


_PERSON = 2


async def dialogue(settings: Settings) -> list[Line]:
    """/start, a question, a button of its answer, and a question that the books do not answer.

    The books are those of the index; where there is none yet, those of BOOKS_PATH, read for this time only. No model is
    asked. Raises as `Library.ingest`.
    """
    with TemporaryDirectory() as folder:
        changes: dict[str, Any] = {
            "openai_api_key": None,
            "openai_base_url": OPENAI,
            "embedder": "none",
            "rerank_url": None,
            "rerank_model": None,
            "cache_backend": "none",
            "metrics_port": None,
            "tg_public": True,
        }
        settings = settings.model_copy(update=changes)
        try:
            Library(settings).books()
        except MissingInput:
            settings = settings.model_copy(update={"faiss_path": Path(folder)})
            async with Library.open(settings) as library:
                await library.ingest()
        async with Library.open(settings) as library:
            return await _talk(library, settings, Path(folder))


async def _talk(library: Library, settings: Settings, folder: Path) -> list[Line]:
    say = messages(settings.library_lang)
    person = User(id=_PERSON, is_bot=False, first_name="You", language_code=settings.library_lang)
    notebook = _Notebook()
    bot = Bot(_TOKEN, notebook, DefaultBotProperties(link_preview_is_disabled=True))
    store = SqliteStore(folder / "bot.sqlite")
    me = _ME.model_copy(update={"first_name": say("serve.bot")})
    inbox = assemble(bot, me, library, store, settings, shared=False).inbox
    numbers = itertools.count(1)

    async def take(**what: Any) -> None:
        await inbox.accept([Update(update_id=next(numbers), **what)])
        await inbox.idle()

    async def speak(text: str) -> None:
        notebook.lines.append(Line(False, text, []))
        await take(message=notebook.message(bot, text, by=person))

    async def press(row: int) -> None:
        message = notebook.last_with_buttons
        if message is None or message.reply_markup is None:
            return
        button = message.reply_markup.inline_keyboard[row][0]
        notebook.lines.append(Line(False, button.text, []))
        pressed = CallbackQuery(id="1", from_user=person, chat_instance="1", message=message, data=button.callback_data)
        await take(callback_query=pressed)

    try:
        await speak("/start")
        await speak(await _a_question(library, say("bot.demo.question")))
        await press(0)
        await speak(say("bot.demo.unanswered"))
    finally:
        await store.close()
    return notebook.lines


async def _a_question(library: Library, wanted: str) -> str:
    """The question for the sample books, or for books of somebody's own the first words of one of them."""
    if (await library.ask(wanted)).found:
        return wanted
    for book in library.books():
        if book.passages:
            return library.show(f"{book.id}:0000").passage.text[:_FIRST_SENTENCE].splitlines()[0]
    return wanted


def _labels(markup: object) -> list[list[str]]:
    if not isinstance(markup, InlineKeyboardMarkup):
        return []
    return [[button.text for button in row] for row in markup.inline_keyboard]

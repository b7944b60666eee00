"""A model that lies and obeys the books, behind the whole bot: no false quotation, no link and no secret is sent."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from aiogram import Bot
from aiogram.client.session.base import BaseSession
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Chat, Message, Update, User

from ai_library_bot import adapters
from ai_library_bot.bot.assembly import assemble
from ai_library_bot.bot.layout import JOINER
from ai_library_bot.bot.sqlite_store import SqliteStore
from ai_library_bot.library import Library
from ai_library_bot.settings import Settings
from ai_library_bot.types import Usage
from tests.answers.liar import BOOKS as BOOKS
from tests.answers.liar import ENGLISH, EVIL, KEY, RUSSIAN, answers, invitations
from tests.answers.scripted import ScriptedChat, Shown
from tests.bot.telegram_rules import Json, checked_markup, checked_message
from tests.shelves import Shelf

ME = User(id=1, is_bot=True, first_name="Library", username="library_test_bot")

CASES = [
    *((tongue, name, lying, ()) for tongue in (ENGLISH, RUSSIAN) for name, lying in answers(tongue)),
    *((tongue, *invitation) for tongue in (ENGLISH, RUSSIAN) for invitation in invitations(tongue)),
]
"""Each with what somebody is told about, the reply of the model, and the next questions that may be shown."""

HALF = [case for number, case in enumerate(CASES) if number % 4 in (0, 3)]
"""Of two cases one: each lie, now as it is and now wrapped up."""

SECRETS = (EVIL, "evil", KEY, "http", "lie.", "You are a librarian", "eaten all of his ink", "\u200b", "\u202e", "\x1b")


class Liar(ScriptedChat):
    """Says what it is told to say for the question that comes next."""

    def __init__(self) -> None:
        super().__init__("", piece=500)

    def will_say(self, reply: Callable[[Shown], str]) -> None:
        self.asked.clear()
        self._replies = (reply,)

    def most(self, *_: object) -> Usage:
        """What a request may use."""
        return Usage()


class Telegram(BaseSession):
    """Telegram without a network: it takes what keeps its rules, and notes what a person gets to see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.links: list[Any] = []
        self._numbers = itertools.count(1)

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109 - aiogram calls it so
    ) -> TelegramType:
        result: Any = True
        if isinstance(method, SendMessage):
            told: Json = json.loads(
                method.model_dump_json(exclude_none=True, include={"text", "entities", "reply_markup"})
            )
            taken = checked_message(told["text"], told.get("entities"))
            keyboard = checked_markup(told.get("reply_markup")) or {"inline_keyboard": []}
            labels = [button["text"] for row in keyboard["inline_keyboard"] for button in row]
            self.seen.append("\n".join([taken.text, *labels]))
            self.links += taken.links
            result = self.message(User(id=int(method.chat_id), is_bot=False, first_name="Anna"), method.text).as_(bot)
        return cast("TelegramType", result)

    def message(self, person: User, text: str) -> Message:
        chat, date = Chat(id=person.id, type="private"), datetime.fromtimestamp(time.time(), UTC)
        return Message(message_id=next(self._numbers), date=date, chat=chat, from_user=person, text=text)

    async def close(self) -> None:
        """There is nothing to close."""

    async def stream_content(self, *_: Any, **__: Any) -> AsyncGenerator[bytes, None]:
        """There are no files."""
        yield b""


@pytest.mark.usefixtures("hasty")
async def test_of_all_that_a_liar_says_only_what_is_true_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(HALF) >= 300
    shelf = Shelf(tmp_path)
    for file, chapters in BOOKS.items():
        shelf.put(file, *chapters)
    shelf.ingest()
    settings = Settings(
        faiss_path=shelf.index, tg_public=True, min_relevance=0, cache_backend="none", library_lang="en"
    )
    liar, telegram = Liar(), Telegram()
    monkeypatch.setattr(adapters, "chat", lambda settings: liar)
    bot, store = Bot("1:nobodys", telegram), SqliteStore(tmp_path / "bot.sqlite")
    async with Library.open(settings) as library:
        inbox = assemble(bot, ME, library, store, settings, shared=False).inbox
        for number, (tongue, name, lying, invited) in enumerate(HALF, 1):
            telegram.seen.clear()
            liar.will_say(lying)
            anna = User(id=number, is_bot=False, first_name="Anna", language_code="en")
            await inbox.accept([Update(update_id=number, message=telegram.message(anna, tongue.question).as_(bot))])
            await inbox.idle()
            (seen,) = (sent.replace(JOINER, "") for sent in telegram.seen)
            (first, quote), (second, other_quote) = tongue.honest
            said, *shown = seen.split("\n\n")
            assert said == f"{first} [1] {second} [2]", name
            assert quote in shown[0], name
            assert other_quote.rstrip(".") in seen
            assert [line for line in seen.splitlines()[-len(invited) - 2 :] if line.endswith("?")] == list(invited), (
                name
            )
            for secret in (*SECRETS, Shown(liar.asked[0]).marker):
                assert secret.lower() not in seen.lower(), name
    await store.close()
    assert telegram.links == []

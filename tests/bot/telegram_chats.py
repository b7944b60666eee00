"""What Telegram keeps: chats with their messages, files, drafts; and how it tells of them in JSON."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from tests.bot import telegram_rich
from tests.bot.telegram_links import Link
from tests.bot.telegram_rules import Json, Refusal, bad

BOT: Json = {"id": 1_000_001, "is_bot": True, "first_name": "Library", "username": "library_test_bot"}

LARGEST_DOWNLOAD = 20 * 2**20


@dataclass(frozen=True, slots=True)
class File:
    """A file on Telegram's side. `size` is what Telegram says; tests need not make 20 MB to speak of them."""

    id: str
    kind: str
    name: str
    content: bytes
    size: int
    width: int = 0
    height: int = 0

    @property
    def path(self) -> str:
        ending = re.search(r"\.\w+$", self.name, re.ASCII)
        return f"{self.kind}s/{self.id}{ending[0] if ending else ''}"

    def as_json(self) -> Json:
        told: Json = {"file_id": self.id, "file_unique_id": f"u{self.id}", "file_size": self.size}
        if self.kind == "photo":
            return told | {"width": self.width, "height": self.height}
        if self.kind == "voice":
            return told | {"duration": 1, "mime_type": "audio/ogg"}
        return told | {"file_name": self.name}


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it stands in a chat now; an edit replaces it by another one with the same number.

    `text` is also the caption of a photo or a file, and all the text of a rich message. `links` are what a reader can
    tap in it, `preview` is whether Telegram may show a preview of one. `edits` counts the edits.
    """

    chat_id: int
    id: int
    sender: Json
    text: str = ""
    entities: tuple[Json, ...] = ()
    links: tuple[Link, ...] = ()
    rich: Json | None = None
    file: File | None = None
    reply_markup: Json | None = None
    reply_to: int | None = None
    preview: bool = False
    silent: bool = False
    edits: int = 0
    via_bot: bool = False
    service: tuple[tuple[str, Any], ...] = ()
    date: int = field(default_factory=lambda: int(time.time()))

    @property
    def by_bot(self) -> bool:
        return bool(self.sender["is_bot"])

    @property
    def photo(self) -> bytes | None:
        return self.file.content if self.file and self.file.kind == "photo" else None

    @property
    def document(self) -> bytes | None:
        return self.file.content if self.file and self.file.kind == "document" else None

    @property
    def rows(self) -> list[list[Json]]:
        """The inline keyboard, row by row."""
        return list(self.reply_markup["inline_keyboard"]) if self.reply_markup else []

    @property
    def buttons(self) -> list[Json]:
        """Every button, those inside a rich message after those under it."""
        inside = telegram_rich.buttons(self.rich) if self.rich else ()
        return [*(button for row in self.rows for button in row), *inside]

    @property
    def labels(self) -> list[Any]:
        """What the buttons say."""
        return [button["text"] for button in self.buttons]

    def marked(self, kind: str) -> list[str]:
        """The pieces of the text that entities of this kind mark."""
        units = self.text.encode("utf-16-le")
        return [
            units[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])].decode("utf-16-le")
            for entity in self.entities
            if entity["type"] == kind
        ]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reader sees of a message that is still being written."""

    chat_id: int
    id: int
    text: str
    entities: tuple[Json, ...] = ()
    links: tuple[Link, ...] = ()
    rich: Json | None = None
    can_stop: bool = False
    keep_on_stop: bool = False
    time: float = field(default_factory=time.monotonic)


@dataclass
class Chat:
    """A private chat, its id is the person's, or a group."""

    id: int
    about: Json
    bot_status: str = "member"
    members: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    last_id: int = 0
    _allowance: float | None = None
    _counted: float = 0

    @property
    def private(self) -> bool:
        return bool(self.about["type"] == "private")

    @property
    def as_json(self) -> Json:
        return {"id": self.id} | self.about

    def add(self, sender: Json, **fields: Any) -> Message:
        """A new message with the next number."""
        self.last_id += 1
        message = Message(self.id, self.last_id, sender, **fields)
        self.messages[message.id] = message
        return message

    def change(self, message: Message, **fields: Any) -> Message:
        """The message after an edit."""
        changed = replace(message, edits=message.edits + 1, **fields)
        self.messages[message.id] = changed
        return changed

    def check_bot_may_write(self) -> None:
        if self.bot_status in ("member", "administrator"):
            return
        if self.private:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        if self.bot_status == "left":
            raise Refusal(403, "Forbidden: bot is not a member of the supergroup chat")
        raise Refusal(403, "Forbidden: bot was kicked from the supergroup chat")

    def count_message(self, seconds: float | None, burst: int) -> None:
        """One more message by the bot: one in so many seconds is free, and `burst` at once."""
        if seconds is None:
            return
        now = time.monotonic()
        allowance = burst if self._allowance is None else self._allowance + (now - self._counted) / seconds
        self._allowance, self._counted = min(allowance, burst), now
        if self._allowance < 1:
            wait = max(1, ceil((1 - self._allowance) * seconds))
            raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        self._allowance -= 1

    def told(self, message: Message, *, deep: bool = True) -> Json:
        """The message as Telegram tells of it; what it answers to only one level deep."""
        return dict(self._fields(message, deep=deep))

    def _fields(self, message: Message, *, deep: bool) -> Iterator[tuple[str, Any]]:
        yield from (("message_id", message.id), ("from", message.sender), ("chat", self.as_json))
        yield ("date", message.date)
        if message.edits:
            yield ("edit_date", message.date)
        if message.rich is not None:
            yield ("rich_message", telegram_rich.shown(message.rich, message.text))
        elif message.file:
            file = message.file.as_json()
            yield (message.file.kind, [file] if message.file.kind == "photo" else file)
        if message.text and message.rich is None:
            yield ("caption" if message.file else "text", message.text)
            if message.entities:
                yield ("caption_entities" if message.file else "entities", list(message.entities))
        if message.reply_markup:
            yield ("reply_markup", message.reply_markup)
        if message.via_bot:
            yield ("via_bot", BOT)
        if deep and message.reply_to in self.messages:
            yield ("reply_to_message", self.told(self.messages[message.reply_to], deep=False))
        yield from message.service


def message_in(chat: Chat, message_id: Any, *, to: str) -> Message:
    """The message with this number; `Refusal` if there is none."""
    message = chat.messages.get(message_id)
    if message is None:
        raise bad(f"message to {to} not found")
    return message

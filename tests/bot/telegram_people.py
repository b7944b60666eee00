"""The people of a test: they write to the bot, press its buttons, send it files, block it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.bot.telegram_chats import BOT, Chat, Draft, Message
from tests.bot.telegram_links import found
from tests.bot.telegram_methods import member
from tests.bot.telegram_rules import Json, utf16

if TYPE_CHECKING:
    from tests.bot.telegram_server import TelegramServer


@dataclass(frozen=True, slots=True)
class Group:
    """A group chat; whoever writes there belongs to it."""

    id: int
    title: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with Telegram. What they do is done when the method returns, and the bot's update is on its way."""

    server: TelegramServer
    id: int
    first_name: str = "Anna"
    language_code: str | None = "en"
    username: str | None = None

    @property
    def as_json(self) -> Json:
        told = {"id": self.id, "is_bot": False, "first_name": self.first_name}
        more = {"language_code": self.language_code, "username": self.username}
        return told | {name: value for name, value in more.items() if value}

    def say(self, text: str, *, chat: Group | None = None, reply_to: Message | None = None) -> Message:
        """Writes to the bot, or into a group."""
        text = text.strip()
        return self._post(chat, reply_to, text=text, entities=_entities(text))

    def edit(self, message: Message, text: str) -> Message:
        """Rewrites a message of one's own."""

        def act() -> Message:
            chat = self.server.chats[message.chat_id]
            assert chat.messages[message.id].sender["id"] == self.id, "that is somebody else's message"
            edited = chat.change(chat.messages[message.id], text=text, entities=_entities(text))
            if self._reaches_the_bot(chat, edited):
                self.server.updates.add("edited_message", chat.id, chat.told(edited))
            return edited

        return self.server.act(act)

    def send_file(
        self, name: str, content: bytes = b"", *, size: int | None = None, chat: Group | None = None, caption: str = ""
    ) -> Message:
        """Sends a document; with `size` it counts as that large whatever its content."""
        return self._send("document", name, content, size, chat, caption)

    def voice(self, content: bytes = b"OggS", *, chat: Group | None = None) -> Message:
        return self._send("voice", "voice.ogg", content, None, chat, "")

    def photo(self, content: bytes, *, chat: Group | None = None, caption: str = "") -> Message:
        return self._send("photo", "photo.png", content, None, chat, caption)

    def press(self, message: Message, wanted: str) -> str:
        """Presses the button that says this or has this for data. Returns the query's id, see `server.answers`."""
        message = self.server.now(message)
        for button in message.buttons:
            if wanted in (button["text"], button.get("callback_data")):
                assert "callback_data" in button, f"{wanted!r} is no button that tells the bot"
                return self.forge(message, button["callback_data"])
        raise AssertionError(f"{wanted!r} is none of the buttons: {message.labels} of {message.text!r}")

    def forge(self, message: Message, data: str) -> str:
        """Sends the bot a callback with any data, as a changed client can."""

        def act() -> str:
            chat = self.server.chats[message.chat_id]
            query = self.server.new_query()
            told: Json = {"id": query, "from": self.as_json, "chat_instance": str(chat.id), "data": data}
            current = chat.messages.get(message.id)
            told["message"] = (
                chat.told(current)
                if current
                else {"chat": chat.as_json, "message_id": message.id, "date": 0}  # inaccessible
            )
            self.server.updates.add("callback_query", chat.id, told)
            return query

        return self.server.act(act)

    def inline(self, words: str, *, offset: str = "") -> str:
        """Types `@bot words` in some chat. Returns the query's id, see `server.answers`."""

        def act() -> str:
            query = self.server.new_query()
            told = {"id": query, "from": self.as_json, "query": words, "offset": offset, "chat_type": "private"}
            self.server.updates.add("inline_query", self.id, told)
            return query

        return self.server.act(act)

    def stop(self, draft: Draft) -> None:
        """Presses Stop under a draft."""
        assert draft.can_stop, "this draft has no button to stop it"
        assert draft.chat_id == self.id, "that is somebody else's chat"

        def act() -> None:
            chat = self.server.chats[self.id]
            self.server.updates.add("stopped_message_generation", self.id, {"chat": chat.as_json, "draft_id": draft.id})

        self.server.act(act)

    def block(self) -> None:
        self._set_bot_status(self.id, "kicked")

    def unblock(self) -> None:
        self._set_bot_status(self.id, "member")

    def add_bot(self, group: Group, *, status: str = "member") -> None:
        """Takes the bot into a group it was not in, or makes it an administrator."""
        self._set_bot_status(group.id, status)

    def remove_bot(self, group: Group) -> None:
        self._set_bot_status(group.id, "kicked")

    def _set_bot_status(self, chat_id: int, status: str) -> None:
        def act() -> None:
            chat = self.server.chats[chat_id]
            told: Json = {"chat": chat.as_json, "from": self.as_json, "date": 0}
            told |= {"old_chat_member": member(BOT, chat.bot_status), "new_chat_member": member(BOT, status)}
            joins = not chat.private and chat.bot_status in ("left", "kicked")
            chat.bot_status = status
            self.server.updates.add("my_chat_member", chat.id, told)
            if joins and status == "member":
                message = chat.add(self.as_json, service=(("new_chat_members", [BOT]),))
                self.server.updates.add("message", chat.id, chat.told(message))

        self.server.act(act)

    def _send(
        self, kind: str, name: str, content: bytes, size: int | None, chat: Group | None, caption: str
    ) -> Message:
        file = self.server.act(lambda: self.server.keep_file(kind, name, content, size=size))
        return self._post(chat, None, text=caption, entities=_entities(caption), file=file)

    def _post(self, group: Group | None, reply_to: Message | None, **fields: Any) -> Message:
        def act() -> Message:
            chat = self.server.chats[group.id if group else self.id]
            if not chat.private:
                chat.members.setdefault(self.id, "member")
            elif chat.bot_status == "kicked":
                raise AssertionError("who has blocked the bot can't write to it")
            message = chat.add(self.as_json, reply_to=reply_to.id if reply_to else None, **fields)
            if self._reaches_the_bot(chat, message):
                self.server.updates.add("message", chat.id, chat.told(message))
            return message

        return self.server.act(act)

    def _reaches_the_bot(self, chat: Chat, message: Message) -> bool:
        """Privacy mode: in a group a bot that is no administrator sees commands, mentions of it and replies to it."""
        if chat.private or chat.bot_status == "administrator":
            return True
        if chat.bot_status != "member":
            return False
        answered = chat.messages.get(message.reply_to or 0)
        others = [word for word in message.marked("bot_command") if "@" in word and BOT["username"] not in word]
        commands = set(message.marked("bot_command")) - set(others)
        return bool(
            commands or f"@{BOT['username']}" in message.marked("mention") or (answered is not None and answered.by_bot)
        )


def _entities(text: str) -> tuple[Json, ...]:
    """What Telegram marks in a person's message."""
    return tuple(
        {"type": link.kind, "offset": utf16(text[: link.start]), "length": utf16(link.text)} for link in found(text)
    )

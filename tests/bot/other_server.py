"""A Bot API server that nobody here wrote: telegram-test-api, from npm. It knows a private chat and plain messages.

with other_server() as server:
    bot = connected(server.base_url, server.token)
    ...                                          # the bot polls, or sets a webhook
    server.say("/start")
    (hello,) = await server.wait_for(server.messages)
    server.press(hello, "Help")
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tests.npm_server import installed, serving

T = TypeVar("T")

LOCKED = Path(__file__).parent / "telegram_test_api"
TOKEN = "1000002:another-token-for-tests"


@dataclass(frozen=True, slots=True)
class Said:
    """A message by the bot as it stands now."""

    id: int
    text: str
    entities: tuple[dict[str, Any], ...]
    buttons: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class OtherServer:
    """One person's private chat with the bot."""

    base_url: str
    token: str = TOKEN
    user_id: int = 7
    language_code: str = "en"

    def say(self, text: str) -> None:
        told = self._act() | {"text": text}
        if text.startswith("/"):
            entity = {"type": "bot_command", "offset": 0, "length": len(text.split()[0])}
            self._ask("sendCommand", told | {"entities": [entity]})
        else:
            self._ask("sendMessage", told)

    def press(self, message: Said, wanted: str) -> None:
        """Presses the button that says this."""
        (button,) = [button for button in message.buttons if button["text"] == wanted]
        shown = self._act() | {"message_id": message.id, "text": message.text}
        self._ask("sendCallback", self._act() | {"message": shown, "data": button["callback_data"]})

    def messages(self) -> list[Said]:
        """The bot's messages, in order."""
        history = self._ask("getUpdatesHistory", {"token": self.token})
        to_us = [entry for entry in history if str(entry.get("message", {}).get("chat_id")) == str(self.user_id)]
        return [_said(entry) for entry in to_us]

    async def wait_for(self, predicate: Callable[[], T], seconds: float = 60) -> T:
        """What the predicate gives as soon as that is true."""
        until = time.monotonic() + seconds
        while not (value := predicate()):
            assert time.monotonic() < until, f"it did not happen in {seconds} seconds: {self.messages()}"
            await asyncio.sleep(0.02)  # this server tells nobody what happens
        return value

    def _act(self) -> dict[str, Any]:
        person = {"id": self.user_id, "is_bot": False, "first_name": "Anna", "language_code": self.language_code}
        chat = {"id": self.user_id, "type": "private", "first_name": "Anna"}
        return {"botToken": self.token, "from": person, "chat": chat, "date": int(time.time())}

    def _ask(self, path: str, payload: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/{path}", json.dumps(payload).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)["result"]


@contextmanager
def other_server() -> Iterator[OtherServer]:
    """The server, running; skips the test where it can't be installed."""
    folder = installed(LOCKED, oldest_node=(16, 0))
    with serving(["node", str(LOCKED / "launch.cjs"), str(folder)]) as base_url:
        yield OtherServer(base_url)


def _said(entry: dict[str, Any]) -> Said:
    message = entry["message"]
    markup = message.get("reply_markup") or {}
    buttons = tuple(button for row in markup.get("inline_keyboard", ()) for button in row)
    return Said(entry["messageId"], message["text"], tuple(message.get("entities") or ()), buttons)

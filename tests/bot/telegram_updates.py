"""How updates reach the bot: it asks for them, or they are posted to its webhook."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.bot.telegram_requests import understood
from tests.bot.telegram_rules import Json, Refusal, bad

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_SECOND_POLL = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_FIRST_ID = 100
NOT_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}

Carry = Callable[[str, Json], Awaitable[Any]]
"""Carries out a method that a webhook named in its answer."""


@dataclass(frozen=True, slots=True)
class Update:
    id: int
    kind: str
    chat_id: int
    body: Json

    def as_json(self) -> Json:
        return {"update_id": self.id, self.kind: self.body}


class Updates:
    """The updates that the bot has not confirmed. Lives on the server's loop."""

    def __init__(self, carry: Carry, changed: Callable[[], None]) -> None:
        self.pending: list[Update] = []
        self.allowed: list[str] = []
        self.webhook: Json | None = None
        self.redelivery_seconds = 0.05
        """How long it waits before an update is posted again. Telegram waits longer and longer."""
        self.paused = False
        self._carry = carry
        self._changed = changed
        self._last_id = _FIRST_ID
        self._poll: asyncio.Future[None] | None = None
        self._last_error: Json = {}
        self._posts: dict[int, asyncio.Task[None]] = {}

    @property
    def made(self) -> int:
        """How many updates there have been."""
        return self._last_id - _FIRST_ID

    @property
    def polled(self) -> bool:
        """Whether the bot waits for updates at this moment."""
        return self._poll is not None

    def add(self, kind: str, chat_id: int, body: Json) -> None:
        """An update for the bot, if it wants that kind. Updates of a chat come to a webhook in order."""
        if kind not in self.allowed if self.allowed else kind in NOT_BY_DEFAULT:
            return
        self._last_id += 1
        self.pending.append(Update(self._last_id, kind, chat_id, body))
        if self._poll and not self._poll.done():
            self._poll.set_result(None)
        self._post()

    async def get(self, parameters: Json) -> list[Json]:
        """What `getUpdates` returns: everything from `offset` on, which confirms what came before."""
        if self.webhook:
            raise Refusal(
                409,
                "Conflict: can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first",
            )
        self._allow(parameters)
        offset = parameters.get("offset") or 0
        if offset < 0:
            self.pending = self.pending[offset:]
        self.pending = [update for update in self.pending if update.id >= offset]
        self._changed()
        self.end_poll(
            "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
        )
        if not self.pending and parameters.get("timeout"):
            self._poll = poll = asyncio.get_running_loop().create_future()
            self._changed()
            try:
                async with asyncio.timeout(parameters["timeout"]):
                    await poll
            except TimeoutError:
                pass  # nothing has happened
            finally:
                if self._poll is poll:
                    self._poll = None
                self._changed()
        return [update.as_json() for update in self.pending[: parameters.get("limit") or 100]]

    def end_poll(self, reason: str, status: int = 409) -> None:
        """The waiting `getUpdates`, if there is one, is answered with this."""
        if self._poll and not self._poll.done():
            self._poll.set_exception(Refusal(status, reason))
        self._poll = None

    def set_webhook(self, parameters: Json) -> bool:
        if not parameters.get("url"):
            return self.delete_webhook(parameters)
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", parameters.get("secret_token", "")):
            raise bad("secret token contains unallowed characters")
        self._allow(parameters)
        self._forget(parameters)
        self.end_poll("Conflict: terminated by setWebhook request")
        self.webhook = parameters
        self._last_error = {}
        self._post()
        return True

    def delete_webhook(self, parameters: Json) -> bool:
        self._forget(parameters)
        self.webhook = None
        return True

    def webhook_info(self) -> Json:
        told = {"url": "", "has_custom_certificate": False, "pending_update_count": len(self.pending)}
        if self.allowed:
            told["allowed_updates"] = self.allowed
        if self.webhook:
            told |= {"url": self.webhook["url"], "max_connections": self.webhook.get("max_connections", 40)}
        return told | self._last_error

    async def close(self) -> None:
        self.end_poll("Internal Server Error: restart", 500)
        for task in self._posts.values():
            task.cancel()
        await asyncio.gather(*self._posts.values(), return_exceptions=True)

    def resume(self) -> None:
        self.paused = False
        self._post()

    def _allow(self, parameters: Json) -> None:
        if "allowed_updates" in parameters:
            self.allowed = list(parameters["allowed_updates"])

    def _forget(self, parameters: Json) -> None:
        if parameters.get("drop_pending_updates"):
            self.pending = []

    def _post(self) -> None:
        if self.webhook is None or self.paused:
            return
        for chat_id in {update.chat_id for update in self.pending} - self._posts.keys():
            self._posts[chat_id] = asyncio.get_running_loop().create_task(self._post_of(chat_id))

    async def _post_of(self, chat_id: int) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as client:
            while webhook := self.webhook:
                update = next((update for update in self.pending if update.chat_id == chat_id), None)
                if update is None or self.paused:
                    break
                try:
                    await self._post_one(client, webhook, update)
                except (aiohttp.ClientError, TimeoutError, Refusal) as error:
                    self._last_error = {"last_error_date": int(time.time()), "last_error_message": str(error)}
                    await asyncio.sleep(self.redelivery_seconds)
                else:
                    self.pending = [other for other in self.pending if other.id != update.id]
                self._changed()
        del self._posts[chat_id]

    async def _post_one(self, client: aiohttp.ClientSession, webhook: Json, update: Update) -> None:
        secret = webhook.get("secret_token")
        headers = {SECRET_HEADER: secret} if secret else {}
        async with client.post(webhook["url"], json=update.as_json(), headers=headers) as response:
            if not 200 <= response.status < 300:
                raise Refusal(response.status, f"Wrong response from the webhook: {response.status} {response.reason}")
            named = await _named_in(response)
        if method := named.pop("method", None):
            await self._carry(method, understood(named))


async def _named_in(response: aiohttp.ClientResponse) -> Json:
    """The method and its parameters that the bot wrote into its answer, if any."""
    if response.content_type == "application/json":
        told = await response.json()
        return dict(told) if isinstance(told, dict) else {}
    if response.content_type != "multipart/form-data":
        return {}
    named: Json = {}
    async for part in aiohttp.MultipartReader.from_response(response):
        if isinstance(part, aiohttp.BodyPartReader) and part.name:
            content = bytes(await part.read(decode=True))
            named[part.name] = content if part.filename else content.decode()
    return named

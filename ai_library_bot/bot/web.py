"""What the bot answers over HTTP: `/healthz`, and with a webhook the updates that Telegram brings."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiogram import Bot
from aiogram.types import Update
from aiohttp import web
from pydantic import SecretStr, ValidationError

from ai_library_bot.bot.inbox import Inbox
from ai_library_bot.errors import BadSetting, LibraryError

_LOG = logging.getLogger(__name__)

HEALTH = "/healthz"

_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - its name is known to all
_LARGEST = 1_000_000  # bytes of an update
_CLOSING = 2.0  # seconds for requests that are under way


class Webhook:
    """Where Telegram brings updates: a path, and the secret that proves that it is Telegram."""

    def __init__(self, bot: Bot, inbox: Inbox, path: str, secret: SecretStr) -> None:
        self.path = path
        self._bot, self._inbox, self._secret = bot, inbox, secret

    async def receive(self, request: web.Request) -> web.Response:
        """Says yes only once the update is written down; for anything else Telegram brings it again."""
        told = request.headers.get(_SECRET_HEADER, "")
        if not secrets.compare_digest(told.encode(), self._secret.get_secret_value().encode()):
            return web.Response(status=401)
        try:
            update = Update.model_validate(await request.json(), context={"bot": self._bot})
        except (ValidationError, ValueError):
            _LOG.warning("an update that makes no sense was passed over")
            return web.Response()
        try:
            taken = await self._inbox.accept([update])
        except LibraryError as error:
            _LOG.error("%s", error)
            taken = False
        return web.Response(status=200 if taken else 503)


@asynccontextmanager
async def serving(listen: str, health: Callable[[], dict[str, Any]], webhook: Webhook | None) -> AsyncIterator[None]:
    """Answers at the address (host:port) until the end of the block. Raises BadSetting if it is not to be had."""

    async def healthz(_: web.Request) -> web.Response:
        found = health()
        return web.Response(status=200 if found["ok"] else 503, text=json.dumps(found), content_type="application/json")

    application = web.Application(client_max_size=_LARGEST)
    application.router.add_get(HEALTH, healthz)
    if webhook:
        application.router.add_post(webhook.path, webhook.receive)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_CLOSING)
    await runner.setup()
    try:
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except OSError as error:
            raise BadSetting("listen_failed", listen=listen, reason=error.strerror or str(error)) from error
        yield
    finally:
        await runner.cleanup()

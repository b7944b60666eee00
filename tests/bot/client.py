"""A real aiogram client that talks to a server of the tests."""

from __future__ import annotations

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer


class QuickSession(AiohttpSession):
    """aiogram's session without certificates and without the quarter of a second that closing them takes."""

    def __init__(self, base_url: str) -> None:
        super().__init__(api=TelegramAPIServer.from_base(base_url))
        self._connector_init = {"limit": 100}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def connected(base_url: str, token: str) -> Bot:
    """A bot at that server; close it with `await bot.session.close()`, or enter it."""
    return Bot(token, session=QuickSession(base_url))

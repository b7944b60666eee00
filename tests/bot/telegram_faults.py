"""What can go wrong between the bot and Telegram: each is done to one request in place of a good answer.

server.fail(status(502), times=3)                      # the next three requests
server.fail(too_many(5), method="sendMessage")         # the next message
server.fail(cut_after(), method="sendMessage")         # sent, but the bot never learns
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.bot.telegram_rules import Refusal

Act = Callable[[], Awaitable[Any]]
"""Carries the request out and returns the result; raises `Refusal`."""


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes instead of JSON; None for a connection that ends without an answer."""

    content: bytes | None
    status: int = 200
    content_type: str = "text/html"

    def response(self, request: web.Request) -> web.Response:
        if self.content is None and request.transport:
            request.transport.abort()
        return web.Response(body=self.content or b"", status=self.status, content_type=self.content_type)


Fault = Callable[[Act], Awaitable[Any]]
"""Returns the result that the bot gets, or a `Raw` answer, or raises `Refusal`."""


def status(code: int, description: str = "Internal Server Error") -> Fault:
    """An error status in Telegram's shape."""

    async def fault(act: Act) -> Any:
        raise Refusal(code, description)

    return fault


def too_many(retry_after: int) -> Fault:
    async def fault(act: Act) -> Any:
        raise Refusal(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)

    return fault


def garbage(content: bytes = b"<html><h1>502 Bad Gateway</h1></html>", code: int = 502) -> Fault:
    """What a proxy on the way says."""

    async def fault(act: Act) -> Raw:
        return Raw(content, code)

    return fault


def cut() -> Fault:
    """The connection ends, nothing was done."""

    async def fault(act: Act) -> Raw:
        return Raw(None)

    return fault


def cut_after() -> Fault:
    """It was done, and the connection ends before the answer."""

    async def fault(act: Act) -> Raw:
        await act()
        return Raw(None)

    return fault


def delay(seconds: float) -> Fault:
    """It is done late."""

    async def fault(act: Act) -> Any:
        await asyncio.sleep(seconds)
        return await act()

    return fault
